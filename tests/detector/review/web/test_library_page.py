"""The library's pages: what is protected is added, changed and removed, with real files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from desk_office import HOST, Browser, Office
from starlette.testclient import httpx

from detector.assets import ASSETS, fetch
from detector.review.jobs import Job, JobState
from detector.review.records import Event
from detector.review.uploads import QUERIES

WAIT_S = 120.0
UNTIL = datetime.now(UTC).date() + timedelta(days=365)
PERSON = {
    "name": "Eileen M. Collins",
    "authority": "NASA, consent 12",
    "retain_until": UNTIL.isoformat(),
    "policy": "review",
}


def send(browser: Browser, path: str, files: Sequence[Path], **fields: str) -> httpx.Response:
    """Send a form with files as the script of the page does."""
    return browser.http.post(
        path,
        data={"csrf": browser.csrf, **fields},
        files=[("files", (file.name, file.read_bytes())) for file in files],
        headers={
            "Origin": f"http://{HOST}",
            "Accept": "application/json",
            "X-CSRF-Token": browser.csrf,
        },
    )


def added(office: Office, browser: Browser, answer: httpx.Response) -> tuple[Job, str]:
    """Return the job of what was taken when it has ended, and the page that it leads to."""
    assert answer.status_code == 200, answer.text
    location = answer.json()["location"]
    job = office.app.state.jobs.wait(location.removeprefix("/library/jobs/"), WAIT_S)
    page = browser.get(location)
    if page.status_code == 303:
        page = browser.get(page.headers["location"])
    return job, unescape(page.text)


def problem_in(answer: httpx.Response) -> str:
    """Return what a page says is wrong; it begins there with a capital."""
    found = re.search(r'role="alert">([^<]+)<', answer.text)
    assert found is not None
    problem = unescape(found[1])
    return problem[0].lower() + problem[1:]


def newest(office: Office) -> Event:
    return office.desk.audit.events(limit=1)[0]


def incoming(office: Office) -> list[Path]:
    return list((office.settings.home / QUERIES).glob("*"))


# --- lists


@pytest.mark.parametrize("tab", ["", "/people", "/licences", "/rules", "/exclusions"])
def test_every_list_opens_for_everybody(shown: Office, tab: str) -> None:
    page = shown.browser("vera").get(f"/library{tab}")
    assert page.status_code == 200
    assert 'method="post" action="/library' not in page.text
    assert shown.browser("anna").get(f"/library{tab}?search=nothing").status_code == 200


def test_works_are_listed_with_their_state_and_searched(shown: Office) -> None:
    rosa = shown.browser("rosa")
    page = rosa.get("/library").text
    assert 'href="/library/works/bikes"' in page
    assert 'action="/library/works"' in page
    found = rosa.get("/library?search=BIKES").text
    assert 'href="/library/works/bikes"' in found
    assert 'href="/library/works/bigbuckbunny"' not in found
    assert "Nothing here contains that" in rosa.get("/library?search=zebra").text


def test_a_long_list_comes_in_parts(office: Office) -> None:
    actor = office.actor("rosa")
    from detector.review.library import Library
    from index.rights_records import Kind

    library = Library(office.engine, office.desk)
    for number in range(51):
        library.add_licence(Kind.WORK, "bikes", actor, document=f"contract {number}")
    rosa = office.browser("rosa")
    first = rosa.get("/library/licences?search=contract").text
    further = re.search(r'href="(/library/licences\?[^"]*)" rel="next"', first)
    assert further is not None
    assert "contract 50" not in first
    assert "contract 50" in rosa.get(unescape(further[1])).text


# --- works


def test_a_film_is_added_by_upload(office: Office) -> None:
    rosa = office.browser("rosa")
    film = fetch(ASSETS["carphone_pristine"])
    fields = {"title": "Car <Phone>", "owner": "Ferris", "policy": "block", "id": ""}
    job, page = added(office, rosa, send(rosa, "/library/works", [film], **fields))
    assert job.state is JobState.DONE, job.error
    assert "Car <Phone>" in page
    assert "Added: uploads are compared with it from now on" in page
    assert "Channel copy" in page
    work = office.engine.index.work("carphone_pristine")
    assert Path(work.source).is_relative_to(office.settings.home / "library")
    event = newest(office)
    assert (event.actor, event.action) == ("rosa", "work.added")
    video = rosa.get(f"/api/v1/works/{work.id}/reference.mp4", headers={"Range": "bytes=0-9"})
    assert video.status_code == 206
    assert incoming(office) == []


def test_what_is_no_film_is_told_and_not_kept(office: Office, tmp_path: Path) -> None:
    rosa = office.browser("rosa")
    text = tmp_path / "film.mp4"
    text.write_text("this is a text")
    fields = {"title": "", "owner": "", "policy": "review", "id": ""}
    job, page = added(office, rosa, send(rosa, "/library/works", [text], **fields))
    assert job.state is JobState.FAILED
    assert "not a video, or damaged beyond its headers" in page
    assert incoming(office) == []
    assert list((office.settings.home / "library").rglob("*")) == []


@pytest.mark.parametrize(
    ("fields", "status", "problem"),
    [
        ({"id": "bikes"}, 409, "another film goes by the id 'bikes'"),
        ({"id": "../bikes"}, 422, "cannot be an id"),
        ({"title": "x" * 301}, 422, "the title is too long"),
        ({"policy": "destroy"}, 422, "choose what is to be done"),
    ],
)
def test_what_is_said_of_a_film_is_checked_at_once(
    office: Office, tmp_path: Path, fields: dict[str, str], status: int, problem: str
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    usual = {"title": "", "owner": "", "policy": "review", "id": ""}
    answer = send(office.browser("rosa"), "/library/works", [film], **(usual | fields))
    assert answer.status_code == status
    assert problem in answer.json()["error"]["message"]
    assert incoming(office) == []


def test_what_is_said_of_a_work_is_changed(office: Office) -> None:
    rosa = office.browser("rosa")
    page = rosa.follow("/library/works/bikes", title="Bikes & more", owner="Ferris", policy="block")
    assert "Bikes &amp; more" in page
    work = office.engine.index.work("bikes")
    assert (work.title, work.owner, work.policy) == ("Bikes & more", "Ferris", "block")
    answer = rosa.post("/library/works/bikes", title=" ", policy="block")
    assert answer.status_code == 422
    assert "the title is missing" in problem_in(answer)


def test_the_cast_is_set(office: Office) -> None:
    rosa = office.browser("rosa")
    page = rosa.follow("/library/works/bikes/cast", people="eileen")
    assert 'href="/library/people/eileen">Eileen Collins</a>' in page
    assert 'href="/library/works/bikes"' in rosa.get("/library/people/eileen").text
    rosa.follow("/library/works/bikes/cast")
    assert office.engine.index.people.cast(office.engine.index.work("bikes").number) == ()


def test_removing_a_work_takes_an_approver(office: Office) -> None:
    assert "Remove this work" not in office.browser("rosa").get("/library/works/bikes").text
    assert office.browser("rosa").post("/library/works/bikes/remove").status_code == 403
    anna = office.browser("anna")
    page = anna.follow("/library/works/bikes/remove", why="rights sold")
    assert 'href="/library/works/bikes"' not in page
    assert newest(office).why == "rights sold"
    assert anna.get("/library/works/bikes").status_code == 404


@pytest.mark.parametrize("ref_id", ["gone", "a?b#c", "\u202e", "x" * 128])
def test_a_work_that_is_not_there_is_told(shown: Office, ref_id: str) -> None:
    answer = shown.browser("vera").get(f"/library/works/{ref_id}")
    assert answer.status_code == 404


# --- rights


def test_a_licence_is_added_and_removed(office: Office) -> None:
    rosa = office.browser("rosa")
    page = rosa.follow(
        "/library/works/bikes/licences",
        document="contract 17",
        licensee="ferris",
        channels="copy",
        territories="de, at",
        starts="",
        ends=UNTIL.isoformat(),
    )
    assert "contract 17" in page
    assert f"until {UNTIL}" in page
    (licence,) = office.engine.index.rights.licences()
    assert (licence.channels, licence.territories) == (("copy",), ("AT", "DE"))
    page = rosa.follow(f"/library/licences/{licence.number}/remove", why="cancelled")
    assert "contract 17" not in page
    assert newest(office).action == "licence.removed"
    assert rosa.post(f"/library/licences/{licence.number}/remove").status_code == 404


def test_what_was_wrong_with_a_form_is_told_and_the_rest_stays_in_it(office: Office) -> None:
    rosa = office.browser("rosa")
    answer = rosa.post("/library/works/bikes/licences", document="contract <17>", territories="UK")
    assert answer.status_code == 422
    assert "is no country" in problem_in(answer)
    assert 'value="contract &lt;17&gt;"' in answer.text
    answer = rosa.post("/library/works/bikes/licences", document="17", ends="tomorrow")
    assert "last day: give a day as YYYY-MM-DD" in problem_in(answer)


def test_a_rule_is_added_with_its_conditions_and_removed(office: Office) -> None:
    rosa = office.browser("rosa")
    page = rosa.follow(
        "/library/works/bikes/rules",
        policy="monitor",
        channel="copy",
        min_seconds="5",
        min_share_upload="50",
        min_share_reference="",
        min_score="0,9",
    )
    told = "copies; at least 5.0 s match; at least 50 % of the upload; a score of at least 0.90"
    assert told in page
    (rule,) = office.engine.index.rights.rules()
    assert (rule.min_seconds, rule.min_share_upload, rule.min_score) == (5.0, 0.5, 0.9)
    assert told in rosa.get("/library/rules").text
    rosa.follow(f"/library/rules/{rule.number}/remove")
    assert office.engine.index.rights.rules() == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"policy": "block", "channel": "semantic"}, "look-alikes alone are never blocked"),
        ({"policy": "review", "min_share_upload": "120"}, "give a number from 0 to 1"),
        ({"policy": "review", "min_seconds": "nan"}, "seconds: give a number"),
        ({"policy": "review", "min_score": "high"}, "score: give a number"),
        ({}, "choose what is to be done"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(
    office: Office, fields: dict[str, str], problem: str
) -> None:
    answer = office.browser("rosa").post("/library/works/bikes/rules", **fields)
    assert answer.status_code == 422
    assert problem in problem_in(answer)
    assert office.engine.index.rights.rules() == []


def test_seconds_are_excluded_and_count_again(office: Office) -> None:
    rosa = office.browser("rosa")
    page = rosa.follow("/library/works/bikes/exclusions", start="0:00", end="0:02.5", why="ident")
    assert "0:02.5" in page
    (exclusion,) = office.engine.index.rights.exclusions()
    assert (exclusion.start, exclusion.end) == (0.0, 2.5)
    rosa.follow(f"/library/exclusions/{exclusion.number}/remove")
    assert office.engine.index.rights.exclusions() == []
    answer = rosa.post("/library/works/bikes/exclusions", start="soon", end="2", why="x")
    assert "start: give a time as 1:02:03 or in seconds" in problem_in(answer)


# --- people


def test_a_person_is_added_by_photos_that_are_deleted(office: Office, portrait: Path) -> None:
    anna = office.browser("anna")
    photos = [portrait, fetch(ASSETS["coffee"])]
    job, page = added(office, anna, send(anna, "/library/people", photos, **PERSON, id="", face=""))
    assert job.state is JobState.DONE, job.error
    assert "Eileen M. Collins" in page
    assert "Coffee.png is not used: no face in it" in page
    person = office.engine.index.people.get("eileen_m_collins")
    assert (person.faces, person.retain_until) == (1, UNTIL)
    assert newest(office).action == "person.added"
    assert incoming(office) == []
    answer = send(anna, f"/library/people/{person.id}/photos", photos[:1], face="largest")
    job, _ = added(office, anna, answer)
    assert job.state is JobState.DONE, job.error
    assert newest(office).action == "person.faces"
    assert incoming(office) == []


def test_people_are_for_approvers(office: Office, portrait: Path) -> None:
    rosa = office.browser("rosa")
    assert "Add a person" not in rosa.get("/library/people").text
    assert send(rosa, "/library/people", [portrait], **PERSON).status_code == 403
    assert send(rosa, "/library/people/eileen/photos", [portrait]).status_code == 403
    assert rosa.post("/library/people/eileen", **PERSON).status_code == 403
    assert rosa.post("/library/people/eileen/remove").status_code == 403
    assert "takes an approver" in rosa.get("/library/people/eileen").text


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"authority": ""}, "the authority is missing"),
        ({"retain_until": ""}, "say until when the person may be matched"),
        ({"retain_until": "2020-01-01"}, "2020-01-01 is over"),
        ({"retain_until": "soon"}, "until when: give a day as YYYY-MM-DD"),
        ({"policy": "block"}, "likeness alone never leads"),
        ({"name": "Eileen"}, "'eileen' is enrolled already"),
    ],
)
def test_what_is_said_of_a_person_is_checked_before_a_photo_is_looked_at(
    office: Office, portrait: Path, fields: dict[str, str], problem: str
) -> None:
    answer = send(office.browser("anna"), "/library/people", [portrait], **(PERSON | fields))
    assert answer.status_code in {409, 422}
    assert problem in answer.json()["error"]["message"]
    assert incoming(office) == []


def test_a_person_is_changed_and_erased(office: Office) -> None:
    anna = office.browser("anna")
    page = anna.follow("/library/people/eileen", **(PERSON | {"policy": "monitor"}))
    assert "Eileen M. Collins" in page
    assert newest(office).action == "person.edited"
    page = anna.follow("/library/people/eileen/remove", why="she asked for it")
    assert 'href="/library/people/eileen"' not in page
    assert newest(office).why == "she asked for it"
    assert office.engine.index.people.all() == []
    assert office.engine.index.verify() == []


def test_no_picture_of_a_face_is_on_a_persons_page(shown: Office) -> None:
    page = shown.browser("anna").get("/library/people/eileen").text
    assert "<img" not in page
    assert "sealed" in page


def test_a_licence_of_a_likeness_is_added(office: Office) -> None:
    rosa = office.browser("rosa")
    page = rosa.follow("/library/people/eileen/licences", document="interview release")
    assert "interview release" in page
    (licence,) = office.engine.index.rights.licences()
    assert (licence.kind, licence.channels) == ("person", ("face",))


def test_a_form_of_another_site_changes_nothing(office: Office) -> None:
    rosa = office.browser("rosa")
    answer = rosa.http.post(
        "/library/works/bikes",
        data={"title": "Mine", "policy": "allow"},
        headers={"Origin": f"http://{HOST}"},
    )
    assert answer.status_code == 403
    assert office.engine.index.work("bikes").title == "bikes"
