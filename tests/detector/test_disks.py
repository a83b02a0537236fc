"""A disk that is full, or may only be read: an error that says what to do, and no damage.

The commands are the real ones, in processes of their own, and so are the disks: small ones in
memory where this process may mount them.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import Result
from made_up_works import enrol
from typer.testing import CliRunner

from detector.cli import app
from detector.descriptors import open_channels, space_of
from detector.samples import write_clip
from detector.settings import load_settings
from detector.types import Channel
from index.reference_index import ReferenceIndex

KIB = 1 << 10
MIB = 1 << 20
FRAMES = 1000  # of the long film: its vectors are 2 MB
HARDLY_OPENS = 36 * KIB  # enough for SQLite to open the catalogue, and for no more
NO_VECTORS = MIB  # enough for a short film and its row, not for the FAISS file


def run(*arguments: object) -> Result:
    """Run a command in this process, which is faster."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object, limit: int = resource.RLIM_INFINITY) -> tuple[list[str], str]:
    """Run a command that must fail; return the lines of its output, and its last sentence.

    Parameters
    ----------
    limit
        Bytes that a file may have.
    """
    done = subprocess.run(
        [sys.executable, "-m", "detector", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("matchcut: ")
    return done.stdout.splitlines(), sentence


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds in which the camera moves over something."""
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    ground = np.random.default_rng(3).integers(0, 255, (160, 320, 3), np.uint8)
    ground = cv2.GaussianBlur(ground, (0, 0), 4)
    write_clip(path, ((n / 10, ground[:, n : n + 240]) for n in range(30)))
    return path


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long film, and one to be removed."""
    home = tmp_path_factory.mktemp("workspace")
    descriptors, _ = open_channels(load_settings(home=home, channels="copy"))
    descriptor = descriptors[Channel.COPY]
    with ReferenceIndex.open(home) as index:
        for name, frames in (("long", FRAMES), ("unwanted", 10)):
            enrol(index, name, frames, space_of(descriptor), descriptor.dim)
    return home


@pytest.fixture
def home(workspace: Path, tmp_path: Path) -> Path:
    return shutil.copytree(workspace, tmp_path / "home")


class SmallDisk:
    """A disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def filled(self, left: int) -> Iterator[None]:
        """Leave so many bytes free, as long as the block runs."""
        free = os.statvfs(self.folder)
        other = self.folder / "others.dat"
        other.write_bytes(bytes(free.f_bavail * free.f_frsize - left))
        yield
        other.unlink()


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount something; skip the test where that is not allowed."""
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("a disk of its own for this test takes root, and the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", "size=32m", "tmpfs"):
        yield SmallDisk(folder)


@pytest.fixture
def on_disk(workspace: Path, disk: SmallDisk) -> Path:
    return shutil.copytree(workspace, disk.folder / "home")


@contextmanager
def only_readable(folder: Path) -> Iterator[None]:
    """Let nobody write there: root is not held by permissions, but by how a disk is mounted."""
    if os.geteuid() == 0:
        with mounted(folder, "--bind", "-o", "ro", str(folder)):
            yield
        return
    places = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in places:
        path.chmod(0o500)
    try:
        yield
    finally:
        for path in places:
            path.chmod(0o700)


def assert_sound(home: Path, *ids: str) -> None:
    """Everything can be mended, and these are the works that are found by their own frames."""
    assert run("index", "verify", "--repair", "--home", home).exit_code == 0
    with ReferenceIndex.open(home) as index:
        works = index.works()
        assert sorted(work.id for work in works) == sorted(ids)
        for work in works:
            hits = index.search("copy", index.embeddings(work.number, "copy").vectors, 1)
            assert set((hits.ids >> 24).ravel().tolist()) == {work.number}


@pytest.mark.parametrize("left", [0, HARDLY_OPENS, NO_VECTORS])
def test_adding_to_a_full_disk(left: int, clip: Path, disk: SmallDisk, on_disk: Path) -> None:
    command = ("works", "add", clip, "--channels", "copy", "--home", on_disk)
    with disk.filled(left):
        added, sentence = refused(*command)
    assert "room" in sentence
    assert added == (["short"] if left == NO_VECTORS else [])
    assert_sound(on_disk, "long", "unwanted", *added)
    assert run(*command).exit_code == 0
    assert_sound(on_disk, "long", "unwanted", "short")


@pytest.mark.parametrize("left", [HARDLY_OPENS, NO_VECTORS])
def test_removing_from_a_full_disk(left: int, disk: SmallDisk, on_disk: Path) -> None:
    with disk.filled(left):
        removed, sentence = refused("works", "remove", "unwanted", "--home", on_disk)
    assert "room" in sentence
    assert removed == (["removed unwanted"] if left == NO_VECTORS else [])
    if not removed:
        assert_sound(on_disk, "long", "unwanted")
        assert run("works", "remove", "unwanted", "--home", on_disk).exit_code == 0
    assert_sound(on_disk, "long")


def test_scanning_with_a_workspace_on_a_full_disk(
    clip: Path, disk: SmallDisk, on_disk: Path
) -> None:
    command = ("scan", clip, "--resume", "--channels", "copy", "--home", on_disk)
    with disk.filled(HARDLY_OPENS):
        _, sentence = refused(*command)
    assert "room" in sentence
    assert_sound(on_disk, "long", "unwanted")
    assert run(*command).exit_code == 0


def test_results_that_a_full_disk_does_not_take(clip: Path, home: Path, tmp_path: Path) -> None:
    command = ("scan", clip, "--channels", "copy", "--home", home, "--format", "jsonl", "--output")
    _, sentence = refused(*command, "/dev/full")
    assert sentence.startswith("matchcut: No space left on device (/dev/full): make room")
    assert_sound(home, "long", "unwanted")
    assert run(*command, tmp_path / "flags.jsonl", "--resume").exit_code == 0
    assert '"query_id": "short"' in (tmp_path / "flags.jsonl").read_text()


def test_files_that_must_not_be_so_large(clip: Path, home: Path) -> None:
    command = ("works", "add", clip, "--channels", "copy", "--home", home)
    added, sentence = refused(*command, limit=NO_VECTORS)
    assert (added, "`ulimit -f`" in sentence) == (["short"], True)
    assert_sound(home, "long", "unwanted", "short")
    assert run(*command).exit_code == 0


@pytest.mark.parametrize("words", ["works add", "works remove", "scan"])
def test_a_workspace_that_can_only_be_read(words: str, clip: Path, home: Path) -> None:
    what = ("unwanted",) if words == "works remove" else (clip, "--channels", "copy")
    command = (*words.split(), *what, "--home", home)
    with only_readable(home):
        done, sentence = refused(*command)
    assert done == []
    assert sentence.startswith(f"matchcut: nothing can be written in {home}")
    assert "let this account write there" in sentence
    assert_sound(home, "long", "unwanted")
    assert run(*command).exit_code == 0


def test_results_for_a_folder_that_can_only_be_read(clip: Path, home: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    output = results / "flags.csv"
    with only_readable(results):
        command = ("scan", clip, "--channels", "copy", "--home", home, "--output", output)
        _, sentence = refused(*command)
    assert f"({output}): let this account write there" in sentence
