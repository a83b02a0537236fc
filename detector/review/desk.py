"""The desk as a whole: what its pages, its API and the command line work with."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from argon2 import PasswordHasher
from sqlalchemy import URL

from detector.review.accounts import Accounts
from detector.review.audit import Audit
from detector.review.database import ReviewDatabase, review_url
from detector.review.decisions import Cases
from detector.review.notice_store import NoticeStore
from detector.review.webhooks import Webhooks
from detector.settings import Settings


class Desk:
    """Cases, accounts, notices, the audit and webhooks, on one database.

    Every operation that changes something is one transaction, with its entry in the audit: what it
    has returned from is on disk. Several threads and processes may work on the same desk.

    Parameters
    ----------
    database
        Closed with the desk.
    hasher
        Of passwords; see `Accounts`.
    """

    def __init__(self, database: ReviewDatabase, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self.audit = Audit(database)
        self.accounts = Accounts(database, hasher)
        self.cases = Cases(database, self.audit)
        self.notices = NoticeStore(database)
        self.webhooks = Webhooks(database)

    @classmethod
    def open(cls, settings: Settings) -> Desk:
        """Open the desk of a workspace, making it if need be; `DatabaseError` if that fails."""
        return cls.at(review_url(settings))

    @classmethod
    def at(cls, url: str | URL, hasher: PasswordHasher | None = None) -> Desk:
        """Open the desk on a database; see `ReviewDatabase.open`."""
        return cls(ReviewDatabase.open(url), hasher)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
