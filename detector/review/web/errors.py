"""Errors as browsers and programs get them: a page, or the API's shape; never a trace of code."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from detector.assets import AssetError
from detector.descriptors import DescriptorUnavailableError
from detector.inputs import InputError
from detector.media import UnreadableMediaError
from detector.people import NoFaceError
from detector.review.errors import ReviewError, TooManyAttemptsError
from detector.review.evidence import NoEvidenceError
from detector.review.web.api.errors import (
    code_of_status,
    error_response,
    invalid_request,
    refusal,
)
from detector.review.web.headers import protect
from detector.review.web.pages.rendering import error_page, status_of
from detector.review.web.security import (
    SAFE_METHODS,
    SignInNeeded,
    is_api,
    local_path,
    visitor,
)
from index.errors import ReferenceIndexError

_LOG = logging.getLogger("matchcut.desk")

# Their texts are for the person who asked; all other errors are faults of the desk.
_KNOWN = (
    ReviewError,
    ReferenceIndexError,
    AssetError,
    DescriptorUnavailableError,
    InputError,
    NoEvidenceError,
    NoFaceError,
    UnreadableMediaError,
)
_IN_WORDS = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Nothing can be done in this way at this address.",
    HTTPStatus.BAD_REQUEST: "What the browser sent cannot be read.",
}
_FAULT = "Something went wrong in the desk, and nothing was changed. It is in the desk's log."
_NO_DATABASE = "The desk's database cannot be reached just now: try again."


def install(app: FastAPI) -> None:
    """Let an application answer to every error."""
    for kind in (*_KNOWN, SignInNeeded, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(OperationalError, _no_database)
    app.add_exception_handler(InterfaceError, _no_database)
    app.add_exception_handler(Exception, _fault)


def answer(request: Request, error: Exception) -> Response:
    """Say what is wrong, to whoever asked."""
    if isinstance(error, SignInNeeded):
        return _sign_in(request)
    if isinstance(error, HTTPException):
        message = _IN_WORDS.get(HTTPStatus(error.status_code), str(error.detail))
        return said(request, error.status_code, message, error.headers)
    if isinstance(error, RequestValidationError):
        if wants_json(request):
            return invalid_request(error)
        return said(request, HTTPStatus.UNPROCESSABLE_ENTITY, _what_is_invalid(error))
    if isinstance(error, ReviewError | ReferenceIndexError) and wants_json(request):
        return refusal(error)
    headers = {}
    if isinstance(error, TooManyAttemptsError):
        headers["Retry-After"] = str(error.retry_after_s)
    return said(request, status_of(error), str(error), headers)


def said(
    request: Request, status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Make a page, or the API's answer, that says what is wrong."""
    if wants_json(request):
        return error_response(status, code_of_status(status), message, headers=headers)
    response = error_page(request, visitor(request).actor, status, message)
    response.headers.update(headers or {})
    return response


def wants_json(request: Request) -> bool:
    """Whether a script or a program asks, rather than somebody who reads the answer."""
    return is_api(request) or request.headers.get("accept", "").startswith("application/json")


def _sign_in(request: Request) -> Response:
    # What a page fetches for a part of itself is not to become the sign-in page.
    is_part = request.headers.get("sec-fetch-dest", "document") not in {"document", "iframe"}
    if wants_json(request) or is_part:
        return error_response(
            HTTPStatus.UNAUTHORIZED,
            code_of_status(HTTPStatus.UNAUTHORIZED),
            "nobody is signed in: sign in, or send a token as `Authorization: Bearer TOKEN`",
        )
    path = local_path(_wanted_page(request))
    address = "/sign-in" if path == "/" else f"/sign-in?next={quote(path, safe='')}"
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


def _wanted_page(request: Request) -> str:
    """Return the page that somebody was at, or wanted."""
    address = urlsplit(str(request.url))
    if request.method not in SAFE_METHODS:
        address = urlsplit(request.headers.get("referer", ""))
        if address.netloc != request.headers.get("host"):
            return "/"
    return address.path + (f"?{address.query}" if address.query else "")


def _what_is_invalid(error: RequestValidationError) -> str:
    """Say what cannot be taken, without a word of what was sent."""
    told = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()[:3]]
    return f"This cannot be taken. {'; '.join(told)}."


def _no_database(request: Request, error: Exception) -> Response:
    _LOG.error("the database cannot be reached: %s", error)
    return said(request, HTTPStatus.SERVICE_UNAVAILABLE, _NO_DATABASE)


def _fault(request: Request, error: Exception) -> Response:
    # The server logs the error itself, which is raised again after this.
    del error
    response = said(request, HTTPStatus.INTERNAL_SERVER_ERROR, _FAULT)
    # This answer is made outside of the gate.
    protect(request.scope, response.headers, secure=bool(request.app.state.secure))
    return response
