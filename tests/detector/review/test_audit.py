"""No byte of the audit changes unseen, and no entry is changed without force."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator

import pytest
from desk_examples import open_case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from detector.review.audit import AuditReport, verify_export
from detector.review.desk import Desk
from detector.review.errors import ConflictError, DatabaseError
from detector.review.records import COMMAND_LINE, Action, Actor, NewEvent, Reason, Role, Via
from detector.review.schema import AuditHeadRow, EventRow

EVENTS = EventRow.__table__
COLUMNS = [column.name for column in EVENTS.columns]
VIEWED = NewEvent("person.viewed", "case:1", after={"person": "brigitte-helm"}, why="to compare")


@pytest.fixture
def log(desk: Desk) -> Desk:
    """Return a desk in whose audit are five entries, by different people and with all columns."""
    ben = Actor(None, "ben", Role.REVIEWER, Via.API)
    open_case(desk)
    desk.audit.record(ben, VIEWED)
    desk.audit.record(COMMAND_LINE, NewEvent("work.added", "work:metropolis", None, {"a": [1.5]}))
    evidence = {"document": "0" * 64}
    before = {"state": "draft", "title": "Tötung € \u202e 🎬 \x00 \ud800"}
    desk.audit.record(ben, NewEvent("notice.signed", "notice:1", before, {}, "", {}, evidence))
    desk.audit.record(ben, NewEvent("account.refused", "sign-in", why='"\\\n\t\x00\ud800é'))
    return desk


@pytest.fixture
def unguarded(log: Desk, database: Engine) -> Engine:
    """Return the log's database after somebody with all rights has taken the guards away."""
    on = " ON {}" if database.dialect.name == "postgresql" else ""
    with database.begin() as connection:
        for table, change in (
            ("review_events", "in_order"),
            ("review_events", "no_update"),
            ("review_events", "no_delete"),
            ("review_audit_head", "counts"),
            ("review_audit_head", "no_delete"),
        ):
            connection.execute(text(f"DROP TRIGGER {table}_{change}{on.format(table)}"))
    return database


def rows_of(database: Engine) -> list[dict[str, object]]:
    with database.connect() as connection:
        found = connection.execute(select(EVENTS).order_by(EVENTS.c.number))
        return [dict(row._mapping) for row in found]


def put(database: Engine, rows: list[dict[str, object]]) -> None:
    """Make these all entries there are; the record of the last stays as it is."""
    with database.begin() as connection:
        connection.execute(delete(EVENTS))
        if rows:
            connection.execute(insert(EVENTS), rows)


def exported(desk: Desk) -> bytes:
    stream = io.StringIO()
    desk.audit.export(stream)
    return stream.getvalue().encode("ascii")


def check(export: bytes) -> AuditReport:
    """Check an export as `matchcut audit verify` reads it."""
    lines = io.TextIOWrapper(io.BytesIO(export), "ascii", errors="replace", newline="\n")
    return verify_export(lines)


def test_a_log_that_nobody_touched_is_sound(log):
    report = log.audit.verify()
    assert (report.count, report.problems) == (5, ())
    assert check(exported(log)) == report


def test_an_entry_tells_who_what_and_why(log):
    event = log.audit.events(subject="case:1")[0]
    assert (event.actor, event.via, event.action) == ("ben", Via.API, "person.viewed")
    assert (event.before, event.after, event.why) == (
        None,
        {"person": "brigitte-helm"},
        "to compare",
    )
    assert event.number == 2
    assert event.at.utcoffset().total_seconds() == 0


def test_entries_are_found_by_subject_actor_and_place(log):
    def numbers(**wanted):
        return [event.number for event in log.audit.events(**wanted)]

    assert numbers() == [5, 4, 3, 2, 1]
    assert numbers(limit=2) == [5, 4]
    assert numbers(before=3) == [2, 1]
    assert numbers(subject="case:1") == [2, 1]
    assert numbers(actor="ben", before=5) == [4, 2]
    assert numbers(actor="ben", subject="work:metropolis") == []


def test_an_entry_tells_what_a_case_rests_on(log):
    (opened,) = log.audit.events(before=2)
    assert opened.versions == {"matchcut": "0.1.0", "copy": "sscd-distilled@240436cc531e"}
    assert sorted(opened.evidence) == ["upload", "work:metropolis"]


