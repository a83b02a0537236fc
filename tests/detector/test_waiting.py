"""Processes that share a workspace: who has to wait is told so, and what for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from made_up_works import enrol

from index.faiss_structures import SIZES
from index.reference_index import ReferenceIndex

MANY = SIZES.exact + 1  # vectors that are compacted as soon as something is written


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "detector", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_ctrl_c,
    )


def _heed_ctrl_c() -> None:
    """Undo that what a shell starts in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def held_up(path: Path) -> Iterator[None]:
    """Let whoever reads a file wait as long as the block runs; then it is damaged for them."""
    aside = path.rename(path.with_suffix(".aside"))
    os.mkfifo(path)  # opening it waits for somebody who writes
    try:
        yield
    finally:
        os.close(os.open(path, os.O_RDWR))
        aside.replace(path)


def wait_for(words: str, process: subprocess.Popen[str]) -> None:
    """Read what a process says until that comes."""
    assert process.stderr is not None
    assert any(words in line for line in process.stderr)


def end_of(process: subprocess.Popen[str]) -> int:
    with process:
        process.communicate(timeout=60)
    return process.returncode


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Works "small" and "largest", which are due to be compacted together."""
    with ReferenceIndex.open(tmp_path, sizes=replace(SIZES, exact=2 * MANY)) as index:
        enrol(index, "small", 10)
        enrol(index, "largest", MANY)
    return tmp_path


def embeddings_of_largest(home: Path) -> Path:
    with ReferenceIndex.open(home) as index:
        (file,) = index.files(index.work("largest").number)
    return home / file.file


def somebody_writes(home: Path) -> bool:
    try:
        with FileLock(home / "writer.lock", timeout=0):
            return False
    except Timeout:
        return True


def test_who_waits_for_its_turn_to_write_is_told_and_then_writes(home: Path) -> None:
    with held_up(embeddings_of_largest(home)):
        first = start("index", "verify", "--home", home)  # it reads all files while it has its turn
        while not somebody_writes(home):
            assert first.poll() is None
            time.sleep(0.05)
        second = start("works", "edit", "small", "--title", "Smaller", "--home", home)
        wait_for(f"writing to the index in {home}: waiting for it, up to 60 s", second)
    assert (end_of(first), end_of(second)) == (2, 0)
    with ReferenceIndex.open(home) as index:
        assert index.work("small").title == "Smaller"


def test_who_waits_for_a_compaction_is_told_and_may_leave_it(home: Path) -> None:
    with held_up(embeddings_of_largest(home)):
        removing = start("works", "remove", "small", "--home", home)
        wait_for("waiting for channel 'copy' to be compacted; Ctrl-C leaves it", removing)
        with ReferenceIndex.open(home) as index:
            assert [work.id for work in index.works()] == ["largest"]  # what was asked is done
        compacting = start("index", "compact", "--home", home)
        wait_for(f"another process is compacting the index in {home}", compacting)
        compacting.send_signal(signal.SIGINT)
        assert end_of(compacting) == 130
        removing.send_signal(signal.SIGINT)
        wait_for("not compacted this time", removing)
    assert end_of(removing) == 130
    with ReferenceIndex.open(home) as index:
        assert index.verify() == []
        assert index.stats().channels["copy"].structure == "exact"
        index.update(replace(index.work("largest"), title="Larger"))
        enrol(index, "next", 1)
    with ReferenceIndex.open(home) as index:
        assert index.verify() == []
        assert index.stats().channels["copy"].structure.startswith("IVF")
