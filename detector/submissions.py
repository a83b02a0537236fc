"""How uploads came in: a CSV that tells who submitted each, where it is shown, and when.

Licences go by it, so a row that might mean two files, or says something that cannot be, is refused
before anything is scanned.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from detector.inputs import InputError, Source
from detector.types import Submission
from index.errors import InvalidRightsError
from index.territories import territory

COLUMNS = ("file", "uploader", "territory", "url", "submitted_at")
_LONGEST = 2000  # characters of a value; addresses may be long
_NOTHING = Submission()


class SubmissionsError(InputError):
    """What was said of the submissions cannot be taken; the text says what, and in which line."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What a line of the CSV says of one upload."""

    line: int
    file: str  # as it is written there
    parts: tuple[str, ...]  # of the path or URL, or of its end
    submission: Submission


class Submissions:
    """Who submitted which upload.

    Parameters
    ----------
    rows
        Of a CSV, see `read_submissions`.
    otherwise
        What is known of uploads that no row names.
    where
        The CSV, for messages.
    """

    def __init__(
        self, rows: Sequence[_Row] = (), otherwise: Submission = _NOTHING, where: str = ""
    ) -> None:
        self._rows = rows
        self._otherwise = otherwise
        self._where = where
        self._by_name: defaultdict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            self._by_name[row.parts[-1]].append(row)

    def __len__(self) -> int:
        """Return how many uploads have a row."""
        return len(self._rows)

    def of(self, source: Source) -> Submission:
        """Return how an upload came in, by the row that names the most of its path or URL."""
        row = self._row(_parts(source.address))
        return self._otherwise if row is None else row.submission

    def otherwise(self, submission: Submission) -> Submissions:
        """Return the same, with something known of the uploads that no row names."""
        return Submissions(self._rows, submission, self._where)

    def unmatched(self, sources: Iterable[Source]) -> tuple[str, ...]:
        """Return the files that have a row and are none of these.

        Raises
        ------
        SubmissionsError
            A row might mean several of these.
        """
        found: dict[int, str] = {}  # address by line
        for source in sources:
            row = self._row(_parts(source.address))
            if row is None:
                continue
            other = found.setdefault(row.line, source.address)
            if _parts(other) != _parts(source.address):
                raise SubmissionsError(
                    f"{self._where}, line {row.line}: {row.file!r} may be {other!r} or "
                    f"{source.address!r}: write more of the path"
                )
        return tuple(row.file for row in self._rows if row.line not in found)

    def _row(self, parts: tuple[str, ...]) -> _Row | None:
        named = [row for row in self._by_name.get(parts[-1], ()) if _ends(parts, row.parts)]
        return max(named, key=lambda row: len(row.parts), default=None)


def read_submissions(path: Path) -> Submissions:
    """Read a CSV in UTF-8 with a header line.

    Its columns, of which only `file` is required: `file` (path or URL of the upload, or the end of
    it: the file's name, with or without some of its folders), `uploader` (account name on the
    platform), `territory` (ISO 3166-1 alpha-2), `url` (where it is published), `submitted_at`
    (ISO 8601; UTC unless it says otherwise). Empty cells say nothing.

    Raises
    ------
    SubmissionsError
        The file cannot be read, or a line cannot be taken.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return Submissions(tuple(_rows(path, stream)), where=str(path))
    except OSError as error:
        raise SubmissionsError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SubmissionsError(f"{path} is no text in UTF-8: save it as such") from error


def submission_of(
    *,
    uploader: str = "",
    territory_code: str = "",
    url: str = "",
    submitted_at: str = "",
) -> Submission:
    """Check what is said of one upload; what is empty is not known.

    Raises
    ------
    SubmissionsError
        Something cannot be; the text says what.
    """
    for value in (uploader, url):
        if not value.isprintable() or len(value) > _LONGEST:
            raise SubmissionsError(
                f"{value[:100]!r} holds what does not print, or is longer than {_LONGEST} "
                "characters"
            )
    try:
        country = territory(territory_code) if territory_code else None
    except InvalidRightsError as error:
        raise SubmissionsError(str(error)) from error
    return Submission(
        uploader=uploader or None,
        territory=country,
        url=_address(url) if url else None,
        submitted_at=_time(submitted_at) if submitted_at else None,
    )


def _rows(path: Path, stream: Iterable[str]) -> Iterator[_Row]:
    reader = csv.reader(stream, strict=True)
    columns: list[str] | None = None
    known: dict[tuple[str, ...], int] = {}
    try:
        for cells in reader:
            values = [cell.strip() for cell in cells]
            if not any(values):
                continue
            if columns is None:
                columns = _header(values)
                continue
            row = _row(columns, values, reader.line_num)
            if row.parts in known:
                raise SubmissionsError(f"{row.file!r} has line {known[row.parts]} already")
            known[row.parts] = row.line
            yield row
    except (SubmissionsError, csv.Error) as error:
        raise SubmissionsError(f"{path}, line {reader.line_num}: {error}") from error
    if columns is None:
        raise SubmissionsError(f"{path} is empty: begin with a line `{','.join(COLUMNS)}`")


def _header(values: list[str]) -> list[str]:
    columns = [value.lower() for value in values]
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise SubmissionsError(
            f"column {unknown[0]!r} is not known: give of {', '.join(COLUMNS)}, with commas between"
        )
    if len(set(columns)) < len(columns):
        raise SubmissionsError("a column is there twice")
    if "file" not in columns:
        raise SubmissionsError("there is no column `file`")
    return columns


def _row(columns: list[str], values: list[str], line: int) -> _Row:
    if len(values) != len(columns):
        raise SubmissionsError(
            f"{len(values)} cells, but there are {len(columns)} columns: put quotes around what "
            "holds a comma"
        )
    cells: Mapping[str, str] = dict(zip(columns, values, strict=True))
    parts = () if "\0" in cells["file"] else _parts(cells["file"])
    if not parts:
        raise SubmissionsError("it names no file")
    submission = submission_of(
        uploader=cells.get("uploader", ""),
        territory_code=cells.get("territory", ""),
        url=cells.get("url", ""),
        submitted_at=cells.get("submitted_at", ""),
    )
    return _Row(line, cells["file"], parts, submission)


def _parts(name: str) -> tuple[str, ...]:
    if "://" in name:
        return tuple(part for part in name.split("/") if part)
    path = Path(name)
    if ".." in path.parts:  # behind a link, only the file system knows what is above
        path = path.parent.resolve() / path.name
    return path.parts


def _ends(parts: tuple[str, ...], end: tuple[str, ...]) -> bool:
    return parts[-len(end) :] == end


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise SubmissionsError(f"{url[:200]!r} is no address on the web: begin with https://")
    return url


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SubmissionsError(
            f"{text[:100]!r} is no time: write it as in ISO 8601, such as 2026-03-01T12:00:00+01:00"
        ) from error
