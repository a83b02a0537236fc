"""Who one is, who may sign in, and the tokens of programs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from detector.review import accounts, records
from detector.review.errors import InvalidError, NotAllowedError
from detector.review.records import Actor, Role
from detector.review.web.access import Admin, Signed, desk
from detector.review.web.api.errors import errors
from detector.review.web.api.inputs import (
    Body,
    Flag,
    JsonNumber,
    Line,
    Number,
    Paging,
    Part,
    Password,
    part_of,
)
from detector.review.web.api.models import Account, Me, NewToken, Page, Token

router = APIRouter()

AccountId = Annotated[Number, Path(description="Number of the account.")]
TokenId = Annotated[Number, Path(description="Number of the token.")]


class NewAccount(Body):
    """Somebody who is to sign in."""

    name: Line
    """To sign in with: 1 to 64 of a-z, 0-9, '.', '_', '-' and '@'."""
    full_name: Line
    """As it is to stand under a notice."""
    role: Role
    password: Password
    """12 characters or more."""


class AccountChange(Body):
    """What is to be changed; what is not said stays."""

    role: Role | None = None
    is_active: Flag | None = None
    """False: sessions and tokens end, and nobody can sign in any more."""


class NewPassword(Body):
    """A password for somebody else."""

    password: Password
    """12 characters or more."""


class OwnPassword(NewPassword):
    """A password of one's own."""

    current: Password
    """The one that it takes the place of."""


class TokenWanted(Body):
    """A token that is to be made."""

    label: Line
    """What it is for."""
    account_id: JsonNumber | None = None
    """Whose it is to be: one's own, unless an admin says another's."""


class WhoseTokens(Paging):
    """Whose tokens, and which part of their list."""

    account_id: Number | None = None
    """One's own, unless an admin says another's."""


# --- oneself ----------------------------------------------------------------------------------


@router.get("/me", response_model=Me, tags=["oneself"])
def get_me(request: Request, actor: Signed) -> dict[str, Any]:
    """Say who one is, and how one came in."""
    own = desk(request).accounts.get(_own(actor))
    return Account.model_validate(own).model_dump() | {"via": actor.via}


@router.put("/me/password", status_code=204, tags=["oneself"])
def change_my_password(request: Request, actor: Signed, body: OwnPassword) -> None:
    """Change one's own password; all sessions end."""
    store, own = desk(request).accounts, _own(actor)
    if not store.check_password(own, body.current):
        raise InvalidError("the current password is wrong")
    store.set_password(own, body.password, actor)


@router.get("/tokens", response_model=Page[Token], tags=["oneself"])
def list_tokens(request: Request, actor: Signed, wanted: Annotated[WhoseTokens, Query()]) -> Any:
    """List tokens, also those revoked; the secrets are nowhere."""
    whose = _whose(actor, wanted.account_id)
    return part_of(desk(request).accounts.tokens(whose), wanted)


@router.post(
    "/tokens",
    response_model=NewToken,
    status_code=201,
    responses=errors(404, 409),
    tags=["oneself"],
)
def add_token(request: Request, actor: Signed, body: TokenWanted) -> dict[str, Any]:
    """Make a token for a program; its secret is sent this once."""
    whose = _whose(actor, body.account_id)
    made, secret = desk(request).accounts.add_token(whose, body.label, actor)
    return Token.model_validate(made).model_dump() | {"secret": secret}


@router.delete("/tokens/{token_id}", response_model=Token, responses=errors(404), tags=["oneself"])
def revoke_token(request: Request, token_id: TokenId, actor: Signed) -> accounts.ApiToken:
    """End a token: one's own, or as an admin anybody's."""
    return desk(request).accounts.revoke_token(token_id, actor)


# --- for admins -------------------------------------------------------------------------------


@router.get("/accounts", response_model=Page[Account], tags=["accounts"])
def list_accounts(request: Request, actor: Admin, part: Part) -> Any:
    """List all accounts, in the order they were made."""
    return part_of(desk(request).accounts.all(), part)


@router.post(
    "/accounts",
    response_model=Account,
    status_code=201,
    responses=errors(409),
    tags=["accounts"],
)
def add_account(request: Request, actor: Admin, body: NewAccount) -> records.Account:
    """Let somebody sign in."""
    store = desk(request).accounts
    return store.add(body.name, body.full_name, body.role, body.password, actor)


@router.get(
    "/accounts/{account_id}", response_model=Account, responses=errors(404), tags=["accounts"]
)
def get_account(request: Request, account_id: AccountId, actor: Admin) -> records.Account:
    """Return an account."""
    return desk(request).accounts.get(account_id)


@router.patch(
    "/accounts/{account_id}",
    response_model=Account,
    responses=errors(404, 409),
    tags=["accounts"],
)
def change_account(
    request: Request, account_id: AccountId, actor: Admin, body: AccountChange
) -> records.Account:
    """Give an account another role, or let it sign in no more or again."""
    store = desk(request).accounts
    changed = store.get(account_id)
    if body.role is not None and body.role is not changed.role:
        changed = store.set_role(account_id, body.role, actor)
    if body.is_active is not None and body.is_active is not changed.is_active:
        change = store.activate if body.is_active else store.deactivate
        changed = change(account_id, actor)
    return changed


@router.put(
    "/accounts/{account_id}/password",
    status_code=204,
    responses=errors(404),
    tags=["accounts"],
)
def set_account_password(
    request: Request, account_id: AccountId, actor: Admin, body: NewPassword
) -> None:
    """Give somebody else a new password; their sessions end."""
    if account_id == actor.account_id:
        raise NotAllowedError("change your own password at /me/password, with the current one")
    desk(request).accounts.set_password(account_id, body.password, actor)


def _own(actor: Actor) -> int:
    return accounts.account_of(actor)


def _whose(actor: Actor, account_id: int | None) -> int:
    """Return whose tokens are meant; only an admin may mean another's."""
    own = _own(actor)
    if account_id is not None and account_id != own:
        accounts.demand(actor, Role.ADMIN)
        return account_id
    return own
