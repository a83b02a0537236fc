"""Tables of the catalogue: the one place that says what is written down, and how."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from index.person_records import LIKENESS_POLICIES
from index.records import Policy
from index.rights_records import LOOK_ALIKE_CHANNEL

HEAD = "0002"  # the newest of `migrations/`, which make these tables; a test compares the two

# It is written down for versions from before there were migrations. One that they could not work
# with counts it up, and they refuse the catalogue.
SCHEMA_VERSION = 1

CHANNEL_LENGTH = 32

_Sha256 = String(64)
_Channel = String(CHANNEL_LENGTH)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC, also where the database (SQLite) keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables."""


class MetaRow(Base):
    """Facts about the catalogue itself."""

    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class WorkRow(Base):
    """A protected film, episode or clip."""

    __tablename__ = "works"
    __table_args__ = (
        CheckConstraint(f"policy IN {tuple(map(str, Policy))}", name="policy_is_known"),
        # Numbers are part of vector ids, so a number that came back after a removal would make
        # leftover vectors of one film point to another. Sequences elsewhere never go back.
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(128), unique=True)
    title: Mapped[str] = mapped_column(Text)
    owner: Mapped[str | None] = mapped_column(Text)
    policy: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(_Sha256, unique=True)
    duration: Mapped[float]
    frames_sampled: Mapped[int]
    frames_uniform: Mapped[int]
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EmbeddingsRow(Base):
    """One work's embeddings in one channel: which file holds them."""

    __tablename__ = "embeddings"

    work_number: Mapped[int] = mapped_column(
        ForeignKey("works.number", ondelete="CASCADE"), primary_key=True
    )
    channel: Mapped[str] = mapped_column(_Channel, primary_key=True)
    space: Mapped[str] = mapped_column(Text)
    file: Mapped[str] = mapped_column(Text, unique=True)
    digest: Mapped[str] = mapped_column(_Sha256)
    count: Mapped[int]
    dim: Mapped[int]


