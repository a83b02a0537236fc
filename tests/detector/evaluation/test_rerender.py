from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from drawn_pictures import scenery

from detector.assets import ASSETS, fetch
from detector.descriptors.sscd import SscdDescriptor
from detector.evaluation.edits import Edited, Strength
from detector.evaluation.rerender import RENDERINGS
from detector.samples import Cut, Picture, footage, resized

SIZES = [(320, 180), (180, 320), (201, 201)]

each_family = pytest.mark.parametrize("family", RENDERINGS)


def moving(width: int, height: int, count: int = 4) -> list[Picture]:
    picture = scenery(width, height)
    return [np.roll(picture, 2 * n, axis=1) for n in range(count)]


def other_footage() -> Iterator[Picture]:
    return itertools.repeat(scenery(256, 144, seed=7))


def draw(family: str, strength: Strength, seed: int = 1) -> Edited:
    return RENDERINGS[family](strength, random.Random(f"{seed}"), other_footage)


def run(edited: Edited, pictures: list[Picture]) -> list[Picture]:
    def one(picture: Picture) -> Picture:
        for edit in edited.edits:
            picture = edit(picture)
        return picture

    return [one(picture) for picture in pictures]


def difference(one: Picture, other: Picture) -> float:
    """Mean difference in 8-bit levels."""
    return float(np.abs(one.astype(float) - other).mean())


@pytest.fixture(scope="module")
def scenes() -> list[Picture]:
    """Return a picture of a drawn film and one of a filmed street."""
    films = [fetch(ASSETS[name]) for name in ("bigbuckbunny", "bikes")]
    return [resized(480, 270)(next(footage(Cut(film, 2.0, 3.0)))[1]) for film in films]


# --- every family -----------------------------------------------------------------------------


@each_family
def test_pictures_keep_their_size_and_none_is_left_out(family: str) -> None:
    for strength, size in itertools.product(Strength, SIZES):
        pictures, edited = moving(*size, count=2), draw(family, strength)
        shown = run(edited, pictures)
        assert edited.words
        assert edited.timing is None
        assert {(picture.shape, picture.dtype) for picture in shown} == {
            (pictures[0].shape, np.dtype(np.uint8))
        }


@each_family
def test_the_same_seed_gives_the_same_pictures(family: str) -> None:
    for strength in Strength:
        one, same, other = (draw(family, strength, seed) for seed in (1, 1, 2))
        assert (one.words, one.speed) == (same.words, same.speed)
        pictures = [run(edited, moving(320, 180)) for edited in (one, same, other)]
        assert np.array_equal(pictures[0], pictures[1])
        assert not np.array_equal(pictures[0], pictures[2])


@each_family
def test_the_picture_it_got_stays_as_it_was(family: str) -> None:
    pictures = moving(320, 180, count=2)
    run(draw(family, Strength.STRONG), pictures)
    assert np.array_equal(pictures, moving(320, 180, count=2))


@each_family
def test_patterns_do_not_flicker(family: str) -> None:
    """A picture that stands still hardly moves when it is drawn anew."""
    still = [scenery(320, 180)] * 8
    for strength in Strength:
        shown = run(draw(family, strength), still)
        steps = [difference(one, next_) for one, next_ in itertools.pairwise(shown)]
        assert max(steps) < 3, strength


# --- how far they go --------------------------------------------------------------------------


# Two at random make up the combined one, and may be other two at another strength.
@pytest.mark.parametrize("family", sorted(RENDERINGS.keys() - {"combined"}))
def test_a_stronger_one_is_farther_from_the_original(family: str, scenes: list[Picture]) -> None:
    farther = [
        np.mean([difference(scene, *run(draw(family, strength), [scene])) for scene in scenes])
        for strength in Strength
    ]
    assert farther[0] > 3
    assert farther == sorted(farther)


def test_what_is_drawn_anew_is_no_copy_to_the_descriptor_of_copies(scenes: list[Picture]) -> None:
    descriptor = SscdDescriptor(size=224)

    def similarity(pictures: list[Picture]) -> float:
        """Mean cosine similarity of pictures to the scenes that they show."""
        pairs = descriptor.describe(scenes) * descriptor.describe(pictures)
        return float(pairs.sum(axis=1).mean())

    encoded = [cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, 30])[1] for scene in scenes]
    copies = [cv2.imdecode(jpeg, cv2.IMREAD_COLOR) for jpeg in encoded]
    assert similarity(copies) > 0.8
    for family in RENDERINGS:
        light, strong = (
            similarity([run(draw(family, strength), [scene])[0] for scene in scenes])
            for strength in (Strength.LIGHT, Strength.STRONG)
        )
        assert strong < light, family
        assert strong < similarity(copies) - 0.2, family
