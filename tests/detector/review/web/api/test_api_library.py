"""The library over the API: works, people, their rights, and questions about clips."""

from __future__ import annotations

import pytest

from detector.review.jobs import JobState

WHOSE = {"kind": "work", "ref_id": "metropolis"}
PERSON = {"kind": "person", "ref_id": "brigitte-helm"}


@pytest.fixture(autouse=True)
def _enrolled(library) -> None:
    """Enrol a film and a person."""


# --- works ------------------------------------------------------------------------------------


def test_works_are_listed_and_searched(viewer):
    (work,) = viewer.get("/works", search="METRO")["items"]
    assert (work["id"], work["owner"], work["policy"]) == (
        "metropolis",
        "Murnau Foundation",
        "review",
    )
    assert viewer.get("/works", search="heat")["total"] == 0


def test_a_work_comes_with_channels_cast_and_rights(viewer):
    found = viewer.get("/works/metropolis")
    assert found["work"]["title"] == "Metropolis"
    assert found["channels"] == [
        {"name": "copy", "frames": 5, "space": "sscd-distilled@240436cc531e"}
    ]
    assert "no longer at" in found["missing"]
    assert (found["cast"], found["rights"]["licences"]) == ([], [])


def test_a_work_is_changed(reviewer):
    body = {"title": "Metropolis (1927)", "owner": "", "policy": "block"}
    changed = reviewer.do("PATCH", "/works/metropolis", body)
    assert (changed["title"], changed["owner"], changed["policy"]) == (
        "Metropolis (1927)",
        None,
        "block",
    )
    reviewer.do("PATCH", "/works/metropolis", {"cast": ["brigitte-helm"]})
    (person,) = reviewer.get("/works/metropolis")["cast"]
    assert person["name"] == "Brigitte Helm"
    assert reviewer.get("/people/brigitte-helm")["works"][0]["id"] == "metropolis"


def test_a_work_is_removed_by_an_approver(reviewer, approver):
    reviewer.refused(403, "DELETE", "/works/metropolis")
    approver.do("DELETE", "/works/metropolis", status=204, params={"why": "sold"})
    error = reviewer.refused(404, "GET", "/works/metropolis")
    assert "'metropolis'" in error["message"]
    (event, *_) = approver.get("/audit", subject="work:metropolis")["items"]
    assert (event["action"], event["why"]) == ("work.removed", "sold")


def test_what_is_no_film_is_not_enrolled(api, reviewer):
    job = reviewer.send("/works", {"file": ("film.mp4", b"no film")}, {"title": "A film"})
    assert (job["kind"], job["label"]) == ("enrol", "A film")
    assert api.finished(job).state is JobState.FAILED
    found = reviewer.get(f"/jobs/{job['id']}")
    assert (found["state"], found["result"]) == ("failed", None)
    assert found["error"]
    assert reviewer.get("/works")["total"] == 1


# --- people -----------------------------------------------------------------------------------


def test_people_are_listed_without_anything_of_their_faces(viewer):
    (person,) = viewer.get("/people", search="helm")["items"]
    assert set(person) == {
        "id",
        "name",
        "authority",
        "retain_until",
        "policy",
        "faces",
        "added_at",
    }
    assert person["faces"] == 1
    assert viewer.get("/people/brigitte-helm")["is_expired"] is False


def test_a_person_is_changed_by_an_approver(reviewer, approver):
    body = {"retain_until": "2098-12-31", "policy": "monitor"}
    reviewer.refused(403, "PATCH", "/people/brigitte-helm", json=body)
    changed = approver.do("PATCH", "/people/brigitte-helm", body)
    assert (changed["retain_until"], changed["policy"]) == ("2098-12-31", "monitor")


def test_nobody_is_blocked_for_a_likeness_alone(approver):
    error = approver.refused(422, "PATCH", "/people/brigitte-helm", json={"policy": "block"})
    assert "never leads to an automatic action" in error["message"]


def test_a_person_is_erased(approver):
    approver.do("DELETE", "/people/brigitte-helm", status=204)
    approver.refused(404, "GET", "/people/brigitte-helm")


