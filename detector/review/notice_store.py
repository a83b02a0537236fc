"""The life of a notice: drafted by machine, signed by a named person, approved by another, sent.

What must be in one is in `detector.review.notices`; here is what may happen to it, and in which
order. The database itself refuses to keep one as sent that no second person has approved.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from detector.review.accounts import account_of, demand
from detector.review.audit import append
from detector.review.cases import case_row
from detector.review.database import ReviewDatabase
from detector.review.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError
from detector.review.notices import Signature, misfits, render_html, restore_window
from detector.review.records import (
    Actor,
    CounterNotice,
    NewEvent,
    Notice,
    NoticeKind,
    NoticePage,
    NoticeState,
    Role,
)
from detector.review.schema import AccountRow, NoticeRow
from detector.review.webhooks import enqueue

MOST_TEXT = 20_000  # characters of a counter-notice, and of why a notice is withdrawn
MOST_RECIPIENT = 500
_MOST_CONTENTS = 200_000


class NoticeStore:
    """The notices of a desk."""

    def __init__(self, database: ReviewDatabase) -> None:
        self._database = database

    def draft(
        self, case_id: int, kind: NoticeKind, values: Mapping[str, Any], actor: Actor
    ) -> Notice:
        """Begin a notice of a case with what is known so far.

        Raises
        ------
        InvalidError
            A value is of no element of such a notice, or of another type.
        NotAllowedError, NotFoundError
        """
        demand(actor, Role.REVIEWER)
        contents = _contents(kind, values)
        with self._database.writing() as session:
            case_row(session, case_id)
            row = NoticeRow(
                case_id=case_id,
                kind=NoticeKind(kind).value,
                state=NoticeState.DRAFT.value,
                contents=contents,
                drafted_by=actor.name,
                drafted_at=datetime.now(UTC),
            )
            session.add(row)
            session.flush()
            _tell(session, actor, "notice.drafted", row, after={"kind": row.kind})
            return _notice(session, row)

    def update(self, notice_id: int, values: Mapping[str, Any], actor: Actor) -> Notice:
        """Replace what a draft says; `ConflictError` once it is signed."""
        demand(actor, Role.REVIEWER)
        with self._database.writing() as session:
            row = _in_state(session, notice_id, NoticeState.DRAFT)
            contents = _contents(NoticeKind(row.kind), values)
            before, row.contents = _digest(row.contents), contents
            after = {"contents": _digest(contents)}
            _tell(session, actor, "notice.updated", row, before={"contents": before}, after=after)
            return _notice(session, row)

    def sign(self, notice_id: int, actor: Actor, full_name: str) -> Notice:
        """Sign a draft as the person who is signed in; what was signed is kept as a document.

        Parameters
        ----------
        full_name
            Typed by that person: their own, as in their account.

        Raises
        ------
        InvalidError
            The name is another, or an element of the notice is missing: then it is an
            `IncompleteNoticeError`, of which `problems` tells which.
        NotAllowedError, NotFoundError, ConflictError
        """
        demand(actor, Role.REVIEWER)
        account, now = account_of(actor), datetime.now(UTC)
        with self._database.writing() as session:
            row = _in_state(session, notice_id, NoticeState.DRAFT)
            signer = session.get_one(AccountRow, account).full_name
            if _plain(full_name) != _plain(signer):
                raise InvalidError(f"type your own full name to sign: {signer}")
            row.document = render_html(
                NoticeKind(row.kind),
                json.loads(row.contents),
                notice_number=row.id,
                signature=Signature(signer, now),
            )
            row.document_digest = _digest(row.document)
            row.state = NoticeState.SIGNED.value
            row.signed_by, row.signed_account, row.signed_at = signer, account, now
            _tell(session, actor, "notice.signed", row, after={"signed_by": signer})
            return _notice(session, row)

    def approve(self, notice_id: int, actor: Actor) -> Notice:
        """Approve what somebody else has signed; `NotAllowedError` if one has signed it oneself."""
        demand(actor, Role.APPROVER)
        account = account_of(actor)
        with self._database.writing() as session:
            row = _in_state(session, notice_id, NoticeState.SIGNED)
            if row.signed_account == account:
                raise NotAllowedError("a second person has to approve: you signed this notice")
            row.state = NoticeState.APPROVED.value
            row.approved_account, row.approved_at = account, datetime.now(UTC)
            session.flush()
            _tell(session, actor, "notice.approved", row)
            return _notice(session, row)

    def sent(self, notice_id: int, actor: Actor, to: str) -> Notice:
        """Write down that an approved notice was sent, and to whom."""
        demand(actor, Role.REVIEWER)
        to = to.strip()
        if not to or len(to) > MOST_RECIPIENT or not to.isprintable():
            raise InvalidError(
                f"say to whom the notice was sent, in a line of up to {MOST_RECIPIENT} characters"
            )
        with self._database.writing() as session:
            row = _in_state(session, notice_id, NoticeState.APPROVED)
            row.state = NoticeState.SENT.value
            row.sent_to, row.sent_at = to, datetime.now(UTC)
            session.flush()
            said = {"notice": row.id, "case": row.case_id, "kind": row.kind, "to": row.sent_to}
            enqueue(session, "notice.sent", said)
            _tell(session, actor, "notice.sent", row, after={"to": row.sent_to})
            return _notice(session, row)

    def withdraw(self, notice_id: int, actor: Actor, why: str) -> Notice:
        """Give up a notice that was not sent; it stays on record."""
        demand(actor, Role.REVIEWER)
        _check_text(why, "why the notice is withdrawn")
        with self._database.writing() as session:
            row = _locked(session, notice_id)
            if row.state in {NoticeState.SENT, NoticeState.WITHDRAWN}:
                raise ConflictError(f"notice {notice_id} is {row.state}: it cannot be withdrawn")
            before, row.state = row.state, NoticeState.WITHDRAWN.value
            states: dict[str, Any] = {"before": {"state": before}, "after": {"state": row.state}}
            _tell(session, actor, "notice.withdrawn", row, why=why, **states)
            return _notice(session, row)

    def counter(self, notice_id: int, received_at: date, text: str, actor: Actor) -> Notice:
        """Write down a counter-notice to a sent notice; a later one starts the clock anew.

        Raises
        ------
        InvalidError
            Only a DMCA notice has one; or it cannot have been received on that day.
        NotAllowedError, NotFoundError, ConflictError
        """
        demand(actor, Role.REVIEWER)
        _check_text(text, "what the counter-notice says")
        with self._database.writing() as session:
            row = _in_state(session, notice_id, NoticeState.SENT)
            if row.kind != NoticeKind.DMCA:
                raise InvalidError(
                    "17 U.S.C. 512(g) gives a counter-notice to DMCA notices only: what is said "
                    "against another goes to the platform, and there is no clock to start"
                )
            _check_received(row, received_at)
            before = None if row.counter_received is None else _clock(row)
            row.counter_received, row.counter_text = received_at, text
            row.restore_from, row.restore_by = restore_window(received_at)
            after = {**_clock(row), "text": _digest(text)}
            _tell(session, actor, "notice.countered", row, before=before, after=after)
            return _notice(session, row)

    def get(self, notice_id: int) -> Notice:
        """One notice; `NotFoundError` if there is none."""
        with self._database.reading() as session:
            return _notice(session, _row(session, notice_id))

    def of_case(self, case_id: int) -> tuple[Notice, ...]:
        """The notices of a case, oldest first."""
        query = select(NoticeRow).where(NoticeRow.case_id == case_id).order_by(NoticeRow.id)
        with self._database.reading() as session:
            return tuple(_notice(session, row) for row in session.scalars(query))

    def find(
        self, state: NoticeState | None = None, limit: int = 50, offset: int = 0
    ) -> NoticePage:
        """Return part of all notices, or of those in a state, newest first."""
        conditions = [] if state is None else [NoticeRow.state == state.value]
        query = select(NoticeRow).where(*conditions).order_by(NoticeRow.id.desc())
        count = select(func.count()).select_from(NoticeRow).where(*conditions)
        with self._database.reading() as session:
            rows = session.scalars(query.limit(limit).offset(offset)).all()
            items = tuple(_notice(session, row) for row in rows)
            return NoticePage(items, session.scalar(count) or 0)

    def shown(self, notice_id: int) -> str:
        """Return the HTML of a notice: as it was signed, or of the draft as it stands.

        Raises
        ------
        NotFoundError, ConflictError
            As for `get` and `document`.
        """
        notice = self.get(notice_id)
        if notice.document_digest is not None:
            return self.document(notice_id)
        return render_html(notice.kind, notice.values, notice_number=notice.id, signature=None)

    def document(self, notice_id: int) -> str:
        """Return the signed HTML, as it was signed.

        Raises
        ------
        NotFoundError
            There is no such notice, or it is not signed.
        ConflictError
            It is not what was signed any more.
        """
        with self._database.reading() as session:
            row = _row(session, notice_id, with_document=True)
            if row.document is None:
                raise NotFoundError(f"notice {notice_id} is not signed, so there is no document")
            if _digest(row.document) != row.document_digest:
                raise ConflictError(f"the document of notice {notice_id} was altered in storage")
            return row.document


def _row(session: Session, notice_id: int, *, with_document: bool = False) -> NoticeRow:
    options = [undefer(NoticeRow.document)] if with_document else []
    row = session.get(NoticeRow, notice_id, options=options)
    if row is None:
        raise _unknown(notice_id)
    return row


def _locked(session: Session, notice_id: int) -> NoticeRow:
    """Return the row of a notice that nobody else can change meanwhile."""
    row = session.get(NoticeRow, notice_id, with_for_update=True)
    if row is None:
        raise _unknown(notice_id)
    return row


def _in_state(session: Session, notice_id: int, state: NoticeState) -> NoticeRow:
    row = _locked(session, notice_id)
    if row.state != state:
        raise ConflictError(f"notice {notice_id} is {row.state}: this needs one that is {state}")
    return row


def _unknown(notice_id: int) -> NotFoundError:
    return NotFoundError(f"there is no notice {notice_id}")


def _contents(kind: NoticeKind, values: Mapping[str, Any]) -> str:
    wrong = misfits(kind, values)
    if wrong:
        raise InvalidError("; ".join(one.message for one in wrong), wrong)
    contents = json.dumps(dict(values), sort_keys=True)
    if len(contents) > _MOST_CONTENTS:
        raise InvalidError("the notice is too long: shorten its texts")
    return contents


def _plain(name: str) -> str:
    """Return a name without what does not make it another one: spaces, case, ways to write é."""
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()


def _check_text(text: str, what: str) -> None:
    if not text.strip() or len(text) > MOST_TEXT:
        raise InvalidError(f"say {what}, in up to {MOST_TEXT} characters")
    try:
        is_text = "\0" not in text and bool(text.encode())
    except UnicodeEncodeError:
        is_text = False
    if not is_text:
        raise InvalidError(f"say {what} in plain text: there are characters in it that are none")


def _check_received(row: NoticeRow, received_at: date) -> None:
    if row.sent_at is not None and received_at < row.sent_at.date():
        raise InvalidError("a counter-notice cannot be older than the notice")
    if received_at > datetime.now(UTC).date():
        raise InvalidError("a counter-notice cannot have been received in the future")
    if row.counter_received is not None and received_at < row.counter_received:
        raise InvalidError(
            f"a counter-notice was received on {row.counter_received} already: only a later one "
            "starts the clock anew"
        )


def _clock(row: NoticeRow) -> dict[str, str]:
    return {
        "received": str(row.counter_received),
        "restore_from": str(row.restore_from),
        "restore_by": str(row.restore_by),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _notice(session: Session, row: NoticeRow) -> Notice:
    approver = None
    if row.approved_account is not None:
        approver = session.get_one(AccountRow, row.approved_account).full_name
    counter = None
    if (
        row.counter_received is not None
        and row.restore_from is not None
        and row.restore_by is not None
    ):
        counter = CounterNotice(
            row.counter_received, row.counter_text or "", row.restore_from, row.restore_by
        )
    return Notice(
        id=row.id,
        case_id=row.case_id,
        kind=NoticeKind(row.kind),
        state=NoticeState(row.state),
        values=json.loads(row.contents),
        drafted_by=row.drafted_by,
        drafted_at=row.drafted_at,
        signed_by=row.signed_by,
        signed_account=row.signed_account,
        signed_at=row.signed_at,
        approved_by=approver,
        approved_at=row.approved_at,
        sent_to=row.sent_to,
        sent_at=row.sent_at,
        document_digest=row.document_digest,
        counter=counter,
    )


def _tell(
    session: Session,
    actor: Actor,
    action: str,
    row: NoticeRow,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    why: str = "",
) -> None:
    evidence = {} if row.document_digest is None else {"document": row.document_digest}
    after = {**(after or {}), "case": row.case_id}
    event = NewEvent(action, f"notice:{row.id}", before, after, why, evidence=evidence)
    append(session, actor, event)
