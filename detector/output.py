"""Scan results as CSV, JSON lines and a table.

The CSV has one row per segment or appearance and begins with the columns of the field's matching
track (VSC2022), so that its evaluation tools read it.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text  # names may look like markup

from detector.text import clock, encodable, visible
from detector.types import (
    Appearance,
    Box,
    Channel,
    Evidence,
    FaceCounts,
    Fault,
    Flag,
    FrameCounts,
    FramePair,
    Likeness,
    Match,
    ScanResult,
    Segment,
    Status,
    Submission,
    Verdict,
)

CSV_COLUMNS = (
    "query_id", "ref_id", "query_start", "query_end", "ref_start", "ref_end",
    "score", "channel", "verdict",
)  # fmt: skip


class Writer(Protocol):
    """Takes results one by one, and is closed after the last."""

    def write(self, result: ScanResult) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Find:
    """A segment or an appearance, as CSV and table have it."""

    query: tuple[float, float]  # seconds
    ref: tuple[float, float] | None  # None: a person, of whom there is no film
    score: float
    verdict: Verdict
    remark: str


def _finds(flag: Flag) -> Iterator[_Find]:
    for number, one in enumerate(flag.match.segments):
        query, ref = (one.query_start, one.query_end), (one.ref_start, one.ref_end)
        notes = flag.match.notes if number == 0 else ()  # they are about all of it
        remark = ", ".join([*one.edits, *map(visible, notes), *_licence_in_words(flag)])
        yield _Find(query, ref, one.score, flag.verdict, remark)
    for face in flag.match.appearances:
        # The verdict is on account of the likely ones; on a face that resembles nothing acts.
        is_likely = face.likeness is Likeness.LIKELY
        verdict = flag.verdict if is_likely else Verdict.CLEAR
        remark = ", ".join([face.likeness, *(_licence_in_words(flag) if is_likely else ())])
        yield _Find((face.start, face.end), None, face.score, verdict, remark)


def _licence_in_words(flag: Flag) -> list[str]:
    return [] if flag.licence is None else [f"allowed by licence {visible(flag.licence)}"]


class CsvWriter:
    """One row per segment or appearance; times in seconds with three decimals."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(CSV_COLUMNS)

    def write(self, result: ScanResult) -> None:
        for flag in result.flags:
            for find in _finds(flag):
                times = [f"{time:.3f}" for time in (*find.query, *(find.ref or ()))]
                self._rows.writerow(
                    (
                        encodable(result.query_id),
                        flag.match.ref_id,
                        *(times if find.ref else [*times, "", ""]),
                        f"{find.score:.4f}",
                        flag.match.channel.value,
                        find.verdict.value,
                    )
                )
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


class JsonlWriter:
    """One JSON object per upload, see `to_json`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, result: ScanResult) -> None:
        self._stream.write(json.dumps(to_json(result)) + "\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


class TableWriter:
    """A table for people, printed when all is done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._table = empty_table(
            "upload",
            "verdict",
            "work or person",
            "upload time",
            "work time",
            "score",
            "channel",
            "what shows",
        )
        self._count = 0

    def write(self, result: ScanResult) -> None:
        self._count += 1
        name = Text(visible(result.query_id))
        if result.status is not Status.OK:
            state = f"{result.status}: {result.reason}"
            self._table.add_row(name, Text(visible(state), style="red"), *[""] * 6)
        for flag in result.flags:
            for find in _finds(flag):
                self._table.add_row(
                    name,
                    Text(find.verdict, style="bold" if find.verdict.is_flagged else "dim"),
                    Text(visible(flag.match.ref_id)),
                    _span(find.query),
                    _span(find.ref) if find.ref else "",
                    f"{find.score:.2f}",
                    flag.match.channel,
                    find.remark,
                )
        if result.status is Status.OK and not result.flags:
            self._table.add_row(name, Text("clear", style="green"), *[""] * 6)

    def close(self) -> None:
        if self._count:
            print_table(self._table, self._stream)


def _span(times: tuple[float, float]) -> str:
    return " - ".join(map(clock, times))