# The export


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_flipped_bit_of_an_export_is_found(log):
    export = exported(log)
    assert len(export) > 2000
    for place in range(len(export)):
        for bit in range(8):
            flipped = bytearray(export)
            flipped[place] ^= 1 << bit
            assert check(bytes(flipped)).problems, f"bit {bit} of byte {place}"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("other", [0x0A, 0x0D, 0x20, 0x30, 0x22, 0x00, 0xFF])
def test_every_byte_that_becomes_a_certain_other_is_found(log, other):
    export = exported(log)
    for place, byte in enumerate(export):
        if byte != other:
            altered = export[:place] + bytes([other]) + export[place + 1 :]
            assert check(altered).problems, f"byte {place}"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_byte_more_or_less_in_an_export_is_found(log):
    export = exported(log)
    for place in range(len(export) - 1):  # at the very end is a line break
        assert check(export[:place] + export[place + 1 :]).problems
        assert check(export[:place] + b" " + export[place:]).problems


def test_a_line_less_more_or_elsewhere_in_an_export_is_found(log):
    lines = exported(log).splitlines(keepends=True)
    for place in range(len(lines) - 1):
        assert check(b"".join(lines[:place] + lines[place + 1 :])).problems
        assert check(b"".join([*lines[:place], lines[place + 1], lines[place]])).problems
        assert check(b"".join([*lines[:place], lines[place], *lines[place:]])).problems
    assert check(b"".join([*lines, b"\n"])).problems


def test_a_missing_end_of_an_export_shows_by_its_head(log):
    head = log.audit.verify().head
    *rest, _ = exported(log).splitlines(keepends=True)
    report = check(b"".join(rest))
    assert (report.count, report.problems) == (4, ())
    assert report.head != head


def test_a_file_that_is_no_export_is_told(log):
    assert check(b"[" * 100_000).problems == ("entry 1 is damaged",)
    assert check(b'{"number": 1}\n').problems == ("entry 1 is damaged",)
    assert len(check(b"\x89PNG\r\n" * 1000).problems) == 20  # not a thousand times the same


# The database


@pytest.mark.parametrize("column", COLUMNS)
def test_every_altered_column_of_every_entry_is_found(log, unguarded, column):
    rows = rows_of(unguarded)
    for place, row in enumerate(rows):
        value = row[column]
        for other in _others(value):
            put(unguarded, [*rows[:place], row | {column: other}, *rows[place + 1 :]])
            assert log.audit.verify().problems, f"{column} of entry {place + 1}: {other!r}"
    put(unguarded, rows)
    assert log.audit.verify().problems == ()


