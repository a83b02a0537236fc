"""What the API answers about the library and about jobs, see `models`."""

from __future__ import annotations

from datetime import date, datetime

from detector.moments import Where
from detector.review.jobs import JobState
from detector.review.web.api.models import Record, ScanResult, Text
from detector.types import Channel, Likeness
from index.records import Policy
from index.rights_records import Kind

# --- the library ------------------------------------------------------------------------------


class Work(Record):
    """A film, episode or clip that is protected."""

    id: Text
    title: Text
    owner: Text | None
    policy: Policy
    """What the owner wants done with copies."""
    source: Text
    """Path or URL that it was read from."""
    digest: str
    """SHA-256 of that file."""
    duration: float
    """Seconds."""
    frames_sampled: int
    frames_uniform: int
    """Of those that were sampled: left out for showing nothing."""
    added_at: datetime


class ChannelState(Record):
    """What a channel sees in a work."""

    name: str
    frames: int
    space: str
    """The descriptor, and the digest of its weights."""


class Licence(Record):
    """What an owner allows."""

    number: int
    kind: Kind
    ref_id: Text
    document: Text
    """Where it is written."""
    licensee: Text | None
    """null: anybody."""
    channels: list[Channel]
    territories: list[str]
    """None: the whole world."""
    starts: date | None
    ends: date | None
    added_at: datetime


class Rule(Record):
    """What is wanted done where some conditions hold."""

    number: int
    kind: Kind
    ref_id: Text
    policy: Policy
    channel: Channel | None
    min_seconds: float | None
    min_share_upload: float | None
    min_share_reference: float | None
    min_score: float | None
    added_at: datetime


class Exclusion(Record):
    """Seconds of a work that its owner claims nothing for."""

    number: int
    work_id: Text
    start: float
    end: float
    why: Text
    added_at: datetime


class Rights(Record):
    """All rights of a work or a person."""

    licences: list[Licence]
    rules: list[Rule]
    """Those of lower numbers are tried first."""
    exclusions: list[Exclusion]


class Person(Record):
    """Somebody whose likeness is protected."""

    id: Text
    name: Text
    authority: Text
    """Who allows that this face is processed, and by what."""
    retain_until: date
    """The last day on which they may be matched."""
    policy: Policy
    faces: int
    """How many reference faces they have."""
    added_at: datetime


class WorkInFull(Record):
    """A work, with the state of its enrolment and all that is said of it."""

    work: Work
    channels: list[ChannelState]
    missing: Text | None
    """Why its film cannot be shown; null: the file is there."""
    cast: list[Person]
    rights: Rights


class PersonInFull(Record):
    """A person, with all that is said of them."""

    person: Person
    is_expired: bool
    """And so not matched any more."""
    works: list[Work]
    """In whose cast they are."""
    rights: Rights


# --- jobs -------------------------------------------------------------------------------------


class Moment(Record):
    """A moment of a work, or of an upload that was scanned, that is like what was asked for."""

    where: Where
    """In what it is."""
    id: Text
    """Of the work; of an upload the stem of its file, as in the results of scans."""
    title: Text
    """Of the work; the file's name of an upload."""
    digest: str
    """SHA-256 of the file: that of a case, if there is one of the upload."""
    source: Text
    """Path or URL of the file."""
    channel: Channel
    time: float
    """Seconds: of the frame, or of the key frame of the shot."""
    start: float
    """Of the shot; the same as `time` in the channel `copy`."""
    end: float
    similarity: float
    clip_time: float | None
    """Of the key frame of the clip's shot that it is like; null: it was no clip."""


class Seen(Record):
    """An enrolled person whose face is in a still, or one like it."""

    person_id: Text
    name: Text
    likeness: Likeness
    similarity: float


class Answer(Record):
    """What is known of what was asked about."""

    result: ScanResult | None
    """Of a clip."""
    people: list[Seen]
    """In a still."""
    moments: list[Moment]
    """In works (of a clip `result` says these), then in scanned uploads; best first in each."""
    left_out: int
    """Scanned uploads that the semantic channel with its present model has not seen."""
    is_for_people: bool
    """Whether a case can be opened from it."""


class AddedWork(Record):
    """What became of a film that was to be protected."""

    work: Work
    channels: list[Channel]
    """That are new of it."""
    problem: Text | None
    """What could not be read of it."""


class AddedFaces(Record):
    """What became of photos of a person."""

    person: Person
    warnings: list[Text]
    """Which were not used, or look like somebody else."""


class Job(Record):
    """Work in the background; what came of it is forgotten after an hour."""

    id: str
    kind: str
    label: Text
    """Such as a file's name."""
    state: JobState
    progress: float
    """From 0 to 1."""
    note: Text
    """What it is doing."""
    error: Text | None
    """Why it failed."""
    created_at: datetime
    location: str | None
    """The page of the desk that shows how far it is, and what came of it."""
    result: Answer | AddedWork | AddedFaces | None
