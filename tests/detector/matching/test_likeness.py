from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.descriptors.base import normalised
from detector.matching.likeness import (
    Cohort,
    FaceTrack,
    Likenesses,
    appearances_above,
    decide,
    distances,
    joined,
    leaders,
    likeness_score,
    matches_of,
    read_cohort,
    shipped_cohort,
)
from detector.types import Appearance, Box, Channel, Likeness, Match
from index.person_records import Gallery, Person
from index.records import Policy

BOX = Box(0.4, 0.2, 0.2, 0.3)
SPACE = "sface@fb143eea0783"


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    shipped = shipped_cohort(SPACE)
    assert shipped is not None
    return shipped


def strangers(cohort: Cohort, count: int, seed: int) -> np.ndarray:
    """Draw people who are spread as the cohort's are, float32 [n, d] of length 1."""
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal(cohort.mean, cohort.covariance, count, method="cholesky")
    return normalised(drawn.astype(np.float32))


def pictures(person: np.ndarray, count: int, seed: int, noise: float = 0.06) -> np.ndarray:
    """Draw pictures of a person: at 0.06 two of them have a cosine of about 0.7."""
    rng = np.random.default_rng(seed)
    moved = person + noise * rng.standard_normal((count, len(person)))
    return normalised(moved.astype(np.float32))


def gallery(*people: np.ndarray) -> Gallery:
    """Enrol people, each by the embeddings of their faces, [n, d]."""
    enrolled = tuple(
        Person(
            id=f"person-{number}",
            name=f"Person {number}",
            authority="a contract",
            retain_until=date(2099, 1, 1),
            policy=Policy.REVIEW,
            number=number,
            added_at=datetime(2026, 1, 1, tzinfo=UTC),
            faces=len(faces),
        )
        for number, faces in enumerate(people, 1)
    )
    return Gallery(
        SPACE,
        enrolled,
        np.concatenate(people),
        np.repeat(np.arange(len(people)), [len(faces) for faces in people]),
        np.concatenate([np.arange(1, len(faces) + 1) for faces in people]),
    )


def track(vector: np.ndarray, start: float = 0.0, end: float = 2.0) -> FaceTrack:
    return FaceTrack(start, end, vector, 5, start + 0.5, BOX)


# --- the cohort -------------------------------------------------------------------------------


@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 99))
def test_joining_cohorts_is_as_if_all_had_been_taken_together(first, second, seed):
    vectors = normalised(
        np.random.default_rng(seed).standard_normal((first + second, 6)).astype(np.float32)
    )
    both = Cohort.of(vectors[:first]).joined(Cohort.of(vectors[first:]))
    together = Cohort.of(vectors)
    assert both.people == together.people
    np.testing.assert_allclose(both.mean, together.mean, atol=1e-5)
    np.testing.assert_allclose(both.covariance, together.covariance, atol=1e-5)


def test_a_cohort_is_read_back_and_others_are_refused(tmp_path, cohort):
    path = tmp_path / "cohort.npz"
    np.savez(path, mean=cohort.mean, covariance=cohort.covariance, people=cohort.people)
    again = read_cohort(path)
    np.testing.assert_array_equal(again.covariance, cohort.covariance)
    assert again.people == cohort.people >= 200
    np.savez(path, mean=cohort.mean, covariance=cohort.covariance[:5], people=200)
    with pytest.raises(ValueError, match="holds no cohort"):
        read_cohort(path)


def test_no_cohort_ships_for_a_model_that_nobody_knows():
    assert shipped_cohort("arcface@0123456789ab") is None


# --- distances --------------------------------------------------------------------------------


def test_strangers_are_spread_with_about_deviation_one(cohort):
    """Real ones have 0.95; those drawn here have all the chance directions of the cohort, too."""
    faces, people = strangers(cohort, 600, seed=1), strangers(cohort, 400, seed=2)
    found = distances(faces, people, cohort)
    assert abs(found.mean()) < 0.05
    assert 0.85 < found.std() < 1.2
    assert found.max() < 6  # of 240,000: a normal law has 4.5 deviations there


