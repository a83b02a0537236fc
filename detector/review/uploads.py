"""Files that people give the desk: where they lie in the workspace, and for how long.

They come in under a name that the desk makes up. What the sender calls a file is for people to read
and never part of a path, but for letters, digits and a few signs of it once the file is to stay.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from detector.review.errors import NotFoundError
from index.files import sync_folder
from index.records import check_digest

QUERIES = "queries"  # folder of the workspace: what is asked about, and what is yet to be taken in
UPLOADS = "uploads"  # of cases that were opened from a query
LIBRARY = "library"  # of works that were added at the desk

_LEFT_OVER_S = 6 * 3600.0  # age from which a file in `QUERIES` is of no job any more
_LONGEST_NAME = 200  # characters of a name that anybody reads
_LONGEST_STEM = 80
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_OTHERS = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody gave the desk."""

    path: Path
    name: str  # what the sender calls it, for people to read
    digest: str  # SHA-256
    size: int  # bytes

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem or self.name


def new_path(home: Path, name: str) -> Path:
    """Return where a file can be written that comes in; its folder is there.

    Parameters
    ----------
    name
        What the sender calls it: its suffix is kept if it looks like one.
    """
    folder = home / QUERIES
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{secrets.token_urlsafe(16)}{_suffix(name)}"


def name_of(given: str | None) -> str:
    r"""Return the last part of what a sender calls a file.

    >>> name_of("C:\\films\\heat.mp4"), name_of("../../etc/passwd"), name_of("..")
    ('heat.mp4', 'passwd', 'upload')
    """
    last = re.split(r"[/\\]", given or "")[-1].strip()[-_LONGEST_NAME:]
    last = last.encode("utf-8", "replace").decode()
    return last if last.strip(". ") else "upload"


def safe_name(name: str) -> str:
    """Return a name for a file that is to stay, made of what is harmless in a name.

    >>> safe_name("Heat (1995), final cut.MP4"), safe_name("-rf ~.mp4"), safe_name("..")
    ('Heat_1995_final_cut.mp4', 'rf.mp4', 'upload')
    """
    suffix = _suffix(name)
    stem = name[: len(name) - len(suffix)]
    plain = _OTHERS.sub("_", stem).strip("._-")[:_LONGEST_STEM].strip("._-")
    return f"{plain or 'upload'}{suffix}"


class Kept(NamedTuple):
    """A file that stays."""

    path: Path
    was_moved: bool  # False: the same file was there already


def keep(upload: Upload, home: Path, folder: str) -> Kept:
    """Move a file to where it stays: a folder of its own, named by its content.

    Where the same file is there already, it stays under the name it has, and nothing is moved.

    Parameters
    ----------
    folder
        `UPLOADS` or `LIBRARY`.

    Raises
    ------
    NotFoundError
        It was deleted meanwhile.
    """
    check_digest(upload.digest)
    place = home.absolute() / folder / upload.digest
    known = sorted(place.iterdir()) if place.is_dir() else []
    if known:
        return Kept(known[0], was_moved=False)
    if not upload.path.is_file():
        raise NotFoundError("the file has been deleted, as its time was over: send it again")
    with upload.path.open("rb") as file:
        os.fsync(file.fileno())
    place.mkdir(parents=True, exist_ok=True)
    kept = upload.path.replace(place / safe_name(upload.name))
    sync_folder(place)
    sync_folder(place.parent)
    return Kept(kept, was_moved=True)


def lies_in(path: Path, home: Path, folder: str) -> bool:
    """Whether a file is one that `keep` has put there."""
    return path.absolute().parent.parent == home.absolute() / folder


def discard(path: Path) -> None:
    """Delete a file that `keep` has put somewhere, with the folder it has to itself."""
    shutil.rmtree(path.parent, ignore_errors=True)


def sweep(home: Path) -> int:
    """Delete what a desk that was killed has left in `QUERIES`; return how many."""
    before = time.time() - _LEFT_OVER_S
    swept = 0
    for path in (home / QUERIES).glob("*"):
        try:
            if path.stat().st_mtime >= before:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            swept += 1
        except FileNotFoundError:  # somebody else was faster
            continue
    return swept


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ""
