"""What is listed of the answer to a question: a row for each place that was found."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.inputs import PROTOCOLS
from detector.moments import Moment, Where, key_frame, moment_of_work
from detector.query import Answer, Seen
from detector.text import clock, encodable
from detector.types import Channel, FramePair, ScanResult, Segment
from index.records import Work
from index.reference_index import ReferenceIndex

_SIDE = 480  # pixels of the shorter side of a picture
_LONGEST_ID = 60  # characters of an id in the name of a picture


@dataclass(frozen=True, slots=True)
class Row:
    """A place that was found: a moment of a work or an upload, or a person.

    Attributes
    ----------
    rank
        From 1, in the order of the answer: people, works, uploads.
    values
        By column; every row has the same. Times are seconds, None where there is none.
    moment
        None of a person.
    """

    rank: int
    values: dict[str, Any]
    moment: Moment | None


def rows_of(answer: Answer, index: ReferenceIndex) -> list[Row]:
    """Return a row for each segment and appearance of a scan, each person, and each moment."""
    found = [
        *_of_scan(answer.result, index),
        *((_of_person(one), None) for one in answer.people),
        *((_of_moment(one), one) for one in answer.moments),
    ]
    return [
        Row(rank, {"rank": rank, **values}, moment)
        for rank, (values, moment) in enumerate(found, start=1)
    ]


def in_words(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return rows as a table for people has them; what no row has gets no column."""
    cells = [_cells(row.values) for row in rows]
    used = [name for name in (cells[0] if cells else ()) if any(one[name] for one in cells)]
    return [{name: one[name] for name in used} for one in cells]


def write_frames(
    rows: Sequence[Row], folder: Path, protocols: Collection[str] = PROTOCOLS
) -> Iterator[str]:
    """Write the frame of each row that has one as RANK-ID-TIME.jpg; yield in words what is missing.

    Parameters
    ----------
    protocols
        Those that addresses may have.

    Raises
    ------
    OSError
        The folder cannot be made, or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        if row.moment is None:
            continue
        jpeg, why = key_frame(row.moment, _SIDE, protocols)
        if jpeg is None:
            yield f"there is no picture of rank {row.rank}: {why}"
            continue
        name = re.sub(r"[^\w.-]+", "_", encodable(row.moment.id))[:_LONGEST_ID]
        (folder / f"{row.rank:02}-{name}-{row.moment.time:.3f}.jpg").write_bytes(jpeg)


def _of_scan(
    result: ScanResult | None, index: ReferenceIndex
) -> Iterator[tuple[dict[str, Any], Moment | None]]:
    for flag in () if result is None else result.flags:
        judged = {"verdict": flag.verdict.value}
        if flag.match.segments:
            work = index.work(flag.match.ref_id)
            for segment in flag.match.segments:
                moment = _moment_of(segment, work, flag.match.channel)
                yield _of_moment(moment) | judged | {"score": round(segment.score, 4)}, moment
        for one in flag.match.appearances:
            seen = Seen(flag.match.ref_id, flag.title, one.likeness, one.similarity)
            place = {"score": round(one.score, 4), "clip_time": round(one.time, 3)}
            yield _of_person(seen) | judged | place, None


def _moment_of(segment: Segment, work: Work, channel: Channel) -> Moment:
    """Return the moment of a work at which a segment's frames are most alike."""
    best = max(segment.pairs, key=lambda pair: pair.similarity, default=None)
    if best is None:
        evidence = segment.evidence
        best = FramePair(segment.query_start, segment.ref_start, evidence.similarity)
    span = segment.ref_start, segment.ref_end
    return moment_of_work(work, channel, best.ref_time, span, best.similarity, best.query_time)


def _of_moment(moment: Moment) -> dict[str, Any]:
    at = None if moment.clip_time is None else round(moment.clip_time, 3)
    return _values(
        moment.where.value,
        moment.id,
        moment.title,
        moment.channel,
        moment.similarity,
        time=round(moment.time, 3),
        start=round(moment.start, 3),
        end=round(moment.end, 3),
        clip_time=at,
        file=encodable(moment.source),
    )


def _of_person(seen: Seen) -> dict[str, Any]:
    return _values(
        "person",
        seen.person_id,
        seen.name,
        Channel.FACE,
        seen.similarity,
        likeness=seen.likeness.value,
    )


def _values(
    where: str, id_: str, title: str, channel: Channel, similarity: float, **more: Any
) -> dict[str, Any]:
    columns = ("time", "start", "end", "clip_time", "likeness", "score", "verdict", "file")
    return {
        "in": where,
        "id": encodable(id_),
        "title": encodable(title),
        "channel": channel.value,
        "similarity": round(similarity, 4),
        **{name: more.get(name) for name in columns},
    }


def _cells(values: dict[str, Any]) -> dict[str, str]:
    start, end = values["start"], values["end"]
    is_shot = start is not None and start < end
    is_upload = values["in"] == Where.UPLOAD
    return {
        "rank": str(values["rank"]),
        "in": values["in"],
        "id": values["id"],
        "at": _clock(values["time"]),
        "from - to": f"{clock(start)} - {clock(end)}" if is_shot else "",
        "clip at": _clock(values["clip_time"]),
        "similarity": f"{values['similarity']:.2f}",
        "channel": values["channel"],
        "sure": values["likeness"] or "",
        "title or file": values["file"] if is_upload else values["title"],
    }


def _clock(time: float | None) -> str:
    return "" if time is None else clock(time)
