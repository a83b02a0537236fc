"""Databases for tests: on PostgreSQL one is used by many, and emptied after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

KINDS = ("sqlite", "postgresql")

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_SHAPE = """
SELECT md5(concat(
  (SELECT string_agg(a::text, ',' ORDER BY attrelid, attnum)
   FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace),
  (SELECT string_agg(c::text, ',' ORDER BY c.oid)
   FROM pg_constraint c WHERE connamespace = 'public'::regnamespace),
  (SELECT string_agg(t::text, ',' ORDER BY t.oid)
   FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'public'::regnamespace),
  (SELECT string_agg(p::text, ',' ORDER BY p.oid)
   FROM pg_proc p WHERE pronamespace = 'public'::regnamespace)))
"""  # noqa: E501
_MOST_BYTES = 4 << 20  # rows that were deleted take room, and time to read over


class ServerDatabase:
    """A database on a PostgreSQL server, lent to one test after another.

    To make one takes longer than most tests do. So after a test its rows are deleted, and what
    was there from the start is put back; where a test has changed more than rows, all is made
    anew.

    Parameters
    ----------
    server
        URL of a server, for a superuser: nobody else may delete past keys and triggers.
    prepare
        Makes in the empty database of a URL what the tests are to find there.
    """

    def __init__(self, server: str, prepare: Callable[[str], object] = str) -> None:
        self._server = create_engine(server, isolation_level="AUTOCOMMIT")
        self._name = f"matchcut_test_{uuid4().hex}"
        address = make_url(server).set(database=self._name)
        self._url = address.render_as_string(hide_password=False)
        self._database = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        self._prepare = prepare
        self._shape = ""
        self._empty = ""  # SQL that makes the database what it was
        with self._server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {self._name}"))
        with self._database.connect() as connection:
            self._make(connection)

    def close(self) -> None:
        """Remove the database."""
        with self._server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {self._name} WITH (FORCE)"))
        self._server.dispose()

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Give the URL of the database, and clean up after the block."""
        try:
            yield self._url
        finally:
            with self._database.connect() as connection:
                self._clean(connection)

    def _clean(self, connection: Connection) -> None:
        others = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database() AND backend_type = 'client backend'"
        )
        connection.execute(text(others))
        if self._is_as_made(connection):
            connection.exec_driver_sql(self._empty)
        else:
            self._make(connection)

    def _make(self, connection: Connection) -> None:
        for schema in ("public", "kept"):
            connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        self._prepare(self._url)
        tables = connection.scalars(text(_TABLES)).all()
        steps = ["SET session_replication_role = replica"]  # triggers and keys are not asked
        for table in tables:
            steps.append(f"DELETE FROM {table}")  # noqa: S608 -- the tables' names are our own
            if connection.execute(text(f"TABLE {table} LIMIT 1")).first():
                connection.execute(text(f"CREATE TABLE kept.{table} AS TABLE {table}"))
                steps.append(f"INSERT INTO {table} TABLE kept.{table}")
        steps.append("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'")
        self._empty = "; ".join(steps)
        self._shape = connection.scalar(text(_SHAPE))

    def _is_as_made(self, connection: Connection) -> bool:
        size = text(
            "SELECT coalesce(sum(pg_relation_size(oid)), 0) FROM pg_class "
            "WHERE relnamespace = 'public'::regnamespace"
        )
        if connection.scalar(size) > _MOST_BYTES:
            return False
        return connection.scalar(text(_SHAPE)) == self._shape
