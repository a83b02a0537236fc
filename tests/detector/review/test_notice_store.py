from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from desk_examples import PASSWORD, Staff, open_case
from notice_examples import complete
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from detector.review.database import ReviewDatabase
from detector.review.desk import Desk
from detector.review.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError
from detector.review.notices import IncompleteNoticeError, restore_window
from detector.review.records import (
    COMMAND_LINE,
    Actor,
    Event,
    Notice,
    NoticeKind,
    NoticeState,
    Role,
    Via,
)
from detector.review.schema import NoticeRow

TODAY = datetime.now(UTC).date()


@pytest.fixture
def past_the_code(database_url: str) -> Iterator[ReviewDatabase]:
    """The same database, for SQL of one's own."""
    database = ReviewDatabase.open(database_url)
    yield database
    database.close()


def a_draft(desk: Desk, staff: Staff, kind: NoticeKind = NoticeKind.DMCA) -> Notice:
    case = open_case(desk)
    return desk.notices.draft(case.id, kind, complete(kind), staff.anna)


def a_signed(desk: Desk, staff: Staff, kind: NoticeKind = NoticeKind.DMCA) -> Notice:
    return desk.notices.sign(a_draft(desk, staff, kind).id, staff.anna, "Anna Albers")


def an_approved(desk: Desk, staff: Staff, kind: NoticeKind = NoticeKind.DMCA) -> Notice:
    return desk.notices.approve(a_signed(desk, staff, kind).id, staff.carol)


def a_sent(desk: Desk, staff: Staff, kind: NoticeKind = NoticeKind.DMCA) -> Notice:
    return desk.notices.sent(an_approved(desk, staff, kind).id, staff.anna, "copyright@example.com")


def log_of(desk: Desk, notice: Notice) -> list[Event]:
    """Return what the audit says of a notice, oldest first."""
    return list(reversed(desk.audit.events(subject=f"notice:{notice.id}")))


def test_a_notice_is_drafted_signed_approved_and_sent(desk: Desk, staff: Staff) -> None:
    draft = a_draft(desk, staff)
    assert (draft.state, draft.drafted_by, draft.document_digest) == ("draft", "anna", None)

    signed = desk.notices.sign(draft.id, staff.anna, "Anna Albers")
    assert (signed.state, signed.signed_by) == ("signed", "Anna Albers")

    approved = desk.notices.approve(draft.id, staff.carol)
    assert (approved.state, approved.approved_by) == ("approved", "Carol Chen")

    sent = desk.notices.sent(draft.id, staff.ben, " copyright@example.com ")
    assert (sent.state, sent.sent_to) == ("sent", "copyright@example.com")
    assert desk.notices.get(draft.id) == sent


def test_each_step_is_in_the_audit(desk: Desk, staff: Staff) -> None:
    notice = a_draft(desk, staff)
    desk.notices.update(notice.id, complete(NoticeKind.DMCA) | {"phone": "+49 1"}, staff.ben)
    desk.notices.sign(notice.id, staff.anna, "Anna Albers")
    desk.notices.approve(notice.id, staff.carol)
    desk.notices.sent(notice.id, staff.ben, "copyright@example.com")
    desk.notices.counter(notice.id, TODAY, "It is my own film.", staff.ben)

    log = log_of(desk, notice)
    assert [(one.actor, one.action) for one in log] == [
        ("anna", "notice.drafted"),
        ("ben", "notice.updated"),
        ("anna", "notice.signed"),
        ("carol", "notice.approved"),
        ("ben", "notice.sent"),
        ("ben", "notice.countered"),
    ]
    updated, signed = log[1], log[2]
    assert updated.before is not None
    assert updated.after is not None
    assert updated.before["contents"] != updated.after["contents"]
    assert signed.evidence == {"document": desk.notices.get(notice.id).document_digest}
    assert desk.audit.verify().problems == ()


# --- drafts -------------------------------------------------------------------------------------


def test_a_draft_may_lack_anything(desk: Desk, staff: Staff) -> None:
    case = open_case(desk)
    notice = desk.notices.draft(case.id, NoticeKind.DSA, {}, staff.anna)
    assert notice.values == {}

    values = {"law": "§ 22 KunstUrhG \ud800\0", "good_faith": True}
    assert desk.notices.update(notice.id, values, staff.ben).values == values


def test_what_is_no_element_is_not_kept(desk: Desk, staff: Staff) -> None:
    case = open_case(desk)
    wrong: dict[str, dict[str, Any]] = {
        "none of the elements": {"colour": "red"},
        "list of lines": {"works": "Metropolis"},
        "true or false": {"good_faith": 1},
        "too long": {"works": ["x" * 2000] * 101},
    }
    for said, values in wrong.items():
        with pytest.raises(InvalidError, match=said):
            desk.notices.draft(case.id, NoticeKind.DMCA, values, staff.anna)
    assert desk.notices.of_case(case.id) == ()