def _others(value: object) -> Iterator[object]:
    """Give values that differ from one by a character, in several places of it."""
    if isinstance(value, int):
        yield from (value + 1000, -value)
        return
    assert isinstance(value, str)
    yield value[1:] if value else " "
    for place in range(0, len(value), max(1, len(value) // 7)):
        other = "0" if value[place] != "0" else "1"
        yield value[:place] + other + value[place + 1 :]


def test_every_removed_entry_is_found(log, unguarded):
    rows = rows_of(unguarded)
    for place in range(len(rows)):
        put(unguarded, rows[:place] + rows[place + 1 :])
        assert log.audit.verify().problems, f"entry {place + 1}"


def test_a_cut_end_is_found(log, unguarded):
    rows = rows_of(unguarded)
    for count in range(len(rows)):
        put(unguarded, rows[:count])
        assert f"the log ends with entry {count}, but 5 were" in log.audit.verify().problems[0]


def test_entries_that_changed_places_are_found(log, unguarded):
    rows = rows_of(unguarded)
    for one in range(len(rows)):
        for other in range(one):
            moved = list(rows)
            moved[one] = rows[other] | {"number": rows[one]["number"]}
            moved[other] = rows[one] | {"number": rows[other]["number"]}
            put(unguarded, moved)
            assert log.audit.verify().problems


def test_an_added_entry_is_found_even_if_its_digest_is_right(log, unguarded):
    rows = rows_of(unguarded)
    log.audit.record(COMMAND_LINE, VIEWED)
    sixth = rows_of(unguarded)[-1]
    with unguarded.begin() as connection:  # so that five are what was written
        head = {"number": 5, "digest": rows[-1]["digest"]}
        connection.execute(update(AuditHeadRow).values(**head))
    assert "the log ends with entry 6, but 5 were" in log.audit.verify().problems[0]
    put(unguarded, [*rows, sixth | {"number": 7}])
    assert log.audit.verify().problems


@pytest.mark.parametrize("change", [{"number": 4}, {"digest": "0" * 64}])
def test_an_altered_record_of_the_last_entry_is_found(log, unguarded, change):
    with unguarded.begin() as connection:
        connection.execute(update(AuditHeadRow).values(**change))
    assert log.audit.verify().problems


def test_a_missing_record_of_the_last_entry_is_found(log, unguarded):
    with unguarded.begin() as connection:
        connection.execute(delete(AuditHeadRow))
    assert log.audit.verify().problems == ("the record of the last entry is missing",)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", [b"ben", b"\xff\xfe"])
def test_bytes_in_the_place_of_a_text_are_found(log, unguarded, value):
    with unguarded.begin() as connection:
        statement = text("UPDATE review_events SET why = :value WHERE number = 2")
        connection.execute(statement.bindparams(bindparam("value", value)))
    assert "entry 2 was altered" in log.audit.verify().problems


def test_an_entry_that_cannot_be_read_any_more_is_told(log, unguarded):
    with unguarded.begin() as connection:
        connection.execute(text("UPDATE review_events SET after = '{' WHERE number = 2"))
    with pytest.raises(DatabaseError, match="entry 2 of the audit was altered"):
        log.audit.events()


# The guards


def _attempts() -> dict[str, Callable[[], object]]:
    return {
        "update": lambda: text("UPDATE review_events SET why = '' WHERE number = 2"),
        "delete": lambda: text("DELETE FROM review_events WHERE number = 5"),
        "leave out": lambda: insert(EVENTS).values(_an_entry(7)),
        "replace": lambda: insert(EVENTS).values(_an_entry(2)).prefix_with("OR REPLACE"),
        "truncate": lambda: text("TRUNCATE review_events"),
        "cut": lambda: text("UPDATE review_audit_head SET number = 4"),
        "new digest": lambda: text("UPDATE review_audit_head SET digest = 'x'"),
        "behead": lambda: text("DELETE FROM review_audit_head"),
    }


def _an_entry(number: int) -> dict[str, object]:
    return dict.fromkeys(COLUMNS, "x") | {"number": number}


@pytest.mark.parametrize("attempt", _attempts())
def test_the_database_refuses_all_but_the_next_entry(log, database, attempt):
    only = {"replace": "sqlite", "truncate": "postgresql"}.get(attempt)
    if only not in (None, database.dialect.name):
        pytest.skip(f"{attempt.upper()} is a word of {only} alone")
    with pytest.raises(IntegrityError, match="audit"), database.begin() as connection:
        connection.execute(_attempts()[attempt]())
    assert log.audit.verify().problems == ()


# Writing


def test_what_is_refused_leaves_no_entry(log, staff):
    before = log.audit.verify()
    with pytest.raises(ConflictError, match="claim case 1 first"):
        log.cases.decide(1, staff.anna, Action.DISMISS, Reason.LICENSED)
    assert log.audit.verify() == before


def test_many_write_at_once_while_one_checks(desk):
    ended = threading.Event()

    def write() -> None:
        for _ in range(25):
            desk.audit.record(COMMAND_LINE, VIEWED)

    def check_all_the_time() -> None:
        while not ended.is_set():
            found.append(desk.audit.verify().problems)

    found: list[tuple[str, ...]] = []
    checker = threading.Thread(target=check_all_the_time)
    writers = [threading.Thread(target=write) for _ in range(4)]
    for thread in (checker, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    checker.join()
    assert set(found) == {()}
    report = desk.audit.verify()
    assert (report.count, report.problems) == (100, ())


_values = st.none() | st.dictionaries(
    st.text(), st.none() | st.booleans() | st.text() | st.floats()
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=300), st.text(), _values, _values)
def test_whatever_is_told_can_be_written_and_checked(desk, subject, why, before, after):
    actor = Actor(None, why[:64], Role.VIEWER, Via.WEB)
    told = desk.audit.record(actor, NewEvent("case.refused", subject, before, after, why))
    (read,) = desk.audit.events(limit=1)
    assert (read.digest, read.subject, read.why) == (told.digest, told.subject, told.why)
    assert desk.audit.verify().problems == ()
    assert check(exported(desk)).problems == ()
