"""What the desk refuses, by name; every message says what to do about it."""

from __future__ import annotations

from typing import Any


class ReviewError(Exception):
    """Anything the desk refuses or cannot do."""


class NotAllowedError(ReviewError):
    """The account may not do that, or a second person has to."""


class NotFoundError(ReviewError, LookupError):
    """There is no such case, notice, account ..."""


class ConflictError(ReviewError):
    """Somebody else has it, or it is not in a state in which that can be done."""


class InvalidError(ReviewError, ValueError):
    """What was given cannot be taken.

    Attributes
    ----------
    problems
        One by one, where there are several; for a notice see `detector.review.notices`.
    """

    def __init__(self, message: str, problems: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class TooManyAttemptsError(ReviewError):
    """Somebody failed to sign in too often.

    Attributes
    ----------
    retry_after_s
        Seconds after which it can be tried again.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DatabaseError(ReviewError):
    """The desk's database cannot be opened or brought up to date."""
