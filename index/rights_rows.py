"""What the tables about rights hold, read within somebody else's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from index.records import Policy
from index.rights_records import Exclusion, Kind, Licence, Rights, Rule
from index.schema import ExclusionRow, LicenceRow, PersonRow, RuleRow, WorkRow

_Row = TypeVar("_Row", LicenceRow, RuleRow)  # of a work or of a person


def load_licences(session: Session, *conditions: ColumnElement[bool]) -> list[Licence]:
    """Licences for which all conditions hold, by number."""
    return [
        Licence(
            kind=kind,
            ref_id=ref_id,
            licensee=row.licensee,
            channels=tuple(row.channels.split(",")),
            territories=tuple(row.territories.split(",")) if row.territories else (),
            starts=row.starts,
            ends=row.ends,
            document=row.document,
            number=row.number,
            added_at=row.added_at,
        )
        for row, kind, ref_id in _with_owner(session, LicenceRow, conditions)
    ]


def load_rules(session: Session, *conditions: ColumnElement[bool]) -> list[Rule]:
    """Rules for which all conditions hold, by number."""
    return [
        Rule(
            kind=kind,
            ref_id=ref_id,
            policy=Policy(row.policy),
            channel=row.channel,
            min_seconds=row.min_seconds,
            min_share_upload=row.min_share_upload,
            min_share_reference=row.min_share_reference,
            min_score=row.min_score,
            number=row.number,
            added_at=row.added_at,
        )
        for row, kind, ref_id in _with_owner(session, RuleRow, conditions)
    ]


def load_exclusions(session: Session, *conditions: ColumnElement[bool]) -> list[Exclusion]:
    """Exclusions for which all conditions hold, by number."""
    query = (
        select(ExclusionRow, WorkRow.id)
        .join(WorkRow, WorkRow.number == ExclusionRow.work_number)
        .where(*conditions)
        .order_by(ExclusionRow.number)
    )
    return [
        Exclusion(
            work_id=work_id,
            start=row.start,
            end=row.end,
            why=row.why,
            number=row.number,
            added_at=row.added_at,
        )
        for row, work_id in session.execute(query)
    ]


def _with_owner(
    session: Session, table: type[_Row], conditions: Sequence[ColumnElement[bool]]
) -> Iterator[tuple[_Row, Kind, str]]:
    """Yield rows with whose they are: kind and id."""
    query = (
        select(table, WorkRow.id, PersonRow.id)
        .outerjoin(WorkRow, WorkRow.number == table.work_number)
        .outerjoin(PersonRow, PersonRow.number == table.person_number)
        .where(*conditions)
        .order_by(table.number)
    )
    found: Iterable[Any] = session.execute(query)
    for row, work_id, person_id in found:
        if work_id is None:
            yield row, Kind.PERSON, person_id
        else:
            yield row, Kind.WORK, work_id


def load_rights(session: Session, kind: Kind, number: int) -> Rights:
    """All rights of one work or person, by its number."""
    exclusions: list[Exclusion] = []
    if kind is Kind.WORK:
        exclusions = load_exclusions(session, ExclusionRow.work_number == number)
    return Rights(
        tuple(load_licences(session, _of(LicenceRow, kind, number))),
        tuple(load_rules(session, _of(RuleRow, kind, number))),
        tuple(exclusions),
    )


def drop_rights(session: Session, kind: Kind, number: int) -> None:
    """Forget all rights of a work or a person."""
    for table in (LicenceRow, RuleRow):
        session.execute(delete(table).where(_of(table, kind, number)))
    if kind is Kind.WORK:
        session.execute(delete(ExclusionRow).where(ExclusionRow.work_number == number))


def _of(table: type[LicenceRow] | type[RuleRow], kind: Kind, number: int) -> ColumnElement[bool]:
    column = table.work_number if kind is Kind.WORK else table.person_number
    return column == number


def facts(session: Session, today: date) -> Iterator[dict[str, object]]:
    """Tell all that decides what the rights say on a day; nothing if nobody has any."""
    for licence in load_licences(session):
        begun, ended = licence.has_begun(today), licence.has_ended(today)
        yield asdict(licence) | {"begun": begun, "ended": ended}
    yield from map(asdict, load_rules(session))
    yield from map(asdict, load_exclusions(session))
