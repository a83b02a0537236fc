"""What the catalogue tells about rights: plain values, checked where they enter.

Works are matched in the channels ``copy`` and ``semantic`` (look-alikes), people in ``face``; their
licences and rules speak of these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from index.errors import InvalidRightsError
from index.person_records import LIKENESS_POLICIES
from index.records import Policy
from index.territories import territory

LOOK_ALIKE_CHANNEL = "semantic"


class Kind(StrEnum):
    """What has rights."""

    WORK = "work"
    PERSON = "person"


CHANNELS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {Kind.WORK: ("copy", LOOK_ALIKE_CHANNEL), Kind.PERSON: ("face",)}
)
"""What works and people are matched in, and can be licensed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLicence:
    """What an owner allows somebody, as it is to be written down.

    Attributes
    ----------
    kind, ref_id
        Of what: id of a work or a person.
    licensee
        Account name of the uploader who may, exactly as the platform writes it, without spaces
        around it; None: anybody.
    channels
        What they may do, of `CHANNELS`; all of these if none is given.
    territories
        Where: countries by ISO 3166-1 alpha-2, sorted; none: the whole world.
    starts, ends
        First and last day; None: since ever, for ever.
    document
        Where it is written: number of a contract, name of a file.

    Raises
    ------
    InvalidRightsError
        One of these is not what it should be; the message says which.
    """

    kind: Kind
    ref_id: str
    document: str
    licensee: str | None = None
    channels: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    starts: date | None = None
    ends: date | None = None

    def __post_init__(self) -> None:
        _check_kind(self)
        possible = CHANNELS[self.kind]
        for channel in self.channels:
            if channel not in possible:
                raise InvalidRightsError(
                    f"a {self.kind} cannot be licensed for {channel!r}, only for "
                    f"{' and '.join(possible)}"
                )
        wanted = self.channels or possible
        object.__setattr__(self, "channels", tuple(c for c in possible if c in wanted))
        countries = sorted({territory(code) for code in self.territories})
        object.__setattr__(self, "territories", tuple(countries))
        object.__setattr__(self, "document", self.document.strip())
        if not self.document:
            raise InvalidRightsError(
                "a licence needs a document: say in which contract, letter or file it is written"
            )
        if self.licensee is not None:
            object.__setattr__(self, "licensee", self.licensee.strip())
            if not self.licensee:
                raise InvalidRightsError(
                    "a licensee without a name would be nobody: give one, or none for any uploader"
                )
        if self.starts is not None and self.ends is not None and self.ends < self.starts:
            raise InvalidRightsError(
                f"a licence from {self.starts} until {self.ends} would be over before it begins"
            )

    def has_begun(self, today: date) -> bool:
        """Whether its first day has come."""
        return self.starts is None or self.starts <= today

    def has_ended(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.ends is not None and self.ends < today


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence(NewLicence):
    """A licence in the catalogue.

    Attributes
    ----------
    number
        Never given to another licence, even after it is removed.
    added_at
        In UTC.
    """

    number: int
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRule:
    """What is wanted done where some conditions hold, as it is to be written down.

    Of a work's or a person's rules the first that holds decides; if none does, their own policy.

    Attributes
    ----------
    kind, ref_id
        Whose: id of a work or a person.
    policy
        What is wanted done; block not for people and not for look-alikes.
    channel
        Only for matches in this channel; None: in any.
    min_seconds
        Only if at least so many seconds of the upload match.
    min_share_upload, min_share_reference
        Only if at least this share of the upload, or of the work, matches: in [0, 1].
    min_score
        Only if the match is at least as sure: in [0, 1].

    Raises
    ------
    InvalidRightsError
        One of these is not what it should be; the message says which.
    """

    kind: Kind
    ref_id: str
    policy: Policy
    channel: str | None = None
    min_seconds: float | None = None
    min_share_upload: float | None = None
    min_share_reference: float | None = None
    min_score: float | None = None

    def __post_init__(self) -> None:
        _check_kind(self)
        try:
            object.__setattr__(self, "policy", Policy(self.policy))
        except ValueError as error:
            raise InvalidRightsError(
                f"policy {str(self.policy)!r} is none of {', '.join(Policy)}"
            ) from error
        if self.kind is Kind.PERSON and self.policy not in LIKENESS_POLICIES:
            raise InvalidRightsError(
                f"policy {self.policy} is not for people, since a likeness alone never leads to an "
                f"automatic action: give one of {', '.join(LIKENESS_POLICIES)}"
            )
        if self.channel is not None and self.channel not in CHANNELS[self.kind]:
            raise InvalidRightsError(
                f"a {self.kind} is not matched in channel {self.channel!r}, only in "
                f"{' and '.join(CHANNELS[self.kind])}"
            )
        if self.channel == LOOK_ALIKE_CHANNEL and self.policy is Policy.BLOCK:
            raise InvalidRightsError(
                "look-alikes alone are never blocked: give the policy review, or channel copy"
            )
        if self.kind is Kind.PERSON and self.min_share_reference is not None:
            raise InvalidRightsError(
                "a person has no length of which a share could match: give seconds, or a share of "
                "the upload"
            )
        if self.min_seconds is not None and not 0 <= self.min_seconds < math.inf:
            raise InvalidRightsError(f"{self.min_seconds} s cannot be asked for: give 0 or more")
        for name in ("min_share_upload", "min_share_reference", "min_score"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InvalidRightsError(
                    f"{name} {value} is not possible: give a number from 0 to 1"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(NewRule):
    """A rule in the catalogue.

    Attributes
    ----------
    number
        Never given to another rule, even after it is removed; lower numbers are tried first.
    added_at
        In UTC.
    """

    number: int
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExclusion:
    """Seconds of a work that its owner claims nothing for: stock footage, idents, inserts.

    Attributes
    ----------
    work_id
        Id of the work.
    start, end
        Seconds of the work.
    why
        For people to read.

    Raises
    ------
    InvalidRightsError
        One of these is not what it should be; the message says which.
    """

    work_id: str
    start: float
    end: float
    why: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end < math.inf:
            raise InvalidRightsError(
                f"from {self.start} s to {self.end} s is no part of a work: give a start from 0 on "
                "and an end after it"
            )
        if not self.why.strip():
            raise InvalidRightsError(
                "an exclusion needs a reason: say what the footage is and whose"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion(NewExclusion):
    """An exclusion in the catalogue.

    Attributes
    ----------
    number
        Never given to another exclusion, even after it is removed.
    added_at
        In UTC.
    """

    number: int
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Rights:
    """All rights of one work or person, each kind in order of number."""

    licences: tuple[Licence, ...] = ()
    rules: tuple[Rule, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()  # none of a person


def _check_kind(record: NewLicence | NewRule) -> None:
    try:
        object.__setattr__(record, "kind", Kind(record.kind))
    except ValueError as error:
        raise InvalidRightsError(
            f"{str(record.kind)!r} has no rights, only {' and '.join(Kind)} have"
        ) from error
