"""What the catalogue tells about people: plain values, checked where they enter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from index.errors import InvalidPersonError, InvalidWorkError
from index.records import Policy, check_digest, check_id
from index.vectors import unit_vectors

LIKENESS_POLICIES = (Policy.REVIEW, Policy.MONITOR, Policy.ALLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """Somebody with a protected likeness, as they are to be enrolled.

    Attributes
    ----------
    id
        What they are called by, and what is written as ``ref_id``; see `index.records.check_id`.
    name
        For people to read.
    authority
        Who allows that this person's face is processed, and by what: a contract, a consent.
    retain_until
        The last day on which they may be matched.
    policy
        What they want done, of `LIKENESS_POLICIES`; a plain string is converted.

    Raises
    ------
    InvalidPersonError
        One of these is not what it should be; the message says which.
    """

    id: str
    name: str
    authority: str
    retain_until: date
    policy: Policy

    def __post_init__(self) -> None:
        try:
            check_id(self.id)
        except InvalidWorkError as error:
            raise InvalidPersonError(str(error)) from error
        if not self.name.strip():
            raise InvalidPersonError(f"person {self.id!r} needs a name")
        if not self.authority.strip():
            raise InvalidPersonError(
                f"person {self.id!r} needs an authority: say who allows that their face is "
                "processed"
            )
        if not isinstance(self.retain_until, date) or isinstance(self.retain_until, datetime):
            raise InvalidPersonError(
                f"person {self.id!r} is kept until a day, not until {self.retain_until!r}"
            )
        try:
            object.__setattr__(self, "policy", Policy(self.policy))
        except ValueError as error:
            raise InvalidPersonError(
                f"policy {str(self.policy)!r} is none of {', '.join(LIKENESS_POLICIES)}"
            ) from error
        if self.policy not in LIKENESS_POLICIES:
            raise InvalidPersonError(
                f"policy {str(self.policy)!r} is not for people, since a likeness alone never "
                f"leads to an automatic action: give one of {', '.join(LIKENESS_POLICIES)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Person(NewPerson):
    """An enrolled person.

    Attributes
    ----------
    number
        Never given to another person, even after they are removed.
    added_at
        When they were enrolled, in UTC.
    faces
        How many reference faces they have.
    """

    number: int
    added_at: datetime
    faces: int

    def is_expired(self, today: date) -> bool:
        """Whether the last day on which they may be matched is over."""
        return today > self.retain_until


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceFace:
    """One face by which a person is found.

    Attributes
    ----------
    vector
        float32 [dim], of length 1; read-only.
    crop
        The face as a small JPEG file.
    source
        Path or URL of the photo or footage it was read from.
    source_digest
        SHA-256 of that file, 64 hexadecimal digits.
    time
        Seconds from its beginning; None for a photo.

    Raises
    ------
    InvalidPersonError
        One of these is not what it should be; the message says which.
    """

    vector: NDArray[np.float32]
    crop: bytes
    source: str
    source_digest: str
    time: float | None = None

    def __post_init__(self) -> None:
        try:
            vector = unit_vectors(np.asarray(self.vector)[np.newaxis])[0].copy()
            check_digest(self.source_digest)
        except ValueError as error:
            raise InvalidPersonError(f"a face of {self.source}: {error}") from error
        if not self.crop:
            raise InvalidPersonError(f"a face of {self.source} has no picture")
        if self.time is not None and not math.isfinite(self.time):
            raise InvalidPersonError(f"a face of {self.source} at {self.time} s is not possible")
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)

    @property
    def dim(self) -> int:
        """Width of the vector."""
        return len(self.vector)


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """All faces that may be matched today.

    Attributes
    ----------
    space
        What the vectors were made with; None if there are none.
    people
        Whose faces these are, by number.
    vectors
        float32 [n, dim], each of length 1; read-only. [0, 0] if there are none.
    rows
        int64 [n], index into `people` of each vector, ascending; read-only.
    numbers
        int64 [n], number of each face within its person, from 1; read-only.
    """

    space: str | None
    people: tuple[Person, ...]
    vectors: NDArray[np.float32]
    rows: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def __post_init__(self) -> None:
        for array in (self.vectors, self.rows, self.numbers):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.rows)
