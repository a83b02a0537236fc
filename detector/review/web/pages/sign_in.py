"""To sign in, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from detector.review.errors import InvalidError, TooManyAttemptsError
from detector.review.web.access import desk
from detector.review.web.pages.inputs import Password
from detector.review.web.pages.rendering import Said, go, page, status_of
from detector.review.web.security import begin_session, end_session, local_path, visitor

router = APIRouter(include_in_schema=False)

_SAID = {
    "out": Said("You are signed out."),
    "password": Said("The password is changed, and all sessions have ended: sign in with it."),
}
_WRONG = "The name or the password is wrong."


@router.get("/sign-in")
def show(request: Request, next: str = "/", said: str = "") -> Response:  # noqa: A002 -- its name in the address
    if visitor(request).actor is not None:
        return go(local_path(next))
    return page(request, "sign_in.html", None, next=local_path(next), name="", said=_SAID.get(said))


@router.post("/sign-in")
def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=64)],
    password: Password,
    next: Annotated[str, Form(max_length=4000)] = "/",  # noqa: A002 -- as above
) -> Response:
    """Begin a session; one that this browser had before ends."""
    accounts = desk(request).accounts
    # The connection's own address: a header may say anything.
    address = "" if request.client is None else request.client.host
    name, path = name.strip(), local_path(next)
    try:
        session = accounts.sign_in(name, password, address)
    except (InvalidError, TooManyAttemptsError) as error:
        problem = _WRONG if isinstance(error, InvalidError) else str(error)
        response = page(
            request,
            "sign_in.html",
            None,
            status=status_of(error),
            problem=problem,
            next=path,
            name=name,
        )
        if isinstance(error, TooManyAttemptsError):
            response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    if visitor(request).token:
        accounts.sign_out(visitor(request).token)
    sent_on = go(path)
    begin_session(request, sent_on, session.token)
    return sent_on


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session."""
    desk(request).accounts.sign_out(visitor(request).token)
    response = go("/sign-in?said=out")
    end_session(request, response)
    return response