def empty_table(*columns: str) -> Table:
    """Return an empty table whose cells are broken into lines rather than cut off."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_table(table: Table, stream: TextIO) -> None:
    """Print a table as wide as the terminal; into a pipe or file, as wide as it likes."""
    width = None if stream.isatty() else 200
    Console(file=stream, highlight=False, width=width).print(table)


def open_writer(name: str, stream: TextIO) -> Writer:
    """Return the writer of a format: ``table``, ``jsonl`` or ``csv``."""
    writers: dict[str, Callable[[TextIO], Writer]] = {
        "table": TableWriter,
        "jsonl": JsonlWriter,
        "csv": CsvWriter,
    }
    return writers[name](stream)


def to_json(result: ScanResult) -> dict[str, Any]:
    """Return a result as plain JSON values; `from_json` reads them back."""
    values = asdict(result)
    values["submission"] = submission_values(result.submission)
    values["verdict"] = result.verdict
    values.pop("flags")
    values["matches"] = [_flag_values(flag) for flag in result.flags]
    return values


def submission_values(submission: Submission) -> dict[str, Any]:
    """Return how an upload came in as plain JSON values."""
    at = submission.submitted_at
    return {**asdict(submission), "submitted_at": None if at is None else at.isoformat()}


def submission_from(values: Mapping[str, Any]) -> Submission:
    """Return what `submission_values` was given."""
    at = values.get("submitted_at")
    when = None if at is None else datetime.fromisoformat(at)
    return Submission(**{**values, "submitted_at": when})


def _flag_values(flag: Flag) -> dict[str, Any]:
    match = flag.match
    verdict = {
        "channel": match.channel,
        "score": match.score,
        "verdict": flag.verdict,
        "reason": flag.reason,
        "licence": flag.licence,
        "nearly": flag.nearly,
        "notes": match.notes,
        "cast": match.cast,
    }
    if match.channel is Channel.FACE:
        person = {"person_id": match.ref_id, "name": flag.title, "authority": flag.owner}
        appearances = [_appearance_values(one) for one in match.appearances]
        return {**person, **verdict, "appearances": appearances}
    work = {"work_id": match.ref_id, "title": flag.title, "owner": flag.owner}
    return {**work, **verdict, "segments": [asdict(segment) for segment in match.segments]}


def _appearance_values(appearance: Appearance) -> dict[str, Any]:
    # JSON has no infinity: null stands for that of the only person enrolled.
    margin = appearance.margin if math.isfinite(appearance.margin) else None
    return {**asdict(appearance), "margin": margin}


def from_json(values: dict[str, Any]) -> ScanResult:
    """Return the result that `to_json` wrote."""
    faces = values["faces"]
    fault = values.get("fault")  # older results say nothing of it
    return ScanResult(
        source=values["source"],
        query_id=values["query_id"],
        status=Status(values["status"]),
        reason=values["reason"],
        fault=None if fault is None else Fault(fault),
        duration=values["duration"],
        channels=tuple(Channel(name) for name in values["channels"]),
        flags=tuple(_flag(match) for match in values["matches"]),
        frames=FrameCounts(**values["frames"]),
        faces=None if faces is None else FaceCounts(**faces),
        timings=values["timings"],
        submission=submission_from(values.get("submission") or {}),  # nor of this
    )


def _flag(values: dict[str, Any]) -> Flag:
    channel, score = Channel(values["channel"]), values["score"]
    notes, cast = tuple(values.get("notes", ())), tuple(values.get("cast", ()))
    if channel is Channel.FACE:
        appearances = tuple(_appearance(one) for one in values["appearances"])
        match = Match(values["person_id"], channel, score, (), appearances, notes, cast)
        title, owner = values["name"], values["authority"]
    else:
        segments = tuple(_segment(segment) for segment in values["segments"])
        match = Match(values["work_id"], channel, score, segments, (), notes, cast)
        title, owner = values["title"], values["owner"]
    return Flag(
        match,
        Verdict(values["verdict"]),
        values["reason"],
        title,
        owner,
        values.get("licence"),
        tuple(values.get("nearly", ())),
    )


def _segment(values: dict[str, Any]) -> Segment:
    return Segment(
        **{
            **values,
            "evidence": Evidence(**values["evidence"]),
            "pairs": tuple(FramePair(**pair) for pair in values["pairs"]),
            "edits": tuple(values["edits"]),
        }
    )


def _appearance(values: dict[str, Any]) -> Appearance:
    return Appearance(
        **{
            **values,
            "likeness": Likeness(values["likeness"]),
            "margin": math.inf if values["margin"] is None else values["margin"],
            "box": Box(**values["box"]),
        }
    )


def outcome(result: ScanResult) -> str:
    """Say in a line what a scan found."""
    parts = [] if result.status is Status.OK else [f"{result.status}: {result.reason}"]
    if result.status is not Status.UNREADABLE:
        parts.append(result.verdict.value)
        parts += [_what_is_found(flag.match) for flag in result.flags]
    return "; ".join(parts)


def _what_is_found(match: Match) -> str:
    likenesses = {one.likeness for one in match.appearances}
    only = "resembles " if likenesses == {Likeness.RESEMBLES} else ""
    return f"{only}{match.ref_id} {match.score:.2f}"


def faces_in_words(counts: Sequence[FaceCounts]) -> str:
    """Say what became of the faces in one upload or several."""
    tracks, likely, resembles, unknown = (
        sum(getattr(one, name) for one in counts)
        for name in ("tracks", "likely", "resembles", "unknown")
    )
    text = (
        f"{tracks} face{'s' if tracks != 1 else ''} followed, {likely} likely, {resembles} "
        f"resemble{'s' if resembles == 1 else ''}, {unknown} unknown"
    )
    return f"{text}; nothing is kept of the unknown" if unknown else text
