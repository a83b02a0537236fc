"""What threads have freed goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_PROGRAM = """
import threading
from pathlib import Path
from detector.memory import give_back, keep_few_arenas

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def work():
    barrier.wait()  # all at the same time, so that each wants memory of its own
    blocks = [bytes(4000) for _ in range(5000)]
    kept.append(blocks[::50])  # something in between stays
    barrier.wait()

keep_few_arenas()
barrier, kept = threading.Barrier(8), []
threads = [threading.Thread(target=work) for _ in range(8)]
before = resident()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
give_back()
print(resident() - before)
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc"
)
def test_what_threads_have_freed_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 8 * 5000 * 4000 / 4
