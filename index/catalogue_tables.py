"""The tables of a catalogue: made, taken over from an older version, or refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from index.disks import remedy
from index.errors import CatalogError, NewerDatabaseError
from index.migrating import Migrations, for_writing, take_turn
from index.schema import HEAD, SCHEMA_VERSION, MetaRow

MIGRATIONS = Migrations(Path(__file__).with_name("migrations"), "catalogue_alembic_version", HEAD)
BUSY_TIMEOUT_S = 30
_TURN = 0x6D617464  # of a lock in PostgreSQL: any number that nobody else takes


def bring_up_to_date(engine: Engine, *, make: bool) -> None:
    """Give a catalogue the tables of this version; nothing is written if it has them.

    Parameters
    ----------
    make
        Whether a database that is no catalogue becomes one.

    Raises
    ------
    CatalogError
        It cannot be reached, is none, or was made by a newer version.
    """
    with _opening(engine):
        with engine.connect() as connection:
            version = _schema_version(connection)
            is_done = MIGRATIONS.are_done(connection)
        if version is None and not make:
            raise CatalogError(f"{_address(engine)} is a database, but not a catalogue of matchcut")
        if version is not None and int(version) > SCHEMA_VERSION:
            raise _newer(engine, version, SCHEMA_VERSION)
        if version is None or not is_done:
            _migrate(engine)


def _migrate(engine: Engine) -> None:
    try:
        with for_writing(engine).begin() as connection:
            take_turn(connection, _TURN, BUSY_TIMEOUT_S)
            MIGRATIONS.do(connection)
            if _schema_version(connection) is None:
                facts = {"schema_version": str(SCHEMA_VERSION), "catalogue_id": uuid.uuid4().hex}
                rows = [{"key": key, "value": value} for key, value in facts.items()]
                connection.execute(insert(MetaRow), rows)
    except NewerDatabaseError as error:
        raise _newer(engine, error.revision, HEAD) from error


def _schema_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(MetaRow.__tablename__):
        return None
    return connection.scalar(select(MetaRow.value).where(MetaRow.key == "schema_version"))


def _newer(engine: Engine, version: str, known: int | str) -> CatalogError:
    return CatalogError(
        f"the catalogue {_address(engine)} was made by a newer matchcut (its schema is version "
        f"{version}, this one knows up to {known}): upgrade matchcut, or use another --home"
    )


def _address(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def _opening(engine: Engine) -> Iterator[None]:
    try:
        yield
    except CatalogError:
        engine.dispose()
        raise
    except DBAPIError as error:
        engine.dispose()
        what_to_do = remedy(error.orig) or (
            "check the address, the permissions, and that the file or the server is there"
        )
        raise CatalogError(
            f"cannot open the catalogue {_address(engine)} ({error.orig}): {what_to_do}"
        ) from error
