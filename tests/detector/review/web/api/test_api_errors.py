"""What the API refuses: always in one shape, to everybody who may not, and whatever comes in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from desk_examples import open_case
from programs import Program, error_in

from detector.review import provenance
from detector.review.web.api.models import Provenance

MOST = 2**63 - 1

LEAST_ROLES = {
    "viewer": {
        "count_cases", "get_case", "get_frame", "get_job", "get_matrix", "get_me", "get_notice",
        "get_notice_document", "get_notice_pdf", "get_person", "get_reference_film",
        "get_statement_of_reasons", "get_upload_film", "get_work", "list_case_history",
        "list_cases", "list_earlier_cases", "list_exclusions", "list_jobs", "list_licences",
        "list_notice_elements", "list_notices", "list_notices_of_case", "list_people",
        "list_rules", "list_tokens", "list_works", "read_case_provenance", "add_token",
        "change_my_password", "revoke_token",
    },
    "reviewer": {
        "add_exclusion", "add_licence", "add_rule", "add_work", "ask_about_file",
        "ask_for_phrase", "change_work", "claim_case", "decide_case", "draft_notice",
        "escalate_case", "get_face", "get_moment", "mark_notice_sent", "open_case_from_query",
        "record_counter_notice", "release_case", "remove_exclusion", "remove_licence",
        "remove_rule", "sign_notice", "skip_case", "take_next_case", "undo_decision",
        "withdraw_notice", "write_notice",
    },
    "approver": {
        "add_person", "add_photos", "approve_decision", "approve_notice", "change_person",
        "export_audit", "list_events", "refuse_decision", "remove_person", "remove_work",
        "verify_audit",
    },
    "admin": {
        "add_account", "add_webhook", "change_account", "get_account", "list_accounts",
        "list_webhooks", "remove_webhook", "set_account_password",
    },
}  # fmt: skip
NAMES = {"viewer": "vera", "reviewer": "anna", "approver": "carol", "admin": "dora"}


@dataclass(frozen=True)
class Operation:
    """An operation of the API, as its document has it."""

    id: str
    method: str
    path: str
    parameters: list[dict[str, Any]]

    def address(self, **values: object) -> str:
        """Return its path with values in the place of its parameters; 1 unless given."""
        path = self.path.removeprefix("/api/v1")
        for one in self.parameters:
            if one["in"] == "path":
                text = values.get(one["name"], _first(one["schema"]))
                path = path.replace(f"{{{one['name']}}}", str(text))
        return path


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            yield Operation(one["operationId"], method.upper(), path, one.get("parameters", []))


def _first(schema: dict[str, Any]) -> object:
    return {"NoticeKind": "dmca", "Side": "upload"}.get(schema.get("$ref", "").split("/")[-1], 1)


def is_of(schema: dict[str, Any], kind: str) -> bool:
    """Whether a value may be of a kind."""
    return schema.get("type") == kind or any(
        one.get("type") == kind for one in schema.get("anyOf", ())
    )


# --- who may ----------------------------------------------------------------------------------


def test_nobody_does_anything_without_a_token(api):
    stranger = api.program(None)
    for one in operations(api.app.openapi()):
        answer = stranger.ask(one.method, one.address())
        assert answer.status_code == 401, one.id
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "Authorization: Bearer" in error_in(answer)["message"]


def test_every_operation_is_for_some_role(api):
    known = [one.id for one in operations(api.app.openapi())]
    assert sorted(known) == sorted(id_ for ids in LEAST_ROLES.values() for id_ in ids)


def test_a_role_may_do_what_is_for_it_and_nothing_more(api):
    roles = list(LEAST_ROLES)
    programs = {role: api.program(name) for role, name in NAMES.items()}
    for one in operations(api.app.openapi()):
        least = next(role for role in roles if one.id in LEAST_ROLES[role])
        for role in roles[: roles.index(least)]:
            error = programs[role].refused(403, one.method, one.address())
            assert f"needs the role {least}" in error["message"], one.id
        answer = programs[least].ask(one.method, one.address(token_id=MOST))
        assert "needs the role" not in answer.text, one.id


def test_a_token_that_was_made_up(api):
    Program(api.app, "mct_made_up").refused(401, "GET", "/me")


def test_a_session_needs_its_secret_for_a_change(api):
    browser = api.program(None)
    browser.http.post("/sign-in", data={"name": "anna", "password": "correct horse battery"})
    browser.get("/me")
    error = browser.refused(403, "POST", "/cases/1/claim")
    assert "not sent from a page" in error["message"]


# --- what is not there ------------------------------------------------------------------------


def test_what_the_api_does_not_have(reviewer):
    reviewer.refused(404, "GET", "/nothing")
    reviewer.refused(404, "GET", "/cases/1/nothing")
    reviewer.refused(405, "PUT", "/counts")


@pytest.mark.parametrize(
    "path",
    [
        "/cases/7",
        "/cases/7/history",
        "/cases/7/earlier",
        "/cases/7/provenance",
        "/cases/7/statement-of-reasons",
        "/cases/7/notices",
        "/cases/7/upload.mp4",
        "/cases/7/matches/0/matrix.png",
        "/notices/7",
        "/notices/7/document.html",
        "/notices/7/document.pdf",
        "/works/nothing",
        "/works/nothing/reference.mp4",
        "/people/nobody",
        "/jobs/none",
        "/accounts/7000",
    ],
)
def test_what_is_not_there(admin, path):
    admin.refused(404, "GET", path)


# --- what cannot be taken ---------------------------------------------------------------------


def test_a_body_that_cannot_be_read(reviewer):
    case = "/cases/1/decide"
    headers = {"Content-Type": "application/json"}
    for content in (b"{", b"\xff\xfe", b'{"action": "block", "reason": "full copy"'):
        reviewer.refused(422, "POST", case, content=content, headers=headers)
    reviewer.refused(422, "POST", case, content=b"action=block")
    reviewer.refused(422, "POST", case, json=["block"])


def test_what_is_wrong_is_said_field_by_field(reviewer):
    body = {"action": "eat", "comment": "x" * 5000, "colour": "red"}
    error = reviewer.refused(422, "POST", "/cases/1/decide", json=body)
    assert {one["where"] for one in error["problems"]} == {
        "body.action",
        "body.reason",
        "body.comment",
        "body.colour",
    }
    assert "xxx" not in json.dumps(error)


def test_a_filter_that_is_misspelt(viewer):
    error = viewer.refused(422, "GET", "/cases", params={"chanel": "face"})
    assert error["problems"][0]["where"] == "query.chanel"


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "many"},
        {"offset": -1},
        {"offset": MOST + 1},
    ],
)
def test_parts_of_a_list_that_cannot_be(viewer, query):
    viewer.refused(422, "GET", "/cases", params=query)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "\\ud800"])
def test_no_text_of_a_body_is_one_that_a_database_refuses(api, admin, text):
    case = open_case(api.desk).id
    work = {"kind": "work", "ref_id": "metropolis", "document": "7"}
    bodies = [
        ("POST", f"/cases/{case}/escalate", {"why": "{}"}),
        (
            "POST",
            f"/cases/{case}/decide",
            {"action": "block", "reason": "full copy", "comment": "{}"},
        ),
        ("POST", f"/cases/{case}/approve", {"comment": "{}"}),
        ("POST", f"/cases/{case}/refuse", {"comment": "{}"}),
        ("POST", f"/cases/{case}/notices", {"kind": "dmca", "values": {"recipient": "{}"}}),
        ("POST", f"/cases/{case}/notices", {"kind": "dmca", "values": {"{}": "x"}}),
        ("POST", f"/cases/{case}/notices", {"kind": "dmca", "values": {"material": ["{}"]}}),
        ("POST", "/notices/1/withdraw", {"why": "{}"}),
        ("POST", "/notices/1/sign", {"full_name": "{}"}),
        ("POST", "/notices/1/sent", {"to": "{}"}),
        ("PATCH", "/works/metropolis", {"title": "{}"}),
        ("PATCH", "/works/metropolis", {"cast": ["{}"]}),
        ("PATCH", "/people/brigitte-helm", {"authority": "{}"}),
        ("POST", "/licences", work | {"licensee": "{}"}),
        ("POST", "/licences", work | {"document": "{}"}),
        ("POST", "/licences", work | {"territories": ["{}"]}),
        ("POST", "/exclusions", {"work_id": "{}", "start": 0, "end": 1, "why": "{}"}),
        ("POST", "/queries/phrase", {"phrase": "{}"}),
        ("POST", "/tokens", {"label": "{}"}),
        ("POST", "/webhooks", {"url": "https://a.example/{}", "events": ["case.opened"]}),
    ]
    headers = {"Content-Type": "application/json"}
    for method, path, body in bodies:
        # Written by hand: half a surrogate pair can be sent in JSON as an escape alone.
        content = json.dumps(body).replace("{}", json.dumps(text)[1:-1].replace("\\\\", "\\"))
        answer = admin.ask(method, path, content=content.encode(), headers=headers)
        assert answer.status_code < 500, (path, body)
        assert answer.status_code in {404, 409, 422, 200, 201}, answer.text


def test_no_parameter_breaks_a_database(api, admin):
    """Numbers beyond 64 bits, NUL, and what is no text, in every parameter of every operation."""
    open_case(api.desk)
    for one in operations(api.app.openapi()):
        for parameter in one.parameters:
            name, schema = parameter["name"], parameter["schema"]
            if parameter["in"] == "path":
                values = ["%00", "%ED%A0%80", "-1", str(2**63), str(2**200), "1e400", "%2E%2E"]
                answers = [admin.ask(one.method, one.address(**{name: text})) for text in values]
            elif is_of(schema, "string"):
                tried = ["\0", "x" * 10_000, "9999-12-31T23:59:59-23:59", "0001-01-01"]
                query = [{name: text} for text in tried]
                answers = [admin.ask(one.method, one.address(), params=each) for each in query]
            else:
                query = [{name: text} for text in ("-1", str(2**63), "1e400", "nan", "inf")]
                answers = [admin.ask(one.method, one.address(), params=each) for each in query]
            for answer in answers:
                assert answer.status_code < 500, (one.id, name, answer.request.url)
                if answer.status_code >= 400:
                    error_in(answer)


def test_the_largest_numbers_are_looked_up(admin):
    for path in (f"/cases/{MOST}", f"/notices/{MOST}", f"/accounts/{MOST}"):
        admin.refused(404, "GET", path)
    for path in (f"/tokens/{MOST}", f"/webhooks/{MOST}"):
        admin.refused(404, "DELETE", path)
    for path in ("/licences", "/rules", "/exclusions"):
        admin.refused(404, "DELETE", f"{path}/{2**31 - 1}")
        admin.refused(422, "DELETE", f"{path}/{2**31}")
    assert admin.get("/cases", offset=MOST, claimed_by=MOST)["items"] == []
    assert admin.get("/audit", before=MOST)["items"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day(admin, library, day):
    licence = {"kind": "work", "ref_id": "metropolis", "document": "7", "starts": day, "ends": day}
    assert admin.do("POST", "/licences", licence, 201)["ends"] == day
    moment = f"{day}T00:00:00+00:00"
    admin.refused(422, "GET", "/cases", params={"opened_before": moment})


def test_a_request_that_is_too_large(reviewer):
    body = {"comment": "x" * (1 << 22)}
    reviewer.refused(413, "POST", "/cases/1/decide", json=body)


def test_a_form_with_files_that_was_cut_off(reviewer):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    content = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nabc'
    for sent in (b"", b"--x", content):
        reviewer.refused(422, "POST", "/queries", content=sent, headers=headers)


def test_the_api_answers_to_its_own_names_only(viewer):
    viewer.refused(400, "GET", "/me", headers={"Host": "rebound.example"})


def test_credentials_that_hold_no_text(api):
    read = provenance.Provenance(
        provenance.ProvenanceState.INVALID, "damaged", signer="\ud800", actions=("cut with \udfff",)
    )
    sent = Provenance.model_validate(read).model_dump_json()
    assert json.loads(sent)["signer"] == "\\ud800"
