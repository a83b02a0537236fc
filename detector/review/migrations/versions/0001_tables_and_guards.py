"""The tables of the desk, and what its database refuses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from detector.review.audit import make_log
from detector.review.guards import Guard

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)

_FREE = "('open', 'escalated')"
_APPROVERS = "SELECT id FROM review_accounts WHERE is_active AND role IN ('approver', 'admin')"
_CASE_IS = "(SELECT state FROM review_cases WHERE id = {}.case_id)"
_GUARDS = (
    # Decisions: facts, of which only the approval and the undoing come later.
    Guard(
        "review_decisions_begin",
        "review_decisions",
        "INSERT",
        f"{_CASE_IS.format('NEW')} NOT IN {_FREE} OR NEW.approval NOT IN ('not needed', 'waiting') "
        "OR NEW.undone_at IS NOT NULL",
        "a decision is about an open case, and is approved and undone later",
    ),
    Guard(
        "review_decisions_likeness",
        "review_decisions",
        "INSERT",
        "NEW.action = 'block' AND NEW.approval = 'not needed' AND ("
        "NEW.reason IN ('likeness', 'look-alike') OR NOT EXISTS (SELECT 1 FROM review_subjects "
        "WHERE case_id = NEW.case_id AND channel = 'copy'))",
        "a second person has to approve the blocking of a likeness or a look-alike",
    ),
    Guard(
        "review_decisions_stand",
        "review_decisions",
        "UPDATE OF id, case_id, action, reason, comment, account_id, decided_at",
        "true",
        "a decision is not changed: undo it, and decide anew",
    ),
    Guard(
        "review_decisions_approval",
        "review_decisions",
        "UPDATE OF approval, approval_account, approval_at",
        "OLD.approval <> 'waiting' OR NEW.approval NOT IN ('approved', 'refused') "
        f"OR OLD.undone_at IS NOT NULL OR NEW.approval_account NOT IN ({_APPROVERS})",
        "what waits for approval is approved or refused, once, by somebody who may",
    ),
    Guard(
        "review_decisions_undo",
        "review_decisions",
        "UPDATE OF undone_at",
        f"OLD.undone_at IS NOT NULL OR {_CASE_IS.format('NEW')} NOT IN {_FREE}",
        "a decision is undone once, and its case is open then",
    ),
    Guard(
        "review_decisions_stay",
        "review_decisions",
        "DELETE",
        f"{_CASE_IS.format('OLD')} IS NOT NULL",
        "a decision stays on record as long as its case",
    ),
    # Cases: decided only by a decision that stands and waits for nobody.
    Guard(
        "review_cases_begin",
        "review_cases",
        "INSERT",
        "NEW.state <> 'open'",
        "a case begins open",
    ),
    Guard(
        "review_cases_decided",
        "review_cases",
        "UPDATE OF state",
        "NEW.state = 'decided' AND coalesce((SELECT approval FROM review_decisions "
        "WHERE case_id = NEW.id AND undone_at IS NULL AND approval <> 'refused' "
        "ORDER BY id DESC LIMIT 1), 'none') NOT IN ('not needed', 'approved')",
        "a case is decided when its decision needs no approval or has it",
    ),
    # Notices: drafted, signed, approved by somebody else, sent; what was signed stays as it was.
    Guard(
        "review_notices_begin",
        "review_notices",
        "INSERT",
        "NEW.state <> 'draft'",
        "a notice begins as a draft",
    ),
    Guard(
        "review_notices_order",
        "review_notices",
        "UPDATE OF state",
        "(OLD.state || ' ' || NEW.state) NOT IN ('draft signed', 'signed approved', "
        "'approved sent', 'draft withdrawn', 'signed withdrawn', 'approved withdrawn')",
        "a notice is signed, approved and sent in this order",
    ),
    Guard(
        "review_notices_signed",
        "review_notices",
        "UPDATE OF id, case_id, kind, contents, signed_by, signed_account, signed_at, document, "
        "document_digest",
        "OLD.state <> 'draft'",
        "a notice that was signed is not changed",
    ),
    Guard(
        "review_notices_approval",
        "review_notices",
        "UPDATE OF approved_account, approved_at",
        f"OLD.state <> 'signed' OR NEW.approved_account NOT IN ({_APPROVERS})",
        "a signed notice is approved once, by somebody who may",
    ),
    Guard(
        "review_notices_stay",
        "review_notices",
        "DELETE",
        f"OLD.state <> 'draft' AND {_CASE_IS.format('OLD')} IS NOT NULL",
        "a notice that was signed stays on record as long as its case",
    ),
)


def upgrade() -> None:
    op.create_table(
        "review_accounts",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint(
            "role IN ('viewer', 'reviewer', 'approver', 'admin')", name="role_is_known"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "review_sessions",
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("account_id", _NUMBER, nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["review_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_digest"),
    )
    op.create_index("ix_review_sessions_account_id", "review_sessions", ["account_id"])
    op.create_table(
        "review_tokens",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("account_id", _NUMBER, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("secret_digest", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_used_at", _TIME, nullable=True),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["review_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_tokens_account_id", "review_tokens", ["account_id"])
    op.create_table(
        "review_attempts",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("review_attempts_address", "review_attempts", ["address", "at"])
    op.create_index("review_attempts_name", "review_attempts", ["name", "at"])
    op.create_table(
        "review_cases",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("uploader", sa.Text(), nullable=True),
        sa.Column("territory", sa.String(8), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("submitted_at", _TIME, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("gravity", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("duration", sa.Double(), nullable=True),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("claimed_by", _NUMBER, nullable=True),
        sa.Column("claimed_until", _TIME, nullable=True),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'escalated', 'to approve', 'decided')", name="state_is_known"
        ),
        sa.CheckConstraint(
            "verdict IN ('clear', 'allow', 'monitor', 'review', 'block')", name="verdict_is_known"
        ),
        sa.CheckConstraint("(claimed_by IS NULL) = (claimed_until IS NULL)", name="claim_is_whole"),
        sa.ForeignKeyConstraint(["claimed_by"], ["review_accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_cases_claimed_by", "review_cases", ["claimed_by"])
    op.create_index("ix_review_cases_digest", "review_cases", ["digest"])
    op.create_index("review_cases_age", "review_cases", ["state", "opened_at"])
    op.create_index("review_cases_gravest", "review_cases", ["gravity", "score"])
    op.create_index("review_cases_newest", "review_cases", ["opened_at"])
    op.create_index("review_cases_queue", "review_cases", ["state", "gravity", "score"])
    op.create_index("review_cases_uploader", "review_cases", ["uploader", "opened_at"])
    op.create_table(
        "review_subjects",
        sa.Column("case_id", _NUMBER, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("ref_id", sa.String(128), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.CheckConstraint("channel IN ('copy', 'semantic', 'face')", name="channel_is_known"),
        sa.CheckConstraint("kind IN ('work', 'person')", name="kind_is_known"),
        sa.CheckConstraint(
            "verdict IN ('clear', 'allow', 'monitor', 'review', 'block')", name="verdict_is_known"
        ),
        sa.ForeignKeyConstraint(["case_id"], ["review_cases.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "position"),
    )
    op.create_index("review_subjects_owner", "review_subjects", ["owner", "case_id"])
    op.create_index("review_subjects_ref", "review_subjects", ["ref_id", "kind", "case_id"])
    op.create_table(
        "review_decisions",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("case_id", _NUMBER, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("account_id", _NUMBER, nullable=False),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.Column("approval", sa.String(16), nullable=False),
        sa.Column("approval_account", _NUMBER, nullable=True),
        sa.Column("approval_at", _TIME, nullable=True),
        sa.Column("undone_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "(approval IN ('approved', 'refused')) = (approval_account IS NOT NULL)",
            name="approval_is_somebodys",
        ),
        sa.CheckConstraint(
            "action IN ('block', 'notice', 'monitor', 'dismiss')", name="action_is_known"
        ),
        sa.CheckConstraint(
            "approval IN ('not needed', 'waiting', 'approved', 'refused')", name="approval_is_known"
        ),
        sa.CheckConstraint(
            "reason IN ('full copy', 'partial copy', 'edited copy', 'look-alike', 'likeness', "
            "'licence expired', 'minor use', 'awaiting owner', 'false match', 'licensed', "
            "'fair use', 'public domain', 'own upload', 'duplicate')",
            name="reason_is_known",
        ),
        sa.CheckConstraint(
            "(approval_account IS NULL) = (approval_at IS NULL)", name="approval_has_a_time"
        ),
        sa.CheckConstraint(
            "approval_account IS NULL OR approval_account <> account_id", name="second_person"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["review_accounts.id"]),
        sa.ForeignKeyConstraint(["approval_account"], ["review_accounts.id"]),
        sa.ForeignKeyConstraint(["case_id"], ["review_cases.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_decisions_case_id", "review_decisions", ["case_id"])
    op.create_table(
        "review_skips",
        sa.Column("case_id", _NUMBER, nullable=False),
        sa.Column("account_id", _NUMBER, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["review_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["case_id"], ["review_cases.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "account_id"),
    )
    op.create_table(
        "review_notices",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("case_id", _NUMBER, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("contents", sa.Text(), nullable=False),
        sa.Column("drafted_by", sa.Text(), nullable=False),
        sa.Column("drafted_at", _TIME, nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=True),
        sa.Column("signed_account", _NUMBER, nullable=True),
        sa.Column("signed_at", _TIME, nullable=True),
        sa.Column("approved_account", _NUMBER, nullable=True),
        sa.Column("approved_at", _TIME, nullable=True),
        sa.Column("sent_to", sa.Text(), nullable=True),
        sa.Column("sent_at", _TIME, nullable=True),
        sa.Column("counter_received", sa.Date(), nullable=True),
        sa.Column("counter_text", sa.Text(), nullable=True),
        sa.Column("restore_from", sa.Date(), nullable=True),
        sa.Column("restore_by", sa.Date(), nullable=True),
        sa.Column("document_digest", sa.String(64), nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('dmca', 'dsa', 'likeness')", name="kind_is_known"),
        sa.CheckConstraint(
            "state IN ('draft', 'signed', 'approved', 'sent', 'withdrawn')", name="state_is_known"
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'sent') OR "
            "(approved_account IS NOT NULL AND signed_account IS NOT NULL)",
            name="approved_before_sent",
        ),
        sa.CheckConstraint(
            "state NOT IN ('signed', 'approved', 'sent') OR (signed_account IS NOT NULL AND "
            "document IS NOT NULL AND document_digest IS NOT NULL)",
            name="signed_is_a_document",
        ),
        sa.CheckConstraint(
            "approved_account IS NULL OR approved_account <> signed_account",
            name="notice_second_person",
        ),
        sa.ForeignKeyConstraint(["approved_account"], ["review_accounts.id"]),
        sa.ForeignKeyConstraint(["case_id"], ["review_cases.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["signed_account"], ["review_accounts.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_notices_case_id", "review_notices", ["case_id"])
    op.create_index("ix_review_notices_state", "review_notices", ["state"])
    op.create_table(
        "review_events",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("via", sa.String(16), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("review_events_actor", "review_events", ["actor", "number"])
    op.create_index("review_events_subject", "review_events", ["subject", "number"])
    op.create_table(
        "review_audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "review_webhooks",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "review_deliveries",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("webhook_id", _NUMBER, nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("delivered_at", _TIME, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["review_webhooks.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_deliveries_webhook_id", "review_deliveries", ["webhook_id"])
    op.create_index("review_deliveries_due", "review_deliveries", ["is_open", "due_at"])
    connection = op.get_bind()
    for guard in _GUARDS:
        guard.put(connection)
    make_log(connection)
