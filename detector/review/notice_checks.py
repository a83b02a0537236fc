"""What is wrong with a notice: element by element, before anybody signs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from detector.review.notice_elements import Element, elements
from detector.review.records import NoticeKind

_MOST_IN_LINE = 2000  # characters
_MOST_IN_TEXT = 20_000
_MOST_LINES = 1000
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_MOST_EMAIL = 254  # RFC 5321


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a notice cannot be signed yet."""

    element: str  # its name
    message: str  # what is wrong, and what to write


def problems(kind: NoticeKind, values: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Check the elements one by one; a notice with none of these may be signed.

    Parameters
    ----------
    values
        By name of the element.
    """
    found = ((one, _problem(one, values)) for one in elements(kind))
    return tuple(Problem(one.name, message) for one, message in found if message is not None)


def misfits(kind: NoticeKind, values: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Say what cannot even be kept in a draft: no such element, another type, far too long."""
    known = {one.name: one for one in elements(kind)}
    found = []
    for name, value in values.items():
        message = (
            _misfit(known[name], value)
            if name in known
            else f"{name!r} is none of the elements of this notice: leave it out"
        )
        if message is not None:
            found.append(Problem(name, message))
    return tuple(found)


def _problem(element: Element, values: Mapping[str, Any]) -> str | None:
    value = values.get(element.name)
    misfit = None if value is None else _misfit(element, value)
    if misfit is not None:
        return misfit
    if not is_given(element, value):
        is_asked = element.required or (
            element.asked_with is not None
            and values.get(element.asked_with[0]) == element.asked_with[1]
        )
        return element.missing if is_asked else None
    return _invalid(element, value)


def is_given(element: Element, value: Any) -> bool:
    """Whether an element says anything."""
    if element.kind == "check":
        return value is True
    if element.kind == "lines":
        return isinstance(value, list) and any(str(line).strip() for line in value)
    return isinstance(value, str) and bool(value.strip())


def _misfit(element: Element, value: Any) -> str | None:
    if element.kind == "check":
        return None if isinstance(value, bool) else f"{element.name}: say true or false"
    if element.kind == "lines":
        if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
            return f"{element.label}: give a list of lines"
        if len(value) > _MOST_LINES or any(len(line) > _MOST_IN_LINE for line in value):
            return (
                f"{element.label}: give at most {_MOST_LINES} lines of {_MOST_IN_LINE} characters"
            )
        return None
    if not isinstance(value, str):
        return f"{element.label}: give a text"
    most = _MOST_IN_TEXT if element.kind == "multiline" else _MOST_IN_LINE
    return None if len(value) <= most else f"{element.label}: give at most {most} characters"


def _invalid(element: Element, value: Any) -> str | None:
    """Say what is wrong with what is there and of the right type."""
    match element.kind:
        case "choice" if value in element.barring:
            return (
                f"{element.label} “{value}” is a reason not to send this notice: withdraw it, or "
                "look into it and answer again."
            )
        case "choice" if value not in element.choices:
            return f"{element.label} Choose one of the answers."
        case "email" if not _is_email(value.strip()):
            return f"{element.label}: this is no email address; write one like name@example.com."
        case "date":
            return _wrong_date(element, value)
        case "lines" if element.is_address:
            wrong = [line for line in value if line.strip() and not _is_web_address(line.strip())]
            if wrong:
                return (
                    f"{element.label}: “{wrong[0]}” is no exact address; write it in full, one on "
                    "each line, beginning with https:// or http://."
                )
        case "text" if len(value.strip().splitlines()) > 1:
            return f"{element.label}: write it in one line."
    return None


def _wrong_date(element: Element, value: str) -> str | None:
    try:
        day = date.fromisoformat(value.strip())
    except ValueError:
        return f"{element.label}: this is no date; write it as 2026-01-31."
    if day > datetime.now(UTC).date():
        return f"{element.label}: this day is yet to come; write when it was."
    return None


def _is_email(text: str) -> bool:
    is_one = _EMAIL.fullmatch(text) is not None
    return is_one and len(text) <= _MOST_EMAIL and text.isprintable()


def _is_web_address(line: str) -> bool:
    try:
        parts = urlsplit(line)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    is_exact = line.isprintable() and " " not in line  # the parts are without what would mislead
    return is_exact and parts.scheme in {"http", "https"} and bool(host)
