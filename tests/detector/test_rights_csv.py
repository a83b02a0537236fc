"""Tables are read back as they were written, and a wrong one is refused with its line."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.rights_csv import (
    LICENCE_COLUMNS,
    PERSON_COLUMNS,
    WORK_COLUMNS,
    TableError,
    WorkLine,
    join_files,
    neutralised,
    read_licences,
    read_people,
    read_works,
    restored,
    split_files,
    write_licences,
    write_people,
    write_works,
)
from index.errors import InvalidWorkError
from index.person_records import LIKENESS_POLICIES, Person
from index.records import Policy, Work, check_id
from index.rights_records import CHANNELS, Kind, NewLicence
from index.territories import TERRITORIES

ADDED = datetime(2026, 1, 1, tzinfo=UTC)


HEADERS = [
    ",".join(columns).encode() for columns in (WORK_COLUMNS, PERSON_COLUMNS, LICENCE_COLUMNS)
]


def is_id(text: str) -> bool:
    try:
        check_id(text)
    except InvalidWorkError:
        return False
    return True


# Of such a spreadsheet or a CSV reader might make something else.
TRAPS = st.sampled_from("=+-@'\t\r\n\";, ab1é七🎬\u2028\ufeff\0")
TEXTS = st.text(TRAPS, max_size=12)
NAMES = st.text(TRAPS, min_size=1, max_size=12).filter(str.strip)
IDS = NAMES.filter(is_id)
DAYS = st.dates(date(1900, 1, 1), date(2999, 12, 31))


@st.composite
def licences(draw: st.DrawFn) -> NewLicence:
    kind = draw(st.sampled_from(Kind))
    starts, ends = sorted([draw(DAYS), draw(DAYS)])
    return NewLicence(
        kind=kind,
        ref_id=draw(IDS),
        document=draw(NAMES),
        licensee=draw(st.none() | NAMES),
        channels=tuple(draw(st.sets(st.sampled_from(CHANNELS[kind])))),
        territories=tuple(draw(st.sets(st.sampled_from(sorted(TERRITORIES)), max_size=4))),
        starts=draw(st.sampled_from((None, starts))),
        ends=draw(st.sampled_from((None, ends))),
    )


@st.composite
def works(draw: st.DrawFn) -> Work:
    return Work(
        id=draw(IDS),
        title=draw(TEXTS),
        owner=draw(st.none() | NAMES),
        policy=draw(st.sampled_from(Policy)),
        source=draw(NAMES),
        digest="0" * 64,
        duration=5.0,
        frames_sampled=6,
        frames_uniform=1,
        number=1,
        added_at=ADDED,
    )


@st.composite
def people(draw: st.DrawFn) -> tuple[Person, tuple[str, ...]]:
    person = Person(
        id=draw(IDS),
        name=draw(NAMES),
        authority=draw(NAMES),
        retain_until=draw(DAYS),
        policy=draw(st.sampled_from(LIKENESS_POLICIES)),
        number=1,
        added_at=ADDED,
        faces=1,
    )
    return person, tuple(draw(st.lists(NAMES, max_size=4)))


def table(text: str) -> bytes:
    """Return a table of these lines, without the indentation."""
    return "\n".join(line.strip() for line in text.strip().splitlines()).encode()


# --- what is written is read back -------------------------------------------------------------


@given(st.lists(licences(), max_size=5))
def test_licences_are_read_as_they_were_written(told: list[NewLicence]) -> None:
    lines = read_licences(write_licences(told).encode())
    assert [line.licence for line in lines] == told


@given(st.lists(works(), max_size=5))
def test_works_are_read_as_they_were_written(told: list[Work]) -> None:
    lines = read_works(write_works(told).encode())
    assert [
        (line.path, line.id, line.title, line.owner or None, line.policy) for line in lines
    ] == [(work.source, work.id, work.title, work.owner, work.policy) for work in told]


@given(st.lists(people(), max_size=5))
def test_people_are_read_as_they_were_written(told: list[tuple[Person, tuple[str, ...]]]) -> None:
    lines = read_people(write_people(told).encode())
    assert [
        (line.name, line.id, line.authority, line.retain_until, line.policy, line.files)
        for line in lines
    ] == [
        (one.name, one.id, one.authority, one.retain_until, one.policy, files)
        for one, files in told
    ]


@given(TEXTS)
@example("'=1+1")
@example("''+")
@example("'tis")
def test_an_apostrophe_is_put_before_formulas_and_taken_off_again(text: str) -> None:
    safe = neutralised(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert restored(safe) == text


@given(st.lists(works(), min_size=1, max_size=3))
def test_no_cell_of_what_is_written_begins_a_formula(told: list[Work]) -> None:
    for row in csv.reader(io.StringIO(write_works(told), newline="")):
        assert len(row) == len(WORK_COLUMNS)
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row)


@given(st.lists(NAMES, max_size=5))
def test_names_of_files_are_split_as_they_were_joined(names: list[str]) -> None:
    assert split_files(join_files(names)) == tuple(names)


def test_what_is_written_can_be_read_by_people() -> None:
    licence = NewLicence(
        kind=Kind.WORK,
        ref_id="heat",
        document="contract 17",
        licensee="@studio_a",
        territories=("DE", "FR"),
        ends=date(2027, 3, 1),
    )
    assert write_licences([licence]) == (
        "kind,id,licensee,channels,territories,from,until,document\n"
        'work,heat,\'@studio_a,"copy,semantic","DE,FR",,2027-03-01,contract 17\n'
    )


# --- what people and spreadsheets write -------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_byte_order_mark_line_ends_and_semicolons_make_no_difference(
    mark: bytes, ending: str, separator: str
) -> None:
    rows = [("id", "title"), ("七人の侍", "Seven Samurai"), ("m", "Amélie")]
    text = ending.join(separator.join(row) for row in rows)
    assert read_works(mark + text.encode()) == [
        WorkLine(2, id="七人の侍", title="Seven Samurai"),
        WorkLine(3, id="m", title="Amélie"),
    ]


def test_columns_may_be_in_any_order_and_left_out() -> None:
    (line,) = read_licences(table("Document, ID \n contract 17,heat"))
    assert line.licence == NewLicence(kind=Kind.WORK, ref_id="heat", document="contract 17")


def test_what_is_not_said_differs_from_what_is_empty() -> None:
    (line,) = read_works(table("id,policy\nheat,"))
    assert (line.owner, line.policy) == (None, None)
    (line,) = read_works(table("id,owner\nheat,"))
    assert line.owner == ""


def test_lists_in_a_cell_may_be_separated_as_one_likes() -> None:
    for cell in ('"DE,FR"', "DE;FR", "de fr", '"FR, DE"'):
        (line,) = read_licences(table(f"id,document,territories\nheat,17,{cell}"))
        assert line.licence.territories == ("DE", "FR")
    (person,) = read_people(table('name,files\nAnna,"a.jpg; b c.jpg;""d;e.jpg"" ;"'))
    assert person.files == ("a.jpg", "b c.jpg", "d;e.jpg")


def test_policies_and_kinds_may_be_in_capitals() -> None:
    (work,) = read_works(table("id,policy\nheat, Block "))
    assert work.policy is Policy.BLOCK
    (licence,) = read_licences(table("id,kind,document\nanna,PERSON,a letter"))
    assert licence.licence.kind is Kind.PERSON


def test_lines_are_counted_as_an_editor_does() -> None:
    lines = read_works(b'\nid,title\n\nheat,"Heat\n(1995)"\n,,\nronin,Ronin\n'.replace(b",,", b","))
    assert [(one.line, one.id, one.title) for one in lines] == [
        (4, "heat", "Heat\n(1995)"),
        (7, "ronin", "Ronin"),
    ]


# --- what cannot be ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("id,titel\nheat,Heat", "line 1: there is no column 'titel'; there are path, id, title"),
        ("id,id\nheat,heat", "line 1: column 'id' is there twice"),
        ("", "line 1: there is nothing in it; it begins with a line path,id,title,owner,policy"),
        ("id,title\nheat", "line 2: it has 1 cells, and the first line has 2"),
        ("id,title\nheat,Heat, again", "line 2: it has 3 cells"),
        ("id,policy\nheat,block\nronin,delete", "line 3: policy 'delete' is none of block"),
        ("title\nHeat", "line 2: neither an id nor a path"),
        ('id,title\nheat,"Heat\nronin,Ronin', "line 2: this is no CSV"),
        ('id,title\nheat,"He"at', "line 2: this is no CSV"),
    ],
)
def test_a_table_of_works_that_cannot_be_is_refused_with_its_line(
    text: str, complaint: str
) -> None:
    with pytest.raises(TableError) as caught:
        read_works(text.encode())
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        ("id,licensee", "heat,studio_a", "line 1: column 'document' is missing"),
        ("document", "contract", "line 1: column 'id' is missing"),
        ("id,document,kind", "heat,17,song", "line 2: kind 'song' is none of work, person"),
        ("id,document", "heat,", "line 2: a licence needs a document"),
        ("id,document,territories", "heat,17,UK", "line 2: 'UK' is no country"),
        ("id,document,channels", "heat,17,face", "line 2: a work cannot be licensed for 'face'"),
        ("id,document,until", "heat,17,01.03.2027", "line 2: '01.03.2027' is no day: write it as"),
        ("id,document,until", "heat,17,20270301", "line 2: '20270301' is no day"),
        ("id,document,from", "heat,17,2027-02-30", "line 2: '2027-02-30' is no day"),
        (
            "id,document,from,until",
            "heat,17,2027-03-02,2027-03-01",
            "line 2: a licence from 2027-03-02 until 2027-03-01 would be over",
        ),
    ],
)
def test_a_table_of_licences_that_cannot_be_is_refused_with_its_line(
    header: str, row: str, complaint: str
) -> None:
    with pytest.raises(TableError) as caught:
        read_licences(f"{header}\n{row}\n".encode())
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        ("name,policy", "Anna,block", "line 2: policy 'block' is none of review, monitor, allow"),
        ("name,retain_until", "Anna,tomorrow", "line 2: 'tomorrow' is no day"),
        ("name,files", 'Anna,"""a.jpg;b.jpg"', "line 2: '\"a.jpg;b.jpg' are no names of files"),
        ("authority", "contract 17", "line 2: neither an id nor a name"),
    ],
)
def test_a_table_of_people_that_cannot_be_is_refused_with_its_line(
    header: str, row: str, complaint: str
) -> None:
    with pytest.raises(TableError) as caught:
        read_people(f"{header}\n{row}\n".encode())
    assert str(caught.value).startswith(complaint)


def test_all_that_is_wrong_is_told_at_once_but_not_without_end() -> None:
    rows = "\n".join(["heat,block", "ronin,delete", *["x,nothing"] * 8])
    with pytest.raises(TableError) as caught:
        read_works(f"id,policy\n{rows}".encode())
    assert list(caught.value.problems) == list(range(3, 12))
    assert str(caught.value).count("line ") == 5
    assert str(caught.value).endswith("; and 4 more lines")


def test_another_encoding_is_refused_with_its_line() -> None:
    with pytest.raises(TableError, match="line 2: this is not UTF-8"):
        read_works("id,title\nm,Amélie".encode("latin-1"))
    with pytest.raises(TableError, match="line 1: this is not UTF-8"):
        read_works("id,title\nm,Amélie".encode("utf-16"))


@given(st.sampled_from((b"", *HEADERS)), st.binary(max_size=60) | TEXTS.map(str.encode))
def test_whatever_a_file_holds_it_is_read_or_refused(header: bytes, data: bytes) -> None:
    for read in (read_works, read_people, read_licences):
        with suppress(TableError):
            for line in read(header + b"\n" + data):
                assert line.line >= 2
