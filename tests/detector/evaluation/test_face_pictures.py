"""What faces are compared with in benchmarks, on real pictures and made-up people."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from detector.assets import ASSETS, fetch
from detector.descriptors.sface import FaceDescriptor
from detector.evaluation.faces import (
    PUBLISHED_THRESHOLD,
    Published,
    answer,
    compared,
    crowded,
    gallery_of,
    largest_face,
)
from detector.matching.likeness import Cohort, Likenesses, distances, shipped_cohort

SPACE = "sface@fb143eea0783"


@pytest.fixture(scope="module")
def descriptor() -> FaceDescriptor:
    return FaceDescriptor()


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    shipped = shipped_cohort(SPACE)
    assert shipped is not None
    return shipped


def directions(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, 128)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_published_recipe_sees_the_same_person(portrait, descriptor):
    ours = largest_face(portrait, descriptor)
    theirs = Published(descriptor, fetch(ASSETS["yunet"])).face(portrait)
    assert ours is not None
    assert theirs is not None
    assert np.linalg.norm(theirs) == pytest.approx(1, abs=1e-5)
    assert ours @ theirs > PUBLISHED_THRESHOLD


def test_where_there_is_no_face_or_no_picture_there_is_none(tmp_path, descriptor):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    published = Published(descriptor, fetch(ASSETS["yunet"]))
    for path in (fetch(ASSETS["coffee"]), text):
        assert largest_face(path, descriptor) is None
        assert published.face(path) is None


def test_pairs_are_compared_by_cosine_or_by_distance(cohort):
    one, other = directions(2)
    faces = {Path("a"): one, Path("b"): other, Path("nobody"): None}
    pairs = [(Path("a"), Path("b")), (Path("a"), Path("a")), (Path("b"), Path("nobody"))]
    cosines = compared(pairs, faces, None)
    assert cosines == pytest.approx([float(one @ other), 1, -math.inf], abs=1e-6)
    found = compared(pairs, faces, cohort)
    assert found[0] == pytest.approx(distances(one[None], other[None], cohort)[0, 0])
    assert found[2] == -math.inf


def test_a_gallery_keeps_everybodys_faces_in_order():
    vectors = directions(3)
    gallery = gallery_of({"ada": vectors[:2], "bob": vectors[2:]}, SPACE)
    assert [(person.id, person.faces) for person in gallery.people] == [("ada", 2), ("bob", 1)]
    assert gallery.rows.tolist() == [0, 0, 1]
    assert gallery.numbers.tolist() == [1, 2, 1]
    np.testing.assert_array_equal(gallery.vectors, vectors)


def test_a_crowd_is_made_up_around_real_people():
    real = {name: [vector] for name, vector in zip("abc", directions(3), strict=True)}
    filled = crowded(real, 300, seed=1)
    assert len(filled) == 300
    assert list(filled)[:3] == ["a", "b", "c"]
    made_up = np.array([filled[name][0] for name in list(filled)[3:]])
    assert np.linalg.norm(made_up, axis=1) == pytest.approx(1, abs=2e-3)
    near = np.array([real["abc"[number % 3]][0] for number in range(297)])
    assert (made_up * near).sum(axis=1) == pytest.approx(0.3, abs=1e-3)
    assert crowded(real, 2, seed=1) == real  # nobody is taken away


def test_a_crowd_does_not_hide_who_is_shown(cohort):
    real = {f"person-{n}": [vector] for n, vector in enumerate(directions(5))}
    likenesses = Likenesses(gallery_of(crowded(real, 1000, seed=2), SPACE), cohort)
    away = directions(1, seed=3)[0]
    shown = 0.8 * real["person-2"][0] + 0.6 * away
    found = answer(shown / np.linalg.norm(shown), likenesses)
    assert found.nearest == "person-2"
    assert found.score > 0.9
    assert answer(away, likenesses).score < 0.9


def test_one_enrolled_person_is_nearest_to_all(cohort):
    likenesses = Likenesses(gallery_of({"only": directions(1)}, SPACE), cohort)
    found = answer(directions(1, seed=4)[0], likenesses)
    assert found.nearest == "only"
    assert found.score < 0.2
