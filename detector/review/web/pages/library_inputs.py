"""What the library's pages have in common: the library itself, and what comes in with its forms."""

from __future__ import annotations

import math
import re
from datetime import date
from typing import Annotated

from fastapi import Form, Path, Request
from pydantic import BeforeValidator

from detector.review.errors import InvalidError
from detector.review.library import Library
from detector.review.web.access import desk, engine
from detector.review.web.pages.inputs import storable
from detector.review.web.pages.rendering import Said
from index.records import Policy

_Storable = BeforeValidator(storable)

WorkId = Annotated[str, _Storable, Path(min_length=1, max_length=128)]
PersonId = Annotated[str, _Storable, Path(min_length=1, max_length=128)]
Line = Annotated[str, _Storable, Form(max_length=1000)]
"""A title, a name; how long it may be is the library's to say, in words."""

_TIME = re.compile(r"(\d{1,9}:){0,2}\d{1,9}([.,]\d{1,6})?", re.ASCII)
_SAID = {
    "added": "Added: uploads are compared with it from now on.",
    "edited": "Changed.",
    "removed": "Removed.",
    "cast": "The cast is changed.",
    "licence": "The licence is written down.",
    "rule": "The rule is written down.",
    "exclusion": "These seconds do not count any more.",
}


def library(request: Request) -> Library:
    return Library(engine(request), desk(request))


def said(code: str) -> Said | None:
    """Return the sentence for what was done before a page was opened."""
    text = _SAID.get(code)
    return None if text is None else Said(text)


def day_of(text: str, what: str) -> date | None:
    """Read a day as a form has it; None if it is empty."""
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidError(f"{what}: give a day as YYYY-MM-DD") from error


def number_of(text: str, what: str) -> float | None:
    """Read a number as a form has it; None if it is empty."""
    if not text.strip():
        return None
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError as error:
        raise InvalidError(f"{what}: give a number") from error
    if not math.isfinite(number):
        raise InvalidError(f"{what}: give a number")
    return number


def share_of(text: str, what: str) -> float | None:
    """Read per cent as a form has them, as a share; None if it is empty."""
    number = number_of(text, what)
    return None if number is None else number / 100


def seconds_of(text: str, what: str) -> float:
    """Read a time as a player shows it, or seconds: ``1:02:03.5``, ``83``.

    >>> seconds_of("1:02:03.5", "start"), seconds_of("0:05", "start"), seconds_of("83", "start")
    (3723.5, 5.0, 83.0)
    """
    if not _TIME.fullmatch(text.strip()):
        raise InvalidError(f"{what}: give a time as 1:02:03 or in seconds")
    seconds = 0.0
    for part in text.strip().replace(",", ".").split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def policy_of(text: str) -> Policy:
    """Read what is wanted done as a form has it."""
    try:
        return Policy(text)
    except ValueError as error:
        raise InvalidError(f"choose what is to be done: {', '.join(Policy)}") from error


def listed(text: str) -> list[str]:
    """Return what stands in a field one after the other, between commas or blanks."""
    return [one for one in re.split(r"[\s,;]+", text) if one]
