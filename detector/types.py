"""What a scan finds: the plain values that travel from matching to rights, output and report.

Times are seconds of presentation time from the start of the file they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Channel(StrEnum):
    """One descriptor's vector space, and with it the question that is asked."""

    COPY = "copy"
    SEMANTIC = "semantic"
    FACE = "face"


class Mode(StrEnum):
    """How closely uploads are looked at; see `detector.passes`."""

    THOROUGH = "thorough"
    FAST = "fast"


class Status(StrEnum):
    """How much of an upload could be read."""

    OK = "ok"
    PARTIAL = "partial"
    UNREADABLE = "unreadable"


class Fault(StrEnum):
    """Which of its limits a file ran into, or what it did to the process that read it."""

    HANG = "hang"  # no frame for too long
    CPU = "cpu"  # more processor time than a file may use
    MEMORY = "memory"  # the same, of memory
    CRASH = "crash"
    SIZE = "size"  # more frames, or larger ones, than are read


class Verdict(StrEnum):
    """What the rights layer wants done, strongest last."""

    CLEAR = "clear"
    ALLOW = "allow"
    MONITOR = "monitor"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)

    @property
    def is_flagged(self) -> bool:
        """Whether somebody should be told: the exit code and the report go by this."""
        return self.rank >= Verdict.MONITOR.rank


@dataclass(frozen=True, slots=True)
class FramePair:
    """One frame of the upload beside the frame of the work it was matched with."""

    query_time: float
    ref_time: float
    similarity: float  # cosine, in [-1, 1]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the score of a segment is made of; see `detector.matching.scoring`."""

    similarity: float  # mean cosine of the aligned frames
    ordinary: float  # their mean similarity to ordinary footage, and that of the work's, the mean
    agreement: float  # in [0, 1]: how far the upload changes as the work does
    change: float  # in [0, 1]: how much the work changes, so that agreement can be told
    seconds: float  # of the upload that have a partner in the work
    confirmed: float | None = None  # in [0, 1]: by local features; None: not looked at


@dataclass(frozen=True, slots=True)
class Segment:
    """An aligned pair of time intervals."""

    query_start: float
    query_end: float
    ref_start: float
    ref_end: float
    score: float  # in [0, 1], higher is surer
    speed: float  # reference seconds that pass in one second of the upload
    evidence: Evidence
    pairs: tuple[FramePair, ...] = ()  # the strongest, in order of time
    edits: tuple[str, ...] = ()  # what was done to the work's pictures, as far as it shows


class Likeness(StrEnum):
    """How sure it is that a face is an enrolled person's; else it is unknown, and not kept."""

    LIKELY = "likely"
    RESEMBLES = "resembles"  # for people to look at, never acted on


@dataclass(frozen=True, slots=True)
class Box:
    """Where something is in a picture, as shares of its width and height."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Appearance:
    """An interval in which a person's face is seen; see `detector.matching.likeness`."""

    start: float  # seconds of the upload
    end: float
    score: float  # in [0, 1], higher is surer
    likeness: Likeness
    similarity: float  # cosine of the face to what is enrolled
    distance: float  # standard deviations above what the faces of others have
    margin: float  # the same, above the person who comes second; infinite if there is no other
    faces: int  # how many pictures of the face were good enough to go by
    time: float  # seconds, of the best of them
    box: Box  # where the face is at that time
    reference: int  # number of the person's enrolled face that is most like it
    runner_up: str | None = None  # id of the enrolled person who comes second, if there is one


@dataclass(frozen=True, slots=True)
class Match:
    """All segments of one upload against one work, or all appearances of one person.

    A work is matched in the channels `copy` and `semantic`, a person in `face`.
    """

    ref_id: str  # of the work or the person
    channel: Channel
    score: float  # in [0, 1]: that of the surest segment or appearance
    segments: tuple[Segment, ...] = ()  # in order of upload time
    appearances: tuple[Appearance, ...] = ()  # in order of time
    notes: tuple[str, ...] = ()  # what speaks for it besides, in words
    cast: tuple[str, ...] = ()  # ids of people of the work's cast who are seen as well


@dataclass(frozen=True, slots=True)
class Flag:
    """A match after the rights layer has judged it."""

    match: Match
    verdict: Verdict
    reason: str  # the rule that decided, in words
    title: str  # of the work, or the person's name
    owner: str | None  # of the work; who speaks for the person
    licence: str | None = None  # document reference of what covers it
    nearly: tuple[str, ...] = ()  # licences that would cover it but for one thing, in words


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """What became of the frames of one file; losses are counted, never silent."""

    sampled: int = 0  # taken from the file at the sampling rate
    uniform: int = 0  # of those, left out for showing nothing (black, one colour, test card)
    undecodable: int = 0  # packets the decoder refused


@dataclass(frozen=True, slots=True)
class FaceCounts:
    """What became of the faces in one file: nothing else is kept of those that nobody enrolled."""

    found: int = 0  # in all sampled frames
    unusable: int = 0  # of those: too small, blurred, dark or turned away to be told apart
    tracks: int = 0  # faces followed through a shot that could be told apart
    likely: int = 0  # of those
    resembles: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """What is known of how an upload came in; licences and the desk go by it."""

    uploader: str | None = None  # account name on the platform
    territory: str | None = None  # where it is shown: ISO 3166-1 alpha-2, upper case
    url: str | None = None  # where it is published
    submitted_at: datetime | None = None  # aware


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Everything a scan says of one upload."""

    source: str  # path or URL as given
    query_id: str  # the file's stem
    status: Status
    reason: str | None = None  # why not `ok`
    duration: float | None = None  # seconds
    channels: tuple[Channel, ...] = ()
    flags: tuple[Flag, ...] = ()  # strongest first; every match, also those that are clear
    frames: FrameCounts = FrameCounts()
    faces: FaceCounts | None = None  # None: nobody looked for faces
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds of work by stage
    submission: Submission = Submission()
    fault: Fault | None = None  # why not `ok`, where that has a name; else the file is the matter

    @property
    def verdict(self) -> Verdict:
        verdicts = (flag.verdict for flag in self.flags)
        return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.CLEAR)
