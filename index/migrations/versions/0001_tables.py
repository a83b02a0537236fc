"""The tables of the catalogue; those of one from before there were migrations are taken over.

Such a catalogue has the tables of the version that made it, and perhaps some that a later version
added, though without their indexes. What is there stays as it is.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SHA256 = sa.String(64)
_CHANNEL = sa.String(32)
_TIME = sa.DateTime(timezone=True)

_POLICY_IS_KNOWN = "policy IN ('block', 'review', 'monitor', 'allow')"
_OF_ONE = "(work_number IS NULL) <> (person_number IS NULL)"


def upgrade() -> None:
    _make_works()
    _make_background()
    _make_people()
    _make_rights()
    _make_uploads()
    _make(
        "meta",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    _make(
        "index_files",
        sa.Column("channel", _CHANNEL, nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("digest", _SHA256, nullable=False),
        sa.Column("content", _SHA256, nullable=False),
        sa.PrimaryKeyConstraint("channel"),
    )
    _make(
        "scans",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("finished_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _make_works() -> None:
    _make(
        "works",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("policy", sa.String(16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", _SHA256, nullable=False),
        sa.Column("duration", sa.Double(), nullable=False),
        sa.Column("frames_sampled", sa.Integer(), nullable=False),
        sa.Column("frames_uniform", sa.Integer(), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.CheckConstraint(_POLICY_IS_KNOWN, name="policy_is_known"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("digest"),
        sqlite_autoincrement=True,
    )
    _make(
        "embeddings",
        sa.Column("work_number", sa.Integer(), nullable=False),
        sa.Column("channel", _CHANNEL, nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("digest", _SHA256, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        _of_work(),
        sa.PrimaryKeyConstraint("work_number", "channel"),
        sa.UniqueConstraint("file"),
    )


def _make_background() -> None:
    _make(
        "background",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_digest", _SHA256, nullable=False),
        sa.Column("channel", _CHANNEL, nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("digest", _SHA256, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("source_digest", "channel", "space"),
        sa.UniqueConstraint("file"),
        sqlite_autoincrement=True,
    )


def _make_people() -> None:
    _make(
        "people",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("retain_until", sa.Date(), nullable=False),
        sa.Column("policy", sa.String(16), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.CheckConstraint(
            "policy IN ('review', 'monitor', 'allow')", name="likeness_policy_is_known"
        ),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    _make(
        "reference_faces",
        sa.Column("person_number", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_digest", _SHA256, nullable=False),
        sa.Column("time", sa.Double(), nullable=True),
        sa.Column("sealed_vector", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_crop", sa.LargeBinary(), nullable=False),
        _of_person(),
        sa.PrimaryKeyConstraint("person_number", "number"),
    )
    _make(
        "casts",
        sa.Column("work_number", sa.Integer(), nullable=False),
        sa.Column("person_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        _of_work(),
        _of_person(),
        sa.PrimaryKeyConstraint("work_number", "person_number"),
    )
    _make(
        "erased",
        sa.Column("person_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("erased_at", _TIME, nullable=False),
        sa.Column("nonces", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("person_number"),
    )


def _make_rights() -> None:
    _make(
        "licences",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("work_number", sa.Integer(), nullable=True),
        sa.Column("person_number", sa.Integer(), nullable=True),
        sa.Column("licensee", sa.Text(), nullable=True),
        sa.Column("channels", sa.Text(), nullable=False),
        sa.Column("territories", sa.Text(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=True),
        sa.Column("ends", sa.Date(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.CheckConstraint(_OF_ONE, name="licence_is_of_one"),
        _of_work(),
        _of_person(),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    _make(
        "rules",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("work_number", sa.Integer(), nullable=True),
        sa.Column("person_number", sa.Integer(), nullable=True),
        sa.Column("policy", sa.String(16), nullable=False),
        sa.Column("channel", _CHANNEL, nullable=True),
        sa.Column("min_seconds", sa.Double(), nullable=True),
        sa.Column("min_share_upload", sa.Double(), nullable=True),
        sa.Column("min_share_reference", sa.Double(), nullable=True),
        sa.Column("min_score", sa.Double(), nullable=True),
        sa.Column("added_at", _TIME, nullable=False),
        sa.CheckConstraint(_OF_ONE, name="rule_is_of_one"),
        sa.CheckConstraint(_POLICY_IS_KNOWN, name="rule_policy_is_known"),
        sa.CheckConstraint(
            "policy <> 'block' OR (person_number IS NULL AND coalesce(channel, '') <> 'semantic')",
            name="rule_blocks_copies_only",
        ),
        _of_work(),
        _of_person(),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    _make(
        "exclusions",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("work_number", sa.Integer(), nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("added_at", _TIME, nullable=False),
        sa.CheckConstraint("start_s >= 0 AND start_s < end_s", name="exclusion_has_length"),
        _of_work(),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )


def _make_uploads() -> None:
    _make(
        "uploads",
        sa.Column("key", _SHA256, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("digest", _SHA256, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("kept_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    for name in ("content", "file", "kept_at"):
        op.create_index(f"ix_uploads_{name}", "uploads", [name], if_not_exists=True)


def _make(name: str, *parts: sa.Column[Any] | sa.Constraint, **options: bool) -> None:
    op.create_table(name, *parts, if_not_exists=True, **options)


def _of_work() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["work_number"], ["works.number"], ondelete="CASCADE")


def _of_person() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["person_number"], ["people.number"], ondelete="CASCADE")