def test_only_a_reviewer_drafts(desk: Desk, staff: Staff) -> None:
    case = open_case(desk)
    with pytest.raises(NotAllowedError):
        desk.notices.draft(case.id, NoticeKind.DMCA, {}, staff.vera)
    with pytest.raises(NotFoundError):
        desk.notices.draft(case.id + 1, NoticeKind.DMCA, {}, staff.anna)


def test_what_is_signed_cannot_be_changed(desk: Desk, staff: Staff) -> None:
    notice = a_signed(desk, staff)
    with pytest.raises(ConflictError, match="is signed: this needs one that is draft"):
        desk.notices.update(notice.id, {}, staff.anna)
    assert desk.notices.get(notice.id) == notice


# --- signatures ---------------------------------------------------------------------------------


def test_one_signs_with_ones_own_name(desk: Desk, staff: Staff) -> None:
    """However it is typed: with spaces, in capitals, or with the accents apart."""
    account = desk.accounts.add("zoe", "Zoë Özdemir", Role.REVIEWER, PASSWORD, COMMAND_LINE)
    for typed in ("Zoë Özdemir", "  zoë   ÖZDEMIR ", unicodedata.normalize("NFD", "Zoë Özdemir")):
        notice = desk.notices.sign(a_draft(desk, staff).id, Actor.of(account, Via.WEB), typed)
        assert notice.signed_by == "Zoë Özdemir"  # as in the account


def test_nobody_signs_for_somebody_else(desk: Desk, staff: Staff) -> None:
    notice = a_draft(desk, staff)
    for typed in ("Anna Albers", "Ben", "", "ben"):
        with pytest.raises(InvalidError, match="type your own full name to sign: Ben Brown"):
            desk.notices.sign(notice.id, staff.ben, typed)
    assert desk.notices.get(notice.id) == notice


def test_a_notice_without_an_element_is_not_signed(desk: Desk, staff: Staff) -> None:
    notice = a_draft(desk, staff)
    desk.notices.update(notice.id, notice.values | {"good_faith": False}, staff.anna)
    with pytest.raises(IncompleteNoticeError) as raised:
        desk.notices.sign(notice.id, staff.anna, "Anna Albers")

    assert [one.element for one in raised.value.problems] == ["good_faith"]
    assert desk.notices.get(notice.id).state is NoticeState.DRAFT
    assert [one.action for one in log_of(desk, notice)] == ["notice.drafted", "notice.updated"]


def test_who_has_no_account_cannot_sign(desk: Desk, staff: Staff) -> None:
    with pytest.raises(NotAllowedError):
        desk.notices.sign(a_draft(desk, staff).id, COMMAND_LINE, "command line")


def test_the_signed_document_is_kept(desk: Desk, staff: Staff) -> None:
    notice = a_signed(desk, staff)
    document = desk.notices.document(notice.id)
    assert "/s/ Anna Albers" in document
    assert hashlib.sha256(document.encode()).hexdigest() == notice.document_digest


def test_a_draft_has_no_document(desk: Desk, staff: Staff) -> None:
    with pytest.raises(NotFoundError, match="is not signed"):
        desk.notices.document(a_draft(desk, staff).id)


def test_a_document_that_was_altered_in_storage_is_not_given_out(
    desk: Desk, staff: Staff, past_the_code: ReviewDatabase
) -> None:
    notice = a_signed(desk, staff)
    on_table = "" if past_the_code.engine.dialect.name == "sqlite" else "ON review_notices"
    with past_the_code.writing() as session:
        session.execute(text(f"DROP TRIGGER review_notices_signed {on_table}"))
        session.execute(text("UPDATE review_notices SET document = replace(document, 'A', 'B')"))
    with pytest.raises(ConflictError, match="was altered in storage"):
        desk.notices.document(notice.id)


# --- the second person --------------------------------------------------------------------------


def test_nobody_approves_what_they_have_signed(desk: Desk, staff: Staff) -> None:
    notice = a_draft(desk, staff)
    desk.notices.sign(notice.id, staff.carol, "Carol Chen")
    with pytest.raises(NotAllowedError, match="a second person has to approve"):
        desk.notices.approve(notice.id, staff.carol)
    assert desk.notices.approve(notice.id, staff.dora).approved_by == "Dora Diaz"


