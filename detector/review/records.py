"""What the takedown desk works with: plain values that travel from its database to its pages.

Times are aware and in UTC; times within a video are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from detector.types import Channel, Submission, Verdict


class Role(StrEnum):
    """What an account may do; each may do what those before it may."""

    VIEWER = "viewer"  # look
    REVIEWER = "reviewer"  # claim, decide, draft and sign notices, edit the library
    APPROVER = "approver"  # approve what others decided and signed
    ADMIN = "admin"  # accounts, webhooks, and everything else

    def may(self, least: Role) -> bool:
        """Whether this role includes another."""
        roles = list(Role)
        return roles.index(self) >= roles.index(least)


class Via(StrEnum):
    """The way somebody came in, for the audit."""

    WEB = "web"
    API = "api"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in."""

    id: int
    name: str  # to sign in with: 1 to 64 of a-z, 0-9, '.', '_', '-', '@'
    full_name: str  # as it stands under a notice
    role: Role
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: every operation of the desk says so, and the audit keeps it."""

    account_id: int | None  # None: whoever runs the command line
    name: str
    role: Role
    via: Via

    @classmethod
    def of(cls, account: Account, via: Via) -> Actor:
        return cls(account.id, account.name, account.role, via)


COMMAND_LINE = Actor(None, "command line", Role.ADMIN, Via.COMMAND_LINE)


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    ESCALATED = "escalated"  # waits for an approver's eyes
    TO_APPROVE = "to approve"  # decided, and waits for a second person
    DECIDED = "decided"


class Action(StrEnum):
    """What a reviewer decides."""

    BLOCK = "block"  # the platform takes the upload down
    NOTICE = "notice"  # somebody else's platform is asked to
    MONITOR = "monitor"  # it stays, and is watched
    DISMISS = "dismiss"  # nothing is to be done


class Reason(StrEnum):
    """Why, as a code that can be counted."""

    FULL_COPY = "full copy"
    PARTIAL_COPY = "partial copy"
    EDITED_COPY = "edited copy"
    LOOK_ALIKE = "look-alike"
    LIKENESS = "likeness"
    LICENCE_EXPIRED = "licence expired"
    MINOR_USE = "minor use"
    AWAITING_OWNER = "awaiting owner"
    FALSE_MATCH = "false match"
    LICENSED = "licensed"
    FAIR_USE = "fair use"  # or quotation, parody, review under the law that applies
    PUBLIC_DOMAIN = "public domain"
    OWN_UPLOAD = "own upload"
    DUPLICATE = "duplicate"


_INFRINGEMENT = (
    Reason.FULL_COPY,
    Reason.PARTIAL_COPY,
    Reason.EDITED_COPY,
    Reason.LOOK_ALIKE,
    Reason.LIKENESS,
    Reason.LICENCE_EXPIRED,
)
REASONS: Mapping[Action, tuple[Reason, ...]] = MappingProxyType(
    {
        Action.BLOCK: _INFRINGEMENT,
        Action.NOTICE: _INFRINGEMENT,
        Action.MONITOR: (Reason.MINOR_USE, Reason.AWAITING_OWNER, *_INFRINGEMENT),
        Action.DISMISS: (
            Reason.FALSE_MATCH,
            Reason.LICENSED,
            Reason.FAIR_USE,
            Reason.PUBLIC_DOMAIN,
            Reason.OWN_UPLOAD,
            Reason.DUPLICATE,
        ),
    }
)
"""Which reasons an action may have."""


class SubjectKind(StrEnum):
    """What was found in an upload."""

    WORK = "work"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Subject:
    """One flag of a case, as the queue shows and filters it."""

    kind: SubjectKind
    ref_id: str
    title: str  # of the work, or the person's name
    owner: str | None
    channel: Channel
    score: float
    verdict: Verdict


class Approval(StrEnum):
    """What became of a second person's approval."""

    NOT_NEEDED = "not needed"
    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about a case."""

    id: int
    case_id: int
    action: Action
    reason: Reason
    comment: str
    account_id: int
    name: str
    decided_at: datetime
    approval: Approval
    approval_by: str | None = None
    approval_at: datetime | None = None
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Who works on a case, and until when nobody else can."""

    account_id: int
    name: str
    until: datetime


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A case as the queue lists it."""

    id: int
    source: str  # path or URL of the upload, as it was scanned
    name: str  # its last part, for people
    digest: str  # SHA-256 of the file
    submission: Submission
    state: CaseState
    verdict: Verdict
    is_joined: bool  # somebody of the cast of a work is seen in what looks like it
    score: float  # of the gravest flag
    duration: float | None
    subjects: tuple[Subject, ...]  # what was flagged, gravest first
    claim: Claim | None
    opened_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Case(CaseSummary):
    """A case with all that is known of it."""

    result: Mapping[str, Any]  # of the scan, as `detector.output.to_json` wrote it
    versions: Mapping[str, str]  # what it was made with, and the digests of the reference files
    decisions: tuple[Decision, ...] = ()  # oldest first, also those undone


class Sort(StrEnum):
    """Order of the queue."""

    GRAVEST = "gravest"  # verdict, then whether the cast is seen as well, then score
    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases are wanted; what is not said is not asked."""

    states: tuple[CaseState, ...] = ()  # none: all
    channel: Channel | None = None
    verdict: Verdict | None = None
    min_score: float | None = None
    max_score: float | None = None
    owner: str | None = None
    work: str | None = None  # id
    person: str | None = None  # id
    uploader: str | None = None
    source: str | None = None  # part of it, upper or lower case
    opened_before: datetime | None = None
    opened_after: datetime | None = None
    claimed_by: int | None = None  # account id
    is_claimed: bool | None = None  # by anybody


