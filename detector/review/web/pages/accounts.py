"""Who may sign in: accounts for the admins, and everybody's own profile."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from detector.review.errors import InvalidError, ReviewError
from detector.review.records import Account, Actor, Role
from detector.review.web.access import Admin, Signed, desk
from detector.review.web.pages.inputs import Name, Number, Password
from detector.review.web.pages.rendering import Said, error_page, go, page, status_of

router = APIRouter(include_in_schema=False)

_SAID = {
    "added": "The account is made.",
    "role": "The role is changed.",
    "password": "The password is changed; other sessions of this account have ended.",
    "deactivated": "The account cannot sign in any more.",
    "activated": "The account can sign in again.",
    "revoked": "The token is worth nothing now.",
}


@router.get("/accounts")
def accounts(request: Request, actor: Admin, said: str = "") -> Response:
    return _accounts(request, actor, said=said)


@router.post("/accounts")
def add(
    request: Request,
    actor: Admin,
    name: Name,
    full_name: Name,
    role: Annotated[Role, Form()],
    password: Password,
) -> Response:
    try:
        desk(request).accounts.add(name, full_name, role, password, actor)
    except ReviewError as error:
        return _accounts(request, actor, error=error)
    return go("/accounts?said=added")


@router.post("/accounts/{account_id}/role")
def set_role(
    request: Request, account_id: Number, actor: Admin, role: Annotated[Role, Form()]
) -> Response:
    try:
        desk(request).accounts.set_role(account_id, role, actor)
    except ReviewError as error:
        return _accounts(request, actor, error=error)
    return go("/accounts?said=role")


@router.post("/accounts/{account_id}/password")
def set_password(
    request: Request, account_id: Number, actor: Admin, password: Password
) -> Response:
    try:
        desk(request).accounts.set_password(account_id, password, actor)
    except ReviewError as error:
        return _accounts(request, actor, error=error)
    return go("/accounts?said=password")


@router.post("/accounts/{account_id}/deactivate")
def deactivate(request: Request, account_id: Number, actor: Admin) -> Response:
    try:
        desk(request).accounts.deactivate(account_id, actor)
    except ReviewError as error:
        return _accounts(request, actor, error=error)
    return go("/accounts?said=deactivated")


@router.post("/accounts/{account_id}/activate")
def activate(request: Request, account_id: Number, actor: Admin) -> Response:
    try:
        desk(request).accounts.activate(account_id, actor)
    except ReviewError as error:
        return _accounts(request, actor, error=error)
    return go("/accounts?said=activated")


def _accounts(
    request: Request, actor: Actor, *, said: str = "", error: ReviewError | None = None
) -> Response:
    return page(
        request,
        "accounts.html",
        actor,
        status=200 if error is None else status_of(error),
        problem=None if error is None else str(error),
        said=_said(said),
        accounts=desk(request).accounts.all(),
        roles=list(Role),
    )


# --- one's own ---------------------------------------------------------------------------------


@router.get("/profile")
def profile(request: Request, actor: Signed, said: str = "") -> Response:
    return _profile(request, actor, said=said)


@router.post("/profile/tokens")
def add_token(request: Request, actor: Signed, label: Name) -> Response:
    """Make a token, and show it this once."""
    own = _own(request, actor)
    try:
        _, secret = desk(request).accounts.add_token(own.id, label, actor)
    except ReviewError as error:
        return _profile(request, actor, error=error)
    return _profile(request, actor, secret=secret)


@router.post("/profile/tokens/{token_id}/revoke")
def revoke_token(request: Request, token_id: Number, actor: Signed) -> Response:
    store = desk(request).accounts
    if all(token.id != token_id for token in store.tokens(_own(request, actor).id)):
        return error_page(request, actor, 404, "You have no such token.")
    try:
        store.revoke_token(token_id, actor)
    except ReviewError as error:
        return _profile(request, actor, error=error)
    return go("/profile?said=revoked")


@router.post("/profile/password")
def change_password(
    request: Request, actor: Signed, current: Password, password: Password, again: Password
) -> Response:
    store = desk(request).accounts
    own = _own(request, actor)
    try:
        if not store.check_password(own.id, current):
            raise InvalidError("That is not your present password: type it again.")
        if password != again:
            raise InvalidError("The two new passwords differ: type the same twice.")
        store.set_password(own.id, password, actor)
    except ReviewError as error:
        return _profile(request, actor, error=error)
    return go("/sign-in?said=password")


def _own(request: Request, actor: Actor) -> Account:
    if actor.account_id is None:
        raise InvalidError("This is for accounts.")
    return desk(request).accounts.get(actor.account_id)


def _profile(
    request: Request,
    actor: Actor,
    *,
    said: str = "",
    error: ReviewError | None = None,
    secret: str | None = None,
) -> Response:
    own = _own(request, actor)
    return page(
        request,
        "profile.html",
        actor,
        status=200 if error is None else status_of(error),
        problem=None if error is None else str(error),
        said=_said(said),
        account=own,
        tokens=desk(request).accounts.tokens(own.id),
        secret=secret,
    )


def _said(code: str) -> Said | None:
    text = _SAID.get(code)
    return None if text is None else Said(text)
