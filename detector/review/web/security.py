"""Who asks, and whether it was they who asked.

A browser is known by a cookie, a program by a token that it sends along; a token works for the API
and the metrics alone. A form that another site made a browser send is told by two things: where the
browser says that it comes from (before anything of it is read), and a secret of the session that
only the desk's own pages know.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from detector.review.accounts import demand
from detector.review.desk import Desk
from detector.review.errors import NotAllowedError
from detector.review.records import Actor, Role, Via

API, METRICS, SIGN_IN = "/api/", "/metrics", "/sign-in"
CSRF_FIELD, CSRF_HEADER = "csrf", "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# A browser takes a cookie of this prefix from the very host alone, over TLS, and for all paths.
_COOKIE, _SECURE_COOKIE = "matchcut", "__Host-matchcut"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_FORGED = "this was not sent from a page of the desk: open the page again, and try again"


class SignInNeeded(Exception):  # noqa: N818 -- nothing is wrong yet
    """Nobody is signed in, or not any more."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends a request."""

    actor: Actor | None = None  # None: nobody knows
    csrf: str = ""  # of the session
    token: str = ""  # of the session


def identify(request: Request) -> Visitor:
    """Look up who sends a request, by the token that is sent along or else by the cookie."""
    accounts = cast(Desk, request.app.state.desk).accounts
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme and is_api(request):
        # Who sends a token is not also taken for whom the cookie knows: see `is_forged`.
        account = accounts.by_token(secret.strip()) if scheme.lower() == "bearer" else None
        return Visitor(None if account is None else Actor.of(account, Via.API))
    token = request.cookies.get(_cookie(request), "")
    found = accounts.session(token) if token else None
    if found is None:
        return Visitor()
    account, session = found
    return Visitor(Actor.of(account, Via.WEB), session.csrf, token)


def visitor(request: Request) -> Visitor:
    """Return who sends a request, as the gate has found out."""
    return getattr(request.state, "visitor", None) or Visitor()


def current_actor(request: Request) -> Actor:
    """Return who is signed in; `SignInNeeded` if nobody is."""
    actor = visitor(request).actor
    if actor is None:
        raise SignInNeeded
    return actor


def require(least: Role) -> Callable[[Request], Actor]:
    """Make a dependency that lets in who has a role; others get `NotAllowedError`."""

    def signed_in(request: Request) -> Actor:
        actor = current_actor(request)
        demand(actor, least)
        return actor

    return signed_in


def is_api(request: Request) -> bool:
    """Whether an address is for programs."""
    return request.url.path.startswith(API) or request.url.path == METRICS


# --- forms that somebody else made ------------------------------------------------------------


def csrf_token(request: Request) -> str:
    """Return the session's secret, for the forms of its pages; "" before sign-in."""
    return visitor(request).csrf


def is_forged(request: Request) -> bool:
    """Whether a browser says that another site made it send this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = request.headers.get("origin")
    # Not the scheme: a server in front of the desk may speak TLS for it.
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


async def check_csrf(request: Request) -> None:
    """Refuse a change under a session that does not know the session's secret; a dependency.

    To sign in takes none: a page to do so may have been opened before the session began.
    """
    known = visitor(request)
    if request.method in SAFE_METHODS or not known.csrf or request.url.path == SIGN_IN:
        return
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.headers.get("content-type", "").lower().startswith(_FORMS):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if given is None or not hmac.compare_digest(given.encode(), known.csrf.encode()):
        raise NotAllowedError(_FORGED)


def refuse_forged(request: Request) -> None:
    """Refuse what another site made a browser send."""
    if request.method not in SAFE_METHODS and is_forged(request):
        raise NotAllowedError(_FORGED)


# --- the session's cookie ---------------------------------------------------------------------


def begin_session(request: Request, response: Response, token: str) -> None:
    """Let the browser keep a session until it is closed; `Accounts` ends it earlier."""
    response.set_cookie(
        _cookie(request), token, httponly=True, samesite="lax", secure=_is_secure(request)
    )


def end_session(request: Request, response: Response) -> None:
    """Let the browser forget the session."""
    response.delete_cookie(
        _cookie(request), httponly=True, samesite="lax", secure=_is_secure(request)
    )


def _cookie(request: Request) -> str:
    return _SECURE_COOKIE if _is_secure(request) else _COOKIE


def _is_secure(request: Request) -> bool:
    return bool(request.app.state.secure)


def local_path(path: str) -> str:
    """Return a path of the desk that somebody is to be sent to; "/" for anything else.

    >>> local_path("/cases/7?match=1"), local_path("//evil.example"), local_path("https://evil.example")
    ('/cases/7?match=1', '/', '/')
    """
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path
    # Browsers leave out what does not show: "/\t/host" is "//host" to them.
    return path if is_local and path.isprintable() and " " not in path else "/"
