"""What a case page shows of a scan: everything that can be said without opening a video.

Matches, segments, pairs and appearances have numbers, from 0 in the order in which the scan wrote
them: the addresses of their pictures (`detector.review.pictures`, `detector.review.matrix`) name
them by these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from detector.output import from_json
from detector.report import edits_of
from detector.report_people import appearance_line, likely, likeness_in_words
from detector.report_pictures import why_missing
from detector.review.records import Case
from detector.settings import Settings
from detector.text import amount
from detector.timeline import Bar, Timeline, covered, timeline
from detector.types import (
    Appearance,
    Channel,
    Evidence,
    Flag,
    FramePair,
    Likeness,
    Match,
    ScanResult,
    Segment,
)
from index.errors import UnknownWorkError
from index.person_records import Person
from index.records import Work
from index.reference_index import ReferenceIndex

UPLOAD, REFERENCE = "upload", "reference file"  # what files are to the reader


class NoEvidenceError(Exception):
    """A piece of evidence cannot be shown; the text says why."""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file that the page plays."""

    source: str  # path or URL
    duration: float | None  # seconds
    digest: str | None  # SHA-256 when it was scanned or enrolled
    problem: str | None  # why it cannot be played, in words; None if it is there


@dataclass(frozen=True, slots=True)
class Anchor:
    """A stretch in which the reference plays in step with the upload.

    At second t of the upload, query_start <= t <= query_end, the reference is at
    ref_start + (t - query_start) * speed.
    """

    segment: int  # its number
    query_start: float
    query_end: float
    ref_start: float
    speed: float


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """Two frames that were found alike."""

    number: int
    pair: FramePair


