"""What the doctor says: checks, as plain data."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    OFF = "off"  # all else works without it
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    remedy: str = ""  # what turns it on, or mends it


def free_space(folder: Path) -> int:
    """Return how many bytes are free where a folder is, or will be."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return shutil.disk_usage(there).free


def size(amount: int) -> str:
    """Write a number of bytes for people.

    >>> size(3 << 29)
    '1.5 GiB'
    """
    return f"{amount / (1 << 30):.1f} GiB"
