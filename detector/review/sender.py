"""Sends to webhooks what they are to be told, each message signed, until it has arrived.

A message is a POST of JSON with these headers:

- ``Matchcut-Delivery``: its number, the same if it is sent again
- ``Matchcut-Event``: what it tells of, such as ``case.decided``
- ``Matchcut-Timestamp``: when it was sent, in seconds since 1970
- ``Matchcut-Signature``: ``sha256=`` and the HMAC-SHA256, with the webhook's secret, of the
  timestamp, a full stop and the body, see `signature`

A receiver compares the signature, and refuses what was sent long ago. It has arrived when the
answer is 2xx; a redirect is not followed, since what was signed is for the address that an admin
gave. It goes to that address directly, through no proxy.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import ssl
import threading
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.metadata import version
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from detector.review.webhooks import Delivery, Webhooks

TIMEOUT_S = 10.0  # to connect, and between the parts of an answer
_EVERY_S = 2.0
_log = logging.getLogger(__name__)


class Sender:
    """A thread that sends what is due. Several may work on one desk, each on its own messages.

    Parameters
    ----------
    trust
        Which certificates a receiver may have; the system's unless given.
    """

    def __init__(self, webhooks: Webhooks, trust: ssl.SSLContext | None = None) -> None:
        self._webhooks = webhooks
        self._trust = trust
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send in the background; a second time does nothing."""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Send the message that is on its way, and no more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_once(self, now: datetime) -> int:
        """Send what is due by now, a few messages at most; return how many have arrived."""
        arrived = 0
        for delivery in self._webhooks.take(now):
            if self._ended.is_set():
                break  # what was taken is due again in a while
            problem = self._send(delivery, now)
            if problem is None:
                self._webhooks.delivered(delivery.id, now)
                arrived += 1
            else:
                host = urlsplit(delivery.url).hostname  # the rest may be secret
                _log.warning("message %d for %s: %s", delivery.id, host, problem)
                self._webhooks.failed(delivery.id, problem, now)
        return arrived

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                arrived = self.run_once(datetime.now(UTC))
            except SQLAlchemyError as error:  # a database that is away may come back
                _log.warning("cannot read what webhooks are to be told: %s", error)
                arrived = 0
            if not arrived:
                self._ended.wait(_EVERY_S)

    def _send(self, delivery: Delivery, now: datetime) -> str | None:
        """Send a message; return why it has not arrived, in words."""
        parts = urlsplit(delivery.url)
        body = delivery.payload.encode()
        timestamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"matchcut/{version('matchcut')}",
            "Matchcut-Delivery": str(delivery.id),
            "Matchcut-Event": delivery.event,
            "Matchcut-Timestamp": timestamp,
            "Matchcut-Signature": signature(delivery.secret, timestamp, body),
        }
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
            try:
                connection.request("POST", path, body, headers)
                status = connection.getresponse().status
            finally:
                connection.close()
        except (OSError, HTTPException, UnicodeError) as error:
            return f"{type(error).__name__}: {error}"
        return None if 200 <= status < 300 else f"the answer was {status}"

    def _connection(self, scheme: str, host: str, port: int | None) -> HTTPConnection:
        if scheme == "http":
            return HTTPConnection(host, port, timeout=TIMEOUT_S)
        trust = self._trust or ssl.create_default_context()
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=trust)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what the header ``Matchcut-Signature`` must be.

    >>> signature("secret", "1790000000", b"{}")[:15]
    'sha256=d0cadd43'
    """
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"