@dataclass(frozen=True, slots=True)
class SegmentEvidence:
    """A segment with what its score is made of."""

    number: int
    query_start: float  # seconds
    query_end: float
    ref_start: float
    ref_end: float
    ref_from: float  # where the reference is when it plays in step, as the segment begins
    speed: float  # reference seconds that pass in one second of the upload
    score: float  # calibrated, in [0, 1]
    reaches_threshold: bool
    evidence: Evidence  # the raw numbers
    normalised: float  # similarity without what any ordinary footage has
    edits: tuple[str, ...]
    words: str  # the evidence, for people to read
    pairs: tuple[PairEvidence, ...]


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The enrolled person who comes second."""

    id: str
    name: str  # the id if they are not enrolled any more


@dataclass(frozen=True, slots=True)
class AppearanceEvidence:
    """An appearance with what its score is made of."""

    number: int
    appearance: Appearance
    reaches_threshold: bool
    margin: float | None  # standard deviations; None: nobody else is enrolled
    runner_up: RunnerUp | None
    words: str
    has_pictures: bool  # only of a face that is likely the person's


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is shown of a flag, be it of a work or of a person."""

    number: int  # of the match
    flag: Flag  # subject, title, owner, verdict, reason, licence, nearly
    headline: str  # what was found, in a sentence
    score: float  # calibrated, of the surest segment or appearance
    threshold: float  # operating point: what the score is compared with
    seconds: float  # of the upload that are covered

    @property
    def subject(self) -> str:
        """Id of the work or the person."""
        return self.flag.match.ref_id

    @property
    def channel(self) -> Channel:
        return self.flag.match.channel


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkEvidence(Finding):
    """A work in the upload."""

    work: Work | None  # None: it is not enrolled any more
    reference: MediaFile | None  # None: the work is not enrolled any more
    segments: tuple[SegmentEvidence, ...]
    timeline: Timeline | None  # None if no segment is left
    aligned: tuple[Anchor, ...]  # in order of upload time

    @property
    def is_person(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEvidence(Finding):
    """A person in the upload."""

    person: Person | None  # None: they are not enrolled any more
    appearances: tuple[AppearanceEvidence, ...]
    line: Bar  # the upload, with the likely appearances on it

    @property
    def is_person(self) -> bool:
        return True


AnyEvidence: TypeAlias = WorkEvidence | PersonEvidence


@dataclass(frozen=True, slots=True)
class CaseEvidence:
    """All that a case page shows of the scan."""

    result: ScanResult
    upload: MediaFile
    matches: tuple[AnyEvidence, ...]  # flagged, gravest first
    others: tuple[AnyEvidence, ...]  # allowed by a licence or the owner, or below the threshold


def case_evidence(case: Case, index: ReferenceIndex, settings: Settings) -> CaseEvidence:
    """Gather what a case page shows; no file is opened.

    Parameters
    ----------
    index
        For the reference files and the names of the people, as they are now.
    settings
        For the operating points, as they are now.

    Raises
    ------
    ValueError, KeyError
        The case's result is not what `detector.output.to_json` wrote.
    """
    return evidence_of(from_json(dict(case.result)), case.digest, index, settings)


def evidence_of(
    result: ScanResult, digest: str | None, index: ReferenceIndex, settings: Settings
) -> CaseEvidence:
    """Gather the same of a result for which there is no case, as on the query page."""
    found: list[AnyEvidence] = []
    people = {person.id: person for person in index.people.all()}
    for number, flag in enumerate(result.flags):
        if flag.match.channel is Channel.FACE:
            found.append(_person(number, flag, result, people, settings))
        else:
            found.append(_work(number, flag, result, index, settings))
    found.sort(key=lambda one: (-one.flag.verdict.rank, -one.score))
    return CaseEvidence(
        result,
        MediaFile(
            result.source,
            result.duration,
            digest,
            why_missing(UPLOAD, result.source, settings.protocols),
        ),
        tuple(one for one in found if one.flag.verdict.is_flagged),
        tuple(one for one in found if not one.flag.verdict.is_flagged),
    )


def match_of(case: Case, number: int) -> Match:
    """Return a match of a case by its number; `NoEvidenceError` if there is none."""
    flags = from_json(dict(case.result)).flags
    if not 0 <= number < len(flags):
        raise NoEvidenceError(f"The case has no match {number}.")
    return flags[number].match


# --- works ------------------------------------------------------------------------------------


def _work(
    number: int, flag: Flag, result: ScanResult, index: ReferenceIndex, settings: Settings
) -> WorkEvidence:
    match = flag.match
    try:
        work = index.work(match.ref_id)
    except UnknownWorkError:
        work = None
    threshold = settings.channel(match.channel).min_score
    is_copy = match.channel is Channel.COPY
    segments = tuple(
        _segment(n, one, threshold, is_copy=is_copy) for n, one in enumerate(match.segments)
    )
    seconds = covered((one.query_start, one.query_end) for one in match.segments)
    duration = work.duration if work is not None else None
    anchors = [
        Anchor(one.number, one.query_start, one.query_end, one.ref_from, one.speed)
        for one in segments
    ]
    return WorkEvidence(
        number=number,
        flag=flag,
        headline=_work_headline(flag, seconds),
        score=match.score,
        threshold=threshold,
        seconds=seconds,
        work=work,
        reference=None if work is None else _reference(work, settings),
        segments=segments,
        timeline=timeline(match.segments, result.duration, duration) if segments else None,
        aligned=tuple(sorted(anchors, key=lambda anchor: anchor.query_start)),
    )


def _reference(work: Work, settings: Settings) -> MediaFile:
    problem = why_missing(REFERENCE, work.source, settings.protocols)
    return MediaFile(work.source, work.duration, work.digest, problem)


def _work_headline(flag: Flag, seconds: float) -> str:
    if not flag.match.segments:
        return f"Nothing that counts of {flag.title}"
    is_copy = flag.match.channel is Channel.COPY
    what = "of" if is_copy else "that look like scenes of"
    segments = len(flag.match.segments)
    where = "" if segments == 1 else f" in {segments} {'segments' if is_copy else 'shots'}"
    return f"{amount(seconds)} {what} {flag.title}{where}"


def _segment(number: int, one: Segment, threshold: float, *, is_copy: bool) -> SegmentEvidence:
    ref_from = one.ref_start
    if not is_copy and one.pairs:  # shots that look alike are in step at their key frames
        ref_from = one.pairs[0].ref_time - (one.pairs[0].query_time - one.query_start)
    return SegmentEvidence(
        number=number,
        query_start=one.query_start,
        query_end=one.query_end,
        ref_start=one.ref_start,
        ref_end=one.ref_end,
        ref_from=ref_from,
        speed=one.speed,
        score=one.score,
        reaches_threshold=one.score >= threshold,
        evidence=one.evidence,
        normalised=one.evidence.similarity - one.evidence.ordinary,
        edits=edits_of(one),
        words=_in_words(one.evidence, is_copy=is_copy),
        pairs=tuple(PairEvidence(n, pair) for n, pair in enumerate(one.pairs)),
    )


def _in_words(evidence: Evidence, *, is_copy: bool) -> str:
    if not is_copy:
        return (
            f"a shot of {amount(evidence.seconds)}; {evidence.similarity:.2f} similar to the "
            f"work's, where other works' have {evidence.ordinary:.2f}"
        )
    parts = [
        f"{amount(evidence.seconds)} have a partner in the work",
        f"{evidence.similarity:.2f} similar, where ordinary footage has {evidence.ordinary:.2f}",
        f"{100 * evidence.agreement:.0f} % of the changes agree",
    ]
    if evidence.confirmed is None:
        parts.append("pictures were not compared in detail")
    else:
        parts.append(f"picture detail confirms it to {100 * evidence.confirmed:.0f} %")
    return "; ".join(parts)


# --- people -----------------------------------------------------------------------------------


def _person(
    number: int,
    flag: Flag,
    result: ScanResult,
    people: Mapping[str, Person],
    settings: Settings,
) -> PersonEvidence:
    threshold = settings.face_channel.min_score
    seen = likely(flag)
    seconds = covered((one.start, one.end) for one in seen)
    if seen:
        headline = f"{flag.title} is likely seen for {amount(seconds)}"
    else:
        headline = f"Somebody resembles {flag.title}"
    return PersonEvidence(
        number=number,
        flag=flag,
        headline=headline,
        score=flag.match.score,
        threshold=threshold,
        seconds=seconds,
        person=people.get(flag.match.ref_id),
        appearances=tuple(
            _appearance(n, one, threshold, people) for n, one in enumerate(flag.match.appearances)
        ),
        line=appearance_line(seen, result.duration),
    )


def _appearance(
    number: int, one: Appearance, threshold: float, people: Mapping[str, Person]
) -> AppearanceEvidence:
    second = None
    if one.runner_up is not None:
        known = people.get(one.runner_up)
        second = RunnerUp(one.runner_up, one.runner_up if known is None else known.name)
    return AppearanceEvidence(
        number=number,
        appearance=one,
        reaches_threshold=one.score >= threshold,
        margin=one.margin if math.isfinite(one.margin) else None,
        runner_up=second,
        words=likeness_in_words(one),
        has_pictures=one.likeness is Likeness.LIKELY,
    )
