"""What is decided about cases, by whom, and what takes a second person.

A likeness, or a scene that only looks alike, is never blocked by one person alone: that a second
one approves is demanded here and by the database (see `guards`), not by a page.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from detector.review.accounts import account_of, demand
from detector.review.audit import Audit
from detector.review.cases import (
    CLAIM_LENGTH,
    WAITING,
    Queue,
    case_row,
    claimed_row,
    decisions_of,
    is_free,
    subjects_of,
    summary,
    tell,
    told,
    unclaim,
)
from detector.review.database import ReviewDatabase
from detector.review.errors import ConflictError, InvalidError, NotAllowedError
from detector.review.records import (
    REASONS,
    Action,
    Actor,
    Approval,
    CaseState,
    CaseSummary,
    Decision,
    Event,
    NoticeState,
    Reason,
    Role,
    Subject,
)
from detector.review.schema import CaseRow, DecisionRow, NoticeRow, SubjectRow
from detector.review.webhooks import enqueue
from detector.text import encodable
from detector.types import Channel

UNDO_WINDOW = timedelta(minutes=10)
MOST_COMMENT = 4000  # characters
_MOST_EVENTS = 500


class Cases(Queue):
    """The queue, and what is decided about its cases."""

    def __init__(self, database: ReviewDatabase, audit: Audit) -> None:
        super().__init__(database)
        self._audit = audit

    def decide(
        self, case_id: int, actor: Actor, action: Action, reason: Reason, comment: str = ""
    ) -> Decision:
        """Decide a case that one has claimed.

        Blocking what shows a likeness or a look-alike only waits for a second person's approval.

        Raises
        ------
        NotAllowedError, NotFoundError, ConflictError
        InvalidError
            The reason is none for this action.
        """
        demand(actor, Role.REVIEWER)
        _check(action, reason, comment)
        with self._database.writing() as session:
            row = claimed_row(session, case_id, actor)
            return _decide(session, row, actor, action, reason, comment)

    def decide_alike(
        self, case_id: int, actor: Actor, action: Action, reason: Reason, comment: str = ""
    ) -> list[Decision]:
        """Decide a case, and alike all free ones from the same source with the same findings.

        The same source is the same uploader or, where nobody knows, the same folder. Each case is
        a decision of its own, which can be undone by itself.
        """
        decided = [self.decide(case_id, actor, action, reason, comment)]
        with self._database.reading() as session:
            alike = _alike(session, case_id)
        for other in alike:
            with self._database.writing() as session:
                row = case_row(session, other, for_update=True)
                if row.state == CaseState.OPEN and is_free(row, account_of(actor)):
                    decided.append(_decide(session, row, actor, action, reason, comment))
        return decided

    def undo(self, case_id: int, actor: Actor) -> CaseSummary:
        """Take back one's own decision of the last ten minutes; the case is claimed again.

        Raises
        ------
        NotAllowedError
            It is somebody else's.
        ConflictError
            There is none, it is older, a second person has approved it, or a notice was sent.
        """
        demand(actor, Role.REVIEWER)
        account, now = account_of(actor), datetime.now(UTC)
        with self._database.writing() as session:
            row = case_row(session, case_id, for_update=True)
            made = _standing(session, case_id)
            if made is None or row.state in WAITING:
                raise ConflictError(f"case {case_id} is not decided, so nothing can be undone")
            if made.account_id != account:
                raise NotAllowedError("only who made a decision can undo it")
            if now - made.decided_at > UNDO_WINDOW:
                raise ConflictError("a decision can be undone for 10 minutes, which are over")
            if made.approval == Approval.APPROVED:
                raise ConflictError("a second person has approved it: it cannot be undone")
            if _has_sent(session, case_id):
                raise ConflictError("a notice of this case was sent: it cannot be undone")
            before = {"state": row.state, "action": made.action, "reason": made.reason}
            was_told = row.state == CaseState.DECIDED
            row.state = CaseState.OPEN
            row.updated_at = now
            row.claimed_by, row.claimed_until = account, now + CLAIM_LENGTH
            session.flush()  # the database lets go of no decision that a decided case rests on
            made.undone_at = now
            if was_told:
                enqueue(session, "case.undone", told(row, subjects_of(session, case_id)))
            tell(session, actor, "case.undone", row, before=before, after={"state": row.state})
            return summary(session, row)

    def escalate(self, case_id: int, actor: Actor, why: str) -> CaseSummary:
        """Hand a case that one has claimed to an approver, and say why."""
        demand(actor, Role.REVIEWER)
        _check_comment(why)
        if not why.strip():
            raise InvalidError("say why the case is escalated, for whoever takes it")
        with self._database.writing() as session:
            row = claimed_row(session, case_id, actor)
            before, row.state = row.state, CaseState.ESCALATED.value
            row.updated_at = datetime.now(UTC)
            unclaim(row)
            states: dict[str, Any] = {"before": {"state": before}, "after": {"state": row.state}}
            tell(session, actor, "case.escalated", row, why=why, **states)
            return summary(session, row)

    def approve(self, case_id: int, actor: Actor, comment: str = "") -> Decision:
        """Approve what somebody else has decided.

        Raises
        ------
        NotAllowedError
            It is one's own decision, or the role is not enough.
        ConflictError
            Nothing waits for approval.
        """
        return self._second(case_id, actor, Approval.APPROVED, comment)

    def refuse(self, case_id: int, actor: Actor, comment: str) -> Decision:
        """Refuse what somebody else has decided; the case is open again."""
        if not comment.strip():
            raise InvalidError("say why it is refused, for whoever decides anew")
        return self._second(case_id, actor, Approval.REFUSED, comment)

    def history(self, case_id: int) -> tuple[Event, ...]:
        """What happened to a case, newest first."""
        return self._audit.events(f"case:{case_id}", limit=_MOST_EVENTS)

    def _second(self, case_id: int, actor: Actor, approval: Approval, comment: str) -> Decision:
        demand(actor, Role.APPROVER)
        account, now = account_of(actor), datetime.now(UTC)
        _check_comment(comment)
        with self._database.writing() as session:
            row = case_row(session, case_id, for_update=True)
            made = _standing(session, case_id)
            if row.state != CaseState.TO_APPROVE or made is None:
                raise ConflictError(f"nothing of case {case_id} waits for approval")
            if made.account_id == account:
                raise NotAllowedError("a second person has to approve: this is your own decision")
            made.approval = approval.value
            made.approval_account, made.approval_at = account, now
            session.flush()  # the database takes no case as decided before its decision is approved
            is_approved = approval is Approval.APPROVED
            before = row.state
            row.state = (CaseState.DECIDED if is_approved else CaseState.OPEN).value
            row.updated_at = now
            unclaim(row)
            session.flush()
            if is_approved:
                enqueue(session, "case.decided", _decided(session, row, made))
            tell(
                session,
                actor,
                f"case.{approval.value}",
                row,
                before={"state": before},
                after={"state": row.state, "action": made.action, "reason": made.reason},
                why=comment,
            )
            return _as_decision(session, made)


def needs_second_person(action: Action, reason: Reason, subjects: tuple[Subject, ...]) -> bool:
    """Whether one person alone must not decide this: blocking for anything but copied footage."""
    return action is Action.BLOCK and (
        reason in {Reason.LIKENESS, Reason.LOOK_ALIKE}
        or all(one.channel is not Channel.COPY for one in subjects)
    )


def _decide(
    session: Session, row: CaseRow, actor: Actor, action: Action, reason: Reason, comment: str
) -> Decision:
    now = datetime.now(UTC)
    subjects = subjects_of(session, row.id)
    waits = needs_second_person(action, reason, subjects)
    made = DecisionRow(
        case_id=row.id,
        action=action.value,
        reason=reason.value,
        comment=comment,
        account_id=account_of(actor),
        decided_at=now,
        approval=(Approval.WAITING if waits else Approval.NOT_NEEDED).value,
    )
    session.add(made)
    session.flush()  # the database takes no case as decided before there is a decision
    before = row.state
    row.state = (CaseState.TO_APPROVE if waits else CaseState.DECIDED).value
    row.updated_at = now
    unclaim(row)
    session.flush()
    if not waits:
        enqueue(session, "case.decided", _decided(session, row, made))
    tell(
        session,
        actor,
        "case.decided",
        row,
        before={"state": before},
        after={"state": row.state, "action": made.action, "reason": made.reason},
        why=comment,
    )
    return _as_decision(session, made)


def _as_decision(session: Session, made: DecisionRow) -> Decision:
    return next(one for one in decisions_of(session, made.case_id) if one.id == made.id)


def _decided(session: Session, row: CaseRow, made: DecisionRow) -> dict[str, Any]:
    case = told(row, subjects_of(session, row.id))
    return {**case, "action": made.action, "reason": made.reason}


def _standing(session: Session, case_id: int) -> DecisionRow | None:
    """Return the decision that stands, or waits for approval."""
    query = (
        select(DecisionRow)
        .where(
            DecisionRow.case_id == case_id,
            DecisionRow.undone_at.is_(None),
            DecisionRow.approval != Approval.REFUSED,
        )
        .order_by(DecisionRow.id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def _has_sent(session: Session, case_id: int) -> bool:
    query = select(NoticeRow.id).where(
        NoticeRow.case_id == case_id, NoticeRow.state == NoticeState.SENT
    )
    return session.scalars(query.limit(1)).one_or_none() is not None


def _alike(session: Session, case_id: int) -> list[int]:
    """Return the open cases from the same source with the same findings, oldest first."""
    row = case_row(session, case_id)
    same = (
        CaseRow.uploader == row.uploader
        if row.uploader is not None
        else CaseRow.uploader.is_(None) & (CaseRow.folder == row.folder)
    )
    query = (
        select(SubjectRow.case_id, SubjectRow.ref_id, SubjectRow.channel)
        .join(CaseRow, CaseRow.id == SubjectRow.case_id)
        .where(same, or_(CaseRow.state == CaseState.OPEN, CaseRow.id == case_id))
    )
    found = defaultdict[int, set[tuple[str, str]]](set)
    for number, ref_id, channel in session.execute(query):
        found[number].add((ref_id, channel))
    wanted = found.pop(case_id)
    return sorted(number for number, subjects in found.items() if subjects == wanted)


def _check(action: Action, reason: Reason, comment: str) -> None:
    if reason not in REASONS[action]:
        fitting = ", ".join(REASONS[action])
        raise InvalidError(f"{reason} is no reason to {action}: give one of {fitting}")
    _check_comment(comment)


def _check_comment(comment: str) -> None:
    if len(comment) > MOST_COMMENT:
        raise InvalidError(f"a comment has at most {MOST_COMMENT} characters")
    if "\0" in comment or encodable(comment) != comment:
        raise InvalidError("there is a character in the comment that cannot be kept")
