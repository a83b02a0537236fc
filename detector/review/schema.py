"""Tables of the desk. What a migration makes of them is in `migrations/`; a test compares the two.

Their names begin with ``review_``, since on PostgreSQL they share a database with the catalogue.
What must hold within a row is a constraint here; what must hold between rows, or of a change, is a
guard of `guards`, which the migrations make.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from detector.review.records import (
    Action,
    Approval,
    CaseState,
    NoticeKind,
    NoticeState,
    Reason,
    Role,
    SubjectKind,
)
from detector.types import Channel, Verdict
from index.schema import UtcDateTime

HEAD = "0002"  # the newest migration

_Sha256 = String(64)
_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only INTEGER keys
# A number in the audit, or that a receiver of webhooks knows, means one thing for ever.
_NUMBERED = {"sqlite_autoincrement": True}


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    """Let a column hold nothing but these words."""
    return CheckConstraint(f"{column} IN {tuple(map(str, words))}", name=f"{column}_is_known")


class Base(DeclarativeBase):
    """All tables."""


class AccountRow(Base):
    """Somebody who may sign in."""

    __tablename__ = "review_accounts"
    __table_args__ = (_one_of("role", Role), _NUMBERED)

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    full_name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(Text)
    is_active: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """A browser that is signed in; its token is kept as a digest only."""

    __tablename__ = "review_sessions"

    token_digest: Mapped[str] = mapped_column(_Sha256, primary_key=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("review_accounts.id", ondelete="CASCADE"), index=True
    )
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TokenRow(Base):
    """A program that may use the API; its secret is kept as a digest only."""

    __tablename__ = "review_tokens"
    __table_args__ = _NUMBERED

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("review_accounts.id", ondelete="CASCADE"), index=True
    )
    label: Mapped[str] = mapped_column(Text)
    secret_digest: Mapped[str] = mapped_column(_Sha256, unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AttemptRow(Base):
    """A sign-in that failed, for as long as it counts."""

    __tablename__ = "review_attempts"
    __table_args__ = (
        Index("review_attempts_name", "name", "at"),
        Index("review_attempts_address", "address", "at"),
    )

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class CaseRow(Base):
    """A flagged upload."""

    __tablename__ = "review_cases"
    __table_args__ = (
        Index("review_cases_queue", "state", "gravity", "is_joined", "score"),
        Index("review_cases_age", "state", "opened_at"),
        Index("review_cases_gravest", "gravity", "is_joined", "score"),
        Index("review_cases_newest", "opened_at"),
        Index("review_cases_uploader", "uploader", "opened_at"),
        _one_of("state", CaseState),
        _one_of("verdict", Verdict),
        CheckConstraint("(claimed_by IS NULL) = (claimed_until IS NULL)", name="claim_is_whole"),
        _NUMBERED,
    )

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    digest: Mapped[str] = mapped_column(_Sha256, index=True)
    source: Mapped[str] = mapped_column(Text)
    folder: Mapped[str] = mapped_column(Text)
    uploader: Mapped[str | None] = mapped_column(Text)
    territory: Mapped[str | None] = mapped_column(String(8))
    url: Mapped[str | None] = mapped_column(Text)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[str] = mapped_column(String(16))
    gravity: Mapped[int]  # rank of the verdict
    is_joined: Mapped[bool] = mapped_column(server_default=false())  # see `CaseSummary`
    score: Mapped[float]
    duration: Mapped[float | None]
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_by: Mapped[int | None] = mapped_column(ForeignKey("review_accounts.id"), index=True)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    versions: Mapped[str] = mapped_column(Text, deferred=True)
    result: Mapped[str] = mapped_column(Text, deferred=True)


class SubjectRow(Base):
    """A work or a person for which a case was flagged."""

    __tablename__ = "review_subjects"
    __table_args__ = (
        Index("review_subjects_ref", "ref_id", "kind", "case_id"),
        Index("review_subjects_owner", "owner", "case_id"),
        _one_of("kind", SubjectKind),
        _one_of("channel", Channel),
        _one_of("verdict", Verdict),
    )

    case_id: Mapped[int] = mapped_column(
        ForeignKey("review_cases.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    ref_id: Mapped[str] = mapped_column(String(128))
    title: Mapped[str] = mapped_column(Text)
    owner: Mapped[str | None] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(String(16))
    score: Mapped[float]
    verdict: Mapped[str] = mapped_column(String(16))


class DecisionRow(Base):
    """What somebody decided about a case."""

    __tablename__ = "review_decisions"
    __table_args__ = (
        CheckConstraint(
            "approval_account IS NULL OR approval_account <> account_id", name="second_person"
        ),
        CheckConstraint(
            f"(approval IN ('{Approval.APPROVED}', '{Approval.REFUSED}')) = "
            "(approval_account IS NOT NULL)",
            name="approval_is_somebodys",
        ),
        CheckConstraint(
            "(approval_account IS NULL) = (approval_at IS NULL)", name="approval_has_a_time"
        ),
        _one_of("action", Action),
        _one_of("reason", Reason),
        _one_of("approval", Approval),
        _NUMBERED,
    )

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    case_id: Mapped[int] = mapped_column(
        ForeignKey("review_cases.id", ondelete="CASCADE"), index=True
    )
    action: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(32))
    comment: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(ForeignKey("review_accounts.id"))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    approval: Mapped[str] = mapped_column(String(16))
    approval_account: Mapped[int | None] = mapped_column(ForeignKey("review_accounts.id"))
    approval_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SkipRow(Base):
    """A case that somebody does not want to be given again for a while."""

    __tablename__ = "review_skips"

    case_id: Mapped[int] = mapped_column(
        ForeignKey("review_cases.id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[int] = mapped_column(
        ForeignKey("review_accounts.id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class NoticeRow(Base):
    """A document that asks for something to be taken down."""

    __tablename__ = "review_notices"
    __table_args__ = (
        CheckConstraint(
            "approved_account IS NULL OR approved_account <> signed_account",
            name="notice_second_person",
        ),
        CheckConstraint(
            "state NOT IN ('approved', 'sent') OR "
            "(approved_account IS NOT NULL AND signed_account IS NOT NULL)",
            name="approved_before_sent",
        ),
        CheckConstraint(
            "state NOT IN ('signed', 'approved', 'sent') OR (signed_account IS NOT NULL AND "
            "document IS NOT NULL AND document_digest IS NOT NULL)",
            name="signed_is_a_document",
        ),
        _one_of("kind", NoticeKind),
        _one_of("state", NoticeState),
        _NUMBERED,
    )

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    case_id: Mapped[int] = mapped_column(
        ForeignKey("review_cases.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    contents: Mapped[str] = mapped_column(Text)
    drafted_by: Mapped[str] = mapped_column(Text)
    drafted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    signed_by: Mapped[str | None] = mapped_column(Text)
    signed_account: Mapped[int | None] = mapped_column(ForeignKey("review_accounts.id"))
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_account: Mapped[int | None] = mapped_column(ForeignKey("review_accounts.id"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_to: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    counter_received: Mapped[date | None] = mapped_column(Date)
    counter_text: Mapped[str | None] = mapped_column(Text)
    restore_from: Mapped[date | None] = mapped_column(Date)
    restore_by: Mapped[date | None] = mapped_column(Date)
    document_digest: Mapped[str | None] = mapped_column(_Sha256)
    document: Mapped[str | None] = mapped_column(Text, deferred=True)


class EventRow(Base):
    """An entry of the audit, as it was hashed: every column but the last two is in the digest."""

    __tablename__ = "review_events"
    __table_args__ = (
        Index("review_events_subject", "subject", "number"),
        Index("review_events_actor", "actor", "number"),
    )

    number: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(Text)
    via: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255))
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    versions: Mapped[str] = mapped_column(Text)
    evidence: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(_Sha256)
    digest: Mapped[str] = mapped_column(_Sha256)


class AuditHeadRow(Base):
    """The last entry of the audit, so that a missing end is seen; writers take turns on it."""

    __tablename__ = "review_audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(_Number)
    digest: Mapped[str] = mapped_column(_Sha256)


class WebhookRow(Base):
    """An address that wants to hear of what happens."""

    __tablename__ = "review_webhooks"
    __table_args__ = _NUMBERED

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(String(64))
    events: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DeliveryRow(Base):
    """Something that an address has to be told."""

    __tablename__ = "review_deliveries"
    __table_args__ = (Index("review_deliveries_due", "is_open", "due_at"), _NUMBERED)

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(
        ForeignKey("review_webhooks.id", ondelete="CASCADE"), index=True
    )
    event: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    is_open: Mapped[bool]
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(Text)
