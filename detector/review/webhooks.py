"""Who else hears of new cases and decisions: what has to be told, and what was.

A message is written in the transaction of what it tells of, so none is lost or made up; who sends
it is `detector.review.sender`. A receiver may get a message twice, with the same number.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from detector.review.accounts import demand
from detector.review.audit import append
from detector.review.database import ReviewDatabase
from detector.review.errors import InvalidError, NotFoundError
from detector.review.records import Actor, NewEvent, Role
from detector.review.schema import DeliveryRow, WebhookRow

EVENTS = ("case.opened", "case.reopened", "case.decided", "case.undone", "notice.sent")
RETRY_AFTER = tuple(timedelta(seconds=s) for s in (10, 60, 600, 3600, 6 * 3600, 24 * 3600))
"""How long to wait after each failure; after as many failures and one a message is given up."""
_ADDRESS = re.compile(r"[!-~]{1,2000}")
_LEASE = timedelta(minutes=5)  # longer than it takes to send as many as are taken at once
_KEPT = timedelta(days=30)  # a message that has arrived or was given up


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that wants to hear of what happens."""

    id: int
    url: str
    events: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is due."""

    id: int
    url: str
    secret: str
    event: str
    payload: str  # JSON
    attempts: int  # that failed


class Webhooks:
    """The addresses of a desk, and the messages to them.

    The secrets that messages are signed with are kept as they are, since the sender needs them:
    who can read the database can sign.
    """

    def __init__(self, database: ReviewDatabase) -> None:
        self._database = database

    def add(self, url: str, events: Sequence[str], actor: Actor) -> tuple[Webhook, str]:
        """Tell an address of these events from now on; the secret is returned this once.

        Raises
        ------
        InvalidError
            The address is neither https nor http on this machine, or an event is unknown.
        """
        demand(actor, Role.ADMIN)
        _check_url(url)
        unknown = [one for one in events if one not in EVENTS]
        if unknown or not events:
            raise InvalidError(f"give events of {', '.join(EVENTS)}")
        secret = secrets.token_urlsafe(32)
        with self._database.writing() as session:
            row = WebhookRow(
                url=url,
                secret=secret,
                events=json.dumps(sorted(set(events))),
                created_at=datetime.now(UTC),
            )
            session.add(row)
            session.flush()
            _tell(session, actor, "webhook.added", row)
            return _webhook(row), secret

    def all(self) -> tuple[Webhook, ...]:
        """All addresses."""
        with self._database.reading() as session:
            rows = session.scalars(select(WebhookRow).order_by(WebhookRow.id))
            return tuple(map(_webhook, rows))

    def remove(self, webhook_id: int, actor: Actor) -> None:
        """Tell an address nothing any more, not even what is due."""
        demand(actor, Role.ADMIN)
        with self._database.writing() as session:
            row = session.get(WebhookRow, webhook_id)
            if row is None:
                raise NotFoundError(f"there is no webhook {webhook_id}")
            _tell(session, actor, "webhook.removed", row)
            session.delete(row)

    def take(self, now: datetime, limit: int = 10) -> list[Delivery]:
        """Return messages that are to be sent by now, those that are due longest first.

        Nobody else takes them for a few minutes; after that they are due again, unless it was
        written down what became of them.
        """
        query = (
            select(DeliveryRow, WebhookRow)
            .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook_id)
            .where(DeliveryRow.is_open, DeliveryRow.due_at <= now)
            .order_by(DeliveryRow.due_at, DeliveryRow.id)
            .limit(limit)
        )
        with self._database.reading() as session:
            if session.execute(query.limit(1)).first() is None:
                return []  # as most of the time: nobody has to wait for that
        with self._database.writing() as session:
            old = ~DeliveryRow.is_open & (DeliveryRow.due_at < now - _KEPT)
            session.execute(delete(DeliveryRow).where(old))
            taken = []
            for row, hook in session.execute(query):
                row.due_at = now + _LEASE
                taken.append(
                    Delivery(row.id, hook.url, hook.secret, row.event, row.payload, row.attempts)
                )
            return taken

    def pending(self) -> int:
        """How many messages have neither arrived nor been given up."""
        query = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.is_open)
        with self._database.reading() as session:
            return session.scalar(query) or 0

    def delivered(self, delivery_id: int, now: datetime) -> None:
        """Write down that a message has arrived."""
        with self._database.writing() as session:
            row = session.get(DeliveryRow, delivery_id)
            if row is not None:  # its webhook may be gone by now
                row.is_open, row.delivered_at, row.last_error = False, now, None

    def failed(self, delivery_id: int, reason: str, now: datetime) -> None:
        """Write down that a message has not arrived; it is due again later, or given up."""
        with self._database.writing() as session:
            row = session.get(DeliveryRow, delivery_id)
            if row is None:
                return
            row.last_error = reason[:1000]
            if row.attempts < len(RETRY_AFTER):
                row.due_at = now + RETRY_AFTER[row.attempts]
            else:
                row.is_open = False
            row.attempts += 1


def enqueue(session: Session, event: str, payload: Mapping[str, Any]) -> None:
    """Have all addresses told that want to hear of this event, once the transaction is through."""
    now = datetime.now(UTC)
    body = json.dumps({"event": event, "at": now.isoformat(), **payload}, sort_keys=True)
    for hook in session.scalars(select(WebhookRow)):
        if event in json.loads(hook.events):
            session.add(
                DeliveryRow(
                    webhook_id=hook.id,
                    event=event,
                    payload=body,
                    attempts=0,
                    is_open=True,
                    due_at=now,
                )
            )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise InvalidError(f"this is no address: {error}") from error
    is_here = host == "localhost" or _is_loopback(host)
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
        raise InvalidError("give an https address; http only to this machine (127.0.0.1)")
    if parts.username or parts.password or not _ADDRESS.fullmatch(url):
        raise InvalidError(
            "give an address of up to 2000 characters of ASCII, without spaces, user and password"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(row.id, row.url, tuple(json.loads(row.events)), row.created_at)


def _tell(session: Session, actor: Actor, action: str, row: WebhookRow) -> None:
    after = {"url": row.url, "events": json.loads(row.events)}
    append(session, actor, NewEvent(action, f"webhook:{row.id}", after=after))
