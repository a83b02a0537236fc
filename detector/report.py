"""The report of a scan: one HTML file that a reviewer can open, print, keep and send.

It holds everything itself: pictures are `data:` URIs, timelines are inline SVG, and a content
security policy forbids the browser to fetch or run anything. Here the values are worked out; the
markup is `templates/report.html`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import jinja2

from detector.inputs import PROTOCOLS
from detector.output import faces_in_words
from detector.report_people import (
    APPEARANCES_PER_PERSON,
    ReportedPerson,
    ShownPerson,
    likely,
    reported_people,
    show_person,
)
from detector.report_pictures import Footage, Picture
from detector.text import amount, clock, visible
from detector.timeline import Timeline, covered, timeline
from detector.types import Channel, Flag, FramePair, Match, ScanResult, Segment, Status
from index.cipher import Cipher
from index.files import write_atomically
from index.reference_index import ReferenceIndex

PAIRS_PER_MATCH = 6
PAIRS_PER_REPORT = 600
PICTURE_SIDE = 180  # pixels, the shorter side

_USUAL_SPEED = 0.03  # a cut within 3 % of the work's speed is not called faster or slower


@dataclass(frozen=True, slots=True)
class ReportedWork:
    """What the report says of a work."""

    id: str
    title: str
    owner: str | None
    duration: float  # seconds
    source: str  # path or URL that its reference footage was enrolled from


def report_scan(
    path: Path,
    results: Sequence[ScanResult],
    index: ReferenceIndex,
    cipher: Cipher | None = None,
    protocols: Collection[str] = PROTOCOLS,
) -> None:
    """Write the report of a scan that was made just now with this index; see `write_report`.

    Parameters
    ----------
    cipher
        Of the enrolled faces, to show these beside the upload's; None: they are not shown.
    protocols
        Those that addresses of footage may have.
    """
    works = {
        work.id: ReportedWork(work.id, work.title, work.owner, work.duration, work.source)
        for work in index.works()
    }
    versions = {"matchcut": version("matchcut")}
    versions |= {channel: str(index.space(channel)) for channel in sorted(index.channels())}
    if any(Channel.FACE in result.channels for result in results):
        versions[Channel.FACE] = str(index.people.space())
    people = reported_people(results, index.people, cipher)
    write_report(
        path,
        results,
        works,
        people,
        created=datetime.now(UTC),
        versions=versions,
        protocols=protocols,
    )


def write_report(
    path: Path,
    results: Sequence[ScanResult],
    works: Mapping[str, ReportedWork],
    people: Mapping[str, ReportedPerson] = MappingProxyType({}),
    *,
    created: datetime,
    versions: Mapping[str, str],
    protocols: Collection[str] = PROTOCOLS,
) -> None:
    """Write the report of a scan; what was at `path` is replaced once the new one is whole.

    Parameters
    ----------
    path
        The HTML file.
    results
        What the scan found, in any order: the report puts the gravest first.
    works
        By id, the works that are named in `results`. Of one that is not there the report shows
        what the flag says, and no pictures.
    people
        The same of the people who are named there.
    created
        When the scan was made.
    versions
        What it was made with: name of a program, model or index -> version.
    protocols
        Those that addresses of footage may have.

    Raises
    ------
    OSError
        When the file cannot be written. Footage that cannot be read any more is no error: the
        report says so in place of the picture.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("detector"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"clock": clock, "amount": amount, "visible": visible}
    environment.filters["faces_in_words"] = faces_in_words
    flagged = [result for result in results if result.verdict.is_flagged]
    flagged.sort(key=_gravity, reverse=True)
    others = [result for result in results if not result.verdict.is_flagged]
    budget = _Budget(PAIRS_PER_REPORT)
    names = _names(results)
    faces = [result.faces for result in results if result.faces is not None]
    stream = environment.get_template("report.html").stream(
        name_of=names.__getitem__,
        count=len(results),
        uploads=[_shown(result, names, works, people, budget, protocols) for result in flagged],
        partial=[result for result in results if result.status is Status.PARTIAL],
        unreadable=[result for result in results if result.status is Status.UNREADABLE],
        clear=[result for result in others if result.status is Status.OK],
        footage=sum(result.duration or 0 for result in results),
        channels=Counter(channel for result in results for channel in result.channels),
        faces=faces,
        created=created,
        versions=versions,
        pairs_left_out=budget.left_out,
        most_pairs=PAIRS_PER_REPORT,
    )
    write_atomically(path, lambda file: stream.dump(file, "utf-8", errors="backslashreplace"))


def _names(results: Iterable[ScanResult]) -> dict[str, str]:
    """By source, the file's name, or the whole source where two files have one name."""
    sources = {result.source for result in results}
    short = {source: source.rstrip("/").rpartition("/")[2] or source for source in sources}
    often = Counter(short.values())
    return {source: name if often[name] == 1 else source for source, name in short.items()}


# --- what is shown of a flagged upload --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownPair:
    """Two frames side by side; None where a file gave no picture."""

    pair: FramePair
    query: Picture | None
    ref: Picture | None


