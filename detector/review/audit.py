"""The audit: what was done, by whom and why, in a chain of digests that shows every change.

Each entry's digest is the SHA-256 of the entry with the digest of the one before it, so that none
can be altered, removed, added or moved without the digests after it being wrong; the head, kept
apart, shows a missing end. Who can write to the database can also compute a whole new chain:
against that, export the log, or note the head's digest, where they cannot write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from detector.review.database import ReviewDatabase
from detector.review.errors import DatabaseError
from detector.review.guards import Guard
from detector.review.records import Actor, Event, NewEvent, Via
from detector.review.schema import AuditHeadRow, EventRow
from detector.text import encodable

_START = "0" * 64  # what stands before the first entry
_COLUMNS = (
    "number",
    "at",
    "actor",
    "via",
    "action",
    "subject",
    "before",
    "after",
    "why",
    "versions",
    "evidence",
    "previous",
)
_MOST_PROBLEMS = 20
_BATCH = 1000
_LONGEST_SUBJECT = 255
_KEPT = "the audit can only be added to"
_GUARDS = (
    # The first also keeps SQLite's REPLACE from putting an entry in the place of another.
    Guard(
        "review_events_in_order",
        "review_events",
        "INSERT",
        "NEW.number <> coalesce((SELECT max(number) FROM review_events), 0) + 1",
        "entries of the audit are numbered one by one",
    ),
    Guard("review_events_no_update", "review_events", "UPDATE", "true", _KEPT),
    Guard("review_events_no_delete", "review_events", "DELETE", "true", _KEPT),
    Guard("review_events_no_truncate", "review_events", "TRUNCATE", "true", _KEPT),
    Guard(
        "review_audit_head_counts",
        "review_audit_head",
        "UPDATE",
        "NEW.id <> OLD.id OR NEW.number <> OLD.number + 1",
        _KEPT,
    ),
    Guard("review_audit_head_no_delete", "review_audit_head", "DELETE", "true", _KEPT),
    Guard("review_audit_head_no_truncate", "review_audit_head", "TRUNCATE", "true", _KEPT),
)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of the log found."""

    count: int  # entries that were read
    head: str  # digest of the last
    problems: tuple[str, ...]  # in words, the first few; none: nothing was altered


