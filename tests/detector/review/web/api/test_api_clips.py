"""The API on real films and faces: to enrol them, to ask about clips, to look at the evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import Api

from detector.assets import ASSETS, fetch
from detector.review.jobs import JobState


@pytest.fixture
def desk_api(office) -> Api:
    """Return the API of a desk with cases of real clips."""
    return Api(office.app, office.desk, office.engine)


def test_a_clip_is_asked_about_and_becomes_a_case(desk_api, office, scanned_desk):
    reviewer = desk_api.program("rosa")
    clip = Path(scanned_desk.cases["bikes-sped-up"].source)
    job = reviewer.send("/queries", {"file": ("suspect.mp4", clip.read_bytes())})
    desk_api.finished(job)
    found = reviewer.get(f"/jobs/{job['id']}")
    assert (found["state"], found["progress"], found["error"]) == ("done", 1.0, None)
    result = found["result"]["result"]
    assert (result["source"], result["query_id"]) == ("suspect.mp4", "suspect")
    assert result["matches"][0]["work_id"] == "bikes"
    assert str(office.settings.home) not in str(found)
    case = reviewer.do("POST", f"/queries/{job['id']}/case", status=201)
    # The same file was scanned before: it is the same case.
    assert case["id"] == office.cases["bikes-sped-up"]


def test_a_film_is_enrolled_and_found_by_a_still(desk_api, samples):
    reviewer = desk_api.program("rosa")
    slides = next(one.path for one in samples.uploads if one.path.stem == "holiday-slides")
    fields = {"id": "slides", "title": "Holiday slides", "owner": "Ferris", "policy": "block"}
    job = reviewer.send("/works", {"file": ("slides.mp4", slides.read_bytes())}, fields)
    desk_api.finished(job)
    result = reviewer.get(f"/jobs/{job['id']}")["result"]
    assert (result["work"]["title"], result["channels"]) == ("Holiday slides", ["copy"])
    assert reviewer.get("/works/slides")["missing"] is None
    film = reviewer.ask("GET", "/works/slides/reference.mp4", headers={"Range": "bytes=0-99"})
    assert (film.status_code, len(film.content)) == (206, 100)


def test_a_person_is_enrolled_by_a_photo(desk_api, portrait):
    approver = desk_api.program("anna")
    said = {"name": "Astronaut", "authority": "consent form 7", "retain_until": "2099-12-31"}
    photos = {"astronaut.png": portrait, "coffee.png": fetch(ASSETS["coffee"])}
    files = [("photos", (name, path.read_bytes())) for name, path in photos.items()]
    job = approver.send("/people", files, said)
    assert desk_api.finished(job).state is JobState.DONE
    result = approver.get(f"/jobs/{job['id']}")["result"]
    assert (result["person"]["id"], result["person"]["faces"]) == ("astronaut", 1)
    (warning,) = result["warnings"]
    assert warning.startswith("coffee.png is not used")


def test_a_still_is_asked_about(desk_api, portrait):
    reviewer = desk_api.program("rosa")
    job = reviewer.send("/queries", {"file": ("photo.png", portrait.read_bytes())})
    desk_api.finished(job)
    answer = reviewer.get(f"/jobs/{job['id']}")["result"]
    assert [(one["person_id"], one["likeness"]) for one in answer["people"]] == [
        ("eileen", "likely")
    ]
    assert answer["is_for_people"] is False
    assert answer["moments"]
    reviewer.refused(409, "POST", f"/queries/{job['id']}/case")


def test_a_real_case_is_sent_whole(desk_api, office):
    viewer = desk_api.program("vera")
    case = viewer.get(f"/cases/{office.cases['interview']}")
    (match,) = case["result"]["matches"]
    assert match["person_id"] == "eileen"
    (appearance,) = match["appearances"]
    assert appearance["margin"] is None  # nobody else is enrolled
    assert viewer.get("/cases")["total"] == len(office.cases)
