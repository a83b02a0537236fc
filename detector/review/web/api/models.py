"""What the API answers: the records of the desk, as they are sent.

FastAPI makes these of the records by their fields' names; here stands which are sent and what they
mean, so that a change within does not change the API unseen.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from detector.review.notice_elements import ElementKind
from detector.review.provenance import ProvenanceState
from detector.review.records import (
    Action,
    Approval,
    CaseState,
    NoticeKind,
    NoticeState,
    Reason,
    Role,
    SubjectKind,
    Via,
)
from detector.review.statement import (
    Automation,
    Category,
    ContentType,
    Ground,
    Keyword,
    Source,
    Visibility,
)
from detector.review.web.api.errors import Problem
from detector.text import encodable
from detector.types import Channel, Likeness, Status, Verdict

Item = TypeVar("Item")


def _plain(value: Any) -> Any:
    """Write out what is no text within plain values; names of files may hold any bytes."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(str(name)): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


Text = Annotated[str, BeforeValidator(_plain)]
Values = Annotated[dict[str, Any], BeforeValidator(_plain)]
Names = Annotated[dict[str, str], BeforeValidator(_plain)]


class Record(BaseModel):
    """What is made of a record by its fields' names."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class Page(Record, Generic[Item]):
    """Part of a list."""

    items: list[Item]
    total: int
    """How many there are in all."""
    limit: int
    """How many were asked for at most."""
    offset: int
    """How many were left out before these."""


# --- cases ------------------------------------------------------------------------------------


class Submission(Record):
    """How an upload came in, as far as it is known."""

    uploader: Text | None
    territory: Text | None
    """Where it is shown, by ISO 3166-1 alpha-2."""
    url: Text | None
    submitted_at: datetime | None


class Subject(Record):
    """What was found in an upload."""

    kind: SubjectKind
    ref_id: Text
    """Id of the work or the person."""
    title: Text
    owner: Text | None
    channel: Channel
    score: float
    verdict: Verdict


class Claim(Record):
    """Who works on a case."""

    account_id: int
    name: Text
    until: datetime


class CaseSummary(Record):
    """A case as the queue lists it."""

    id: int
    source: Text
    """Path or URL of the upload, as it was scanned."""
    name: Text
    """Its last part."""
    digest: str
    """SHA-256 of the file."""
    submission: Submission
    state: CaseState
    verdict: Verdict
    is_joined: bool
    """Somebody of the cast of a work is seen in what looks like it."""
    score: float
    """Of the gravest finding."""
    duration: float | None
    """Seconds."""
    subjects: list[Subject]
    """Gravest first."""
    claim: Claim | None
    opened_at: datetime
    updated_at: datetime


class Decision(Record):
    """What somebody decided about a case."""

    id: int
    case_id: int
    action: Action
    reason: Reason
    comment: Text
    account_id: int
    name: Text
    decided_at: datetime
    approval: Approval
    """What became of a second person's approval."""
    approval_by: Text | None
    approval_at: datetime | None
    undone_at: datetime | None


class Decided(Record):
    """What was decided in one go."""

    decisions: list[Decision]
    """First that of the case itself."""


class FramePair(Record):
    """A frame of the upload and the frame of the work that it was matched with."""

    query_time: float
    ref_time: float
    similarity: float


class SegmentEvidence(Record):
    """What a segment's score is made of."""

    similarity: float
    """Mean cosine of the aligned frames."""
    ordinary: float
    """The same for ordinary footage."""
    agreement: float
    """How far the upload changes as the work does."""
    change: float
    """How much the work changes."""
    seconds: float
    """Of the upload that have a partner in the work."""
    confirmed: float | None
    """By picture detail; null: nobody looked."""


class Segment(Record):
    """An interval of the upload that is aligned with one of the work; times in seconds."""

    query_start: float
    query_end: float
    ref_start: float
    ref_end: float
    score: float
    speed: float
    """Seconds of the work in one second of the upload."""
    evidence: SegmentEvidence
    pairs: list[FramePair]
    edits: list[Text]


class Box(Record):
    """Where a face is, as shares of the picture."""

    left: float
    top: float
    width: float
    height: float


class Appearance(Record):
    """An interval in which a person's face is seen."""

    start: float
    end: float
    score: float
    likeness: Likeness
    similarity: float
    distance: float
    """Standard deviations above what the faces of others have."""
    margin: float | None
    """The same above who comes second; null: nobody else is enrolled."""
    faces: int
    time: float
    """Seconds, of the best picture."""
    box: Box
    reference: int
    runner_up: Text | None


class _Judged(Record):
    channel: Channel
    score: float
    verdict: Verdict
    reason: Text
    """The rule that decided, in words."""
    licence: Text | None = None
    """Document of the licence that covers it."""
    nearly: list[Text] = []
    """Licences that would cover it but for one thing."""


class WorkMatch(_Judged):
    """A work of which footage was found, or a scene like its own."""

    work_id: Text
    title: Text
    owner: Text | None
    segments: list[Segment]


class PersonMatch(_Judged):
    """A person whose likeness was found."""

    person_id: Text
    name: Text
    authority: Text | None
    appearances: list[Appearance]


class FrameCounts(Record):
    """What became of the frames."""

    sampled: int
    uniform: int
    undecodable: int