@dataclass(frozen=True, slots=True)
class ShownSegment:
    """A segment and the frame pairs that were chosen from it."""

    segment: Segment
    pairs: tuple[ShownPair, ...]

    @property
    def edits(self) -> tuple[str, ...]:
        """What was done to the work."""
        return edits_of(self.segment)


@dataclass(frozen=True, slots=True)
class ShownMatch:
    """A flag with its evidence."""

    flag: Flag
    seconds: float  # of the upload that are covered
    segments: tuple[ShownSegment, ...]
    timeline: Timeline
    notes: tuple[str, ...]  # why pictures are missing

    @property
    def verb(self) -> str:
        """What the channel has seen: the same footage, or scenes that are alike."""
        return "shows" if self.flag.match.channel is Channel.COPY else "looks like"


@dataclass(frozen=True, slots=True)
class ShownUpload:
    """A flagged upload."""

    result: ScanResult
    name: str
    matches: tuple[ShownMatch | ShownPerson, ...]
    others: tuple[Flag, ...]  # allowed, or below the operating point


class _Budget:
    """How many more pairs of pictures the report may hold."""

    def __init__(self, pairs: int) -> None:
        self.left = pairs
        self.left_out = 0

    def take(self, pairs: int) -> int:
        taken = min(pairs, self.left)
        self.left -= taken
        self.left_out += pairs - taken
        return taken


def _gravity(result: ScanResult) -> tuple[int, float]:
    flags = (flag for flag in result.flags if flag.verdict is result.verdict)
    return result.verdict.rank, max(flag.match.score for flag in flags)


def _shown(
    result: ScanResult,
    names: Mapping[str, str],
    works: Mapping[str, ReportedWork],
    people: Mapping[str, ReportedPerson],
    budget: _Budget,
    protocols: Collection[str],
) -> ShownUpload:
    flags = sorted(result.flags, key=lambda f: (f.verdict.rank, f.match.score), reverse=True)
    matches: list[ShownMatch | ShownPerson] = []
    for flag in (flag for flag in flags if flag.verdict.is_flagged):
        if flag.match.channel is Channel.FACE:
            seen = likely(flag)
            most = budget.take(min(APPEARANCES_PER_PERSON, len(seen)))
            seconds = covered((one.start, one.end) for one in seen)
            person = people.get(flag.match.ref_id)
            matches.append(show_person(result, flag, person, most, seconds, protocols))
        else:
            work = works.get(flag.match.ref_id)
            matches.append(_shown_match(result, flag, work, budget, protocols))
    others = tuple(flag for flag in flags if not flag.verdict.is_flagged)
    return ShownUpload(result, names[result.source], tuple(matches), others)


def _shown_match(
    result: ScanResult,
    flag: Flag,
    work: ReportedWork | None,
    budget: _Budget,
    protocols: Collection[str],
) -> ShownMatch:
    segments = flag.match.segments
    upload = Footage("upload", result.source, protocols)
    reference = Footage("reference file", work.source if work else None, protocols)
    shown = []
    for segment, chosen in zip(segments, choose_pairs(flag.match), strict=True):
        pairs = [
            ShownPair(
                pair,
                upload.picture(pair.query_time, PICTURE_SIDE),
                reference.picture(pair.ref_time, PICTURE_SIDE),
            )
            for pair in chosen[: budget.take(len(chosen))]
        ]
        shown.append(ShownSegment(segment, tuple(p for p in pairs if p.query or p.ref)))
    return ShownMatch(
        flag,
        covered((segment.query_start, segment.query_end) for segment in segments),
        tuple(shown),
        timeline(segments, result.duration, work.duration if work else None),
        (*upload.notes, *reference.notes),
    )


def edits_of(segment: Segment) -> tuple[str, ...]:
    """Name what was done to the work; the speed is known even where pictures were not compared."""
    if segment.edits or abs(segment.speed - 1) <= _USUAL_SPEED:
        return segment.edits
    return (f"{segment.speed:.2f}x speed",)


def choose_pairs(match: Match, most: int = PAIRS_PER_MATCH) -> list[tuple[FramePair, ...]]:
    """Choose for each segment which pairs to show: one each, surest first, then more in turn."""
    counts = [0] * len(match.segments)
    surest = sorted(range(len(counts)), key=lambda n: -match.segments[n].score)
    left = most
    while left and any(counts[n] < len(match.segments[n].pairs) for n in surest):
        for n in surest:
            if left and counts[n] < len(match.segments[n].pairs):
                counts[n] += 1
                left -= 1
    return [
        _spread(segment.pairs, count) for segment, count in zip(match.segments, counts, strict=True)
    ]


def _spread(pairs: tuple[FramePair, ...], count: int) -> tuple[FramePair, ...]:
    if count < 2:
        return tuple(sorted(pairs, key=lambda pair: -pair.similarity)[:count])
    return tuple(pairs[round(n * (len(pairs) - 1) / (count - 1))] for n in range(count))
