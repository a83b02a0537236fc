"""How a database gets its tables: migrations of Alembic, done by one process while others wait.

Whether there is anything to do is found without Alembic: to import it takes longer than most
commands do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, column, inspect, select, table

from index.errors import NewerDatabaseError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory


@dataclass(frozen=True)
class Migrations:
    """All migrations of the catalogue, or of another part that may share a database with it.

    Parameters
    ----------
    folder
        They are in its ``versions``.
    version_table
        Says which of them was the last that was done.
    head
        The newest.
    """

    folder: Path
    version_table: str
    head: str

    def revision(self, connection: Connection) -> str | None:
        """Read which migration was the last that was done; None if none was."""
        if not inspect(connection).has_table(self.version_table):
            return None
        return connection.scalar(
            select(column("version_num")).select_from(table(self.version_table))
        )

    def are_done(self, connection: Connection) -> bool:
        """Tell whether the tables are what the newest migration makes of them."""
        return self.revision(connection) == self.head

    def are_newer(self, connection: Connection) -> bool:
        """Tell whether the last that was done is none of these."""
        done = self.revision(connection)
        if done in {None, self.head}:
            return False
        return done not in {one.revision for one in self._script().walk_revisions()}

    def do(self, connection: Connection) -> None:
        """Do those that were not done, in a transaction which has its turn (`take_turn`).

        Raises
        ------
        NewerDatabaseError
            The last that was done is none of these.
        """
        from alembic.config import Config
        from alembic.runtime.environment import EnvironmentContext

        if self.are_newer(connection):
            raise NewerDatabaseError(str(self.revision(connection)))
        script = self._script()
        with EnvironmentContext(Config(), script) as context:
            context.configure(
                connection=connection,
                version_table=self.version_table,
                # What to do is asked after the turn has come: another process may have done it.
                fn=lambda revision, _: script._upgrade_revs(self.head, revision),
                transactional_ddl=True,
                transaction_per_migration=False,
            )
            context.run_migrations()

    def _script(self) -> ScriptDirectory:
        from alembic.script import ScriptDirectory

        return ScriptDirectory(str(self.folder))


def for_writing(engine: Engine) -> Engine:
    """Give the engine whose transactions see what others wrote before their turn came."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="READ COMMITTED")
    return engine


def take_turn(connection: Connection, lock: int, patience_s: int) -> None:
    """Begin a transaction that writes: wait until no other does that takes its turn as well.

    Parameters
    ----------
    lock
        Of PostgreSQL: any number, the same for all who wait for each other. SQLite has one writer.
    patience_s
        Seconds after which PostgreSQL gives up; SQLite's are in its ``busy_timeout``.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        # Who has the turn and hangs is not waited for any longer than who waits for it.
        connection.exec_driver_sql(
            f"SELECT set_config('lock_timeout', '{patience_s}s', true), "
            f"set_config('idle_in_transaction_session_timeout', '{patience_s}s', true), "
            f"pg_advisory_xact_lock({lock})"
        )
