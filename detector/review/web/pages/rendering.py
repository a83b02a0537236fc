"""How a page is made: its template, and what every page has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from detector.output import faces_in_words
from detector.review.errors import ReviewError
from detector.review.evidence import NoEvidenceError
from detector.review.records import Actor, Role
from detector.review.web.access import (
    Admin,
    Approver,
    Reviewer,
    Signed,
    desk,
    engine,
    jobs,
    settings,
)
from detector.review.web.api.errors import status_of as status_of_refusal
from detector.review.web.pages import words
from detector.review.web.security import csrf_token
from detector.text import amount, clock, visible
from index.errors import ReferenceIndexError

__all__ = [
    "STATIC",
    "Admin",
    "Approver",
    "Reviewer",
    "Said",
    "Signed",
    "desk",
    "engine",
    "environment",
    "error_page",
    "go",
    "jobs",
    "page",
    "part",
    "settings",
    "status_of",
]

STATIC = Path(__file__).parent.parent / "static"
"""The folder that is served as /static."""

_PLACES = (
    ("/", "Queue", Role.VIEWER),
    ("/query", "Query", Role.REVIEWER),
    ("/library", "Library", Role.VIEWER),
    ("/notices", "Notices", Role.VIEWER),
    ("/audit", "Audit", Role.APPROVER),
    ("/accounts", "Accounts", Role.ADMIN),
)

_TITLES: Mapping[int, str] = MappingProxyType(
    {
        HTTPStatus.FORBIDDEN: "Not allowed",
        HTTPStatus.NOT_FOUND: "Not found",
        HTTPStatus.METHOD_NOT_ALLOWED: "Not possible",
        HTTPStatus.CONFLICT: "Not possible now",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
        HTTPStatus.UNPROCESSABLE_ENTITY: "Not possible",
        HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong",
        HTTPStatus.SERVICE_UNAVAILABLE: "Not possible just now",
    }
)


@dataclass(frozen=True, slots=True)
class Said:
    """What was done just now, and the case whose decision can be taken back."""

    text: str
    undo: int | None = None


def page(
    request: Request,
    template: str,
    actor: Actor | None,
    *,
    status: int = HTTPStatus.OK,
    problem: str | None = None,
    said: Said | None = None,
    kept: str = "",
    **values: Any,
) -> HTMLResponse:
    """Make a page.

    Parameters
    ----------
    actor
        Who sees it; None before anybody signed in.
    problem
        What was asked for and could not be done, for a person to read.
    said
        What was done.
    kept
        The query part that goes along from page to page, see `Wanted.address`.
    """
    shared = {
        "actor": actor,
        "csrf_token": csrf_token(request),
        "places": _places(actor),
        "place": _place(request.url.path),
        "problem": problem,
        "said": said,
        "kept": kept,
        "can_review": actor is not None and actor.role.may(Role.REVIEWER),
        "can_approve": actor is not None and actor.role.may(Role.APPROVER),
    }
    text = environment().get_template(template).render(shared | values)
    return HTMLResponse(text, status_code=status)


def part(template: str, **values: Any) -> HTMLResponse:
    """Make a part that a page's script puts in its place."""
    return HTMLResponse(environment().get_template(template).render(values))


def error_page(
    request: Request, actor: Actor | None, status: int, message: str, title: str | None = None
) -> HTMLResponse:
    """Make the page that says what is wrong."""
    title = title or _TITLES.get(status) or HTTPStatus(status).phrase
    return page(request, "error.html", actor, status=status, title=title, message=message)


def go(path: str) -> RedirectResponse:
    """Send the browser on after a form."""
    return RedirectResponse(path, status_code=HTTPStatus.SEE_OTHER)


def status_of(error: Exception) -> int:
    """Return the HTTP status that goes with an error that says what to do about it."""
    if isinstance(error, ReviewError | ReferenceIndexError):
        return status_of_refusal(error)
    if isinstance(error, NoEvidenceError):
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.UNPROCESSABLE_ENTITY


@cache
def environment() -> jinja2.Environment:
    """Return what all templates share; the report's are there for what is drawn alike."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PackageLoader("detector.review.web"),
                jinja2.PackageLoader("detector"),
            ]
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters |= {"clock": clock, "amount": amount, "visible": visible}
    made.filters["faces_in_words"] = faces_in_words
    for name in (
        "ago",
        "all_edits",
        "capital",
        "event_in_words",
        "hour",
        "in_words",
        "is_faster",
        "moment",
        "shorten",
        "view",
        "views",
        "visible_lines",
    ):
        made.filters[name] = getattr(words, name)
    made.globals["static"] = _address
    return made


@cache
def _address(name: str) -> str:
    """Return the address of a file that may be kept by the browser until it changes."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:8]}"


def _places(actor: Actor | None) -> list[tuple[str, str]]:
    if actor is None:
        return []
    return [(href, name) for href, name, least in _PLACES if actor.role.may(least)]


def _place(path: str) -> str:
    """Return which of the places a page belongs to."""
    first = path.split("/")[1]
    return "/" if first in {"", "cases"} else f"/{first}"
