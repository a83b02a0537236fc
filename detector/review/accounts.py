"""Who may sign in, with what, and what they may do."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NoReturn

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from detector.review.audit import append
from detector.review.database import ReviewDatabase
from detector.review.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    TooManyAttemptsError,
)
from detector.review.records import Account, Actor, NewEvent, Role, Via
from detector.review.schema import AccountRow, AttemptRow, SessionRow, TokenRow

SESSION_LENGTH = timedelta(hours=12)
SESSION_IDLE = timedelta(minutes=30)
LEAST_PASSWORD = 12  # characters
_MOST_PASSWORD = 1024
_NAME = re.compile(r"[a-z0-9._@-]{1,64}")
_WINDOW = timedelta(minutes=15)
_FAILURES_OF_NAME = 5
_FAILURES_OF_ADDRESS = 20
_WRONG = "name or password is wrong"
_SEEN_EVERY = timedelta(minutes=1)  # a look at a page is not worth a write each


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in."""

    account_id: int
    token: str  # only the browser has it; empty unless it was made just now
    csrf: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A program that may use the API as somebody."""

    id: int
    account_id: int
    label: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class Accounts:
    """The accounts of a desk.

    Parameters
    ----------
    hasher
        Of passwords; argon2id with the parameters of RFC 9106 unless given.
    """

    def __init__(self, database: ReviewDatabase, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self._hasher = hasher or PasswordHasher()

    # Accounts

    def add(self, name: str, full_name: str, role: Role, password: str, actor: Actor) -> Account:
        """Let somebody sign in.

        Raises
        ------
        InvalidError
            The name or the password cannot be taken.
        ConflictError
            Somebody goes by that name.
        NotAllowedError
            Only an admin may.
        """
        demand(actor, Role.ADMIN)
        if not _NAME.fullmatch(name):
            raise InvalidError(
                f"{name!r} cannot be a name to sign in with: give 1 to 64 of a-z, 0-9, '.', '_', "
                "'-' and '@'"
            )
        if not full_name.strip() or len(full_name) > 200 or not full_name.isprintable():
            raise InvalidError("give the full name, as it is to stand under a notice")
        hashed = self._hashed(password)
        row = AccountRow(
            name=name,
            full_name=full_name.strip(),
            role=Role(role).value,
            password_hash=hashed,
            is_active=True,
            created_at=datetime.now(UTC),
        )
        try:
            with self._database.writing() as session:
                session.add(row)
                session.flush()
                _tell(session, actor, "account.added", row, after={"role": row.role})
                return _account(row)
        except IntegrityError as error:
            raise ConflictError(f"somebody goes by the name {name!r} already") from error

    def get(self, account_id: int) -> Account:
        """One account; `NotFoundError` if there is none."""
        with self._database.reading() as session:
            return _account(_row(session, account_id))

    def by_name(self, name: str) -> Account:
        """One account by the name it signs in with; `NotFoundError` if there is none."""
        if _NAME.fullmatch(name):
            with self._database.reading() as session:
                query = select(AccountRow).where(AccountRow.name == name)
                row = session.scalars(query).one_or_none()
                if row is not None:
                    return _account(row)
        raise NotFoundError(f"no account goes by the name {name!r}")

    def all(self) -> tuple[Account, ...]:
        """All accounts, in the order they were made."""
        with self._database.reading() as session:
            return tuple(map(_account, session.scalars(select(AccountRow).order_by(AccountRow.id))))

    def set_role(self, account_id: int, role: Role, actor: Actor) -> Account:
        """Give an account another role; nobody their own, and not the last admin's.

        Raises
        ------
        NotAllowedError, NotFoundError, ConflictError
        """
        demand(actor, Role.ADMIN)
        if actor.account_id == account_id:
            raise NotAllowedError("nobody changes their own role: ask another admin")
        with self._database.writing() as session:
            row = _row(session, account_id)
            if role is not Role.ADMIN:
                _keep_an_admin(session, row)
            before, row.role = row.role, Role(role).value
            _tell(session, actor, "account.role", row, {"role": before}, {"role": row.role})
            return _account(row)

    def deactivate(self, account_id: int, actor: Actor) -> Account:
        """Let somebody sign in no more; sessions and tokens end. What they did stays."""
        demand(actor, Role.ADMIN)
        with self._database.writing() as session:
            row = _row(session, account_id)
            _keep_an_admin(session, row)
            row.is_active = False
            _end_sessions(session, account_id)
            session.execute(
                update(TokenRow)
                .where(TokenRow.account_id == account_id, TokenRow.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC))
            )
            _tell(session, actor, "account.deactivated", row)
            return _account(row)

    def activate(self, account_id: int, actor: Actor) -> Account:
        """Let somebody sign in again who was deactivated."""
        demand(actor, Role.ADMIN)
        with self._database.writing() as session:
            row = _row(session, account_id)
            row.is_active = True
            _tell(session, actor, "account.activated", row)
            return _account(row)

    def set_password(self, account_id: int, password: str, actor: Actor) -> None:
        """Set one's own password, or as an admin anybody's; sessions end."""
        if actor.account_id != account_id:
            demand(actor, Role.ADMIN)
        hashed = self._hashed(password)
        with self._database.writing() as session:
            row = _row(session, account_id)
            row.password_hash = hashed
            _end_sessions(session, account_id)
            _tell(session, actor, "account.password", row)

    def check_password(self, account_id: int, password: str) -> bool:
        """Whether this is the account's password."""
        with self._database.reading() as session:
            return self._is_right(_row(session, account_id).password_hash, password)

    # Sessions

    def sign_in(self, name: str, password: str, address: str) -> Session:
        """Sign in; the answer is the same for an unknown name and a wrong password.

        Parameters
        ----------
        address
            Where the request came from.

        Raises
        ------
        InvalidError
            Name or password is wrong.
        TooManyAttemptsError
            They were, too often.
        """
        now = datetime.now(UTC)
        # What can be nobody's name is not written down as one: it may be anything.
        name, address = name if _NAME.fullmatch(name) else "?", _network(address)
        decoy = self._decoy  # made once, and then also for a name that is known
        with self._database.writing() as session:
            _limit(session, name, address, now)
            # Counted before the password is looked at, or many at once would each be the first.
            attempt = AttemptRow(name=name, address=address, at=now)
            session.add(attempt)
            session.flush()
            attempt_id = attempt.id
            row = session.scalars(select(AccountRow).where(AccountRow.name == name)).one_or_none()
            found = None if row is None or not row.is_active else (row.id, row.password_hash)
        is_right = self._is_right(decoy if found is None else found[1], password)
        if found is None or not is_right:
            self._refuse(name, address)
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with self._database.writing() as session:
            row = _row(session, found[0])
            if not row.is_active or row.password_hash != found[1]:  # changed while it was checked
                raise InvalidError(_WRONG)
            session.execute(delete(AttemptRow).where(AttemptRow.id == attempt_id))
            session.execute(delete(SessionRow).where(SessionRow.created_at < now - SESSION_LENGTH))
            session.add(
                SessionRow(
                    token_digest=_digest(token),
                    account_id=row.id,
                    csrf=csrf,
                    created_at=now,
                    seen_at=now,
                )
            )
            if self._hasher.check_needs_rehash(row.password_hash):
                row.password_hash = self._hasher.hash(password)
            actor = Actor.of(_account(row), Via.WEB)
            _tell(session, actor, "account.signed_in", row, why=f"from {address}")
        return Session(found[0], token, csrf, now, now + SESSION_LENGTH)

    def session(self, token: str) -> tuple[Account, Session] | None:
        """Return who a browser is; None if nobody, or not any more."""
        now = datetime.now(UTC)
        with self._database.reading() as session:
            found = session.execute(
                select(SessionRow, AccountRow)
                .join(AccountRow, AccountRow.id == SessionRow.account_id)
                .where(SessionRow.token_digest == _digest(token), AccountRow.is_active)
            ).one_or_none()
            if found is None:
                return None
            row, account_row = found
            expires = min(row.created_at + SESSION_LENGTH, row.seen_at + SESSION_IDLE)
            account = _account(account_row)
            known = Session(row.account_id, "", row.csrf, row.created_at, expires)
            seen = row.seen_at
        if now >= expires:
            self._forget(token)
            return None
        if now - seen >= _SEEN_EVERY:
            with self._database.writing() as session:
                session.execute(
                    update(SessionRow)
                    .where(SessionRow.token_digest == _digest(token))
                    .values(seen_at=now)
                )
        return account, known

    def sign_out(self, token: str) -> None:
        """End a session; one that is over already is no error."""
        with self._database.writing() as session:
            row = session.get(SessionRow, _digest(token))
            if row is None:
                return
            account = _row(session, row.account_id)
            session.delete(row)
            _tell(session, Actor.of(_account(account), Via.WEB), "account.signed_out", account)

    # Tokens

    def add_token(self, account_id: int, label: str, actor: Actor) -> tuple[ApiToken, str]:
        """Make a token for the API. The secret is returned this once; its digest is kept."""
        if actor.account_id != account_id:
            demand(actor, Role.ADMIN)
        if not label.strip() or len(label) > 200 or not label.isprintable():
            raise InvalidError("give the token a label that says what it is for")
        secret = f"mct_{secrets.token_urlsafe(32)}"
        with self._database.writing() as session:
            owner = _row(session, account_id)
            if not owner.is_active:
                raise ConflictError(f"account {owner.name!r} is deactivated")
            row = TokenRow(
                account_id=account_id,
                label=label.strip(),
                secret_digest=_digest(secret),
                created_at=datetime.now(UTC),
            )
            session.add(row)
            session.flush()
            _tell(session, actor, "token.added", owner, after={"token": row.id, "label": row.label})
            return _token(row), secret

    def tokens(self, account_id: int | None = None) -> tuple[ApiToken, ...]:
        """All tokens, or those of an account, also those revoked."""
        query = select(TokenRow).order_by(TokenRow.id)
        if account_id is not None:
            query = query.where(TokenRow.account_id == account_id)
        with self._database.reading() as session:
            return tuple(map(_token, session.scalars(query)))

    def revoke_token(self, token_id: int, actor: Actor) -> ApiToken:
        """End a token: one's own, or as an admin anybody's."""
        with self._database.writing() as session:
            row = session.get(TokenRow, token_id)
            if row is None or (actor.account_id != row.account_id and not _is_admin(actor)):
                raise NotFoundError(f"there is no token {token_id} of yours")
            if row.revoked_at is None:
                row.revoked_at = datetime.now(UTC)
                owner = _row(session, row.account_id)
                _tell(session, actor, "token.revoked", owner, after={"token": row.id})
            return _token(row)

    def by_token(self, secret: str) -> Account | None:
        """Return whose token this is; None if nobody's, or not any more."""
        now = datetime.now(UTC)
        with self._database.reading() as session:
            found = session.execute(
                select(TokenRow, AccountRow)
                .join(AccountRow, AccountRow.id == TokenRow.account_id)
                .where(
                    TokenRow.secret_digest == _digest(secret),
                    TokenRow.revoked_at.is_(None),
                    AccountRow.is_active,
                )
            ).one_or_none()
            if found is None:
                return None
            token_id, used, account = found[0].id, found[0].last_used_at, _account(found[1])
        if used is None or now - used >= _SEEN_EVERY:
            with self._database.writing() as session:
                session.execute(
                    update(TokenRow).where(TokenRow.id == token_id).values(last_used_at=now)
                )
        return account

    @cached_property
    def _decoy(self) -> str:
        """A hash that no password has, so that an unknown name takes as long as a known one."""
        return self._hasher.hash(secrets.token_urlsafe(32))

    def _hashed(self, password: str) -> str:
        if not LEAST_PASSWORD <= len(password) <= _MOST_PASSWORD:
            raise InvalidError(
                f"give a password of {LEAST_PASSWORD} to {_MOST_PASSWORD} characters"
            )
        try:
            return self._hasher.hash(password)
        except UnicodeEncodeError as error:  # half a surrogate pair
            raise InvalidError("give a password of characters that can be typed") from error

    def _is_right(self, hashed: str, password: str) -> bool:
        if len(password) > _MOST_PASSWORD:
            return False
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def _refuse(self, name: str, address: str) -> NoReturn:
        who = Actor(None, name, Role.VIEWER, Via.WEB)
        with self._database.writing() as session:
            append(session, who, NewEvent("account.refused", "sign-in", why=f"from {address}"))
        raise InvalidError(_WRONG)

    def _forget(self, token: str) -> None:
        with self._database.writing() as session:
            session.execute(delete(SessionRow).where(SessionRow.token_digest == _digest(token)))


