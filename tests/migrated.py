"""What tests ask of a database whose tables are made by migrations."""

from __future__ import annotations

import subprocess
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, inspect

from index.migrating import Migrations


def newest(migrations: Migrations) -> str | None:
    """Return the revision that no other builds upon, as Alembic finds it in the folder."""
    return ScriptDirectory(str(migrations.folder)).get_current_head()


def differences(connection: Connection, tables: MetaData) -> list[object]:
    """Compare a database with tables; what else it has, such as another part's, is left out."""
    options = {
        "compare_type": True,
        "include_name": lambda name, kind, _: kind != "table" or name in tables.tables,
    }
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, tables))


def constraints_of(engine: Engine, tables: MetaData) -> dict[str, set[tuple[str, str]]]:
    """Return what each table holds its rows to, as the database itself tells it."""
    found = inspect(engine)
    return {
        table: {(str(one["name"]), one["sqltext"]) for one in found.get_check_constraints(table)}
        for table in tables.tables
    }


def run_at_once(code: str, database_url: str, processes: int = 3) -> None:
    """Run code, which waits for a line before it begins, in several processes; none may fail."""
    command = [sys.executable, "-c", code, database_url]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")  # all have imported what they need, or wait for this
        process.stdin.flush()
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * processes, said
