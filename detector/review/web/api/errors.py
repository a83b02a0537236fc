"""The one shape in which the API says that something is not done.

``{"error": {"code": "conflict", "message": "somebody else has it"}}``, with ``problems`` where
there are several, whatever refused it: the desk, the catalogue, the reading of the request, or the
server itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails

from detector.review.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    ReviewError,
    TooManyAttemptsError,
)
from detector.text import encodable
from index.errors import (
    AlreadyEnrolledError,
    IdTakenError,
    IndexBusyError,
    InvalidPersonError,
    InvalidRightsError,
    InvalidWorkError,
    PersonIdTakenError,
    ReferenceIndexError,
    UnknownPersonError,
    UnknownRightsError,
    UnknownWorkError,
)

INVALID = "invalid"

_CODES: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.UNAUTHORIZED: "sign_in_needed",
    HTTPStatus.FORBIDDEN: "not_allowed",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "range_not_satisfiable",
    HTTPStatus.UNPROCESSABLE_ENTITY: INVALID,
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_attempts",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.INSUFFICIENT_STORAGE: "no_room",
}
_STATUSES: Mapping[type[Exception], HTTPStatus] = {
    NotAllowedError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    InvalidError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManyAttemptsError: HTTPStatus.TOO_MANY_REQUESTS,
    ReviewError: HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownWorkError: HTTPStatus.NOT_FOUND,
    UnknownPersonError: HTTPStatus.NOT_FOUND,
    UnknownRightsError: HTTPStatus.NOT_FOUND,
    AlreadyEnrolledError: HTTPStatus.CONFLICT,
    IdTakenError: HTTPStatus.CONFLICT,
    PersonIdTakenError: HTTPStatus.CONFLICT,
    InvalidWorkError: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidPersonError: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidRightsError: HTTPStatus.UNPROCESSABLE_ENTITY,
    IndexBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    ReferenceIndexError: HTTPStatus.SERVICE_UNAVAILABLE,
}  # those that are more special come first


class Problem(BaseModel):
    """One thing that is wrong."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    where: str | None
    """Field of the request (`body.reason`) or element of the notice; null: none in particular."""
    message: str


class Refusal(BaseModel):
    """What is not done, and why."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: str
    """For programs; it goes with the status."""
    message: str
    """For people: what is wrong, and what to do about it."""
    problems: list[Problem] = []
    """One by one, where there are several."""


class ErrorBody(BaseModel):
    """What every response holds whose status is 400 or more."""

    error: Refusal


def error_response(
    status: int,
    code: str,
    message: str,
    problems: Iterable[object] = (),
    *,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response that refuses something.

    Parameters
    ----------
    problems
        `Problem`, or what an `InvalidError` lists.
    """
    listed = [_problem(one) for one in problems]
    body = ErrorBody(error=Refusal(code=code, message=encodable(message), problems=listed))
    values = body.model_dump(mode="json", exclude_defaults=True)
    sent = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        sent.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(values, status, sent)


def refusal(error: ReviewError | ReferenceIndexError) -> JSONResponse:
    """Return the response to what the desk or the catalogue refused."""
    status = status_of(error)
    problems = error.problems if isinstance(error, InvalidError) else ()
    headers = {}
    if isinstance(error, TooManyAttemptsError):
        headers["Retry-After"] = str(error.retry_after_s)
    return error_response(status, code_of(error), str(error), problems, headers=headers)


def invalid_request(error: RequestValidationError) -> JSONResponse:
    """Return the response to a request that cannot be read; it repeats nothing that was sent."""
    problems = [Problem(where=_place(one), message=one["msg"]) for one in error.errors()]
    said = "; ".join(f"{one.where}: {one.message}" for one in problems[:3])
    return error_response(
        HTTPStatus.UNPROCESSABLE_ENTITY, INVALID, f"the request cannot be taken: {said}", problems
    )


def status_of(error: ReviewError | ReferenceIndexError) -> int:
    """Return the HTTP status that goes with an error."""
    found = (status for kind, status in _STATUSES.items() if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def code_of(error: ReviewError | ReferenceIndexError) -> str:
    """Return the code that goes with an error."""
    return code_of_status(status_of(error))


def code_of_status(status: int) -> str:
    """Return the code that goes with an HTTP status."""
    usual = "internal_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
    return _CODES.get(status, usual)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what an operation's documentation says of the errors that it may answer with."""
    return {
        int(status): {"model": ErrorBody, "description": HTTPStatus(status).phrase}
        for status in statuses
    }


def _problem(one: object) -> Problem:
    if isinstance(one, Problem):
        return one
    where = getattr(one, "element", None)
    return Problem(
        where=None if where is None else str(where),
        message=encodable(str(getattr(one, "message", one))),
    )


def _place(one: ErrorDetails) -> str:
    return ".".join(encodable(str(part)) for part in one["loc"])
