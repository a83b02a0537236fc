"""Whatever a file does to the process that reads it, the caller gets an answer and lives on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.media import Limits, Sampler, UnreadableMediaError, first_frame, grab, probe, reading
from detector.samples import write_clip
from detector.types import Fault

SECONDS = 20


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    moving = np.random.default_rng(5).integers(0, 255, (160, 240 + 25 * SECONDS, 3), np.uint8)
    moving = cv2.GaussianBlur(moving, (0, 0), 4)
    frames = ((n / 25, moving[:, n : n + 240]) for n in range(25 * SECONDS))
    write_clip(path, frames)
    return path


def children() -> set[int]:
    """Return the processes that this one has started."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(number) for number in (task / "children").read_text().split()}
    return found


def reader_of(frames: Iterator[object]) -> int:
    """Begin to read a file; return the process that does."""
    reading._pool.close()  # so that another one has to be started
    before = children()
    next(frames)
    (started,) = children() - before
    return started


def test_a_decoder_that_crashes_costs_the_rest_of_its_file(clip: Path) -> None:
    sampler = Sampler(clip, 25.0)
    frames = iter(sampler)
    os.kill(reader_of(frames), signal.SIGSEGV)
    rest = list(frames)
    assert len(rest) < 25 * SECONDS - 1
    assert (sampler.error, sampler.fault) == ("the decoder crashed (SIGSEGV)", Fault.CRASH)
    assert len(list(Sampler(clip, 1.0))) == SECONDS


def test_a_file_that_gives_nothing_for_too_long_is_left(tmp_path: Path, clip: Path) -> None:
    endless = tmp_path / "endless.mp4"
    os.mkfifo(endless)  # opening it waits for somebody who writes
    with pytest.raises(UnreadableMediaError, match="stood still for 1 s") as caught:
        probe(endless, Limits(silence=1))
    assert caught.value.fault is Fault.HANG
    assert probe(clip).duration == pytest.approx(SECONDS, abs=0.1)


def test_processor_time_ends(clip: Path) -> None:
    costly = [SECONDS - 0.1] * 2000  # each decodes a whole group of pictures again
    with pytest.raises(UnreadableMediaError, match="more processor time than a file may") as caught:
        grab(clip, costly, limits=Limits(cpu_seconds=0, cpu_per_frame=0))
    assert caught.value.fault is Fault.CPU


def test_memory_ends(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    cv2.imwrite(str(photo), np.zeros((8000, 8000, 3), np.uint8))
    assert first_frame(photo, 100).shape == (100, 100, 3)
    with pytest.raises(UnreadableMediaError, match=r"than the 0\.25 GiB that a file") as caught:
        first_frame(photo, 100, Limits(memory=1 << 28))
    assert caught.value.fault is Fault.MEMORY


def test_frames_end(clip: Path) -> None:
    sampler = Sampler(clip, 5.0, limits=Limits(frames=7))
    assert len(list(sampler)) == 7
    assert sampler.error == "it goes on after 7 frames, the most that are read of a file"
    assert sampler.fault is Fault.SIZE


def test_pictures_end(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.zeros((8200, 8200), np.uint8))
    with pytest.raises(UnreadableMediaError, match="8200x8200 are larger") as caught:
        probe(photo)
    assert caught.value.fault is Fault.SIZE


def test_a_file_that_is_no_video_is_no_fault_of_the_decoder(tmp_path: Path) -> None:
    (tmp_path / "letter.mp4").write_text("Dear Sir or Madam")
    with pytest.raises(UnreadableMediaError, match="not a video") as caught:
        probe(tmp_path / "letter.mp4")
    assert caught.value.fault is None


def test_a_fault_is_what_this_program_calls_one() -> None:
    assert reading._fault_in({"fault": "hang"}) is Fault.HANG
    assert reading._fault_in({"fault": "uploads of Anna"}) is None


def test_one_who_looks_away_early_costs_nobody_else(clip: Path) -> None:
    for _ in range(3):
        frames = iter(Sampler(clip, 25.0))
        next(frames)
        del frames
    assert len(list(Sampler(clip, 2.0))) == 2 * SECONDS


def test_readers_are_used_again(clip: Path) -> None:
    probe(clip)
    before = children()
    for _ in range(5):
        probe(clip)
        list(Sampler(clip, 1.0))
        grab(clip, [1.0])
    assert children() == before


def test_readers_that_were_killed_while_idle_cost_nothing(clip: Path) -> None:
    probe(clip)
    for pid in children():
        if b"detector.decoding.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert probe(clip).duration == pytest.approx(SECONDS, abs=0.1)


def test_a_reader_may_not_write(clip: Path, tmp_path: Path) -> None:
    from detector.decoding.child import _limit

    pid = os.fork()
    if not pid:  # in the reader's place
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _limit(replace(Limits(), memory=1 << 40))
        try:
            (tmp_path / "written").write_bytes(b"x")
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
