"""The register of rights: what owners allow, want done, and claim nothing for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, sessionmaker

from index.catalog import Catalog
from index.errors import InvalidRightsError, UnknownRightsError, UnknownWorkError
from index.people_rows import load_person
from index.rights_records import (
    Exclusion,
    Kind,
    Licence,
    NewExclusion,
    NewLicence,
    NewRule,
    Rights,
    Rule,
)
from index.rights_rows import load_exclusions, load_licences, load_rights, load_rules
from index.schema import ExclusionRow, LicenceRow, RuleRow, WorkRow

_Record = TypeVar("_Record", Licence, Rule, Exclusion)


class RightsRegister:
    """Licences, rules and exclusions of the works and people of an index.

    Every method is one transaction: what it has returned from is on disk. Nothing is kept in
    memory, so changes of other processes are seen at once. With a work or a person all its rights
    are removed.

    Parameters
    ----------
    catalog
        Where they are written down.
    turn
        Lets one process write at a time; raises `IndexBusyError`.
    """

    def __init__(self, catalog: Catalog, turn: Callable[[], AbstractContextManager[None]]) -> None:
        self._sessions = sessionmaker(catalog.engine)
        self._turn = turn

    def of(self, kind: Kind, number: int) -> Rights:
        """All rights of a work or a person, by its number; none if there is no such thing."""
        with self._sessions() as session:
            return load_rights(session, kind, number)

    # Licences

    def licences(self) -> list[Licence]:
        """All licences, by number."""
        with self._sessions() as session:
            return load_licences(session)

    def add_licences(self, licences: Sequence[NewLicence]) -> list[Licence]:
        """Write down licences: all, or none if one is refused.

        Raises
        ------
        UnknownWorkError, UnknownPersonError
            There is no such work or person.
        IndexBusyError
            Another process is writing.
        """
        with self._turn(), self._sessions.begin() as session:
            rows = [
                LicenceRow(
                    **_owner(session, licence.kind, licence.ref_id),
                    licensee=licence.licensee,
                    channels=",".join(licence.channels),
                    territories=",".join(licence.territories),
                    starts=licence.starts,
                    ends=licence.ends,
                    document=licence.document,
                    added_at=datetime.now(UTC),
                )
                for licence in licences
            ]
            session.add_all(rows)
            session.flush()
            # Nobody else writes meanwhile, so all from the first one on are these.
            first = min((row.number for row in rows), default=None)
            return [] if first is None else load_licences(session, LicenceRow.number >= first)

    def remove_licences(self, numbers: Sequence[int]) -> list[Licence]:
        """Forget licences: all, or none if one is not there. Returns what they were.

        Raises
        ------
        UnknownRightsError, IndexBusyError
            One is not there, or another process is writing.
        """
        return self._remove(LicenceRow, load_licences, "licence", "licences list", numbers)

    # Rules

    def rules(self) -> list[Rule]:
        """All rules, by number."""
        with self._sessions() as session:
            return load_rules(session)

    def add_rule(self, rule: NewRule) -> Rule:
        """Write down a rule, to be tried after those that its work or person has.

        Raises
        ------
        UnknownWorkError, UnknownPersonError, IndexBusyError
            As for `add_licences`.
        """
        values = asdict(rule)
        with self._turn(), self._sessions.begin() as session:
            owner = _owner(session, values.pop("kind"), values.pop("ref_id"))
            row = RuleRow(**owner, **values, added_at=datetime.now(UTC))
            session.add(row)
            session.flush()
            return load_rules(session, RuleRow.number == row.number)[0]

    def remove_rules(self, numbers: Sequence[int]) -> list[Rule]:
        """Forget rules as `remove_licences` does licences."""
        return self._remove(RuleRow, load_rules, "rule", "rules list", numbers)

    # Exclusions

    def exclusions(self) -> list[Exclusion]:
        """All exclusions, by number."""
        with self._sessions() as session:
            return load_exclusions(session)

    def add_exclusion(self, exclusion: NewExclusion) -> Exclusion:
        """Write down seconds of a work that do not count.

        Raises
        ------
        UnknownWorkError
            There is no such work.
        InvalidRightsError
            The work is not that long.
        IndexBusyError
            Another process is writing.
        """
        with self._turn(), self._sessions.begin() as session:
            work = _work(session, exclusion.work_id)
            if exclusion.end > work.duration + _ROUNDING_S:
                raise InvalidRightsError(
                    f"work {work.id!r} ends at {work.duration:.3f} s, before {exclusion.end} s"
                )
            row = ExclusionRow(
                work_number=work.number,
                start=exclusion.start,
                end=exclusion.end,
                why=exclusion.why,
                added_at=datetime.now(UTC),
            )
            session.add(row)
            session.flush()
            return load_exclusions(session, ExclusionRow.number == row.number)[0]

    def remove_exclusions(self, numbers: Sequence[int]) -> list[Exclusion]:
        """Forget exclusions as `remove_licences` does licences."""
        return self._remove(ExclusionRow, load_exclusions, "exclusion", "works show", numbers)

    def _remove(
        self,
        table: type[LicenceRow] | type[RuleRow] | type[ExclusionRow],
        load: Callable[[Session, ColumnElement[bool]], list[_Record]],
        what: str,
        where: str,
        numbers: Sequence[int],
    ) -> list[_Record]:
        with self._turn(), self._sessions.begin() as session:
            # PostgreSQL refuses to look for a number that its column could not hold.
            removed = load(session, table.number.in_([n for n in numbers if n <= _MOST_NUMBER]))
            missing = set(numbers) - {record.number for record in removed}
            if missing:
                raise UnknownRightsError(
                    f"there is no {what} {min(missing)}: `matchcut {where}` shows what is there"
                )
            for number in set(numbers):
                session.delete(session.get_one(table, number))
            return removed


_MOST_NUMBER = 2**31 - 1  # what the numbers' columns hold
_ROUNDING_S = 0.5  # who reads a duration off a player cannot know it better


def _owner(session: Session, kind: Kind, ref_id: str) -> dict[str, int]:
    if kind is Kind.PERSON:
        return {"person_number": load_person(session, ref_id).number}
    return {"work_number": _work(session, ref_id).number}


def _work(session: Session, work_id: str) -> WorkRow:
    row = session.scalars(select(WorkRow).where(WorkRow.id == work_id)).one_or_none()
    if row is None:
        raise UnknownWorkError(
            f"no work {work_id!r} in the index: `matchcut works list` shows what is there"
        )
    return row
