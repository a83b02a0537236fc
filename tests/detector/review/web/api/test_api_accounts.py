"""Accounts, tokens, webhooks and the audit over the API."""

from __future__ import annotations

from datetime import date

import pytest
from desk_examples import PASSWORD, open_case

from detector.review.audit import verify_export
from detector.review.records import COMMAND_LINE, NewEvent
from detector.review.webhooks import EVENTS

ERNA = {"name": "erna", "full_name": "Erna Eck", "role": "reviewer", "password": "a long password"}


def test_who_one_is(reviewer):
    me = reviewer.get("/me")
    assert (me["name"], me["full_name"], me["role"], me["via"]) == (
        "anna",
        "Anna Albers",
        "reviewer",
        "api",
    )


def test_ones_own_password_is_changed_with_the_current_one(api, reviewer):
    body = {"current": "something else", "password": "another password"}
    assert "is wrong" in reviewer.refused(422, "PUT", "/me/password", json=body)["message"]
    reviewer.do("PUT", "/me/password", body | {"current": PASSWORD}, 204)
    api.desk.accounts.sign_in("anna", "another password", "127.0.0.1")


# --- tokens -----------------------------------------------------------------------------------


def test_a_token_works_until_it_is_revoked(api, reviewer):
    made = reviewer.do("POST", "/tokens", {"label": "nightly"}, 201)
    api.program("anna").get("/me")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert reviewer.ask("GET", "/me", headers=headers).status_code == 200
    revoked = reviewer.do("DELETE", f"/tokens/{made['id']}")
    assert revoked["revoked_at"] is not None
    reviewer.refused(401, "GET", "/me", headers=headers)


def test_tokens_are_listed_without_their_secrets(reviewer):
    (token,) = reviewer.get("/tokens")["items"]
    assert token["label"] == "test"
    assert "secret" not in token


def test_only_an_admin_has_to_do_with_anothers_tokens(api, staff, reviewer, admin):
    whose = {"account_id": staff.ben.account_id}
    reviewer.refused(403, "GET", "/tokens", params=whose)
    reviewer.refused(403, "POST", "/tokens", json=whose | {"label": "mine now"})
    made = admin.do("POST", "/tokens", whose | {"label": "for ben"}, 201)
    assert admin.get("/tokens", **whose)["items"][0]["id"] == made["id"]
    reviewer.refused(404, "DELETE", f"/tokens/{made['id']}")
    admin.do("DELETE", f"/tokens/{made['id']}")


# --- accounts ---------------------------------------------------------------------------------


def test_an_account_is_made_changed_and_deactivated(api, admin):
    made = admin.do("POST", "/accounts", ERNA, 201)
    address = f"/accounts/{made['id']}"
    assert admin.get(address) == made
    assert "password" not in made
    assert admin.do("PATCH", address, {"role": "approver"})["role"] == "approver"
    admin.do("PUT", f"{address}/password", {"password": "another password"}, 204)
    api.desk.accounts.sign_in("erna", "another password", "127.0.0.1")
    assert admin.do("PATCH", address, {"is_active": False})["is_active"] is False
    assert admin.do("PATCH", address, {"is_active": True})["is_active"] is True
    names = [one["name"] for one in admin.get("/accounts", limit=200)["items"]]
    assert names[-1] == "erna"


def test_a_change_that_changes_nothing_is_no_event(admin, staff):
    address = f"/accounts/{staff.anna.account_id}"
    admin.do("PATCH", address, {"role": "reviewer", "is_active": True})
    actions = {one["action"] for one in admin.get("/audit", subject="account:anna")["items"]}
    assert actions == {"account.added", "token.added"} - {"token.added"}


def test_a_name_is_taken_once(admin):
    error = admin.refused(409, "POST", "/accounts", json=ERNA | {"name": "anna"})
    assert "already" in error["message"]


def test_the_last_admin_stays(admin, staff):
    address = f"/accounts/{staff.dora.account_id}"
    admin.refused(409, "PATCH", address, json={"is_active": False})
    admin.refused(403, "PATCH", address, json={"role": "viewer"})
    admin.refused(403, "PUT", f"{address}/password", json={"password": "another password"})


def test_a_password_that_is_refused_is_not_repeated(admin):
    answer = admin.ask("POST", "/accounts", json=ERNA | {"password": ["not", "a", "text"]})
    assert answer.status_code == 422
    assert "not" not in answer.json()["error"]["problems"]
    body = ERNA | {"password": "hush" * 1000}
    answer = admin.ask("POST", "/accounts", json=body)
    assert answer.status_code == 422
    assert "hush" not in answer.text


# --- webhooks ---------------------------------------------------------------------------------


def test_a_webhook_is_added_listed_and_removed(api, admin):
    body = {"url": "https://hooks.example/desk", "events": ["case.decided", "case.opened"]}
    made = admin.do("POST", "/webhooks", body, 201)
    assert made["secret"]
    (listed,) = admin.get("/webhooks")["items"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    admin.do("DELETE", f"/webhooks/{made['id']}", status=204)
    assert admin.get("/webhooks")["total"] == 0
    admin.refused(404, "DELETE", f"/webhooks/{made['id']}")


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://hooks.example/desk", "events": [EVENTS[0]]},
        {"url": "https://hooks.example/\0", "events": [EVENTS[0]]},
        {"url": "https://hooks.example/desk", "events": ["case.eaten"]},
        {"url": "https://hooks.example/desk", "events": []},
    ],
)
def test_a_webhook_that_cannot_be(admin, body):
    admin.refused(422, "POST", "/webhooks", json=body)


# --- the audit --------------------------------------------------------------------------------


def test_the_audit_is_read_page_by_page(api, approver):
    for number in range(4):
        api.desk.audit.record(COMMAND_LINE, NewEvent("test.done", "test:1", why=str(number)))
    first = approver.get("/audit", subject="test:1", limit=3)
    assert [one["why"] for one in first["items"]] == ["3", "2", "1"]
    rest = approver.get("/audit", subject="test:1", limit=3, before=first["before"])
    assert ([one["why"] for one in rest["items"]], rest["before"]) == (["0"], None)


def test_the_audit_of_one_account(api, staff, approver):
    case = open_case(api.desk)
    api.desk.cases.claim(case.id, staff.anna)
    (event,) = approver.get("/audit", actor="anna")["items"]
    assert (event["action"], event["subject"]) == ("case.claimed", f"case:{case.id}")
    assert event["evidence"]["upload"] == case.digest


def test_the_audit_is_verified(approver):
    report = approver.get("/audit/verify")
    assert report["problems"] == []
    assert report["count"] > 0


def test_an_export_of_the_audit_can_be_verified_elsewhere(approver):
    answer = approver.ask("GET", "/audit/export")
    assert answer.headers["content-type"].startswith("application/jsonl")
    report = verify_export(answer.text.splitlines(keepends=True))
    assert report.problems == ()
    assert report.head == approver.get("/audit/verify")["head"]


def test_only_approvers_read_the_audit(reviewer):
    for path in ("/audit", "/audit/verify", "/audit/export"):
        reviewer.refused(403, "GET", path)


def test_dates_are_written_as_such(approver):
    (event, *_) = approver.get("/audit", limit=1)["items"]
    assert date.fromisoformat(event["at"][:10])
