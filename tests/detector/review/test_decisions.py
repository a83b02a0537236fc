"""What is decided, by whom, for how long it can be taken back, and what takes a second person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from desk_examples import a_flag, a_likeness, open_case
from sqlalchemy import Engine, text, update

from detector.review.decisions import MOST_COMMENT, needs_second_person
from detector.review.desk import Desk
from detector.review.errors import ConflictError, InvalidError, NotAllowedError
from detector.review.records import (
    REASONS,
    Action,
    Actor,
    Approval,
    CaseState,
    CaseSummary,
    NoticeKind,
    Reason,
)
from detector.review.schema import DecisionRow
from detector.types import Channel

LOOK_ALIKE = a_flag("nosferatu", Channel.SEMANTIC, 0.7)
BLOCK_LIKENESS = (Action.BLOCK, Reason.LIKENESS)
DISMISS = (Action.DISMISS, Reason.LICENSED)


def claimed(desk: Desk, actor: Actor, *flags, source: str = "uploads/clip.mp4") -> CaseSummary:
    case = open_case(desk, source, *flags)
    return desk.cases.claim(case.id, actor)


def waiting(desk: Desk, actor: Actor) -> CaseSummary:
    """Return a case of a likeness that is blocked as soon as somebody approves."""
    case = claimed(desk, actor, a_likeness())
    desk.cases.decide(case.id, actor, *BLOCK_LIKENESS, "her face, all through")
    return case


def actions(desk: Desk, case: CaseSummary) -> list[str]:
    """Return what happened to a case, oldest first."""
    return [event.action for event in reversed(desk.cases.history(case.id))]


def test_a_decision_says_who_decided_what_and_why(desk, staff):
    case = claimed(desk, staff.anna)
    made = desk.cases.decide(case.id, staff.anna, Action.BLOCK, Reason.FULL_COPY, "all of it")
    assert (made.action, made.reason, made.comment) == (Action.BLOCK, Reason.FULL_COPY, "all of it")
    assert (made.name, made.approval) == ("anna", Approval.NOT_NEEDED)
    decided = desk.cases.get(case.id)
    assert decided.decisions == (made,)
    assert (decided.state, decided.claim) == (CaseState.DECIDED, None)
    event = desk.cases.history(case.id)[0]
    assert (event.action, event.actor, event.why) == ("case.decided", "anna", "all of it")
    assert event.before == {"state": "open"}
    assert event.after == {"state": "decided", "action": "block", "reason": "full copy"}
    assert event.evidence["upload"] == case.digest


@pytest.mark.parametrize("action", Action)
def test_an_action_has_its_own_reasons(desk, staff, action):
    case = claimed(desk, staff.anna)
    for reason in set(Reason) - set(REASONS[action]):
        with pytest.raises(InvalidError, match=f"{reason} is no reason to {action}: give one of"):
            desk.cases.decide(case.id, staff.anna, action, reason)
    desk.cases.decide(case.id, staff.anna, action, REASONS[action][0])


def test_every_reason_is_one_for_something():
    assert {reason for reasons in REASONS.values() for reason in reasons} == set(Reason)


def test_a_comment_is_not_a_book(desk, staff):
    case = claimed(desk, staff.anna)
    with pytest.raises(InvalidError, match="at most 4000 characters"):
        desk.cases.decide(case.id, staff.anna, *DISMISS, "x" * (MOST_COMMENT + 1))
    desk.cases.decide(case.id, staff.anna, *DISMISS, "x" * MOST_COMMENT)


@pytest.mark.parametrize("comment", ["one\x00two", "half a pair \ud800"])
def test_a_comment_is_text(desk, staff, comment):
    case = claimed(desk, staff.anna)
    with pytest.raises(InvalidError, match="cannot be kept"):
        desk.cases.decide(case.id, staff.anna, *DISMISS, comment)
    with pytest.raises(InvalidError, match="cannot be kept"):
        desk.cases.escalate(case.id, staff.anna, comment)


def test_only_who_has_claimed_a_case_decides_it(desk, staff):
    case = open_case(desk)
    with pytest.raises(ConflictError, match="claim case 1 first"):
        desk.cases.decide(case.id, staff.anna, *DISMISS)
    desk.cases.claim(case.id, staff.ben)
    with pytest.raises(ConflictError, match="ben works on case 1"):
        desk.cases.decide(case.id, staff.anna, *DISMISS)
    with pytest.raises(NotAllowedError, match="needs the role reviewer"):
        desk.cases.decide(case.id, staff.vera, *DISMISS)
    assert actions(desk, case) == ["case.opened", "case.claimed"]


def test_a_case_is_decided_once(desk, staff):
    case = claimed(desk, staff.anna)
    desk.cases.decide(case.id, staff.anna, *DISMISS)
    with pytest.raises(ConflictError, match="is decided, so that nobody can work on it"):
        desk.cases.decide(case.id, staff.anna, *DISMISS)
    with pytest.raises(ConflictError, match="is decided"):
        desk.cases.claim(case.id, staff.anna)


# A second person


@pytest.mark.parametrize(
    ("flags", "action", "reason", "needs"),
    [
        ([a_flag()], Action.BLOCK, Reason.FULL_COPY, False),
        ([a_flag(), a_likeness()], Action.BLOCK, Reason.EDITED_COPY, False),
        ([a_flag(), a_likeness()], Action.BLOCK, Reason.LIKENESS, True),
        ([a_flag(), LOOK_ALIKE], Action.BLOCK, Reason.LOOK_ALIKE, True),
        ([a_likeness()], Action.BLOCK, Reason.LIKENESS, True),
        ([a_likeness()], Action.BLOCK, Reason.FULL_COPY, True),
        ([LOOK_ALIKE], Action.BLOCK, Reason.EDITED_COPY, True),
        ([LOOK_ALIKE, a_likeness()], Action.BLOCK, Reason.LICENCE_EXPIRED, True),
        ([a_likeness()], Action.DISMISS, Reason.FALSE_MATCH, False),
        ([a_likeness()], Action.MONITOR, Reason.LIKENESS, False),
        ([a_likeness()], Action.NOTICE, Reason.LIKENESS, False),  # the notice itself needs one
    ],
)
def test_blocking_anything_but_a_copy_waits_for_a_second_person(
    desk, staff, flags, action, reason, needs
):
    case = claimed(desk, staff.anna, *flags)
    assert needs_second_person(action, reason, case.subjects) is needs
    made = desk.cases.decide(case.id, staff.anna, action, reason)
    state = desk.cases.get(case.id).state
    expected = (Approval.WAITING, CaseState.TO_APPROVE)
    assert (made.approval, state) == (
        expected if needs else (Approval.NOT_NEEDED, CaseState.DECIDED)
    )


def test_a_second_person_approves(desk, staff):
    case = waiting(desk, staff.anna)
    made = desk.cases.approve(case.id, staff.carol, "I see it, too")
    assert (made.approval, made.approval_by, made.name) == (Approval.APPROVED, "carol", "anna")
    assert desk.cases.get(case.id).state is CaseState.DECIDED
    event = desk.cases.history(case.id)[0]
    assert (event.action, event.actor, event.why) == ("case.approved", "carol", "I see it, too")
    assert event.before == {"state": "to approve"}
    assert event.after == {"state": "decided", "action": "block", "reason": "likeness"}


def test_a_second_person_refuses_and_the_case_is_open_again(desk, staff):
    case = waiting(desk, staff.anna)
    with pytest.raises(InvalidError, match="say why it is refused"):
        desk.cases.refuse(case.id, staff.carol, " ")
    made = desk.cases.refuse(case.id, staff.carol, "a double")
    assert (made.approval, made.approval_by) == (Approval.REFUSED, "carol")
    assert desk.cases.get(case.id).state is CaseState.OPEN
    desk.cases.claim(case.id, staff.ben)
    desk.cases.decide(case.id, staff.ben, *DISMISS)
    assert len(desk.cases.get(case.id).decisions) == 2
    assert actions(desk, case)[-4:] == [
        "case.decided",
        "case.refused",
        "case.claimed",
        "case.decided",
    ]


def test_nobody_approves_their_own_decision(desk, staff):
    case = waiting(desk, staff.carol)
    for operation in (desk.cases.approve, desk.cases.refuse):
        with pytest.raises(NotAllowedError, match="a second person has to approve"):
            operation(case.id, staff.carol, "surely")
    desk.cases.approve(case.id, staff.dora)


def test_a_reviewer_approves_nothing(desk, staff):
    case = waiting(desk, staff.anna)
    for operation in (desk.cases.approve, desk.cases.refuse):
        with pytest.raises(NotAllowedError, match="needs the role approver"):
            operation(case.id, staff.ben, "surely")


def test_what_does_not_wait_is_not_approved(desk, staff):
    case = claimed(desk, staff.anna)
    with pytest.raises(ConflictError, match="nothing of case 1 waits for approval"):
        desk.cases.approve(case.id, staff.carol)
    desk.cases.decide(case.id, staff.anna, *DISMISS)
    with pytest.raises(ConflictError, match="nothing of case 1 waits"):
        desk.cases.approve(case.id, staff.carol)


def test_what_waits_for_approval_is_nobodys_to_claim(desk, staff):
    case = waiting(desk, staff.anna)
    with pytest.raises(ConflictError, match="is to approve"):
        desk.cases.claim(case.id, staff.ben)


def test_a_case_opened_again_while_it_waited_is_not_approved(desk, staff):
    case = waiting(desk, staff.anna)
    again = open_case(desk, case.source, a_likeness(), LOOK_ALIKE)
    assert again.state is CaseState.OPEN
    with pytest.raises(ConflictError, match="nothing of case 1 waits"):
        desk.cases.approve(case.id, staff.carol)
    desk.cases.claim(case.id, staff.ben)
    desk.cases.decide(case.id, staff.ben, *BLOCK_LIKENESS)
    assert desk.cases.approve(case.id, staff.carol).name == "ben"


# Undoing


def age(database: Engine, by: timedelta) -> None:
    """Let time pass since the decision; that takes a guard away, which nothing here asks for."""
    on = " ON review_decisions" if database.dialect.name == "postgresql" else ""
    with database.begin() as connection:
        connection.execute(text(f"DROP TRIGGER review_decisions_stand{on}"))
        connection.execute(update(DecisionRow).values(decided_at=datetime.now(UTC) - by))


def test_a_decision_is_undone_by_who_made_it(desk, staff):
    case = claimed(desk, staff.anna)
    desk.cases.decide(case.id, staff.anna, *DISMISS)
    undone = desk.cases.undo(case.id, staff.anna)
    assert (undone.state, undone.claim.name) == (CaseState.OPEN, "anna")
    (made,) = desk.cases.get(case.id).decisions
    assert made.undone_at is not None
    event = desk.cases.history(case.id)[0]
    assert event.action == "case.undone"
    assert event.before == {"state": "decided", "action": "dismiss", "reason": "licensed"}
    desk.cases.decide(case.id, staff.anna, Action.MONITOR, Reason.MINOR_USE)
    with pytest.raises(NotAllowedError, match="only who made a decision"):
        desk.cases.undo(case.id, staff.ben)


def test_a_decision_is_undone_once(desk, staff):
    case = claimed(desk, staff.anna)
    desk.cases.decide(case.id, staff.anna, *DISMISS)
    desk.cases.undo(case.id, staff.anna)
    with pytest.raises(ConflictError, match="is not decided, so nothing can be undone"):
        desk.cases.undo(case.id, staff.anna)


def test_a_decision_can_be_undone_for_ten_minutes(desk, staff, database):
    case = claimed(desk, staff.anna)
    desk.cases.decide(case.id, staff.anna, *DISMISS)
    age(database, timedelta(minutes=10, seconds=1))
    with pytest.raises(ConflictError, match="10 minutes, which are over"):
        desk.cases.undo(case.id, staff.anna)


def test_a_decision_of_nine_minutes_ago_is_undone(desk, staff, database):
    case = claimed(desk, staff.anna)
    desk.cases.decide(case.id, staff.anna, *DISMISS)
    age(database, timedelta(minutes=9))
    assert desk.cases.undo(case.id, staff.anna).state is CaseState.OPEN


def test_what_waits_for_approval_is_undone_and_decided_anew(desk, staff):
    case = waiting(desk, staff.anna)
    desk.cases.undo(case.id, staff.anna)
    desk.cases.decide(case.id, staff.anna, *DISMISS)
    states = [made.approval for made in desk.cases.get(case.id).decisions]
    assert states == [Approval.WAITING, Approval.NOT_NEEDED]


def test_what_is_approved_is_not_undone(desk, staff):
    case = waiting(desk, staff.anna)
    desk.cases.approve(case.id, staff.carol)
    with pytest.raises(ConflictError, match="a second person has approved it"):
        desk.cases.undo(case.id, staff.anna)


def test_what_a_notice_was_sent_for_is_not_undone(desk, staff, database):
    case = claimed(desk, staff.anna)
    desk.cases.decide(case.id, staff.anna, Action.NOTICE, Reason.FULL_COPY)
    drafted = desk.notices.draft(case.id, NoticeKind.DMCA, {}, staff.anna)
    signed = (
        "state = 'signed', signed_account = :anna, document = 'signed', document_digest = 'digest'"
    )
    approved = "state = 'approved', approved_account = :carol"
    with database.begin() as connection:
        for change in (signed, approved):
            connection.execute(
                text(f"UPDATE review_notices SET {change}"),  # noqa: S608 -- constants
                {"anna": staff.anna.account_id, "carol": staff.carol.account_id},
            )
    desk.notices.sent(drafted.id, staff.anna, "abuse@tube.example")
    with pytest.raises(ConflictError, match="a notice of this case was sent"):
        desk.cases.undo(case.id, staff.anna)


# Escalating


def test_an_escalated_case_waits_for_an_approver(desk, staff):
    case = claimed(desk, staff.anna)
    with pytest.raises(InvalidError, match="say why the case is escalated"):
        desk.cases.escalate(case.id, staff.anna, "\n")
    escalated = desk.cases.escalate(case.id, staff.anna, "is this parody?")
    assert (escalated.state, escalated.claim) == (CaseState.ESCALATED, None)
    event = desk.cases.history(case.id)[0]
    assert (event.action, event.why) == ("case.escalated", "is this parody?")
    desk.cases.claim(case.id, staff.carol)
    desk.cases.decide(case.id, staff.carol, Action.DISMISS, Reason.FAIR_USE)
    assert desk.cases.get(case.id).state is CaseState.DECIDED


# In bulk


def alike(desk: Desk, actor: Actor, case: CaseSummary) -> list[int]:
    """Decide a case and those like it; return which were decided."""
    desk.cases.claim(case.id, actor)
    return [made.case_id for made in desk.cases.decide_alike(case.id, actor, *DISMISS)]


def test_open_cases_of_the_same_uploader_with_the_same_findings_are_decided_alike(desk, staff):
    one = open_case(desk, "a/1.mp4", uploader="eve")
    two = open_case(desk, "b/2.mp4", a_flag(score=0.6), uploader="eve")
    open_case(desk, "a/3.mp4", uploader="mallory")
    open_case(desk, "a/4.mp4", LOOK_ALIKE, uploader="eve")
    open_case(desk, "a/5.mp4", a_flag(), LOOK_ALIKE, uploader="eve")
    open_case(desk, "a/6.mp4")
    busy = open_case(desk, "a/7.mp4", uploader="eve")
    desk.cases.claim(busy.id, staff.ben)
    own = open_case(desk, "a/8.mp4", uploader="eve")
    desk.cases.claim(own.id, staff.anna)
    escalated = open_case(desk, "a/9.mp4", uploader="eve")
    desk.cases.claim(escalated.id, staff.anna)
    desk.cases.escalate(escalated.id, staff.anna, "not sure")
    assert alike(desk, staff.anna, one) == [one.id, two.id, own.id]
    assert desk.cases.get(two.id).decisions[0].name == "anna"
    assert desk.cases.get(busy.id).claim.name == "ben"
    assert actions(desk, two) == ["case.opened", "case.decided"]


def test_where_nobody_knows_the_uploader_the_same_folder_is_the_same_source(desk, staff):
    one = open_case(desk, "in/monday/1.mp4")
    two = open_case(desk, "in/monday/2.mp4")
    open_case(desk, "in/tuesday/3.mp4")
    open_case(desk, "in/monday/4.mp4", uploader="eve")
    assert alike(desk, staff.anna, one) == [one.id, two.id]


def test_each_of_many_decided_alike_is_undone_by_itself(desk, staff):
    one, two = open_case(desk, "in/1.mp4"), open_case(desk, "in/2.mp4")
    alike(desk, staff.anna, one)
    desk.cases.undo(two.id, staff.anna)
    assert desk.cases.get(one.id).state is CaseState.DECIDED
    assert desk.cases.get(two.id).state is CaseState.OPEN


def test_likenesses_decided_alike_each_wait_for_a_second_person(desk, staff):
    cases = [open_case(desk, f"in/{number}.mp4", a_likeness()) for number in range(3)]
    desk.cases.claim(cases[0].id, staff.anna)
    made = desk.cases.decide_alike(cases[0].id, staff.anna, *BLOCK_LIKENESS)
    assert [one.approval for one in made] == [Approval.WAITING] * 3
    assert desk.cases.counts()[CaseState.TO_APPROVE] == 3


def test_nothing_is_decided_alike_if_the_first_cannot_be(desk, staff):
    open_case(desk, "in/1.mp4")
    open_case(desk, "in/2.mp4")
    with pytest.raises(ConflictError, match="claim case 1 first"):
        desk.cases.decide_alike(1, staff.anna, *DISMISS)
    assert desk.cases.counts()[CaseState.OPEN] == 2
