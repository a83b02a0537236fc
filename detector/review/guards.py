"""Guards: what the database itself refuses, also from SQL that was written past the code.

A guard is a trigger. Its condition is SQL that SQLite and PostgreSQL read alike, so that one line
says what holds on both; what it refuses is an `sqlalchemy.exc.IntegrityError`, as a constraint is.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Guard:
    """What must not be done to the rows of a table.

    Parameters
    ----------
    name
        Of the trigger.
    change
        ``INSERT``, ``UPDATE``, ``UPDATE OF state``, ``DELETE`` or, which SQLite does not have,
        ``TRUNCATE``.
    refused
        When it is refused, in SQL: ``OLD`` is the row as it was, ``NEW`` as it would be.
    message
        What is wrong, in words; without quotes and per cent signs.
    """

    name: str
    table: str
    change: str
    refused: str
    message: str

    def put(self, connection: Connection) -> None:
        """Have the database keep it from now on."""
        for statement in self._statements(connection.dialect.name):
            connection.exec_driver_sql(statement)

    def _statements(self, dialect: str) -> list[str]:
        if dialect == "sqlite":
            trigger = (
                f"CREATE TRIGGER {self.name} BEFORE {self.change} ON {self.table} "
                f"WHEN {self.refused} BEGIN SELECT RAISE(ABORT, '{self.message}'); END"
            )
            return [] if self.change == "TRUNCATE" else [trigger]
        returned = {"DELETE": "OLD", "TRUNCATE": "NULL"}.get(self.change, "NEW")
        level = "STATEMENT" if self.change == "TRUNCATE" else "ROW"
        return [
            f"CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {self.refused} THEN RAISE EXCEPTION '{self.message}' "
            f"USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {returned}; END $$",
            f"CREATE TRIGGER {self.name} BEFORE {self.change} ON {self.table} "
            f"FOR EACH {level} EXECUTE FUNCTION {self.name}()",
        ]