def demand(actor: Actor, least: Role) -> None:
    """Refuse who may not; `NotAllowedError` names the role that may."""
    if not actor.role.may(least):
        raise NotAllowedError(f"this needs the role {least}, and {actor.name} has {actor.role}")


def account_of(actor: Actor) -> int:
    """Return the account that acts; the command line has none, so it may not decide or sign."""
    if actor.account_id is None:
        raise NotAllowedError("this is done by somebody who is signed in")
    return actor.account_id


def _is_admin(actor: Actor) -> bool:
    return actor.role.may(Role.ADMIN)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _row(session: Transaction, account_id: int) -> AccountRow:
    row = session.get(AccountRow, account_id)
    if row is None:
        raise NotFoundError(f"there is no account {account_id}")
    return row


def _keep_an_admin(session: Transaction, row: AccountRow) -> None:
    others = session.scalar(
        select(func.count())
        .select_from(AccountRow)
        .where(AccountRow.role == Role.ADMIN, AccountRow.is_active, AccountRow.id != row.id)
    )
    if row.role == Role.ADMIN and row.is_active and not others:
        raise ConflictError(f"{row.name!r} is the last admin: make another one first")


def _end_sessions(session: Transaction, account_id: int) -> None:
    session.execute(delete(SessionRow).where(SessionRow.account_id == account_id))


