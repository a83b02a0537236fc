"""The catalogue: which works are protected, and which files hold their embeddings.

It speaks to SQLite, the default, and to whatever else SQLAlchemy can reach (PostgreSQL), so there
is no SQL in it that only one of them understands. Callers get plain values, never ORM objects.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, create_engine, delete, event, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.orm import sessionmaker

from index import people_rows, rights_rows
from index.catalogue_tables import BUSY_TIMEOUT_S, bring_up_to_date
from index.errors import (
    AlreadyEnrolledError,
    CatalogError,
    IdTakenError,
    UnknownBackgroundError,
    UnknownWorkError,
)
from index.records import (
    STAGED_SUFFIX,
    BackgroundSource,
    EmbeddingsFile,
    IndexFile,
    NewEmbeddingsFile,
    NewWork,
    Work,
)
from index.rights_records import Kind
from index.schema import (
    BackgroundRow,
    Base,
    EmbeddingsRow,
    IndexFileRow,
    MetaRow,
    ScanRow,
    WorkRow,
)

_log = logging.getLogger(__name__)

_IS_SEARCHED = ~EmbeddingsRow.channel.endswith(STAGED_SUFFIX, autoescape=True)

_Record = TypeVar("_Record", Work, EmbeddingsFile, BackgroundSource, IndexFile)

CATALOGUE, CATALOGUE_ID = "catalog.sqlite", "catalogue-id"
"""Files in the home folder of an index: the database, if it is there, and whose files these are."""


class Catalog:
    """Works, background, their embeddings files, the FAISS files and finished scans.

    Every method is one transaction: what it has returned from is on disk.

    Parameters
    ----------
    url
        SQLAlchemy's: ``sqlite:////srv/home/catalog.sqlite``, ``postgresql://...``.

    Raises
    ------
    CatalogError
        The URL is not understood, or its driver is not installed.
    """

    def __init__(self, url: str | URL) -> None:
        try:
            self._url = with_driver(make_url(url))
            self._engine = create_engine(self._url, hide_parameters=True)
        except ArgumentError as error:
            raise CatalogError(f"this is not the URL of a database: {error}") from error
        except ModuleNotFoundError as error:
            raise CatalogError(
                f"no driver for {self._url.drivername} here: install {error.name!r} with pip"
            ) from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _configure_sqlite)
        self._sessions = sessionmaker(self._engine)

    @classmethod
    def create(cls, url: str | URL) -> Catalog:
        """Open a catalogue, making whatever is missing in it."""
        catalog = cls(url)
        bring_up_to_date(catalog._engine, make=True)
        return catalog

    @classmethod
    def open(cls, url: str | URL) -> Catalog:
        """Open a catalogue that exists; one of an older version is brought up to date.

        Raises
        ------
        CatalogError
            It cannot be reached, is none, or was made by a newer version.
        """
        catalog = cls(url)
        bring_up_to_date(catalog._engine, make=False)
        return catalog

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @property
    def address(self) -> str:
        """Where it is, without the password."""
        return self._url.render_as_string(hide_password=True)

    @property
    def engine(self) -> Engine:
        """The database, for the parts of the catalogue that have a module of their own."""
        return self._engine

    @property
    def id(self) -> str:
        """What tells this catalogue from every other."""
        with self._sessions() as session:
            return session.get_one(MetaRow, "catalogue_id").value

    # Works

    def works(self) -> list[Work]:
        """All works, in the order they were enrolled."""
        with self._sessions() as session:
            rows = session.scalars(select(WorkRow).order_by(WorkRow.number))
            return [_record(Work, row) for row in rows]

    def find_works(
        self, search: str = "", limit: int | None = None, offset: int = 0
    ) -> tuple[list[Work], int]:
        """Part of the works by title, and how many there are.

        Parameters
        ----------
        search
            Only those whose id, title or owner contains it, whatever the case of its letters.
        """
        # Here and not in the database, since SQLite knows the case of ASCII letters alone.
        columns = select(WorkRow.number, WorkRow.id, WorkRow.title, WorkRow.owner)
        wanted = search.casefold().strip()
        with self._sessions() as session:
            found = [
                (row.title.casefold(), row.number)
                for row in session.execute(columns)
                if not wanted
                or any(wanted in (text or "").casefold() for text in (row.id, row.title, row.owner))
            ]
            end = None if limit is None else offset + limit
            numbers = [number for _, number in sorted(found)[offset:end]]
            rows = {
                row.number: row
                for row in session.scalars(select(WorkRow).where(WorkRow.number.in_(numbers)))
            }
            # One of them may have been removed by another process just now.
            return [_record(Work, rows[one]) for one in numbers if one in rows], len(found)

    def work(self, id_or_number: str | int) -> Work:
        """One work, by its id (a string) or its number.

        Raises
        ------
        UnknownWorkError
            There is none.
        """
        column = WorkRow.number if isinstance(id_or_number, int) else WorkRow.id
        work = self._find_work(column, id_or_number)
        if work is None:
            raise UnknownWorkError(
                f"no work {id_or_number!r} in the index: `matchcut works list` shows what is there"
            )
        return work

    def find_digest(self, digest: str) -> Work | None:
        """Find the work that was enrolled from the file with this SHA-256."""
        return self._find_work(WorkRow.digest, digest)

    def check_free(self, work: NewWork) -> None:
        """See whether a work can be enrolled.

        Raises
        ------
        AlreadyEnrolledError
            The same file is enrolled, under this id or another.
        IdTakenError
            The id belongs to another file.
        """
        same = self.find_digest(work.digest)
        if same is not None:
            raise AlreadyEnrolledError(
                f"this file is enrolled already, as work {same.id!r}: to enrol it anew, remove "
                "that work first"
            )
        if self._find_work(WorkRow.id, work.id) is not None:
            raise IdTakenError(
                f"id {work.id!r} belongs to another file; give this one its own with --id"
            )

    def add_work(self, work: NewWork, files: Sequence[NewEmbeddingsFile]) -> Work:
        """Write down a work and its embeddings files, which must be on disk by now.

        Raises
        ------
        AlreadyEnrolledError, IdTakenError
            See `check_free`.
        """
        row = WorkRow(**asdict(work), added_at=datetime.now(UTC))
        try:
            with self._sessions.begin() as session:
                session.add(row)
                session.flush()
                session.add_all(
                    EmbeddingsRow(work_number=row.number, **asdict(file)) for file in files
                )
                added = _record(Work, row)
        except IntegrityError:
            self.check_free(work)
            raise
        return added

    def add_embeddings(self, work_number: int, file: NewEmbeddingsFile) -> None:
        """Write down a further channel of a work; the file must be on disk by now.

        Raises
        ------
        UnknownWorkError
            There is no such work.
        AlreadyEnrolledError
            The work has embeddings in this channel.
        """
        self.check_without(self.work(work_number), file.channel)
        with self._sessions.begin() as session:
            session.add(EmbeddingsRow(work_number=work_number, **asdict(file)))

    def check_without(self, work: Work, channel: str) -> None:
        """See whether a channel can be added to a work; `AlreadyEnrolledError` if it has it."""
        if self.embeddings_files(work.number, channel=channel):
            raise AlreadyEnrolledError(
                f"work {work.id!r} has embeddings in channel '{channel}' already: to make them "
                "anew, remove the work and add it again"
            )

    def update_works(self, works: Sequence[Work]) -> list[Work]:
        """Write down other titles, owners or policies: of all works, or of none if one is unknown.

        Raises
        ------
        UnknownWorkError
            There is no such work.
        """
        with self._sessions.begin() as session:
            for work in works:
                row = session.get(WorkRow, work.number)
                if row is None:
                    raise UnknownWorkError(f"work {work.id!r} is not in the index any more")
                row.title, row.owner, row.policy = work.title, work.owner, work.policy
        return [self.work(work.number) for work in works]

    def remove_work(self, number: int) -> None:
        """Forget a work, its rights, and which files held its embeddings."""
        with self._sessions.begin() as session:
            rights_rows.drop_rights(session, Kind.WORK, number)
            session.execute(delete(EmbeddingsRow).where(EmbeddingsRow.work_number == number))
            session.execute(delete(WorkRow).where(WorkRow.number == number))

    def fingerprint(self, today: date | None = None) -> str:
        """SHA-256 of all that decides what a scan finds: works, rights, background, people ...

        Those whose time is over by `today` (the present day in UTC, unless given) are not found
        any more, so it also changes on the day after a person's last, and with a licence's days.
        """
        today = today or datetime.now(UTC).date()
        digest = hashlib.sha256()
        records = [*map(asdict, self.works()), *map(asdict, self.embeddings_files())]
        records += map(asdict, self.background_sources())
        with self._sessions() as session:
            records += people_rows.facts(session, today)
            records += rights_rows.facts(session, today)
        for record in records:
            digest.update(json.dumps(record, default=str, sort_keys=True).encode())
        return digest.hexdigest()

    # Background

    def background_sources(
        self, channel: str | None = None, space: str | None = None
    ) -> list[BackgroundSource]:
        """Footage in the background, in the order it was added: all, or of a channel or space."""
        query = select(BackgroundRow).order_by(BackgroundRow.number)
        if channel is not None:
            query = query.where(BackgroundRow.channel == channel)
        if space is not None:
            query = query.where(BackgroundRow.space == space)
        with self._sessions() as session:
            return [_record(BackgroundSource, row) for row in session.scalars(query)]

    def background_source(self, number: int) -> BackgroundSource:
        """One source of the background by its number; `UnknownBackgroundError` if there is none."""
        with self._sessions() as session:
            row = session.get(BackgroundRow, number)
            if row is None:
                raise UnknownBackgroundError(
                    f"no {number} in the background: `matchcut background list` shows what is there"
                )
            return _record(BackgroundSource, row)

    def find_background(
        self, source_digest: str, channel: str, space: str
    ) -> BackgroundSource | None:
        """Find what was added from the file with this SHA-256, as described in this space."""
        sources = self.background_sources(channel, space)
        return next((known for known in sources if known.source_digest == source_digest), None)

    def check_new_background(self, source_digest: str, channel: str, space: str) -> None:
        """See whether footage can be added; `AlreadyEnrolledError` if it is there."""
        known = self.find_background(source_digest, channel, space)
        if known is not None:
            raise AlreadyEnrolledError(
                f"this file is in the background already, as {known.number}: to add it anew, "
                "remove that first"
            )

    def add_background(
        self, source: str, source_digest: str, file: NewEmbeddingsFile
    ) -> BackgroundSource:
        """Write down footage of the background; its embeddings file must be on disk by now.

        Raises
        ------
        AlreadyEnrolledError
            The same footage is there, described in the same space.
        """
        row = BackgroundRow(
            source=source, source_digest=source_digest, added_at=datetime.now(UTC), **asdict(file)
        )
        try:
            with self._sessions.begin() as session:
                session.add(row)
                session.flush()
                added = _record(BackgroundSource, row)
        except IntegrityError:
            self.check_new_background(source_digest, file.channel, file.space)
            raise
        return added

    def remove_background(self, number: int) -> None:
        """Forget footage of the background and which file held its embeddings."""
        with self._sessions.begin() as session:
            session.execute(delete(BackgroundRow).where(BackgroundRow.number == number))

    # Files

    def embeddings_files(
        self,
        work_number: int | None = None,
        *,
        channel: str | None = None,
        limit: int | None = None,
        staged: bool = False,
    ) -> list[EmbeddingsFile]:
        """Which files hold embeddings: of one work, of one channel, or all, by work number.

        Parameters
        ----------
        staged
            Whether of all channels also what is staged, see `index.restaging`.
        """
        query = select(EmbeddingsRow).order_by(EmbeddingsRow.work_number, EmbeddingsRow.channel)
        if work_number is not None:
            query = query.where(EmbeddingsRow.work_number == work_number)
        if channel is not None:
            query = query.where(EmbeddingsRow.channel == channel)
        elif not staged:
            query = query.where(_IS_SEARCHED)
        query = query.limit(limit)
        with self._sessions() as session:
            return [_record(EmbeddingsFile, row) for row in session.scalars(query)]

    def channels(self, work_number: int | None = None) -> frozenset[str]:
        """Channels that have embeddings files, of one work or of any."""
        query = select(EmbeddingsRow.channel).where(_IS_SEARCHED).distinct()
        if work_number is not None:
            query = query.where(EmbeddingsRow.work_number == work_number)
        with self._sessions() as session:
            return frozenset(session.scalars(query))

    def index_files(self) -> dict[str, IndexFile]:
        """FAISS files by channel."""
        with self._sessions() as session:
            rows = session.scalars(select(IndexFileRow).order_by(IndexFileRow.channel))
            return {row.channel: _record(IndexFile, row) for row in rows}

    def put_index_file(self, file: IndexFile) -> None:
        """Write down a channel's FAISS file, in the place of an older one."""
        with self._sessions.begin() as session:
            session.merge(IndexFileRow(**asdict(file)))

    def drop_index_file(self, channel: str) -> None:
        """Forget a channel's FAISS file."""
        with self._sessions.begin() as session:
            session.execute(delete(IndexFileRow).where(IndexFileRow.channel == channel))

    # Scans

    def remember_scan(self, key: str, result: str) -> None:
        """Keep a finished scan's result (JSON) under a key that says what was scanned with what."""
        now = datetime.now(UTC)
        changed = update(ScanRow).where(ScanRow.key == key).values(result=result, finished_at=now)
        try:
            with self._sessions.begin() as session:
                if not session.connection().execute(changed).rowcount:
                    session.add(ScanRow(key=key, result=result, finished_at=now))
        except IntegrityError:
            # Between the two, another process remembered a scan of the same upload: keep ours.
            with self._sessions.begin() as session:
                session.execute(changed)

    def recall_scan(self, key: str) -> str | None:
        """Return the result that was remembered under this key, if any."""
        with self._sessions() as session:
            row = session.get(ScanRow, key)
            return None if row is None else row.result

    # Erasure

    def scrub(self, *, anew: bool = False) -> bool:
        """Let go of what removed rows have left in SQLite's files; elsewhere it does nothing.

        Parameters
        ----------
        anew
            Also write the whole database anew.

        Returns
        -------
        bool
            False if that could not be done, as another process was reading for too long.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        with self._engine.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                if anew:
                    connection.execute(text("VACUUM"))
                # Copies of changed pages, from before and after, are in the write-ahead log.
                busy, _, _ = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()
            except DBAPIError as error:
                _log.warning("cannot tidy up the catalogue: %s", error.orig)
                return False
        return not busy

    def _find_work(self, column: Any, value: str | int) -> Work | None:
        with self._sessions() as session:
            row = session.scalars(select(WorkRow).where(column == value)).one_or_none()
            return None if row is None else _record(Work, row)


def with_driver(url: URL) -> URL:
    """Take psycopg 3 for a PostgreSQL URL that names no driver."""
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    return url


def _record(kind: type[_Record], row: Base) -> _Record:
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})


def _configure_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")  # readers go on while one process writes
    cursor.execute("PRAGMA synchronous = FULL")  # a commit that has returned survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten
    cursor.close()