class FaceCounts(Record):
    """What became of the faces; nothing else is kept of those that nobody enrolled."""

    found: int
    unusable: int
    tracks: int
    likely: int
    resembles: int
    unknown: int


class ScanResult(Record):
    """What the scan of the upload found."""

    source: Text
    query_id: Text
    status: Status
    reason: Text | None
    duration: float | None
    channels: list[Channel]
    verdict: Verdict
    matches: list[WorkMatch | PersonMatch]
    """Strongest first, also those that are clear."""
    frames: FrameCounts
    faces: FaceCounts | None
    """null: nobody looked for faces."""
    timings: dict[str, float]
    """Seconds of work by stage."""
    submission: Submission | None = None


class Case(CaseSummary):
    """A case with all that is known of it."""

    result: ScanResult
    versions: Names
    """What the result was made with, and the digests of the reference files."""
    decisions: list[Decision]
    """Oldest first, also those undone."""


class Counts(Record):
    """How many cases are in each state."""

    cases: dict[CaseState, int]


class Provenance(Record):
    """What the content credentials of the upload say; absence says nothing."""

    state: ProvenanceState
    summary: Text
    is_trusted: bool
    """The signer is on the trust list."""
    signer: Text | None
    issuer: Text | None
    signed_at: datetime | None
    generator: Text | None
    declared: list[Text]
    """How the video came about."""
    actions: list[Text]
    """What was done to it, in order."""
    problems: list[Text]


class StatementOfReasons(BaseModel):
    """Why an upload was taken down, as the DSA Transparency Database takes it (Article 17 DSA)."""

    decision_visibility: list[Visibility]
    decision_ground: Ground
    illegal_content_legal_ground: str
    illegal_content_explanation: str
    content_type: list[ContentType]
    category: Category
    category_specification: list[Keyword]
    category_specification_other: str | None = None
    territorial_scope: list[str]
    content_language: str | None = None
    content_date: date
    application_date: date
    decision_facts: Text
    source_type: Source
    source_identity: Text | None = None
    automated_detection: Literal["Yes", "No"]
    automated_decision: Automation
    puid: str


# --- audit ------------------------------------------------------------------------------------


class Event(Record):
    """An entry of the audit."""

    number: int
    at: datetime
    actor: Text
    via: Via
    action: Text
    subject: Text
    before: Values | None
    after: Values | None
    why: Text
    versions: Names
    evidence: Names
    """SHA-256 by name."""
    previous: str
    """Digest of the entry before."""
    digest: str


class EventPage(Record):
    """The newest entries, or those before a number."""

    items: list[Event]
    limit: int
    before: int | None
    """To be given as `before` for those that follow; null: there are none."""


class AuditReport(Record):
    """What a check of the whole log found."""

    count: int
    head: str
    """Digest of the last entry."""
    problems: list[Text]
    """The first few; none: nothing was altered."""


# --- notices ----------------------------------------------------------------------------------


class CounterNotice(Record):
    """What the uploader answered."""

    received_at: date
    text: Text
    restore_from: date
    """10 business days later."""
    restore_by: date
    """14 business days later: when the material goes back up unless somebody sues."""


class Notice(Record):
    """A document that asks for something to be taken down."""

    id: int
    case_id: int
    kind: NoticeKind
    state: NoticeState
    values: Values
    """By name of the element."""
    drafted_by: Text
    drafted_at: datetime
    signed_by: Text | None
    """Full name."""
    signed_account: int | None
    signed_at: datetime | None
    approved_by: Text | None
    approved_at: datetime | None
    sent_to: Text | None
    sent_at: datetime | None
    document_digest: str | None
    """SHA-256 of the signed HTML."""
    counter: CounterNotice | None


class NoticeInFull(Notice):
    """A notice, and what is missing in it."""

    problems: list[Problem]
    """Why a draft cannot be signed yet, element by element."""


class Element(Record):
    """One thing that a notice says."""

    name: str
    label: str
    """Of a `check` the whole statement that is made by ticking it."""
    help: str
    statute: str
    """Where the law asks for it; empty where none does."""
    kind: ElementKind
    """`lines` is a list, `check` true or false, `date` as in ISO 8601; all else is text."""
    choices: list[str]
    """The answers of a `choice`."""
    required: bool
    barring: list[str]
    """Those answers with which it must not be signed at all."""
    asked_with: tuple[str, str] | None
    """Name of another element and its answer that make this one required."""
    is_address: bool
    """Whether each of the `lines` is the address of something on the web."""


# --- accounts ---------------------------------------------------------------------------------


class Account(Record):
    """Somebody who may sign in."""

    id: int
    name: Text
    full_name: Text
    """As it stands under a notice."""
    role: Role
    is_active: bool
    created_at: datetime


class Me(Account):
    """Who one is."""

    via: Via


class Token(Record):
    """A program that may use the API as somebody."""

    id: int
    account_id: int
    label: Text
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewToken(Token):
    """A token that was made just now."""

    secret: str
    """Sent this once; nobody can read it again."""


class Webhook(Record):
    """An address that hears of what happens."""

    id: int
    url: Text
    events: list[Text]
    created_at: datetime


class NewWebhook(Webhook):
    """An address that was added just now."""

    secret: str
    """That messages are signed with; sent this once."""
