"""The desk's database: SQLite in the workspace or PostgreSQL by URL, kept up to date by Alembic.

A transaction that writes takes its turn before it reads (SQLite: ``BEGIN IMMEDIATE``; PostgreSQL:
a lock of the desk's own), so that what it has read is still so when it writes. One that only reads
waits for nobody, and sees one moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from detector.review.errors import DatabaseError
from detector.review.schema import HEAD
from detector.settings import Settings
from index.catalog import with_driver
from index.errors import NewerDatabaseError
from index.migrating import Migrations, for_writing, take_turn

MIGRATIONS = Migrations(Path(__file__).with_name("migrations"), "review_alembic_version", HEAD)
_BUSY_TIMEOUT_S = 60
_TURN = 0x6D617463  # of a lock in PostgreSQL: any number that nobody else takes
_POOL = 20  # connections; a web server has 40 threads, which rarely all write at once


def review_url(settings: Settings) -> URL:
    """Where the desk of a workspace keeps its cases."""
    if settings.database_url is not None:
        return with_driver(make_url(settings.database_url))
    return URL.create("sqlite", database=str(settings.home.absolute() / "review.sqlite"))


class ReviewDatabase:
    """Sessions on the desk's database; get one with `ReviewDatabase.open`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = sessionmaker(_for_writing(engine))
        self._reading = sessionmaker(_for_reading(engine))

    @classmethod
    def open(cls, url: str | URL) -> ReviewDatabase:
        """Open a desk's database; what is missing in it is made.

        Raises
        ------
        DatabaseError
            It cannot be reached, or was made by a newer version.
        """
        engine = _engine(url)
        shown = engine.url.render_as_string(hide_password=True)
        try:
            if engine.dialect.name == "sqlite" and engine.url.database:
                Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
            _migrate(engine)
        except (DBAPIError, OSError) as error:
            engine.dispose()
            why = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
            raise DatabaseError(
                f"cannot open the desk's database {shown} ({why}): check the address, the "
                "permissions, and that the file or the server is there"
            ) from error
        except NewerDatabaseError as error:
            engine.dispose()
            raise DatabaseError(
                f"the desk's database {shown} was made by a newer matchcut: upgrade matchcut, or "
                "use another --home"
            ) from error
        return cls(engine)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def reading(self) -> Session:
        """Return a session that only reads, as a context manager."""
        return self._reading()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose changes are on disk when the block ends; none if it fails."""
        with self._writing.begin() as session:
            yield session


def _engine(url: str | URL) -> Engine:
    try:
        address = with_driver(make_url(url))
        kind = address.get_backend_name()
        if kind not in {"sqlite", "postgresql"}:
            raise DatabaseError(f"the desk works with SQLite and PostgreSQL, not with {kind}")
        engine = create_engine(address, pool_size=_POOL, max_overflow=_POOL, hide_parameters=True)
    except ArgumentError as error:
        raise DatabaseError(f"this is not the URL of a database: {error}") from error
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"no driver for this database here: install {error.name!r} with pip "
            "(`pip install matchcut[postgresql]`)"
        ) from error
    if kind == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _for_writing(engine: Engine) -> Engine:
    return for_writing(engine).execution_options(matchcut_writes=True)


def _for_reading(engine: Engine) -> Engine:
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine  # within a transaction, SQLite shows one moment anyway


def _migrate(engine: Engine) -> None:
    """Bring the tables up to the newest migration; nothing is written if they are there."""
    with engine.connect() as connection:
        is_done = MIGRATIONS.are_done(connection)
    if not is_done:
        with _for_writing(engine).begin() as connection:
            MIGRATIONS.do(connection)


def _configure_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")  # readers go on while one writes
    cursor.execute("PRAGMA synchronous = FULL")  # a commit that has returned survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("matchcut_writes", False):
        take_turn(connection, _TURN, _BUSY_TIMEOUT_S)
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
