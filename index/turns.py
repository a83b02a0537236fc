"""Who writes to a home folder: one process at a time, and the others wait for their turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from index.errors import IndexBusyError


@contextmanager
def turn(lock: filelock.BaseFileLock, home: Path, timeout: float | None = None) -> Iterator[None]:
    """Hold the lock of those that write.

    Parameters
    ----------
    lock
        The lock, with the seconds that it usually waits.
    home
        The folder it stands for.
    timeout
        Other seconds to wait.

    Raises
    ------
    IndexBusyError
        Another process did not let go of it in time.
    """
    try:
        lock.acquire(timeout)
    except filelock.Timeout as error:
        raise IndexBusyError(
            f"another process is writing to the index in {home} and has not finished after "
            f"{lock.timeout if timeout is None else timeout:.0f} s: wait for it to end, then try "
            "again"
        ) from error
    try:
        yield
    finally:
        lock.release()
