"""Licences, works and people as tables in CSV: written, and read back unchanged.

A file is UTF-8 with or without a byte order mark, begins with the names of its columns, in any
order, and may have semicolons instead of commas, as spreadsheets write in some countries.

What is written is likely opened in a spreadsheet, and a spreadsheet takes a text that begins with
``=``, ``+``, ``-`` or ``@`` for a formula. An apostrophe is put before such a text, and taken off
again when it is read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from detector.inputs import InputError
from index.errors import CatalogError
from index.person_records import LIKENESS_POLICIES, Person
from index.records import Policy, Work
from index.rights_records import Kind, NewLicence

LICENCE_COLUMNS = (
    "kind", "id", "licensee", "channels", "territories", "from", "until", "document",
)  # fmt: skip
WORK_COLUMNS = ("path", "id", "title", "owner", "policy")
PERSON_COLUMNS = ("name", "id", "authority", "retain_until", "policy", "files")

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_QUOTED_FORMULA = re.compile(r"'+[=+\-@\t\r\n]")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SEPARATORS = re.compile(r"[,;\s]+")
_FILE = re.compile(r'\s*+(?:"((?:[^"]|"")*+)"\s*+|([^;"]*+))(?:;|\Z)')
_MOST_PROBLEMS = 5  # in one message
_LONGEST_SHOWN = 80  # characters of a cell, in one message

_Line = TypeVar("_Line")


class TableError(InputError):
    """A table cannot be taken as it is; the text names the lines, and what is wrong with each.

    Parameters
    ----------
    problems
        What is wrong, by number of the line, from 1.
    """

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(sorted(problems.items()))
        told = [f"line {line}: {text}" for line, text in self.problems.items()]
        more = len(told) - _MOST_PROBLEMS
        text = "; ".join(told[:_MOST_PROBLEMS])
        super().__init__(f"{text}; and {more} more lines" if more > 0 else text)


@dataclass(frozen=True, slots=True)
class LicenceLine:
    """A licence in a table."""

    line: int  # where it begins in the file, from 1
    licence: NewLicence


@dataclass(frozen=True, slots=True)
class WorkLine:
    """A work in a table: what is said of it."""

    line: int
    path: str = ""  # or URL; empty: not said, as in all that follows
    id: str = ""
    title: str = ""
    owner: str | None = None  # None: not said; empty: nobody is known
    policy: Policy | None = None  # None: not said


@dataclass(frozen=True, slots=True)
class PersonLine:
    """A person in a table: what is said of them."""

    line: int
    name: str = ""  # empty: not said, as in all that follows
    id: str = ""
    authority: str = ""
    retain_until: date | None = None
    policy: Policy | None = None
    files: tuple[str, ...] = ()  # photos, clips, or folders of them


# --- writing ----------------------------------------------------------------------------------


def write_licences(licences: Iterable[NewLicence]) -> str:
    """Return licences as CSV; what the index adds to them (number, time) is left out."""
    return _written(
        LICENCE_COLUMNS,
        (
            (
                one.kind,
                one.ref_id,
                one.licensee or "",
                ",".join(one.channels),
                ",".join(one.territories),
                _day(one.starts),
                _day(one.ends),
                one.document,
            )
            for one in licences
        ),
    )


def write_works(works: Iterable[Work]) -> str:
    """Return works as CSV."""
    return _written(
        WORK_COLUMNS,
        ((one.source, one.id, one.title, one.owner or "", one.policy) for one in works),
    )


def write_people(people: Iterable[tuple[Person, Sequence[str]]]) -> str:
    """Return people, each with the files that their faces were read from, as CSV."""
    return _written(
        PERSON_COLUMNS,
        (
            (
                one.name,
                one.id,
                one.authority,
                one.retain_until.isoformat(),
                one.policy,
                join_files(files),
            )
            for one, files in people
        ),
    )


def _written(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    plain = csv.writer(stream, lineterminator="\n")
    # Left to itself, csv would not quote a lone return, and read it as the end of a line.
    quoting = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(columns)
    for row in rows:
        cells = [neutralised(cell) for cell in row]
        writer = quoting if any("\r" in cell for cell in cells) else plain
        writer.writerow(cells)
    return stream.getvalue()


def neutralised(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula.

    >>> neutralised("=1+1"), neutralised("'=1+1"), neutralised("1+1")
    ("'=1+1", "''=1+1", '1+1')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def restored(text: str) -> str:
    """Undo `neutralised`.

    >>> restored("'=1+1"), restored("=1+1"), restored("'tis")
    ('=1+1', '=1+1', "'tis")
    """
    return text[1:] if _QUOTED_FORMULA.match(text) else text


def join_files(files: Iterable[str]) -> str:
    """Write the names of files into one cell, with semicolons between.

    >>> join_files(["anna/1.jpg", "a;b.jpg"])
    'anna/1.jpg;"a;b.jpg"'
    """
    return ";".join(
        '"' + name.replace('"', '""') + '"'
        if name != name.strip() or re.search(r'[;"\r\n]', name)
        else name
        for name in files
    )


def split_files(cell: str) -> tuple[str, ...]:
    """Return the names of files in a cell, as `join_files` writes them; spaces may be added.

    Raises
    ------
    ValueError
        There is a quotation mark too many or too few.
    """
    names = []
    at = 0
    while at < len(cell):
        found = _FILE.match(cell, at)
        if found is None:
            raise ValueError(
                f"{_shown(cell)} are no names of files with semicolons between: put one that "
                "holds a semicolon or a quotation mark into quotation marks, and double those in it"
            )
        quoted, plain = found.groups()
        names.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        at = found.end()
    return tuple(name for name in names if name)


# --- reading ----------------------------------------------------------------------------------


def read_licences(data: bytes) -> list[LicenceLine]:
    """Read licences; without a column `kind` they are of works.

    Raises
    ------
    TableError
        The file is no such table, or some of its lines are not possible.
    """
    return _read(data, LICENCE_COLUMNS, ("id", "document"), _licence)


def read_works(data: bytes) -> list[WorkLine]:
    """Read works.

    Raises
    ------
    TableError
        The file is no such table, or some of its lines are not possible.
    """
    return _read(data, WORK_COLUMNS, (), _work)


def read_people(data: bytes) -> list[PersonLine]:
    """Read people.

    Raises
    ------
    TableError
        The file is no such table, or some of its lines are not possible.
    """
    return _read(data, PERSON_COLUMNS, (), _person)


def _licence(line: int, cells: Mapping[str, str]) -> LicenceLine:
    return LicenceLine(
        line,
        NewLicence(
            kind=Kind(_one_of(cells.get("kind", ""), tuple(Kind), "kind") or Kind.WORK),
            ref_id=cells["id"],
            licensee=cells.get("licensee") or None,
            channels=_list(cells.get("channels", "").lower()),
            territories=_list(cells.get("territories", "")),
            starts=_date(cells.get("from", "")),
            ends=_date(cells.get("until", "")),
            document=cells["document"],
        ),
    )


def _work(line: int, cells: Mapping[str, str]) -> WorkLine:
    policy = _one_of(cells.get("policy", ""), tuple(Policy), "policy")
    path, work_id = cells.get("path", ""), cells.get("id", "")
    if not path and not work_id:
        raise ValueError("neither an id nor a path says which work it is")
    return WorkLine(
        line,
        path=path,
        id=work_id,
        title=cells.get("title", ""),
        owner=cells.get("owner"),
        policy=Policy(policy) if policy else None,
    )


def _person(line: int, cells: Mapping[str, str]) -> PersonLine:
    policy = _one_of(cells.get("policy", ""), LIKENESS_POLICIES, "policy")
    name, person_id = cells.get("name", ""), cells.get("id", "")
    if not name and not person_id:
        raise ValueError("neither an id nor a name says who it is")
    return PersonLine(
        line,
        name=name,
        id=person_id,
        authority=cells.get("authority", ""),
        retain_until=_date(cells.get("retain_until", "")),
        policy=Policy(policy) if policy else None,
        files=split_files(cells.get("files", "")),
    )


def _read(
    data: bytes,
    columns: Sequence[str],
    required: Sequence[str],
    make: Callable[[int, Mapping[str, str]], _Line],
) -> list[_Line]:
    text = _decoded(data)
    lines: list[_Line] = []
    problems: dict[int, str] = {}
    header: list[str] | None = None
    end = 0  # of the line before
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=_delimiter(text, columns), strict=True
    )
    try:
        for row in reader:
            line, end = end + 1, reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = _header(line, row, columns, required)
                continue
            try:
                lines.append(make(line, _cells(header, row)))
            except (ValueError, CatalogError) as error:
                problems[line] = str(error)
    except csv.Error as error:
        problems[end + 1] = f"this is no CSV ({error}): is a quotation mark missing?"
    if header is None and not problems:
        raise TableError({1: f"there is nothing in it; it begins with a line {','.join(columns)}"})
    if problems:
        raise TableError(problems)
    return lines


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TableError({line: "this is not UTF-8: save the file as CSV in UTF-8"}) from error


def _delimiter(text: str, columns: Sequence[str]) -> str:
    first = text.lstrip().partition("\n")[0].lower()
    named = {cell.strip().strip('"') for cell in first.split(";")}
    return ";" if ";" in first and named & set(columns) else ","


def _header(
    line: int, row: Sequence[str], columns: Sequence[str], required: Sequence[str]
) -> list[str]:
    header = [cell.strip().lower() for cell in row]
    known = ", ".join(columns)
    for name in header:
        if name not in columns:
            raise TableError({line: f"there is no column {_shown(name)}; there are {known}"})
        if header.count(name) > 1:
            raise TableError({line: f"column {name!r} is there twice"})
    for name in required:
        if name not in header:
            raise TableError({line: f"column {name!r} is missing; there are {known}"})
    return header


def _cells(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise ValueError(
            f"it has {len(row)} cells, and the first line has {len(header)}: is a text that holds "
            "a comma not in quotation marks?"
        )
    return {name: restored(cell) for name, cell in zip(header, row, strict=True)}


def _one_of(cell: str, possible: Sequence[str], what: str) -> str:
    value = cell.strip().lower()
    if value and value not in possible:
        raise ValueError(f"{what} {_shown(cell)} is none of {', '.join(possible)}")
    return value


def _list(cell: str) -> tuple[str, ...]:
    return tuple(part for part in _SEPARATORS.split(cell) if part)


def _date(cell: str) -> date | None:
    text = cell.strip()
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # the 30th of February
    raise ValueError(f"{_shown(cell)} is no day: write it as 2027-03-01")


def _shown(cell: str) -> str:
    """Return what a message shows of a cell."""
    return repr(cell) if len(cell) <= _LONGEST_SHOWN else f"{cell[:_LONGEST_SHOWN]!r}..."


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()
