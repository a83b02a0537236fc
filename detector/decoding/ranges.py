"""A file that lies elsewhere, of which the parent sends the parts that are asked for.

The child that decodes has no way to a server: all it can do is ask for ranges of this one file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

_LEAST = 1 << 16  # bytes that are asked for at a time
_MOST = 1 << 22

Ask = Callable[[int, int], bytes]
"""Returns at least one byte from a position on, and at most so many."""


class Ranges:
    """A file by its ranges; any number of readers may be at work in it.

    Parameters
    ----------
    size
        In bytes.
    suffix
        Of its name, as ``.mp4``: some containers are hard to tell without it.
    """

    def __init__(self, size: int, suffix: str, ask: Ask) -> None:
        self.size = size
        self.name = f"file{suffix}"
        self._ask = ask
        self._unneeded = self._wanted = range(0)

    def open(self) -> RangeReader:
        return RangeReader(self)

    def expect(self, wanted: range, after: int) -> None:
        """Say which bytes are read next.

        Parameters
        ----------
        wanted
            These are asked for at once.
        after
            What lies between this place and those is passed over. FFmpeg reads on where it has not
            far to go, and is given zeros there, which it does not look at.
        """
        self._unneeded, self._wanted = range(after, wanted.start), wanted

    def part(self, start: int, length: int) -> bytes:
        """Return some bytes from a position on, at least one unless the file ends there."""
        if start >= self.size:
            return b""
        if start in self._unneeded:
            return bytes(min(length, self._unneeded.stop - start))
        length = max(length, _LEAST)
        if start in self._wanted:
            length = min(self._wanted.stop - start, _MOST)
        return self._ask(start, min(length, self.size - start))


class RangeReader:
    """What PyAV reads a `Ranges` from."""

    def __init__(self, file: Ranges) -> None:
        self.name = file.name
        self._file = file
        self._position = 0
        self._part, self._start = b"", 0  # what was sent last, and where it lies

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, none at the end of the file."""
        offset = self._position - self._start
        if not 0 <= offset < len(self._part):
            self._part, self._start = self._file.part(self._position, size), self._position
            offset = 0
        part = self._part[offset : offset + size]
        self._position += len(part)
        return part

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}
        self._position = max(0, origin[whence] + offset)
        return self._position

    def tell(self) -> int:
        return self._position


AnyFile: TypeAlias = Path | Ranges


def size_of(file: AnyFile) -> int:
    """Return a file's size in bytes."""
    return file.size if isinstance(file, Ranges) else file.stat().st_size


def head_of(file: AnyFile, length: int) -> bytes:
    """Return the first bytes of a file."""
    if isinstance(file, Ranges):
        return file.part(0, length)[:length]
    with file.open("rb") as opened:
        return opened.read(length)
