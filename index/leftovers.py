"""Search every file of a folder for byte strings, in a process of its own.

It is a process because of the catalogue's files: when a process closes a file, POSIX lets go of
all locks it holds on that file, however often it has it open. To read catalog.sqlite here would
take SQLite's locks away from under it, and let another process damage the catalogue.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

CHUNK = 1 << 20  # bytes read at once
_KEY = 8  # bytes of a needle that are compared before all of it is


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What was found in the files of a folder, by name relative to it."""

    found: dict[str, list[int]]  # which needles
    unreadable: dict[str, str]  # why


def find_leftovers(folder: Path, needles: Sequence[bytes]) -> Leftovers:
    """Look which of the needles are anywhere in a folder's files, however deep.

    Reads each file once; a thousand needles take hardly longer than one. Links to folders are not
    followed.

    Parameters
    ----------
    folder
        Where to look.
    needles
        What to look for: all of one length, 8 bytes or more; without any, nothing is read.

    Raises
    ------
    ValueError
        A needle has another length than the first, or is too short.
    """
    if len({len(needle) for needle in needles}) > 1 or (needles and len(needles[0]) < _KEY):
        raise ValueError(f"needles are of one length, {_KEY} bytes or more")
    if not needles:
        return Leftovers({}, {})
    request = {"folder": str(folder), "needles": [needle.hex() for needle in needles]}
    done = subprocess.run(
        # -P: nothing beside this file, or in the current folder, stands in for a module
        [sys.executable, "-P", __file__],
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Leftovers(**json.loads(done.stdout))


def _search(folder: Path, needles: Sequence[bytes]) -> Leftovers:
    search = _Search(needles)
    result = Leftovers({}, {})
    for path in _files(folder, result.unreadable):
        name = str(path.relative_to(folder))
        try:
            found = search.in_file(path)
        except FileNotFoundError:
            continue  # a temporary file that has served
        except OSError as error:
            result.unreadable[name] = error.strerror or str(error)
        else:
            if found:
                result.found[name] = sorted(found)
    return result


def _files(folder: Path, unreadable: dict[str, str]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        unreadable[os.path.relpath(error.filename, folder)] = error.strerror or str(error)

    for parent, folders, names in os.walk(folder, onerror=note):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file():  # and no pipe, which would never end
                yield path


class _Search:
    """Finds needles by their first two bytes in a table, then by eight, then whole."""

    def __init__(self, needles: Sequence[bytes]) -> None:
        self._wanted = {needle: number for number, needle in enumerate(needles)}
        self._length = len(needles[0])
        begins = np.frombuffer(b"".join(needle[:_KEY] for needle in needles), np.uint8)
        begins = begins.reshape(-1, _KEY)
        self._keys = np.unique(begins.view(np.uint64))
        self._table = np.zeros(1 << 16, bool)
        self._table[np.ascontiguousarray(begins[:, :2]).view(np.uint16)] = True

    def in_file(self, path: Path) -> set[int]:
        """Numbers of the needles in a file."""
        found: set[int] = set()
        tail = b""
        with path.open("rb") as file:
            while block := file.read(CHUNK):
                chunk = tail + block
                found |= self._in_chunk(chunk)
                tail = chunk[-(self._length - 1) :]  # a needle may begin here and end in the next
        return found

    def _in_chunk(self, chunk: bytes) -> set[int]:
        if len(chunk) < self._length:
            return set()
        windows = sliding_window_view(np.frombuffer(chunk, np.uint8), _KEY)
        found = set()
        for odd in (0, 1):
            pairs = np.frombuffer(chunk, np.uint16, (len(chunk) - odd) // 2, odd)
            places = np.flatnonzero(self._table[pairs]) * 2 + odd
            places = places[places <= len(chunk) - self._length]
            keys = np.ascontiguousarray(windows[places]).view(np.uint64).ravel()
            for place in places[np.isin(keys, self._keys)]:
                found.add(self._wanted.get(chunk[place : place + self._length], -1))
        return found - {-1}


def _main() -> None:
    request = json.load(sys.stdin)
    needles = [bytes.fromhex(needle) for needle in request["needles"]]
    result = _search(Path(request["folder"]), needles)
    json.dump({"found": result.found, "unreadable": result.unreadable}, sys.stdout)


if __name__ == "__main__":
    _main()
