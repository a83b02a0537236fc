"""A large file that is believed piece by piece: each is compared with its digest when it is needed.

One digest over the whole would have every process read gigabytes before its first search; to trust
size and date instead would let a disk lie. So the file has a digest for each block, and a block is
read and compared once in a process, before anything that lies in it is used.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from io import BufferedRandom, BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from index.errors import DamagedFileError

BLOCK = 1 << 18  # bytes; a list of vectors is about as large


def digest_blocks(file: BufferedRandom | BufferedReader) -> tuple[str, ...]:
    """SHA-256 of each block of an open file, from its beginning; the last may be shorter."""
    file.seek(0)
    return tuple(hashlib.sha256(block).hexdigest() for block in iter(lambda: file.read(BLOCK), b""))


class CheckedFile:
    """A file that does not change any more, and what its blocks must hold.

    Parameters
    ----------
    path
        Where it is.
    size
        How many bytes it has.
    digests
        What `digest_blocks` returned.

    Raises
    ------
    DamagedFileError
        The file is missing or of another size.
    """

    def __init__(self, path: Path, size: int, digests: Sequence[str]) -> None:
        self.path = path
        self._digests = digests
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise self._damaged(str(error)) from error
        found = os.fstat(self._file.fileno()).st_size
        if found != size or len(digests) != -(-size // BLOCK):
            raise self._damaged(f"it has {found} bytes instead of {size}")
        self._checked: NDArray[np.bool_] = np.zeros(len(digests), bool)

    def check(self, starts: ArrayLike, ends: ArrayLike) -> None:
        """Compare the blocks that ranges of bytes lie in, unless they have been before.

        Parameters
        ----------
        starts, ends
            Of each range: its first byte, and the one after its last.

        Raises
        ------
        DamagedFileError
            A block does not hold what was written, or cannot be read.
        """
        # A block counts for all ranges that touch it: plus one where one begins, minus one behind.
        steps = np.zeros(len(self._digests) + 1, np.int64)
        first, beyond = np.asarray(starts) // BLOCK, -(-np.asarray(ends) // BLOCK)
        some = np.asarray(ends) > np.asarray(starts)
        np.add.at(steps, first[some], 1)
        np.add.at(steps, beyond[some], -1)
        for block in np.flatnonzero((np.cumsum(steps[:-1]) > 0) & ~self._checked):
            self._check_block(int(block))

    def check_all(self) -> None:
        """Compare the whole file, also what has been compared before; raises as `check`."""
        for block in range(len(self._digests)):
            self._check_block(block)

    def _check_block(self, block: int) -> None:
        # Read, though others have it mapped into memory: a disk that fails is an error here, and
        # the end of the process there.
        try:
            content = os.pread(self._file.fileno(), BLOCK, block * BLOCK)
        except OSError as error:
            raise self._damaged(str(error)) from error
        if hashlib.sha256(content).hexdigest() != self._digests[block]:
            raise self._damaged(f"block {block} does not hold what was written")
        self._checked[block] = True

    def _damaged(self, why: str) -> DamagedFileError:
        return damaged(self.path, why)


def damaged(path: Path, why: str) -> DamagedFileError:
    """Say that a FAISS file is damaged, and the remedy."""
    return DamagedFileError(
        f"FAISS file {path} is damaged ({why}): rebuild it with `matchcut index compact`"
    )
