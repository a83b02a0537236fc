"""What Prometheus is told of the desk, and who may ask."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from desk_office import Office
from desk_server import running
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from detector.logs import LogFormat, configure
from detector.review.records import COMMAND_LINE

DOCUMENT = (Path(__file__).parents[4] / "docs" / "operations.md").read_text()


def token(office: Office) -> dict[str, str]:
    """Return what a program sends as an account that may only look."""
    vera = office.desk.accounts.by_name("vera")
    _, secret = office.desk.accounts.add_token(vera.id, "prometheus", COMMAND_LINE)
    return {"Authorization": f"Bearer {secret}"}


def scraper(office: Office) -> TestClient:
    return TestClient(office.app, base_url="http://localhost", headers=token(office))


def figures(client: TestClient) -> dict[tuple[str, ...], float]:
    """Return each value by the metric's name and its labels, in order of their names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_program_is_told_what_there_is(office: Office) -> None:
    program = scraper(office)
    entries = len(office.desk.audit.events())
    found = figures(program)
    assert found["matchcut_desk_cases", "open"] == len(office.cases)
    assert found["matchcut_desk_cases", "decided"] == 0
    assert found["matchcut_desk_jobs", "waiting"] == found["matchcut_desk_jobs", "running"] == 0
    assert found["matchcut_desk_webhook_messages_pending",] == 0
    assert found["matchcut_desk_audit_entries",] == entries
    assert found["process_resident_memory_bytes",] > 0
    assert not any(name.startswith("matchcut_desk_audit_verified") for name, *_ in found)


def test_a_job_that_waits_and_a_message_that_has_not_arrived_are_counted(office: Office) -> None:
    ada = office.actor("ada")
    office.desk.webhooks.add("http://127.0.0.1:9/hook", ["case.opened"], ada)
    office.add_case("interview", "another.mp4")
    program = scraper(office)
    seen = {}

    def run(report: object) -> None:
        seen.update(figures(program))

    jobs = office.app.state.jobs
    first = jobs.submit("query", "a clip", ada.account_id, run)
    jobs.wait(first.id, timeout_s=60)
    assert seen["matchcut_desk_jobs", "running"] == 1
    assert seen["matchcut_desk_webhook_messages_pending",] == 1


def test_the_last_check_of_the_audit_is_told(office: Office) -> None:
    office.browser("anna").http.get("/api/v1/audit/verify")
    found = figures(scraper(office))
    assert found["matchcut_desk_audit_problems",] == 0
    for name in {name.partition("_seconds_")[0] for name, *_ in found}:
        assert name.startswith("process_") or f"`{name}" in DOCUMENT
    assert found["matchcut_desk_audit_verified_timestamp_seconds",] > 1.7e9


def test_requests_are_counted_by_route_and_name_nothing(office: Office) -> None:
    program, browser = scraper(office), office.browser("rosa")
    number = office.cases["interview"]
    before = figures(program)
    for path in (f"/cases/{number}", f"/api/v1/cases/{number}", "/no/such/page?q=secret"):
        browser.http.get(path)
    browser.http.request("BREW", "/sign-in")
    office.browser().http.post("/cases/17/decide")  # by nobody: refused before it is looked at
    after = figures(program)

    def more(name: str, *labels: str) -> float:
        return after.get((name, *labels), 0.0) - before.get((name, *labels), 0.0)

    requests, seconds = "matchcut_desk_requests_total", "matchcut_desk_request_seconds_count"
    assert more(requests, "GET", "/cases/{case_id}", "200") == 1
    assert more(requests, "GET", "/api/v1/cases/{case_id}", "200") == 1
    assert more(seconds, "GET", "/cases/{case_id}") == 1
    assert more(requests, "GET", "other", "404") == 1
    assert more(requests, "other", "/sign-in", "405") == 1
    assert more(requests, "POST", "other", "303") == 1
    text = program.get("/metrics").text
    for word in ("interview", "eileen", "bikes", "rosa", "secret", "no/such"):
        assert word not in text


def test_nobody_else_is_told_and_a_token_opens_no_page(office: Office) -> None:
    answer = office.browser().http.get("/metrics")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "sign_in_needed"
    assert office.browser("rosa").http.get("/metrics").status_code == 200
    assert scraper(office).get("/", follow_redirects=False).status_code == 303


def test_a_fault_is_counted_and_the_server_logs_it_as_everything(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    headers, program = token(office), scraper(office)
    before = figures(program).get(("matchcut_desk_requests_total", "GET", "/metrics", "500"), 0.0)
    configure(LogFormat.JSON)
    jobs = office.app.state.jobs
    with running(office.app) as address:
        office.app.state.jobs = None  # a fault in the desk's code
        with pytest.raises(HTTPError, match="500"):
            urlopen(Request(f"{address}/metrics", headers=headers), timeout=60)  # noqa: S310
        office.app.state.jobs = jobs
    configure()
    (event,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (event["level"], event["logger"]) == ("error", "uvicorn.error")
    assert "AttributeError" in event["exception"]
    assert headers["Authorization"] not in json.dumps(event)
    after = figures(scraper(office))
    assert after["matchcut_desk_requests_total", "GET", "/metrics", "500"] == before + 1