@pytest.mark.parametrize("path", ["/people", "/people/brigitte-helm/photos"])
def test_photos_without_a_face(api, approver, path):
    said = {"name": "Somebody", "authority": "a contract", "retain_until": "2099-01-01"}
    files = [("photos", (f"{n}.jpg", b"no photo")) for n in range(2)]
    job = approver.send(path, files, said if path == "/people" else {"face": "largest"})
    assert api.finished(job).state is JobState.FAILED
    assert approver.get("/people")["total"] == 1
    assert list((api.engine.settings.home / "queries").iterdir()) == []


def test_fields_beside_files_are_checked_one_by_one(approver):
    files = [("photos", ("1.jpg", b"a photo"))]
    said = {"name": "Somebody", "retain_until": "soon", "colour": "red"}
    error = approver.refused(422, "POST", "/people", files=files, data=said)
    assert {one["where"] for one in error["problems"]} == {
        "body.authority",
        "body.retain_until",
        "body.colour",
    }


def test_a_form_without_a_file(reviewer):
    error = reviewer.refused(422, "POST", "/works", files={"file": ("", b"")})
    assert "choose a file" in error["message"]


# --- rights -----------------------------------------------------------------------------------


def test_a_licence_is_written_down_listed_and_removed(reviewer):
    body = WHOSE | {
        "document": "contract 7",
        "licensee": "ferris",
        "channels": ["copy"],
        "territories": ["de", "AT"],
        "starts": "2026-01-01",
        "ends": "2026-12-31",
    }
    made = reviewer.do("POST", "/licences", body, 201)
    assert (made["territories"], made["ends"]) == (["AT", "DE"], "2026-12-31")
    assert reviewer.get("/licences", search="ferris")["items"] == [made]
    assert reviewer.get("/works/metropolis")["rights"]["licences"] == [made]
    reviewer.do("DELETE", f"/licences/{made['number']}", status=204, params={"why": "ended"})
    assert reviewer.get("/licences")["total"] == 0
    reviewer.refused(404, "DELETE", f"/licences/{made['number']}")


def test_a_rule_is_written_down_listed_and_removed(reviewer):
    body = PERSON | {"policy": "monitor", "channel": "face", "min_seconds": 2.5, "min_score": 0.5}
    made = reviewer.do("POST", "/rules", body, 201)
    assert (made["min_seconds"], made["min_share_upload"]) == (2.5, None)
    assert reviewer.get("/rules")["items"] == [made]
    reviewer.do("DELETE", f"/rules/{made['number']}", status=204)
    assert reviewer.get("/rules")["total"] == 0


def test_an_exclusion_is_written_down_listed_and_removed(reviewer):
    body = {"work_id": "metropolis", "start": 1.5, "end": 3, "why": "stock footage"}
    made = reviewer.do("POST", "/exclusions", body, 201)
    assert (made["start"], made["end"]) == (1.5, 3.0)
    assert reviewer.get("/exclusions", search="stock")["items"] == [made]
    reviewer.do("DELETE", f"/exclusions/{made['number']}", status=204)
    assert reviewer.get("/exclusions")["total"] == 0


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/licences", WHOSE | {"document": "7", "territories": ["UK"]}, "no country"),
        ("/rules", PERSON | {"policy": "block"}, "automatic action"),
        (
            "/exclusions",
            {"work_id": "metropolis", "start": 1, "end": 99, "why": "stock"},
            "ends at",
        ),
    ],
)
def test_rights_that_cannot_be(reviewer, path, body, said):
    assert said in reviewer.refused(422, "POST", path, json=body)["message"]


# --- questions --------------------------------------------------------------------------------


def test_jobs_are_their_owners(api, reviewer):
    job = reviewer.send("/queries", {"file": ("clip.mp4", b"no film")})
    assert (job["kind"], job["location"]) == ("query", f"/query/{job['id']}")
    api.finished(job)
    (listed,) = reviewer.get("/jobs")["items"]
    assert (listed["id"], listed["state"]) == (job["id"], "failed")
    api.program("ben").refused(404, "GET", f"/jobs/{job['id']}")


def test_no_case_is_opened_without_an_answer(api, reviewer):
    job = reviewer.send("/queries", {"file": ("clip.mp4", b"no film")})
    api.finished(job)
    reviewer.refused(409, "POST", f"/queries/{job['id']}/case")
    reviewer.refused(404, "POST", "/queries/unknown/case")


def test_phrases_need_clip(reviewer):
    error = reviewer.refused(409, "POST", "/queries/phrase", json={"phrase": "a robot wakes"})
    assert error["message"]