def test_a_person_is_far_from_strangers(cohort):
    person = strangers(cohort, 1, seed=3)[0]
    found = distances(pictures(person, 20, seed=4), person[None], cohort)
    assert found.min() > 5


def test_those_enrolled_are_no_strangers_to_themselves(cohort):
    """Close to the slow way: make the cohort anew for each person, of all the others."""
    people = strangers(cohort, 12, seed=5)
    faces = strangers(cohort, 8, seed=6)
    found = distances(faces, people, cohort.joined(Cohort.of(people)), joined=True)
    for number in range(len(people)):
        others = cohort.joined(Cohort.of(np.delete(people, number, axis=0)))
        slow = distances(faces, people[number : number + 1], others)[:, 0]
        np.testing.assert_allclose(found[:, number], slow, atol=0.05)


def test_without_a_cohort_any_direction_is_as_likely():
    cohort = Cohort.unknown(128)
    rng = np.random.default_rng(7)
    vectors = normalised(rng.standard_normal((500, 128)).astype(np.float32))
    found = distances(vectors[:250], vectors[250:], cohort)
    assert abs(found.mean()) < 0.05
    assert 0.9 < found.std() < 1.1
    one = Likenesses(gallery(vectors[:1]), cohort).distances(vectors[:1])
    assert np.isfinite(one).all()
    assert one[0, 0] > 6


# --- the score --------------------------------------------------------------------------------


@given(
    st.floats(-3, 12), st.floats(0, 2), st.integers(1, 10**7), st.floats(-3, 4), st.integers(1, 50)
)
def test_the_score_rises_with_distance_and_falls_with_trials(at, step, trials, second, times):
    second = min(second, at)
    score = likeness_score(at, second, trials)
    assert 0 <= score <= 1
    assert likeness_score(at + step, second, trials) >= score - 1e-12
    assert likeness_score(at, second, trials * times) <= score + 1e-12


def test_two_people_who_are_as_near_leave_the_question_open():
    assert likeness_score(8.0, 8.0, 10) == pytest.approx(0.5, abs=0.01)
    assert likeness_score(8.0, 5.0, 10) > 0.99


@pytest.mark.parametrize("enrolled", [5, 500, 10_000])
def test_few_uploads_of_strangers_are_flagged_however_many_are_enrolled(cohort, enrolled):
    """The operating point of 0.9 stands for 1 upload in 900."""
    people = Likenesses(gallery(*strangers(cohort, enrolled, seed=8)[:, None]), cohort)
    faces = strangers(cohort, 3000, seed=9)
    decided = decide([track(face) for face in faces], people, 0.9, 0.2)
    # All in one upload would be 3,000 different faces; each is to have an upload of its own.
    alone = [
        decide([track(face)], people, 0.9, 0.2)[0]
        for face, one in zip(faces[:400], decided, strict=False)
        if one is not None or enrolled < 1000
    ]
    flagged = [one for one in alone if one is not None and one[1].likeness is Likeness.LIKELY]
    assert len(flagged) <= 2
    assert not [one for one in decided if one is not None and one[1].score >= 0.9]


# --- decisions --------------------------------------------------------------------------------


def test_a_person_is_found_among_many_and_a_stranger_is_unknown(cohort):
    everybody = strangers(cohort, 1001, seed=10)
    enrolled = gallery(*(pictures(one, 3, seed=n) for n, one in enumerate(everybody[:1000])))
    people = Likenesses(enrolled, cohort)
    shown = [pictures(everybody[17], 1, seed=5000)[0], everybody[1000]]
    known, unknown = decide([track(vector) for vector in shown], people, 0.9, 0.2)
    assert unknown is None
    assert known is not None
    person, appearance = known
    assert enrolled.people[person].id == "person-18"
    assert (appearance.likeness, appearance.score > 0.99) == (Likeness.LIKELY, True)
    assert appearance.reference in (1, 2, 3)
    rows = enrolled.vectors[51:54]
    assert appearance.similarity == pytest.approx(float((rows @ shown[0]).max()), abs=1e-5)
    away = people.distances(shown[0][None])[0]
    second = int(np.argsort(-away)[1])
    assert appearance.runner_up == enrolled.people[second].id
    assert appearance.margin == pytest.approx(away[17] - away[second])