@dataclass(frozen=True, slots=True)
class CasePage:
    """Part of a list of cases."""

    items: tuple[CaseSummary, ...]
    total: int


class NoticeKind(StrEnum):
    """Which law a notice goes by."""

    DMCA = "dmca"  # 17 U.S.C. 512(c)(3)
    DSA = "dsa"  # Regulation (EU) 2022/2065, Article 16
    LIKENESS = "likeness"  # right of publicity


class NoticeState(StrEnum):
    """Where a notice stands, in this order; withdrawn may follow on all but sent."""

    DRAFT = "draft"
    SIGNED = "signed"  # waits for a second person's approval
    APPROVED = "approved"
    SENT = "sent"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class CounterNotice:
    """What the uploader answered, and when the material goes back up unless somebody sues."""

    received_at: date
    text: str
    restore_from: date  # 10 business days later
    restore_by: date  # 14 business days later


@dataclass(frozen=True, slots=True)
class Notice:
    """A document that asks for something to be taken down."""

    id: int
    case_id: int
    kind: NoticeKind
    state: NoticeState
    values: Mapping[str, Any]  # by element, see `detector.review.notices`
    drafted_by: str
    drafted_at: datetime
    signed_by: str | None = None  # full name of who signed
    signed_account: int | None = None
    signed_at: datetime | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    sent_to: str | None = None
    sent_at: datetime | None = None
    document_digest: str | None = None  # SHA-256 of the signed HTML
    counter: CounterNotice | None = None


@dataclass(frozen=True, slots=True)
class NoticePage:
    """Part of a list of notices."""

    items: tuple[Notice, ...]
    total: int


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened, to be written into the audit."""

    action: str  # "case.decided", "person.viewed": what kind of thing, and what happened to it
    subject: str  # "case:17", "notice:3", "work:bikes"
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    why: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)  # name -> SHA-256


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(NewEvent):
    """An entry of the audit; each holds the digest of the one before it."""

    number: int
    at: datetime
    actor: str
    via: Via
    previous: str
    digest: str