def test_a_reviewer_does_not_approve(desk: Desk, staff: Staff) -> None:
    notice = a_signed(desk, staff)
    with pytest.raises(NotAllowedError):
        desk.notices.approve(notice.id, staff.ben)


def test_nothing_is_sent_before_it_is_approved(desk: Desk, staff: Staff) -> None:
    for notice in (a_draft(desk, staff), a_signed(desk, staff)):
        with pytest.raises(ConflictError, match="this needs one that is approved"):
            desk.notices.sent(notice.id, staff.anna, "copyright@example.com")


def test_the_database_itself_keeps_a_signed_notice_from_being_passed_on(
    desk: Desk, staff: Staff, past_the_code: ReviewDatabase
) -> None:
    notice = a_signed(desk, staff)
    for change in (
        "state = 'sent'",
        "state = 'approved'",
        "state = 'approved', approved_account = signed_account",
        "state = 'approved', "
        "approved_account = (SELECT id FROM review_accounts WHERE name = 'ben')",
        "contents = '{}'",
        "document = ''",
        "signed_by = 'Ben Brown'",
    ):
        with pytest.raises(IntegrityError), past_the_code.writing() as session:
            session.execute(text(f"UPDATE review_notices SET {change}"))  # noqa: S608 -- from above
    assert desk.notices.get(notice.id) == notice


def test_the_database_itself_keeps_a_draft_from_being_passed_on(
    desk: Desk, staff: Staff, past_the_code: ReviewDatabase
) -> None:
    notice = a_draft(desk, staff)
    for state in ("signed", "approved", "sent"):
        with pytest.raises(IntegrityError), past_the_code.writing() as session:
            session.execute(text("UPDATE review_notices SET state = :state"), {"state": state})
    assert desk.notices.get(notice.id) == notice


# --- sent, withdrawn ----------------------------------------------------------------------------


def test_to_whom_it_was_sent_is_a_line(desk: Desk, staff: Staff) -> None:
    notice = an_approved(desk, staff)
    for to in ("", "  ", "a\nb", "x" * 501, "\N{RIGHT-TO-LEFT OVERRIDE}com"):
        with pytest.raises(InvalidError, match="to whom the notice was sent"):
            desk.notices.sent(notice.id, staff.anna, to)
    assert desk.notices.get(notice.id) == notice


def test_webhooks_hear_of_a_sent_notice(desk: Desk, staff: Staff) -> None:
    desk.webhooks.add("https://hooks.example/", ["notice.sent"], staff.dora)
    a_sent(desk, staff)
    (due,) = desk.webhooks.take(datetime.now(UTC))
    assert '"to": "copyright@example.com"' in due.payload


def test_a_notice_that_was_not_sent_can_be_withdrawn(desk: Desk, staff: Staff) -> None:
    for make in (a_draft, a_signed, an_approved):
        notice = make(desk, staff)
        withdrawn = desk.notices.withdraw(notice.id, staff.ben, "It is licensed after all")

        assert withdrawn.state is NoticeState.WITHDRAWN
        last = log_of(desk, notice)[-1]
        assert (last.action, last.why) == ("notice.withdrawn", "It is licensed after all")
        assert last.before == {"state": notice.state.value}
        with pytest.raises(ConflictError, match="is withdrawn"):
            desk.notices.withdraw(notice.id, staff.ben, "again")


def test_a_sent_notice_cannot_be_withdrawn(desk: Desk, staff: Staff) -> None:
    with pytest.raises(ConflictError, match="is sent: it cannot be withdrawn"):
        desk.notices.withdraw(a_sent(desk, staff).id, staff.anna, "too late")


def test_why_it_is_withdrawn_has_to_be_said(desk: Desk, staff: Staff) -> None:
    notice = a_draft(desk, staff)
    for why in ("", " ", "x" * 20_001, "a\0b", "\ud800"):
        with pytest.raises(InvalidError, match="why the notice is withdrawn"):
            desk.notices.withdraw(notice.id, staff.anna, why)
    assert desk.notices.get(notice.id) == notice


def test_a_notice_is_either_sent_or_withdrawn(desk: Desk, staff: Staff) -> None:
    """Two people at once: one is told that the other was faster."""
    notice = an_approved(desk, staff)
    together = Barrier(2)

    def send() -> Notice:
        together.wait()
        return desk.notices.sent(notice.id, staff.anna, "copyright@example.com")

    def withdraw() -> Notice:
        together.wait()
        return desk.notices.withdraw(notice.id, staff.ben, "It is licensed after all")

    with ThreadPoolExecutor() as threads:
        tried = [threads.submit(send), threads.submit(withdraw)]
    errors = [one.exception() for one in tried if one.exception() is not None]
    (done,) = [one.result() for one in tried if one.exception() is None]

    assert [type(one) for one in errors] == [ConflictError]
    assert desk.notices.get(notice.id) == done