class BackgroundRow(Base):
    """Footage that is ordinary to the user, in one channel: which file holds its embeddings."""

    __tablename__ = "background"
    __table_args__ = (
        UniqueConstraint("source_digest", "channel", "space"),
        {"sqlite_autoincrement": True},  # a number in somebody's script means one source for ever
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    source: Mapped[str] = mapped_column(Text)
    source_digest: Mapped[str] = mapped_column(_Sha256)
    channel: Mapped[str] = mapped_column(_Channel)
    space: Mapped[str] = mapped_column(Text)
    file: Mapped[str] = mapped_column(Text, unique=True)
    digest: Mapped[str] = mapped_column(_Sha256)
    count: Mapped[int]
    dim: Mapped[int]
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class IndexFileRow(Base):
    """The FAISS file of one channel, and what it was built from."""

    __tablename__ = "index_files"

    channel: Mapped[str] = mapped_column(_Channel, primary_key=True)
    space: Mapped[str] = mapped_column(Text)
    file: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(_Sha256)
    content: Mapped[str] = mapped_column(_Sha256)


class CollectionRow(Base):
    """What a vector service holds of one channel, and where; see `index.milvus_index`."""

    __tablename__ = "collections"

    channel: Mapped[str] = mapped_column(_Channel, primary_key=True)
    service: Mapped[str] = mapped_column(String(255), primary_key=True)  # its address
    collection: Mapped[str] = mapped_column(Text)
    space: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(_Sha256)  # a sum of SHA-256


class ScanRow(Base):
    """A finished scan, so that an interrupted batch can go on where it stopped."""

    __tablename__ = "scans"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    result: Mapped[str] = mapped_column(Text)
    finished_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UploadRow(Base):
    """An upload that was described, so that works protected later can be matched back to it."""

    __tablename__ = "uploads"

    key: Mapped[str] = mapped_column(_Sha256, primary_key=True)  # of the source: paths are long
    source: Mapped[str] = mapped_column(Text)  # in JSON, as a file's name need not be text
    content: Mapped[str] = mapped_column(Text, index=True)  # what tells its content
    conditions: Mapped[str] = mapped_column(Text)
    facts: Mapped[str] = mapped_column(Text)  # JSON
    file: Mapped[str] = mapped_column(Text, index=True)
    digest: Mapped[str] = mapped_column(_Sha256)
    size: Mapped[int]  # bytes
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class PersonRow(Base):
    """Somebody with a protected likeness."""

    __tablename__ = "people"
    __table_args__ = (
        CheckConstraint(
            f"policy IN {tuple(map(str, LIKENESS_POLICIES))}", name="likeness_policy_is_known"
        ),
        # A number that came back after a removal would make results and copies of one person's
        # faces point to another.
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(128), unique=True)
    name: Mapped[str] = mapped_column(Text)
    authority: Mapped[str] = mapped_column(Text)
    retain_until: Mapped[date]
    policy: Mapped[str] = mapped_column(String(16))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReferenceFaceRow(Base):
    """A face of a person: vector and picture are sealed, see `index.people_rows`."""

    __tablename__ = "reference_faces"

    person_number: Mapped[int] = mapped_column(
        ForeignKey("people.number", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    space: Mapped[str] = mapped_column(Text)
    dim: Mapped[int]
    source: Mapped[str] = mapped_column(Text)
    source_digest: Mapped[str] = mapped_column(_Sha256)
    time: Mapped[float | None]
    # Last, and the large one behind the small one: SQLite reads a row only as far as it must.
    sealed_vector: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_crop: Mapped[bytes] = mapped_column(LargeBinary)


class CastRow(Base):
    """Somebody in the cast of a work."""

    __tablename__ = "casts"

    work_number: Mapped[int] = mapped_column(
        ForeignKey("works.number", ondelete="CASCADE"), primary_key=True
    )
    person_number: Mapped[int] = mapped_column(
        ForeignKey("people.number", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int]  # in the order of the credits


# Either a work's or a person's.
_OF_ONE = "(work_number IS NULL) <> (person_number IS NULL)"


class LicenceRow(Base):
    """What an owner allows somebody."""

    __tablename__ = "licences"
    __table_args__ = (
        CheckConstraint(_OF_ONE, name="licence_is_of_one"),
        {"sqlite_autoincrement": True},  # a number in a result means one licence for ever
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    work_number: Mapped[int | None] = mapped_column(ForeignKey("works.number", ondelete="CASCADE"))
    person_number: Mapped[int | None] = mapped_column(
        ForeignKey("people.number", ondelete="CASCADE")
    )
    licensee: Mapped[str | None] = mapped_column(Text)
    channels: Mapped[str] = mapped_column(Text)  # by name, separated by commas
    territories: Mapped[str] = mapped_column(Text)  # by code, separated by commas; empty: all
    starts: Mapped[date | None]
    ends: Mapped[date | None]
    document: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RuleRow(Base):
    """What an owner wants done where some conditions hold."""

    __tablename__ = "rules"
    __table_args__ = (
        CheckConstraint(_OF_ONE, name="rule_is_of_one"),
        CheckConstraint(f"policy IN {tuple(map(str, Policy))}", name="rule_policy_is_known"),
        CheckConstraint(
            f"policy <> 'block' OR (person_number IS NULL AND coalesce(channel, '') <> "
            f"'{LOOK_ALIKE_CHANNEL}')",
            name="rule_blocks_copies_only",
        ),
        {"sqlite_autoincrement": True},  # a number in a result means one rule for ever
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    work_number: Mapped[int | None] = mapped_column(ForeignKey("works.number", ondelete="CASCADE"))
    person_number: Mapped[int | None] = mapped_column(
        ForeignKey("people.number", ondelete="CASCADE")
    )
    policy: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str | None] = mapped_column(_Channel)
    min_seconds: Mapped[float | None]
    min_share_upload: Mapped[float | None]
    min_share_reference: Mapped[float | None]
    min_score: Mapped[float | None]
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ExclusionRow(Base):
    """Seconds of a work that its owner claims nothing for."""

    __tablename__ = "exclusions"
    __table_args__ = (
        CheckConstraint("start_s >= 0 AND start_s < end_s", name="exclusion_has_length"),
        {"sqlite_autoincrement": True},  # a number in a result means one exclusion for ever
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    work_number: Mapped[int] = mapped_column(ForeignKey("works.number", ondelete="CASCADE"))
    # "start" and "end" are words of SQL.
    start: Mapped[float] = mapped_column("start_s")
    end: Mapped[float] = mapped_column("end_s")
    why: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ErasedRow(Base):
    """That somebody was removed, and how to recognise what should be gone; not who it was."""

    __tablename__ = "erased"

    person_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Of all that was sealed for this person, one after the other, every bit turned round: a
    # search for what is left must not find this very list.
    nonces: Mapped[bytes] = mapped_column(LargeBinary)
