"""The gate: what every request passes before anything else looks at it.

Whoever sends it is looked up here, and what strangers send is not read: a page or a program of
somebody who is not signed in can have nothing of the desk but the sign-in page.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from http import HTTPStatus

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.review.errors import NotAllowedError
from detector.review.records import Role
from detector.review.web.errors import answer, said
from detector.review.web.headers import protect
from detector.review.web.security import (
    SAFE_METHODS,
    SIGN_IN,
    SignInNeeded,
    Visitor,
    identify,
    refuse_forged,
)

ANY_ADDRESS = "*"  # as a host: whatever IP address is asked for; not names

MOST_OF_STRANGERS = 1 << 16  # bytes of a request: a name, a password, and where to go then
MOST_OF_FORMS = 1 << 21

_LOOPBACK_NAMES = frozenset({"localhost"})
_STATIC = "/static/"


class Gate:
    """Checks a request, and adds to its answer what `headers` says.

    - The ``Host`` must be one of the desk's: else a page of another site could have its own name
      lead to this machine, and read what it is not meant to (DNS rebinding).
    - What changes something must come from the desk's own pages, or with a token.
    - A request may be as large as who sends it needs: files are for reviewers.

    Parameters
    ----------
    hosts
        Names and addresses that the desk goes by, besides loopback's; `ANY_ADDRESS`.
    most_of_files
        Bytes of a form with files.
    secure
        Whether the desk is served with TLS.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], most_of_files: int, *, secure: bool
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._most_of_files = most_of_files
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                protect(scope, MutableHeaders(scope=message), secure=self._secure)
            await send(message)

        request = Request(scope)
        if not self._is_ours(request):
            told = said(request, HTTPStatus.BAD_REQUEST, "The desk does not go by this name.")
            await told(scope, receive, protected)
            return
        if request.url.path.startswith(_STATIC):
            await self._app(scope, receive, protected)
            return
        known = await run_in_threadpool(identify, request)
        request.state.visitor = known
        try:
            most = self._allowed(request, known)
            if _length(request) > most:
                raise _too_large(most)
        except (SignInNeeded, NotAllowedError, HTTPException) as error:
            await answer(request, error)(scope, receive, protected)
            return
        await self._app(scope, _bounded(receive, most), protected)

    def _is_ours(self, request: Request) -> bool:
        host = _without_port(request.headers.get("host", ""))
        if host in _LOOPBACK_NAMES or host in self._hosts:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or ANY_ADDRESS in self._hosts

    def _allowed(self, request: Request, known: Visitor) -> int:
        """Return how many bytes a request may have, if it may come in at all."""
        if request.method in SAFE_METHODS:
            return MOST_OF_STRANGERS
        if known.actor is None:
            if request.url.path != SIGN_IN:
                raise SignInNeeded
            refuse_forged(request)
            return MOST_OF_STRANGERS
        if known.token:
            refuse_forged(request)
        kind = request.headers.get("content-type", "").lower()
        is_file = kind.startswith("multipart/form-data")
        may_send = known.actor.role.may(Role.REVIEWER)
        return self._most_of_files if is_file and may_send else MOST_OF_FORMS


def _without_port(host: str) -> str:
    name = host.lower()
    if name.startswith("["):  # IPv6
        return name[1:].partition("]")[0]
    return name.partition(":")[0]


def _length(request: Request) -> int:
    given = request.headers.get("content-length", "")
    return int(given) if given.isdecimal() else 0


def _bounded(receive: Receive, most: int) -> Receive:
    """Read no more than so many bytes, also of a request that does not say how many it has."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise _too_large(most)
        return message

    return bounded


def _too_large(most: int) -> HTTPException:
    size = f"{most / 1e6:,.0f} MB" if most >= MOST_OF_FORMS else f"{most / 1e3:.0f} kB"
    message = f"this is larger than the {size} that are taken here"
    if most > MOST_OF_FORMS:
        message += ": set MATCHCUT_REVIEW_UPLOAD_LIMIT, or give the file on the command line"
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
