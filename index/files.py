"""Put a file on disk whole, or not at all.

``os.replace`` swaps a name atomically, but only an fsync of the file before it and of the folder
after it makes the swap survive a power cut.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable
from io import BufferedRandom, BufferedReader
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"


def write_atomically(path: Path, write: Callable[[BufferedRandom], object]) -> str:
    """Write a file under a temporary name in the same folder, then give it its name.

    Parameters
    ----------
    path
        Where the file shall be; a file that was there before is replaced. Missing folders are made.
    write
        Writes the content into the open file it is given.

    Returns
    -------
    str
        SHA-256 of the content, 64 hexadecimal digits.

    Raises
    ------
    OSError
        The disk is full, read-only, ..., or there is no file there, but a device or a folder; then
        nothing has changed under `path`.
    """
    if path.exists() and not path.is_file():  # a device or a pipe, which would be gone
        raise OSError(errno.EINVAL, "this is no file that can be replaced", str(path))
    _make_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("x+b") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            digest = digest_of(file)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # as of a full disk
            error.filename = str(path)
        raise
    sync_folder(path.parent)
    return digest


def digest_of(file: BufferedRandom | BufferedReader) -> str:
    """SHA-256 of an open file from its beginning; leaves the file at its beginning."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return digest_of(file)
