"""Cases over the API: to find, to look at, to work on and to decide."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from desk_examples import a_flag, a_likeness, open_case

from detector.review.records import CaseState
from detector.types import Channel, Verdict

BLOCK = {"action": "block", "reason": "full copy"}
DISMISS = {"action": "dismiss", "reason": "false match", "comment": "another film"}


def test_cases_are_listed_gravest_first(api, viewer):
    open_case(api.desk, "uploads/mild.mp4", a_flag(score=0.6))
    open_case(api.desk, "uploads/grave.mp4", a_flag(score=0.9, verdict=Verdict.BLOCK))
    found = viewer.get("/cases")
    assert [one["name"] for one in found["items"]] == ["grave.mp4", "mild.mp4"]
    assert (found["total"], found["limit"], found["offset"]) == (2, 50, 0)
    grave = found["items"][0]
    assert (grave["verdict"], grave["score"], grave["state"]) == ("block", 0.9, "open")
    (subject,) = grave["subjects"]
    assert (subject["kind"], subject["ref_id"], subject["channel"]) == (
        "work",
        "metropolis",
        "copy",
    )


def test_a_list_comes_in_parts(api, viewer):
    for number in range(5):
        open_case(api.desk, f"uploads/{number}.mp4", a_flag(score=0.9 - number / 10))
    parts = [viewer.get("/cases", limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [[one["name"] for one in part["items"]] for part in parts] == [
        ["0.mp4", "1.mp4"],
        ["2.mp4", "3.mp4"],
        ["4.mp4"],
        [],
    ]
    assert {part["total"] for part in parts} == {5}
    assert [part["offset"] for part in parts] == [0, 2, 4, 6]


FILTERS = [
    ({"channel": "face"}, {"face.mp4"}),
    ({"verdict": "block"}, {"block.mp4"}),
    ({"min_score": 0.85}, {"block.mp4"}),
    ({"max_score": 0.85}, {"face.mp4", "plain.mp4"}),
    ({"owner": "UFA"}, {"plain.mp4"}),
    ({"work": "heat"}, {"plain.mp4"}),
    ({"person": "brigitte-helm"}, {"face.mp4"}),
    ({"uploader": "ferris"}, {"block.mp4"}),
    ({"source": "PLAIN"}, {"plain.mp4"}),
    ({"state": ["decided", "escalated"]}, set()),
    ({"state": "open", "is_claimed": True}, {"block.mp4"}),
    ({"is_claimed": False}, {"face.mp4", "plain.mp4"}),
    ({"opened_after": "2001-01-01T00:00:00Z"}, {"block.mp4", "face.mp4", "plain.mp4"}),
    ({"opened_before": "2001-01-01T00:00:00+02:00"}, set()),
]


def test_cases_are_filtered(api, staff, viewer):
    blocked = open_case(
        api.desk, "uploads/block.mp4", a_flag(verdict=Verdict.BLOCK), uploader="ferris"
    )
    open_case(api.desk, "uploads/face.mp4", a_likeness())
    open_case(api.desk, "uploads/plain.mp4", a_flag("heat", score=0.7, owner="UFA"))
    api.desk.cases.claim(blocked.id, staff.anna)
    for asked, names in FILTERS:
        found = viewer.get("/cases", **asked)["items"]
        assert {one["name"] for one in found} == names, asked


def test_cases_claimed_by_somebody(api, staff, viewer):
    case = open_case(api.desk)
    api.desk.cases.claim(case.id, staff.anna)
    anna, ben = staff.anna.account_id, staff.ben.account_id
    assert viewer.get("/cases", claimed_by=anna)["total"] == 1
    assert viewer.get("/cases", claimed_by=ben)["total"] == 0


def test_cases_are_counted_by_state(api, viewer):
    open_case(api.desk)
    assert viewer.get("/counts") == {
        "cases": {"open": 1, "escalated": 0, "to approve": 0, "decided": 0}
    }


def test_a_case_comes_with_its_scan(api, viewer):
    case = open_case(api.desk)
    found = viewer.get(f"/cases/{case.id}")
    assert found["id"] == case.id
    assert found["digest"] == case.digest
    (match,) = found["result"]["matches"]
    assert (match["work_id"], match["reason"]) == ("metropolis", "the owner wants to see it")
    (segment,) = match["segments"]
    assert (segment["query_start"], segment["ref_end"]) == (1.0, 6.0)
    assert segment["pairs"] == [{"query_time": 1.0, "ref_time": 2.0, "similarity": 0.9}]
    assert found["versions"]["matchcut"] == "0.1.0"
    assert found["decisions"] == []


def test_a_case_is_claimed_by_one_and_released(api, reviewer):
    case = open_case(api.desk)
    ben = api.program("ben")
    taken = reviewer.do("POST", f"/cases/{case.id}/claim")
    assert taken["claim"]["name"] == "anna"
    error = ben.refused(409, "POST", f"/cases/{case.id}/claim")
    assert "anna works on case" in error["message"]
    reviewer.do("POST", f"/cases/{case.id}/release", status=204)
    assert ben.do("POST", f"/cases/{case.id}/claim")["claim"]["name"] == "ben"


def test_the_next_case_is_taken_until_none_is_left(api, reviewer):
    open_case(api.desk, "uploads/a.mp4", a_flag(score=0.8))
    open_case(api.desk, "uploads/b.mp4", a_likeness())
    face = reviewer.do("POST", "/cases/take-next?channel=face")
    assert face["name"] == "b.mp4"
    assert reviewer.do("POST", "/cases/take-next")["name"] == "a.mp4"
    assert reviewer.do("POST", "/cases/take-next", status=204) is None


def test_a_skipped_case_is_not_taken_again(api, reviewer):
    case = open_case(api.desk)
    reviewer.do("POST", f"/cases/{case.id}/skip", status=204)
    reviewer.do("POST", "/cases/take-next", status=204)


def test_a_case_is_decided_and_the_decision_undone(api, reviewer):
    case = open_case(api.desk)
    (made,) = reviewer.do("POST", f"/cases/{case.id}/decide", DISMISS)["decisions"]
    assert (made["action"], made["name"], made["approval"]) == ("dismiss", "anna", "not needed")
    assert made["comment"] == "another film"
    assert reviewer.do("POST", f"/cases/{case.id}/undo")["state"] == "open"
    (undone,) = reviewer.get(f"/cases/{case.id}")["decisions"]
    assert undone["undone_at"] is not None


def test_all_cases_that_are_alike_are_decided_at_once(api, reviewer):
    first, _, other = (
        open_case(api.desk, f"uploads/{name}.mp4", uploader=uploader)
        for name, uploader in (("a", "ferris"), ("b", "ferris"), ("c", "somebody else"))
    )
    made = reviewer.do("POST", f"/cases/{first.id}/decide", DISMISS | {"alike": True})["decisions"]
    assert len(made) == 2
    assert api.desk.cases.get(other.id).state is CaseState.OPEN


def test_a_likeness_is_blocked_by_two_people(api, reviewer, approver):
    case = open_case(api.desk, "uploads/a.mp4", a_likeness())
    likeness = {"action": "block", "reason": "likeness"}
    (made,) = reviewer.do("POST", f"/cases/{case.id}/decide", likeness)["decisions"]
    assert made["approval"] == "waiting"
    refused = approver.do("POST", f"/cases/{case.id}/refuse", {"comment": "a double"})
    assert (refused["approval"], refused["approval_by"]) == ("refused", "carol")
    reviewer.do("POST", f"/cases/{case.id}/decide", likeness)
    approved = approver.do("POST", f"/cases/{case.id}/approve", {"comment": "it is her"})
    assert approved["approval"] == "approved"
    assert approver.get(f"/cases/{case.id}")["state"] == "decided"


def test_nobody_approves_their_own_decision(api, approver):
    case = open_case(api.desk, "uploads/a.mp4", a_likeness())
    approver.do("POST", f"/cases/{case.id}/decide", {"action": "block", "reason": "likeness"})
    error = approver.refused(403, "POST", f"/cases/{case.id}/approve")
    assert "second person" in error["message"]


def test_a_case_is_escalated(api, reviewer):
    case = open_case(api.desk)
    escalated = reviewer.do("POST", f"/cases/{case.id}/escalate", {"why": "who is the owner?"})
    assert escalated["state"] == "escalated"
    (last, *_) = reviewer.get(f"/cases/{case.id}/history")["items"]
    assert (last["action"], last["why"], last["via"]) == (
        "case.escalated",
        "who is the owner?",
        "api",
    )


def test_the_history_of_a_case_comes_in_parts(api, reviewer):
    case = open_case(api.desk)
    reviewer.do("POST", f"/cases/{case.id}/decide", DISMISS)
    whole = reviewer.get(f"/cases/{case.id}/history")
    assert [one["action"] for one in whole["items"]] == [
        "case.decided",
        "case.claimed",
        "case.opened",
    ]
    part = reviewer.get(f"/cases/{case.id}/history", limit=1, offset=1)
    assert (part["total"], part["items"]) == (3, whole["items"][1:2])


def test_earlier_cases_of_the_same_uploader(api, viewer):
    first = open_case(api.desk, "uploads/a.mp4", uploader="ferris")
    second = open_case(api.desk, "uploads/b.mp4", uploader="ferris")
    found = viewer.get(f"/cases/{second.id}/earlier")
    assert ([one["id"] for one in found["items"]], found["total"]) == ([first.id], 1)


def test_credentials_of_an_upload_that_is_gone(api, viewer):
    case = open_case(api.desk)
    error = viewer.refused(404, "GET", f"/cases/{case.id}/provenance")
    assert "no longer at" in error["message"]


def test_credentials_of_an_upload(api, viewer, tmp_path):
    upload = tmp_path / "upload.txt"
    upload.write_text("no film at all")
    case = open_case(api.desk, str(upload))
    found = viewer.get(f"/cases/{case.id}/provenance")
    assert found["state"] == "none"
    assert "says nothing" in found["summary"]


def test_a_statement_of_reasons_of_what_was_blocked(api, reviewer):
    case = open_case(api.desk, submitted_at=datetime(2026, 3, 1, tzinfo=UTC))
    reviewer.do("POST", f"/cases/{case.id}/decide", BLOCK)
    said = reviewer.get(f"/cases/{case.id}/statement-of-reasons", content_language="DE")
    assert said["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert (said["content_date"], said["content_language"]) == ("2026-03-01", "DE")
    assert "source_identity" not in said


def test_no_statement_of_reasons_before_there_is_a_decision(api, viewer):
    case = open_case(api.desk)
    error = viewer.refused(422, "GET", f"/cases/{case.id}/statement-of-reasons")
    assert "is decided" in error["message"]


def test_a_reason_that_does_not_go_with_the_action(api, reviewer):
    case = open_case(api.desk)
    body = {"action": "block", "reason": "fair use"}
    error = reviewer.refused(422, "POST", f"/cases/{case.id}/decide", json=body)
    assert "is no reason to block" in error["message"]


@pytest.mark.parametrize("channel", [Channel.COPY, Channel.FACE])
def test_both_kinds_of_match_come_as_what_they_are(api, viewer, channel):
    flag = a_likeness() if channel is Channel.FACE else a_flag()
    case = open_case(api.desk, "uploads/a.mp4", flag)
    (match,) = viewer.get(f"/cases/{case.id}")["result"]["matches"]
    assert ("person_id" in match, "work_id" in match) == (
        channel is Channel.FACE,
        channel is Channel.COPY,
    )
