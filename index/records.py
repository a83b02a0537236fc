"""What the catalogue tells: plain values, checked where they enter."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from index.errors import InvalidWorkError

_CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
STAGED_SUFFIX = "+next"  # which no channel's own name can have
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Policy(StrEnum):
    """What an owner wants done with an upload that holds their work, strongest first."""

    BLOCK = "block"
    REVIEW = "review"
    MONITOR = "monitor"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWork:
    """A protected film, episode or clip, as it is to be enrolled.

    Attributes
    ----------
    id
        What people call it by, and what is written as ``ref_id``; see `check_id`.
    title, owner
        For people to read; the owner may be unknown.
    policy
        What the owner wants done; a plain string is converted.
    source
        Path or URL it was read from.
    digest
        SHA-256 of that file, 64 hexadecimal digits.
    duration
        Seconds.
    frames_sampled, frames_uniform
        How many frames were looked at, and how many of these showed nothing and were left out.

    Raises
    ------
    InvalidWorkError
        One of these is not what it should be; the message says which.
    """

    id: str
    title: str
    owner: str | None
    policy: Policy
    source: str
    digest: str
    duration: float
    frames_sampled: int
    frames_uniform: int

    def __post_init__(self) -> None:
        check_id(self.id)
        try:
            object.__setattr__(self, "policy", Policy(self.policy))
        except ValueError as error:
            raise InvalidWorkError(
                f"policy {str(self.policy)!r} is none of {', '.join(Policy)}"
            ) from error
        check_digest(self.digest)
        if not (math.isfinite(self.duration) and self.duration >= 0):
            raise InvalidWorkError(f"a duration of {self.duration} s is not possible")
        if not 0 <= self.frames_uniform <= self.frames_sampled:
            raise InvalidWorkError(
                f"{self.frames_uniform} uniform frames of {self.frames_sampled} sampled"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(NewWork):
    """An enrolled work.

    Attributes
    ----------
    number
        Its number in vector ids; never given to another work, even after it is removed.
    added_at
        When it was enrolled, in UTC.
    """

    number: int
    added_at: datetime


@dataclass(frozen=True, slots=True)
class NewEmbeddingsFile:
    """Where one channel's embeddings of a work are."""

    channel: str
    space: str  # descriptor's name and digest: "sscd-distilled@240436cc531e"
    file: str  # relative to the index's home
    digest: str  # SHA-256 of the file
    count: int  # vectors in it
    dim: int  # width of these


@dataclass(frozen=True, slots=True)
class EmbeddingsFile(NewEmbeddingsFile):
    """Where one channel's embeddings of an enrolled work are."""

    work_number: int


@dataclass(frozen=True, slots=True)
class BackgroundSource(NewEmbeddingsFile):
    """Footage that is ordinary to the user, and where one channel's embeddings of it are.

    Attributes
    ----------
    number
        What it is called by; never given to another, even after it is removed.
    source
        Path or URL it was read from.
    source_digest
        SHA-256 of what was read there.
    added_at
        In UTC.
    """

    number: int
    source: str
    source_digest: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class IndexFile:
    """The FAISS file of one channel."""

    channel: str
    space: str
    file: str  # relative to the index's home
    digest: str  # SHA-256 of the file
    content: str  # SHA-256 that stands for the embeddings it was built from


def check_id(work_id: str) -> None:
    """Refuse ids that would break a CSV line, a URL or a file name.

    Raises
    ------
    InvalidWorkError
        The id is not 1 to 128 printable characters without slashes and backslashes, begins or
        ends with a space, or is ``.`` or ``..``.
    """
    if (
        not 1 <= len(work_id) <= 128
        or not work_id.isprintable()
        or work_id != work_id.strip()
        or "/" in work_id
        or "\\" in work_id
        or work_id in {".", ".."}
    ):
        raise InvalidWorkError(
            f"{work_id!r} cannot be an id: give one of 1 to 128 printable characters, without "
            "slashes or backslashes, with --id"
        )


def check_digest(digest: str) -> None:
    """Refuse what is not a SHA-256 in 64 hexadecimal digits, lower case."""
    if not _SHA256.fullmatch(digest):
        raise InvalidWorkError(f"{digest!r} is not a SHA-256 digest in hexadecimal")


def check_channel(channel: str) -> None:
    """Refuse names of channels that cannot be part of a file name."""
    if not _CHANNEL.fullmatch(channel):
        raise InvalidWorkError(
            f"{channel!r} cannot be a channel: up to 32 lower-case letters, digits, - and _"
        )


def staged_name(channel: str) -> str:
    """Name what is described anew for a channel, and is not searched yet; see `index.restaging`."""
    return channel + STAGED_SUFFIX