class Audit:
    """The log of a desk.

    Attributes
    ----------
    verified
        When `verify` was last called here, and how many problems it found; None: not yet.
    """

    def __init__(self, database: ReviewDatabase) -> None:
        self._database = database
        self.verified: tuple[datetime, int] | None = None

    def length(self) -> int:
        """Number of the last entry."""
        with self._database.reading() as session:
            head = session.get(AuditHeadRow, 1)
            return 0 if head is None else head.number

    def record(self, actor: Actor, event: NewEvent) -> Event:
        """Write down something that changed nothing else, such as that somebody looked."""
        with self._database.writing() as session:
            return append(session, actor, event)

    def events(
        self,
        subject: str | None = None,
        actor: str | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> tuple[Event, ...]:
        """Return the newest entries first: of a subject or an actor, and before a number.

        Raises
        ------
        DatabaseError
            One of them was altered so that it cannot be read.
        """
        query = select(EventRow).order_by(EventRow.number.desc()).limit(limit)
        if subject is not None:
            query = query.where(EventRow.subject == subject)
        if actor is not None:
            query = query.where(EventRow.actor == actor)
        if before is not None:
            query = query.where(EventRow.number < before)
        with self._database.reading() as session:
            return tuple(_event(row) for row in session.scalars(query))

    def verify(self) -> AuditReport:
        """Read the whole log and find whatever was altered, removed, added or moved."""
        report = self._verify()
        self.verified = datetime.now(UTC), len(report.problems)
        return report

    def _verify(self) -> AuditReport:
        try:
            with self._database.reading() as session:
                report = _check(map(_values, _rows(session)))
                head = session.get(AuditHeadRow, 1)
        except (DBAPIError, UnicodeDecodeError, ValueError) as error:
            return AuditReport(0, "", (f"the log cannot be read: {error}",))
        problems = list(report.problems)
        if head is None:
            problems.append("the record of the last entry is missing")
        elif (head.number, head.digest) != (report.count, report.head) and not problems:
            problems.append(
                f"the log ends with entry {report.count}, but {head.number} were written, or the "
                "last was replaced"
            )
        return AuditReport(report.count, report.head, tuple(problems))

    def export(self, stream: TextIO) -> int:
        """Write the log as JSON lines, oldest first; return how many there are."""
        count = 0
        with self._database.reading() as session:
            for row in _rows(session):
                stream.write(_canonical(_values(row)) + "\n")
                count += 1
        return count


def verify_export(lines: Iterable[str]) -> AuditReport:
    r"""Check what `Audit.export` wrote: any altered byte is found, and any line that is missing.

    But for lines at the end: compare the report's head with one that was noted elsewhere. Lines
    end with "\n" alone: open a file with ``newline="\n"``, or others are taken for it.
    """

    def entries() -> Iterator[dict[str, Any]]:
        for line in lines:
            text_of = line.removesuffix("\n")
            try:
                values = json.loads(text_of)
                exact = isinstance(values, dict) and _canonical(values) == text_of
            except (ValueError, RecursionError):
                exact = False
            yield values if exact else {}

    return _check(entries())


def append(session: Session, actor: Actor, event: NewEvent) -> Event:
    """Write an entry in the transaction of what it tells of."""
    head = session.scalars(select(AuditHeadRow).where(AuditHeadRow.id == 1).with_for_update()).one()
    values: dict[str, Any] = {
        "number": head.number + 1,
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "actor": _storable(actor.name),
        "via": actor.via.value,
        "action": event.action,
        "subject": _storable(event.subject)[:_LONGEST_SUBJECT],
        "before": _text(event.before),
        "after": _text(event.after),
        "why": _storable(event.why),
        "versions": _text(event.versions),
        "evidence": _text(event.evidence),
        "previous": head.digest,
    }
    row = EventRow(**values, digest=_digest(values))
    session.add(row)
    head.number, head.digest = row.number, row.digest
    session.flush()
    return _event(row)


def make_log(connection: Connection) -> None:
    """Begin the log of a new database, to which entries can only be added."""
    connection.execute(
        text("INSERT INTO review_audit_head (id, number, digest) VALUES (1, 0, :digest)"),
        {"digest": _START},
    )
    for guard in _GUARDS:
        guard.put(connection)


def _rows(session: Session) -> Iterator[EventRow]:
    done: int | None = None
    while True:
        query = select(EventRow).order_by(EventRow.number).limit(_BATCH)
        if done is not None:
            query = query.where(EventRow.number > done)
        rows = session.scalars(query).all()
        yield from rows
        if len(rows) < _BATCH:
            return
        done = rows[-1].number
        session.expunge_all()


def _values(row: EventRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in (*_COLUMNS, "digest")}


def _check(entries: Iterable[Mapping[str, Any]]) -> AuditReport:
    problems: list[str] = []
    count, previous = 0, _START
    for count, entry in enumerate(entries, 1):
        problem = _problem(entry, count, previous)
        if problem is not None and len(problems) < _MOST_PROBLEMS:
            problems.append(problem)
        previous = str(entry.get("digest", ""))
    return AuditReport(count, previous, tuple(problems))


def _problem(entry: Mapping[str, Any], number: int, previous: str) -> str | None:
    if set(entry) != {*_COLUMNS, "digest"}:
        return f"entry {number} is damaged"
    if entry["number"] != number:
        return f"entry {number} is missing: the next is number {entry['number']}"
    if entry["previous"] != previous:
        return f"entry {number} does not follow the one before it, which was altered or replaced"
    try:
        is_as_written = entry["digest"] == _digest(entry)
    except TypeError:  # bytes in the place of a text, which SQLite keeps
        is_as_written = False
    return None if is_as_written else f"entry {number} was altered"


def _digest(values: Mapping[str, Any]) -> str:
    hashed = {name: values[name] for name in _COLUMNS}
    return hashlib.sha256(_canonical(hashed).encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _storable(text: str) -> str:
    """Write out what no database takes: half a surrogate pair, and NUL."""
    return encodable(text).replace("\0", "\\x00")


def _text(values: Mapping[str, Any] | None) -> str:
    """Return values as they are kept and hashed; nothing for None."""
    return "" if values is None else json.dumps(values, sort_keys=True, default=str)


def _event(row: EventRow) -> Event:
    try:
        return _read(row)
    except (ValueError, TypeError) as error:
        raise DatabaseError(
            f"entry {row.number} of the audit was altered, and cannot be read: `matchcut audit "
            "verify` tells what else was"
        ) from error


def _read(row: EventRow) -> Event:
    def values(column: str) -> dict[str, Any] | None:
        content: dict[str, Any] | None = json.loads(column) if column else None
        return content

    return Event(
        number=row.number,
        at=datetime.fromisoformat(row.at),
        actor=row.actor,
        via=Via(row.via),
        action=row.action,
        subject=row.subject,
        before=values(row.before),
        after=values(row.after),
        why=row.why,
        versions=values(row.versions) or {},
        evidence=values(row.evidence) or {},
        previous=row.previous,
        digest=row.digest,
    )
