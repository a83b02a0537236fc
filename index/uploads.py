"""What was seen in uploads, kept for a while: works protected later are matched back to it.

Never faces: only what channels of works see. A file of arrays comes before the row that names it,
so a crash between the two leaves a file that nothing speaks of; it is swept when it is old, as a
young one may be about to get its row from another process. No turn to write is needed for that,
and a scan never waits for those who enrol.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import sessionmaker

from index.arrays import UnsoundFileError, read_arrays, write_arrays
from index.catalog import Catalog
from index.errors import DamagedFileError
from index.files import TEMPORARY_SUFFIX
from index.schema import UploadRow

FOLDER = "kept"

_STALE_S = 3600.0  # age of a file without a row from which nobody is about to write that
_AT_ONCE = 500  # names in a query


@dataclass(frozen=True, slots=True)
class NewUpload:
    """An upload that was described."""

    source: str  # path or address under which it is found again
    content: str  # the same for the same content: the file's SHA-256
    conditions: str  # the same where it would be described alike
    facts: Mapping[str, Any]  # for whoever described it: plain JSON values


@dataclass(frozen=True, slots=True)
class Upload(NewUpload):
    """One that is kept."""

    file: str  # relative to the home folder
    digest: str
    size: int  # bytes
    kept_at: datetime


class KeptUploads:
    """What was seen in uploads. Every method is one transaction.

    Parameters
    ----------
    home
        Folder of the index; the arrays lie in its folder ``kept``.
    catalog
        Where they are written down.
    """

    def __init__(self, home: Path, catalog: Catalog) -> None:
        self._home = home
        self._sessions = sessionmaker(catalog.engine)

    def keep(self, upload: NewUpload, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what was seen in an upload, instead of what was seen under this source before.

        The same content, described alike, is kept once.
        """
        same = self.find(upload.content, upload.conditions)
        if same is not None and (self._home / same.file).is_file():
            file, digest, size = same.file, same.digest, same.size
        else:
            file = f"{FOLDER}/{upload.content[:16]}-{secrets.token_hex(12)}.npz"
            path = self._home / file
            digest = write_arrays(path, arrays)
            size = path.stat().st_size
        key = _key(upload.source)
        row = UploadRow(
            key=key,
            source=json.dumps(upload.source),
            content=upload.content,
            conditions=upload.conditions,
            facts=json.dumps(dict(upload.facts)),
            file=file,
            digest=digest,
            size=size,
            kept_at=datetime.now(UTC),
        )
        try:
            with self._sessions.begin() as session:
                old = session.scalars(select(UploadRow.file).where(UploadRow.key == key)).all()
                session.execute(delete(UploadRow).where(UploadRow.key == key))
                session.add(row)
        except IntegrityError:  # between the two, another process kept the same upload
            old = [file]
        self._drop(old)

    def find(self, content: str, conditions: str) -> Upload | None:
        """Find what was seen in this content under these conditions, whatever its source."""
        query = select(UploadRow).where(
            UploadRow.content == content, UploadRow.conditions == conditions
        )
        with self._sessions() as session:
            row = session.scalars(query.limit(1)).first()
            return None if row is None else _record(row)

    def all(self) -> list[Upload]:
        """All that are kept, the oldest first."""
        query = select(UploadRow).order_by(UploadRow.kept_at, UploadRow.key)
        with self._sessions() as session:
            return [_record(row) for row in session.scalars(query)]

    def arrays(self, upload: Upload) -> dict[str, NDArray[Any]]:
        """Return what was seen in an upload.

        Raises
        ------
        DamagedFileError
            The file is missing or damaged.
        """
        try:
            return read_arrays(self._home / upload.file, upload.digest)
        except UnsoundFileError as error:
            raise DamagedFileError(
                f"what was seen in {upload.source} cannot be read ({error}): scan it again; "
                "`matchcut index verify --repair` forgets what is damaged"
            ) from error

    def forget(self, sources: Collection[str]) -> int:
        """Forget uploads by their sources; returns how many there were."""
        keys = [_key(source) for source in sources]
        return sum(
            self._forget(UploadRow.key.in_(keys[at : at + _AT_ONCE]))
            for at in range(0, len(keys), _AT_ONCE)
        )

    def forget_before(self, moment: datetime) -> int:
        """Forget all that were kept before a moment, and sweep files of none; returns how many."""
        forgotten = self._forget(UploadRow.kept_at < moment)
        self._sweep()
        return forgotten

    def problems(self, *, repair: bool = False) -> list[str]:
        """Read all files; say in words what is wrong, or forget it."""
        problems = []
        damaged = []
        for upload in self.all():
            try:
                self.arrays(upload)
            except DamagedFileError as error:
                problems.append(str(error))
                damaged.append(upload.source)
        if repair:
            self.forget(damaged)
        return problems

    def _forget(self, which: ColumnElement[bool]) -> int:
        with self._sessions.begin() as session:
            files = session.scalars(select(UploadRow.file).where(which)).all()
            session.execute(delete(UploadRow).where(which))
        self._drop(files)
        return len(files)

    def _drop(self, files: Sequence[str]) -> None:
        """Delete those of the files that no row names any more."""
        for at in range(0, len(files), _AT_ONCE):
            some = files[at : at + _AT_ONCE]
            with self._sessions() as session:
                named = {*session.scalars(select(UploadRow.file).where(UploadRow.file.in_(some)))}
            for file in {*some} - named:
                (self._home / file).unlink(missing_ok=True)

    def _sweep(self) -> None:
        with self._sessions() as session:
            named = {*session.scalars(select(UploadRow.file))}
        stale = time.time() - _STALE_S
        for path in (self._home / FOLDER).glob("*"):
            is_ours = path.suffix in {".npz", TEMPORARY_SUFFIX}
            if is_ours and f"{FOLDER}/{path.name}" not in named and path.stat().st_mtime < stale:
                path.unlink(missing_ok=True)


def _key(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()


def _record(row: UploadRow) -> Upload:
    return Upload(
        source=json.loads(row.source),
        content=row.content,
        conditions=row.conditions,
        facts=json.loads(row.facts),
        file=row.file,
        digest=row.digest,
        size=row.size,
        kept_at=row.kept_at,
    )