def _network(address: str) -> str:
    """Return what failures are counted by: of IPv6 the /64, of which one site has every address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Network((parsed, 64), strict=False))
    return str(parsed)


def _limit(session: Transaction, name: str, address: str, now: datetime) -> None:
    session.execute(delete(AttemptRow).where(AttemptRow.at < now - _WINDOW))
    for column, value, most in (
        (AttemptRow.name, name, _FAILURES_OF_NAME),
        (AttemptRow.address, address, _FAILURES_OF_ADDRESS),
    ):
        times = session.scalars(select(AttemptRow.at).where(column == value)).all()
        if len(times) >= most:
            wait = max(1, round((sorted(times)[-most] + _WINDOW - now).total_seconds()))
            raise TooManyAttemptsError(
                f"too many failed attempts: try again in {-(-wait // 60)} minutes", wait
            )


def _account(row: AccountRow) -> Account:
    return Account(row.id, row.name, row.full_name, Role(row.role), row.is_active, row.created_at)


def _token(row: TokenRow) -> ApiToken:
    return ApiToken(
        row.id, row.account_id, row.label, row.created_at, row.last_used_at, row.revoked_at
    )


def _tell(
    session: Transaction,
    actor: Actor,
    action: str,
    row: AccountRow,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    why: str = "",
) -> None:
    event = NewEvent(action, f"account:{row.name}", before, after, why)
    append(session, actor, event)