def test_somebody_enrolled_twice_only_resembles_both(cohort):
    twin, other = strangers(cohort, 2, seed=11)
    people = Likenesses(gallery(twin[None], twin[None], other[None]), cohort)
    ((_, appearance),) = [d for d in decide([track(twin)], people, 0.9, 0.2) if d is not None]
    assert appearance.likeness is Likeness.RESEMBLES
    assert appearance.margin == pytest.approx(0, abs=1e-6)
    assert appearance.runner_up in {"person-1", "person-2"}


def test_nobody_else_enrolled_is_no_margin_at_all(cohort):
    person = strangers(cohort, 1, seed=12)
    ((_, appearance),) = [
        d
        for d in decide([track(person[0])], Likenesses(gallery(person), cohort), 0.9, 0.2)
        if d is not None
    ]
    assert appearance.margin == math.inf
    assert appearance.runner_up is None


def test_the_more_faces_an_upload_shows_the_surer_one_must_be(cohort):
    """A face at the edge of being likely, alone and in a crowd."""
    person = strangers(cohort, 1, seed=13)
    people = Likenesses(gallery(person), cohort)
    faces = pictures(person[0], 200, seed=14, noise=0.13)
    near = faces[np.argmin(np.abs(people.distances(faces)[:, 0] - 3.2))]
    crowd = [track(face) for face in strangers(cohort, 300, seed=15)]
    ((_, alone),) = [d for d in decide([track(near)], people, 0.5, 0.0) if d is not None]
    in_crowd = decide([track(near), *crowd], people, 0.5, 0.0)[0]
    assert in_crowd is not None
    assert in_crowd[1].score < alone.score / 3


def test_a_face_seen_often_counts_once():
    first, second = np.eye(4, dtype=np.float32)[:2]
    assert leaders(np.array([first, second, first, first])) == [[0, 2, 3], [1]]
    assert leaders(np.empty((0, 4), np.float32)) == []


def test_nothing_is_decided_of_no_tracks(cohort):
    people = Likenesses(gallery(strangers(cohort, 1, seed=16)), cohort)
    assert decide([], people, 0.9, 0.2) == []


def appearance(start: float, end: float, score: float = 0.95) -> Appearance:
    likeness = Likeness.LIKELY if score >= 0.9 else Likeness.RESEMBLES
    return Appearance(start, end, score, likeness, 0.6, 6.0, 4.0, 5, start, BOX, 1)


def test_appearances_that_follow_are_one():
    one, two, later = appearance(0, 2), appearance(2.5, 4, 0.99), appearance(9, 10)
    resembling = appearance(4.2, 5, 0.5)
    result = joined([later, two, resembling, one])
    assert result == [replace(two, start=0, end=4, faces=10), resembling, later]


def test_a_match_tells_of_one_person(cohort):
    enrolled = gallery(*strangers(cohort, 2, seed=17)[:, None])
    decided = [(1, appearance(0, 2)), None, (0, appearance(3, 4, 0.99)), (1, appearance(8, 9, 0.4))]
    surest, other = matches_of(decided, enrolled)
    assert (surest.ref_id, surest.channel, surest.score) == ("person-1", Channel.FACE, 0.99)
    assert (other.ref_id, len(other.appearances)) == ("person-2", 2)
    kept = appearances_above(other, 0.9)
    assert kept is not None
    assert [one.start for one in kept.appearances] == [0]
    assert (
        appearances_above(Match("x", Channel.FACE, 0.4, (), (appearance(0, 1, 0.4),)), 0.9) is None
    )
