"""Notices over the API: from the draft to the counter-notice."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from desk_examples import open_case
from notice_examples import complete

from detector.review.business_days import restore_window
from detector.review.records import NoticeKind

URL = "https://videos.example/watch/1"


@pytest.fixture
def draft(api, reviewer) -> dict:
    """Draft a notice of a case; some of it is missing."""
    case = open_case(api.desk, url=URL)
    return reviewer.do("POST", f"/cases/{case.id}/notices", {"kind": "dmca"}, 201)


@pytest.fixture
def signed(reviewer, draft) -> dict:
    """Fill in what is missing, and sign as Anna Albers."""
    address = f"/notices/{draft['id']}"
    reviewer.do("PUT", address, {"values": complete(NoticeKind.DMCA)})
    return reviewer.do("POST", f"{address}/sign", {"full_name": "Anna Albers"})


@pytest.fixture
def sent(reviewer, approver, signed) -> dict:
    """Approve the notice as a second person, and send it."""
    address = f"/notices/{signed['id']}"
    assert approver.do("POST", f"{address}/approve")["approved_by"] == "Carol Chen"
    return reviewer.do("POST", f"{address}/sent", {"to": "copyright@videos.example"})


def test_a_draft_holds_what_the_case_tells_and_what_is_missing(draft):
    assert (draft["state"], draft["drafted_by"]) == ("draft", "anna")
    assert draft["values"]["material"] == [URL]
    assert draft["values"]["good_faith"] is False
    missing = {one["where"]: one["message"] for one in draft["problems"]}
    assert "good faith" in missing["good_faith"]
    assert "material" not in missing


def test_a_draft_may_say_more_than_the_case_tells(api, reviewer):
    case = open_case(api.desk)
    values = {"recipient": "Videos Ltd", "material": [URL]}
    body = {"kind": "dsa", "values": values}
    made = reviewer.do("POST", f"/cases/{case.id}/notices", body, 201)
    assert {name: made["values"][name] for name in values} == values


def test_an_element_that_a_notice_does_not_have(api, reviewer):
    case = open_case(api.desk)
    body = {"kind": "dmca", "values": {"recipient": "Videos Ltd", "colour": "red"}}
    error = reviewer.refused(422, "POST", f"/cases/{case.id}/notices", json=body)
    (problem,) = error["problems"]
    assert (problem["where"], "leave it out" in problem["message"]) == ("colour", True)


def test_a_notice_that_lacks_something_is_not_signed(reviewer, draft):
    body = {"full_name": "Anna Albers"}
    error = reviewer.refused(422, "POST", f"/notices/{draft['id']}/sign", json=body)
    assert error["problems"] == draft["problems"]


def test_nobody_signs_in_anothers_name(reviewer, draft):
    body = {"full_name": "Carol Chen"}
    error = reviewer.refused(422, "POST", f"/notices/{draft['id']}/sign", json=body)
    assert "your own full name" in error["message"]


def test_a_signed_notice_stays_as_it_is(reviewer, signed):
    assert (signed["state"], signed["signed_by"]) == ("signed", "Anna Albers")
    address = f"/notices/{signed['id']}"
    body = {"values": signed["values"]}
    assert "is signed" in reviewer.refused(409, "PUT", address, json=body)["message"]
    assert reviewer.get(address)["problems"] == []


def test_nobody_approves_what_they_have_signed(api, approver, draft):
    address = f"/notices/{draft['id']}"
    approver.do("PUT", address, {"values": complete(NoticeKind.DMCA)})
    approver.do("POST", f"{address}/sign", {"full_name": "Carol Chen"})
    error = approver.refused(403, "POST", f"{address}/approve")
    assert "second person" in error["message"]


def test_a_notice_is_sent_after_a_second_person_has_approved_it(reviewer, approver, signed):
    address = f"/notices/{signed['id']}"
    reviewer.refused(409, "POST", f"{address}/sent", json={"to": "copyright@videos.example"})
    approver.do("POST", f"{address}/approve")
    made = reviewer.do("POST", f"{address}/sent", {"to": "copyright@videos.example"})
    assert (made["state"], made["sent_to"]) == ("sent", "copyright@videos.example")


def test_a_counter_notice_starts_the_clock(reviewer, sent):
    today = datetime.now(UTC).date()
    body = {"received_at": today.isoformat(), "text": "it is my own film"}
    counter = reviewer.do("POST", f"/notices/{sent['id']}/counter", body)["counter"]
    restore_from, restore_by = restore_window(today)
    assert (counter["restore_from"], counter["restore_by"]) == (str(restore_from), str(restore_by))


def test_a_counter_notice_that_is_yet_to_come(reviewer, sent):
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    body = {"received_at": tomorrow.isoformat(), "text": "it is my own film"}
    error = reviewer.refused(422, "POST", f"/notices/{sent['id']}/counter", json=body)
    assert "future" in error["message"]


def test_a_notice_is_withdrawn(reviewer, draft):
    address = f"/notices/{draft['id']}/withdraw"
    assert reviewer.do("POST", address, {"why": "it was licensed"})["state"] == "withdrawn"
    reviewer.refused(409, "POST", address, json={"why": "once more"})


def test_notices_are_listed_by_state_and_by_case(viewer, reviewer, draft):
    (listed,) = viewer.get("/notices", state="draft")["items"]
    assert listed["id"] == draft["id"]
    assert viewer.get("/notices", state="sent")["total"] == 0
    assert viewer.get(f"/cases/{draft['case_id']}/notices")["items"] == [listed]


def test_the_document_is_what_was_signed(viewer, signed):
    answer = viewer.ask("GET", f"/notices/{signed['id']}/document.html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert hashlib.sha256(answer.content).hexdigest() == signed["document_digest"]
    assert "Anna Albers" in answer.text


def test_the_document_of_a_draft_shows_what_is_missing(viewer, draft):
    text = viewer.ask("GET", f"/notices/{draft['id']}/document.html").text
    assert "recipient is missing" in text


def test_the_document_as_a_pdf_file(viewer, signed):
    answer = viewer.ask("GET", f"/notices/{signed['id']}/document.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


def test_what_a_notice_consists_of(viewer):
    found = viewer.get("/notice-kinds/dmca/elements", limit=200)
    elements = {one["name"]: one for one in found["items"]}
    assert found["total"] == len(elements)
    assert elements["good_faith"]["kind"] == "check"
    assert elements["good_faith"]["statute"].startswith("512(c)(3)(A)(v)")
    assert elements["licence"]["choices"]
