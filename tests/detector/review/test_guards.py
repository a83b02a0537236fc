"""What takes a second person takes one in the database, too: SQL past the code gets no further."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from desk_examples import a_flag, a_likeness, open_case
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from detector.review.records import Action, Approval, CaseState, NoticeKind, NoticeState, Reason
from detector.review.schema import CaseRow, DecisionRow, NoticeRow
from detector.types import Channel

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def sql(database: Engine) -> Callable[..., None]:
    """Return what runs a statement past the code."""

    def run(statement):
        with database.begin() as connection:
            connection.execute(statement)

    return run


@pytest.fixture
def likeness(desk, staff):
    """Return a case of a likeness whose blocking anna wants and nobody has approved."""
    case = open_case(desk, "uploads/likeness.mp4", a_likeness())
    desk.cases.claim(case.id, staff.anna)
    desk.cases.decide(case.id, staff.anna, Action.BLOCK, Reason.LIKENESS)
    return case


@pytest.fixture
def notice(desk, staff, sql):
    """Return a notice that anna has signed and nobody has approved."""
    case = open_case(desk, "uploads/noticed.mp4")
    drafted = desk.notices.draft(case.id, NoticeKind.DMCA, {}, staff.anna)
    sign = update(NoticeRow).values(
        state="signed",
        signed_account=staff.anna.account_id,
        signed_by="Anna Albers",
        signed_at=NOW,
        document="<p>signed</p>",
        document_digest="0" * 64,
    )
    sql(sign)
    return drafted


def a_decision(case_id: int, account_id: int | None, **changes: object):
    facts = {
        "case_id": case_id,
        "action": Action.BLOCK,
        "reason": Reason.LIKENESS,
        "comment": "",
        "account_id": account_id,
        "decided_at": NOW,
        "approval": Approval.NOT_NEEDED,
    }
    return insert(DecisionRow).values(**(facts | changes))


def test_a_likeness_is_not_blocked_by_calling_it_decided(sql, likeness, desk):
    with pytest.raises(IntegrityError, match="decided when its decision needs no approval"):
        sql(update(CaseRow).values(state=CaseState.DECIDED))
    assert desk.cases.get(likeness.id).state is CaseState.TO_APPROVE


@pytest.mark.parametrize("approval", [Approval.APPROVED, Approval.NOT_NEEDED])
def test_a_waiting_decision_is_not_approved_by_nobody(sql, likeness, approval):
    with pytest.raises(IntegrityError):
        sql(update(DecisionRow).values(approval=approval))


@pytest.mark.parametrize("who", ["anna", "ben", "vera"])
def test_a_waiting_decision_is_approved_by_somebody_else_who_may(sql, likeness, staff, who):
    approver = getattr(staff, who).account_id
    values = {"approval": Approval.APPROVED, "approval_account": approver, "approval_at": NOW}
    with pytest.raises(IntegrityError):
        sql(update(DecisionRow).values(**values))


def test_an_approver_does_not_approve_their_own(sql, desk, staff):
    case = open_case(desk, "uploads/likeness.mp4", a_likeness())
    desk.cases.claim(case.id, staff.carol)
    desk.cases.decide(case.id, staff.carol, Action.BLOCK, Reason.LIKENESS)
    values = {
        "approval": Approval.APPROVED,
        "approval_account": staff.carol.account_id,
        "approval_at": NOW,
    }
    with pytest.raises(IntegrityError, match="second_person"):
        sql(update(DecisionRow).values(**values))


def test_who_may_sign_in_no_more_approves_nothing(sql, likeness, desk, staff):
    desk.accounts.deactivate(staff.carol.account_id, staff.dora)
    values = {
        "approval": Approval.APPROVED,
        "approval_account": staff.carol.account_id,
        "approval_at": NOW,
    }
    with pytest.raises(IntegrityError, match="by somebody who may"):
        sql(update(DecisionRow).values(**values))


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ([a_likeness()], Reason.FULL_COPY),
        ([a_flag(channel=Channel.SEMANTIC)], Reason.EDITED_COPY),
        ([a_flag()], Reason.LIKENESS),
        ([a_flag()], Reason.LOOK_ALIKE),
    ],
)
def test_no_decision_to_block_a_likeness_says_it_needs_no_approval(sql, desk, staff, flags, reason):
    case = open_case(desk, "uploads/likeness.mp4", *flags)
    with pytest.raises(IntegrityError, match="a second person has to approve"):
        sql(a_decision(case.id, staff.anna.account_id, reason=reason))


def test_no_decision_begins_as_approved(sql, desk, staff):
    case = open_case(desk, "uploads/likeness.mp4", a_likeness())
    facts = {
        "approval": Approval.APPROVED,
        "approval_account": staff.carol.account_id,
        "approval_at": NOW,
    }
    with pytest.raises(IntegrityError, match="approved and undone later"):
        sql(a_decision(case.id, staff.anna.account_id, **facts))


def test_a_case_is_not_decided_without_a_decision(sql, desk):
    open_case(desk)
    with pytest.raises(IntegrityError, match="decided when its decision"):
        sql(update(CaseRow).values(state=CaseState.DECIDED))


@pytest.mark.parametrize(
    "change",
    [
        {"action": Action.BLOCK},
        {"reason": Reason.LIKENESS},
        {"account_id": 1},
        {"comment": "of course"},
        {"decided_at": NOW},
    ],
)
def test_a_decision_is_not_changed(sql, desk, staff, change):
    case = open_case(desk, "uploads/likeness.mp4", a_likeness())
    desk.cases.claim(case.id, staff.anna)
    desk.cases.decide(case.id, staff.anna, Action.DISMISS, Reason.LICENSED)
    with pytest.raises(IntegrityError, match="undo it, and decide anew"):
        sql(update(DecisionRow).values(**change))


def test_no_other_decision_takes_the_place_of_a_waiting_one(sql, likeness, staff):
    harmless = {"action": Action.DISMISS, "reason": Reason.LICENSED}
    with pytest.raises(IntegrityError, match="about an open case"):
        sql(a_decision(likeness.id, staff.ben.account_id, **harmless))


def test_a_waiting_decision_is_not_uncovered_under_a_decided_case(sql, likeness, staff):
    """Open the case again, dismiss it, and then let go of the dismissal."""
    sql(update(CaseRow).values(state=CaseState.OPEN))
    harmless = {"action": Action.DISMISS, "reason": Reason.LICENSED}
    sql(a_decision(likeness.id, staff.ben.account_id, **harmless))
    sql(update(CaseRow).values(state=CaseState.DECIDED))
    dismissal = DecisionRow.action == Action.DISMISS
    with pytest.raises(IntegrityError, match="its case is open then"):
        sql(update(DecisionRow).where(dismissal).values(undone_at=NOW))
    with pytest.raises(IntegrityError, match="stays on record"):
        sql(delete(DecisionRow).where(dismissal))


def test_what_is_approved_stays_approved(sql, likeness, desk, staff):
    desk.cases.approve(likeness.id, staff.carol)
    values = {"approval": Approval.REFUSED, "approval_account": staff.dora.account_id}
    with pytest.raises(IntegrityError, match="once"):
        sql(update(DecisionRow).values(**values))


def test_a_case_that_is_erased_takes_its_decisions_along(database, likeness):
    with database.begin() as connection:
        if database.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.execute(delete(CaseRow))
        assert connection.execute(select(DecisionRow.id)).all() == []


@pytest.mark.parametrize("state", [NoticeState.APPROVED, NoticeState.SENT])
def test_a_notice_is_not_approved_or_sent_by_saying_so(sql, notice, state):
    with pytest.raises(IntegrityError):
        sql(update(NoticeRow).values(state=state))


@pytest.mark.parametrize("who", ["anna", "ben", "vera"])
def test_a_notice_is_approved_by_somebody_else_who_may(sql, notice, staff, who):
    approver = getattr(staff, who).account_id
    values = {"state": "approved", "approved_account": approver, "approved_at": NOW}
    with pytest.raises(IntegrityError):
        sql(update(NoticeRow).values(**values))


def test_who_signed_a_notice_does_not_approve_it_whatever_their_role(sql, notice, desk, staff):
    desk.accounts.set_role(staff.anna.account_id, "approver", staff.dora)
    values = {"state": "approved", "approved_account": staff.anna.account_id, "approved_at": NOW}
    with pytest.raises(IntegrityError, match="notice_second_person"):
        sql(update(NoticeRow).values(**values))


def test_an_approved_notice_is_not_skipped_to(sql, desk, staff):
    case = open_case(desk)
    desk.notices.draft(case.id, NoticeKind.DMCA, {}, staff.anna)
    with pytest.raises(IntegrityError, match="in this order"):
        sql(update(NoticeRow).values(state=NoticeState.SENT))


@pytest.mark.parametrize(
    "change",
    [
        {"contents": "{}"},
        {"document": "<p>another</p>"},
        {"document_digest": "1" * 64},
        {"signed_account": 1},
        {"kind": NoticeKind.DSA},
    ],
)
def test_what_was_signed_is_not_changed(sql, notice, change):
    with pytest.raises(IntegrityError, match="signed is not changed"):
        sql(update(NoticeRow).values(**change))


def test_a_signed_notice_stays_on_record(sql, notice):
    with pytest.raises(IntegrityError, match="stays on record"):
        sql(delete(NoticeRow))


@pytest.mark.parametrize(
    "change",
    [
        {"state": "'closed'"},
        {"verdict": "'guilty'"},
        {"claimed_by": "1"},
    ],
)
def test_a_case_holds_nothing_unknown(sql, desk, staff, change):
    open_case(desk)
    ((column, value),) = change.items()
    with pytest.raises(IntegrityError):
        sql(text(f"UPDATE review_cases SET {column} = {value}"))  # noqa: S608 -- constants


def test_a_role_is_a_known_one(sql, staff):
    with pytest.raises(IntegrityError, match="role_is_known"):
        sql(text("UPDATE review_accounts SET role = 'root'"))
