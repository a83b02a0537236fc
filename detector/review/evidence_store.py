"""Where pictures of cases are kept: the workspace's ``evidence`` folder, or an address.

They are made from the videos. So one that cannot be read is made anew, and one that cannot be kept
is shown all the same: either is said in the log, and no reviewer waits long for a server.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from detector.inputs import InputError, input_errors, open_filesystem
from detector.remote import answered
from detector.review.records import Case
from detector.settings import Settings
from index.files import write_atomically
from index.records import check_digest

EVIDENCE = "evidence"  # folder of the workspace

_PATIENCE_S = 10.0  # also the first time, when keys are looked for and a connection is made

_log = logging.getLogger(__name__)


class EvidenceStore:
    """Pictures of cases by name.

    Parameters
    ----------
    settings
        `evidence` of these is a folder or an address, `home` the workspace if there is none.
    patience
        Seconds that a server may take to answer.
    """

    def __init__(self, settings: Settings, patience: float = _PATIENCE_S) -> None:
        self._root = settings.evidence or str(settings.home / EVIDENCE)
        self._protocols = settings.protocols
        self._patience = patience

    def get(self, name: str) -> bytes | None:
        """Return a picture; None if there is none that can be read."""
        try:
            return self._read(name)
        except InputError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                _log.warning("%s/%s is made anew: %s", self._root, name, error)
            return None

    def put(self, name: str, content: bytes) -> None:
        """Keep a picture, in place of what had the name."""
        try:
            self._write(name, content)
        except InputError as error:
            _log.warning("%s/%s is not kept: %s", self._root, name, error)

    def check(self) -> None:
        """Write, read and remove a file.

        Raises
        ------
        InputError
            One of these fails; the text says why.
        """
        name, content = f"matchcut-{secrets.token_hex(8)}", secrets.token_bytes(16)
        self._write(name, content)
        if self._read(name) != content:
            raise InputError("what was written is not what is read")
        with self._place(name) as (filesystem, path):
            if filesystem is None:
                Path(path).unlink()
            else:
                answered(partial(filesystem.rm_file, path), self._patience)

    def _read(self, name: str) -> bytes:
        with self._place(name) as (filesystem, path):
            if filesystem is None:
                return Path(path).read_bytes()
            return bytes(answered(partial(filesystem.cat_file, path), self._patience))

    def _write(self, name: str, content: bytes) -> None:
        with self._place(name) as (filesystem, path):
            if filesystem is None:
                write_atomically(Path(path), lambda file: file.write(content))
                return
            write = partial(filesystem.pipe_file, path, content)
            try:
                answered(write, self._patience)
            except FileNotFoundError:
                # Servers with real folders want them made; in a bucket that is not there it would
                # be the bucket.
                root = path.removesuffix(f"/{name}")
                if not answered(partial(filesystem.exists, root), self._patience):
                    raise
                folder = path.rpartition("/")[0]
                answered(partial(filesystem.makedirs, folder, exist_ok=True), self._patience)
                answered(write, self._patience)

    @contextmanager
    def _place(self, name: str) -> Iterator[tuple[Any, str]]:
        """Give what reads and writes a picture, None for this machine's files, and its path."""
        address = f"{self._root.rstrip('/')}/{name}"
        with input_errors(address):
            yield open_filesystem(address, self._protocols)


def picture_name(case: Case, kind: str, *key: object, suffix: str) -> str:
    """Return the name of a picture of a case's evidence.

    Parameters
    ----------
    key
        What the picture depends on besides the upload.
    """
    check_digest(case.digest)  # it names a folder
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    return f"{case.digest}/{kind}-{name}{suffix}"