# --- counter-notices ----------------------------------------------------------------------------


def sent_days_ago(database: ReviewDatabase, notice: Notice, days: int) -> None:
    with database.writing() as session:
        row = session.get_one(NoticeRow, notice.id)
        row.sent_at = datetime.now(UTC) - timedelta(days=days)


def test_a_counter_notice_starts_the_clock(desk: Desk, staff: Staff) -> None:
    notice = desk.notices.counter(a_sent(desk, staff).id, TODAY, "It is my own film.", staff.ben)

    assert notice.state is NoticeState.SENT
    assert notice.counter is not None
    assert notice.counter.text == "It is my own film."
    assert (notice.counter.restore_from, notice.counter.restore_by) == restore_window(TODAY)


def test_a_later_counter_notice_starts_the_clock_anew(
    desk: Desk, staff: Staff, past_the_code: ReviewDatabase
) -> None:
    notice = a_sent(desk, staff)
    sent_days_ago(past_the_code, notice, 30)
    first, second = TODAY - timedelta(days=20), TODAY - timedelta(days=5)
    desk.notices.counter(notice.id, first, "It is my own film.", staff.ben)
    again = desk.notices.counter(notice.id, second, "With my address.", staff.ben)

    assert again.counter is not None
    assert (again.counter.restore_from, again.counter.restore_by) == restore_window(second)
    last = log_of(desk, notice)[-1]
    assert last.before is not None
    assert last.after is not None
    assert (last.before["received"], last.after["received"]) == (str(first), str(second))

    with pytest.raises(InvalidError, match="only a later one starts the clock anew"):
        desk.notices.counter(notice.id, first, "It is my own film.", staff.ben)


def test_a_counter_notice_comes_after_the_notice(desk: Desk, staff: Staff) -> None:
    notice = a_sent(desk, staff)
    for received, said in (
        (TODAY - timedelta(days=2), "cannot be older than the notice"),
        (TODAY + timedelta(days=2), "in the future"),
    ):
        with pytest.raises(InvalidError, match=said):
            desk.notices.counter(notice.id, received, "It is my own film.", staff.ben)


def test_a_counter_notice_says_something(desk: Desk, staff: Staff) -> None:
    notice = a_sent(desk, staff)
    for said in ("", "\n", "x" * 20_001, "a\0b", "\ud800"):
        with pytest.raises(InvalidError, match="what the counter-notice says"):
            desk.notices.counter(notice.id, TODAY, said, staff.ben)


def test_only_a_dmca_notice_has_counter_notices(desk: Desk, staff: Staff) -> None:
    for kind in (NoticeKind.DSA, NoticeKind.LIKENESS):
        with pytest.raises(InvalidError, match="DMCA notices only"):
            desk.notices.counter(a_sent(desk, staff, kind).id, TODAY, "It is me.", staff.ben)


def test_what_was_not_sent_is_not_countered(desk: Desk, staff: Staff) -> None:
    with pytest.raises(ConflictError, match="this needs one that is sent"):
        desk.notices.counter(an_approved(desk, staff).id, TODAY, "It is mine.", staff.ben)


# --- finding ------------------------------------------------------------------------------------


def test_notices_are_found_by_state_newest_first(desk: Desk, staff: Staff) -> None:
    case = open_case(desk)
    drafts = [desk.notices.draft(case.id, kind, complete(kind), staff.anna) for kind in NoticeKind]
    signed = desk.notices.sign(drafts[1].id, staff.anna, "Anna Albers")

    page = desk.notices.find()
    assert [one.id for one in page.items] == [one.id for one in reversed(drafts)]
    assert page.total == 3
    page = desk.notices.find(NoticeState.DRAFT, limit=1, offset=1)
    assert (page.items, page.total) == ((drafts[0],), 2)
    assert desk.notices.find(NoticeState.SIGNED).items == (signed,)
    assert desk.notices.find(NoticeState.SENT) == type(page)((), 0)
    assert [one.id for one in desk.notices.of_case(case.id)] == [one.id for one in drafts]


def test_a_notice_that_is_not_there(desk: Desk, staff: Staff) -> None:
    for ask in (
        lambda: desk.notices.get(17),
        lambda: desk.notices.document(17),
        lambda: desk.notices.update(17, {}, staff.anna),
        lambda: desk.notices.withdraw(17, staff.anna, "gone"),
    ):
        with pytest.raises(NotFoundError, match="there is no notice 17"):
            ask()
