"""Scan results as CSV, JSON lines and a table.

The CSV has one row per segment and begins with the columns of the field's matching track
(VSC2022), so that its evaluation tools read it.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text  # names may look like markup

from detector.query import Moment
from detector.text import clock, visible
from detector.types import (
    Channel,
    Evidence,
    Flag,
    FrameCounts,
    FramePair,
    Match,
    ScanResult,
    Segment,
    Status,
    Verdict,
)
from index.records import BackgroundSource, Work

CSV_COLUMNS = (
    "query_id", "ref_id", "query_start", "query_end", "ref_start", "ref_end",
    "score", "channel", "verdict",
)  # fmt: skip


class Writer(Protocol):
    """Takes results one by one, and is closed after the last."""

    def write(self, result: ScanResult) -> None: ...

    def close(self) -> None: ...


class CsvWriter:
    """One row per segment; times in seconds with three decimals."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(CSV_COLUMNS)

    def write(self, result: ScanResult) -> None:
        for flag in result.flags:
            for segment in flag.match.segments:
                times = (
                    segment.query_start,
                    segment.query_end,
                    segment.ref_start,
                    segment.ref_end,
                )
                self._rows.writerow(
                    (
                        _encodable(result.query_id),
                        flag.match.work_id,
                        *(f"{time:.3f}" for time in times),
                        f"{segment.score:.4f}",
                        flag.match.channel.value,
                        flag.verdict.value,
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
            "upload", "verdict", "work", "upload time", "work time", "score", "channel", "edits"
        )
        self._count = 0

    def write(self, result: ScanResult) -> None:
        self._count += 1
        name = Text(visible(result.query_id))
        if result.status is not Status.OK:
            state = f"{result.status}: {result.reason}"
            self._table.add_row(name, Text(visible(state), style="red"), *[""] * 6)
        for flag in result.flags:
            for segment in flag.match.segments:
                self._table.add_row(
                    name,
                    Text(flag.verdict, style="bold" if flag.verdict.is_flagged else "dim"),
                    Text(visible(flag.match.work_id)),
                    f"{clock(segment.query_start)} - {clock(segment.query_end)}",
                    f"{clock(segment.ref_start)} - {clock(segment.ref_end)}",
                    f"{segment.score:.2f}",
                    flag.match.channel,
                    ", ".join(segment.edits),
                )
        if result.status is Status.OK and not result.flags:
            self._table.add_row(name, Text("clear", style="green"), *[""] * 6)

    def close(self) -> None:
        if self._count:
            print_table(self._table, self._stream)


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


def _encodable(name: str) -> str:
    """Write out the bytes of a file name that are no text."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


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
    values["verdict"] = result.verdict
    values["flags"] = [
        {
            "work_id": flag.match.work_id,
            "title": flag.title,
            "owner": flag.owner,
            "channel": flag.match.channel,
            "score": flag.match.score,
            "verdict": flag.verdict,
            "reason": flag.reason,
            "segments": [asdict(segment) for segment in flag.match.segments],
        }
        for flag in result.flags
    ]
    values["matches"] = values.pop("flags")
    return values


def from_json(values: dict[str, Any]) -> ScanResult:
    """Return the result that `to_json` wrote."""
    return ScanResult(
        source=values["source"],
        query_id=values["query_id"],
        status=Status(values["status"]),
        reason=values["reason"],
        duration=values["duration"],
        channels=tuple(Channel(name) for name in values["channels"]),
        flags=tuple(_flag(match) for match in values["matches"]),
        frames=FrameCounts(**values["frames"]),
        timings=values["timings"],
    )


def _flag(values: dict[str, Any]) -> Flag:
    segments = tuple(
        Segment(
            **{
                **segment,
                "evidence": Evidence(**segment["evidence"]),
                "pairs": tuple(FramePair(**pair) for pair in segment["pairs"]),
                "edits": tuple(segment["edits"]),
            }
        )
        for segment in values["segments"]
    )
    match = Match(values["work_id"], Channel(values["channel"]), values["score"], segments)
    return Flag(
        match, Verdict(values["verdict"]), values["reason"], values["title"], values["owner"]
    )


def outcome(result: ScanResult) -> str:
    """Say in a line what a scan found."""
    parts = [] if result.status is Status.OK else [f"{result.status}: {result.reason}"]
    if result.status is not Status.UNREADABLE:
        parts.append(result.verdict.value)
        parts += [f"{flag.match.work_id} {flag.match.score:.2f}" for flag in result.flags]
    return "; ".join(parts)


def summary(results: Sequence[ScanResult]) -> str:
    """Say in a line what a whole batch came to."""
    counts = Counter(result.status for result in results)
    flagged = sum(result.verdict.is_flagged for result in results)
    seconds = sum(result.duration or 0.0 for result in results)
    return (
        f"{len(results)} uploads, {clock(seconds)} of video: {flagged} flagged, "
        f"{counts[Status.PARTIAL]} read in part, {counts[Status.UNREADABLE]} unreadable"
    )


def work_values(work: Work) -> dict[str, Any]:
    """Return what is listed of a work, by column."""
    return {
        "id": work.id,
        "title": work.title,
        "owner": work.owner,
        "policy": work.policy.value,
        "duration": round(work.duration, 3),
        "frames": work.frames_sampled - work.frames_uniform,
        "uniform_frames": work.frames_uniform,
        "added_at": work.added_at.isoformat(timespec="seconds"),
        "source": work.source,
        "digest": work.digest,
    }


def background_values(source: BackgroundSource, space: str | None) -> dict[str, Any]:
    """Return what is listed of footage in the background, by column.

    Parameters
    ----------
    space
        That of the works; what was described in another is not used. None if there are no works.
    """
    return {
        "id": source.number,
        "frames": source.count,
        "used": "yes" if space in (None, source.space) else "no",
        "space": source.space,
        "added_at": source.added_at.isoformat(timespec="seconds"),
        "source": source.source,
        "digest": source.source_digest,
    }


def write_rows(
    output_format: str, rows: Sequence[Mapping[str, Any]], stream: TextIO, none: str = ""
) -> None:
    """Write records of the same columns as a table, JSON lines or CSV.

    Parameters
    ----------
    none
        What a table says when there is no record.
    """
    if output_format == "jsonl":
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif output_format == "csv":
        if rows:
            table = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
    elif rows:
        grid = empty_table(*rows[0].keys())
        for row in rows:
            grid.add_row(
                *(Text("" if value is None else visible(str(value))) for value in row.values())
            )
        print_table(grid, stream)
    else:
        stream.write(f"{none}\n")


def moment_rows(moments: Sequence[Moment]) -> list[dict[str, Any]]:
    """Return what is listed of moments, by column."""
    return [
        {
            "work": moment.work_id,
            "title": moment.title,
            "time": round(moment.time, 3),
            "similarity": round(moment.similarity, 4),
            "channel": moment.channel.value,
        }
        for moment in moments
    ]
