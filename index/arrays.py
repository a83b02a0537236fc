"""Named arrays in one file: NumPy's ``.npz``, read with suspicion.

Without compression: embeddings do not compress, and anybody can open them without us.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.files import digest_of, write_atomically

# All that NumPy and zipfile raise for bytes that are not what `write_arrays` wrote.
_UNREADABLE = (
    OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class UnsoundFileError(Exception):
    """A file does not hold what it should; the text says why."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Write arrays to a new file, atomically and durably; returns the file's SHA-256."""
    everything: dict[str, Any] = dict(arrays)
    return write_atomically(path, lambda file: np.savez(file, **everything))


def read_arrays(path: Path, digest: str | None = None) -> dict[str, NDArray[Any]]:
    """Read back what `write_arrays` wrote.

    Parameters
    ----------
    digest
        What that returned; None if it is not known.

    Raises
    ------
    UnsoundFileError
        The file is missing, or holds something else.
    """
    try:
        with path.open("rb") as file:
            if digest is not None and digest_of(file) != digest:
                raise UnsoundFileError("its digest is not the one in the catalogue")
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise UnsoundFileError("it is not an .npz archive")
            with archive:
                return dict(archive)
    except FileNotFoundError as error:
        raise UnsoundFileError("it is missing") from error
    except _UNREADABLE as error:
        raise UnsoundFileError(str(error)) from error
