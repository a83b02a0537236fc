"""Whether pictures that lost their detail follow a work."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from detector.matching.coarse import Following, follow
from detector.matching.geometry import Picture, Registration, confirm
from detector.media import grab
from detector.samples import SampleSet, resized

IN_PLACE = Registration(
    np.eye(3), inliers=8, matches=40, inverted=False, projective=False, agreement=0.4
)


@pytest.fixture(scope="module")
def film(samples: SampleSet) -> list[Picture]:
    return [resized(640, 360)(p) for p in grab(samples.films[1], [2.0, 4.5, 6.5, 8.5])]


def placed(x: float, y: float) -> Registration:
    return replace(IN_PLACE, matrix=np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]))


def in_blocks(picture: Picture, size: int = 12) -> Picture:
    """Leave one colour of each block, as far too few bits do."""
    height, width = picture.shape[:2]
    blocks = cv2.resize(picture, (width // size, height // size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST))


def moving(wall: Picture, seed: int) -> list[Picture]:
    """Draw somebody who moves about in front of a wall, otherwise in each take."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(4):
        frame = wall.copy()
        person = rng.integers(0, 255, (7, 6, 3), np.uint8)
        left = int(rng.integers(180, 220))
        frame[90:360, left : left + 220] = resized(220, 270)(person)
        frames.append(frame)
    return frames


def test_a_copy_in_blocks_follows_though_few_features_place_it_badly(film: list[Picture]) -> None:
    pairs = [(in_blocks(picture), picture) for picture in film]
    roughly = [placed(0.05, -0.04), IN_PLACE, placed(-0.04, 0.06), placed(0.06, 0.05)]
    assert confirm(roughly, pairs).confidence < 0.1
    assert follow(roughly, pairs).confidence > 0.9


def test_one_pair_that_was_placed_well_is_enough_for_all(film: list[Picture]) -> None:
    pairs = [(in_blocks(picture), picture) for picture in film]
    badly = placed(0.3, 0.2)
    found = follow([None, badly, IN_PLACE, badly], pairs)
    assert found == follow([IN_PLACE] * 4, pairs)
    assert follow([badly] * 4, pairs).confidence < 0.1


def test_a_negative_follows_with_light_and_dark_exchanged(film: list[Picture]) -> None:
    pairs = [(np.asarray(255 - in_blocks(picture), np.uint8), picture) for picture in film]
    assert follow([replace(IN_PLACE, inverted=True)] * 4, pairs).confidence > 0.9
    assert follow([IN_PLACE] * 4, pairs).confidence < 0.1


def test_another_take_agrees_but_does_not_follow(film: list[Picture]) -> None:
    """The wall is the same at every moment, and what moves is never where it is in the work."""
    work, other = moving(film[2], 1), moving(film[2], 2)
    copy, alike = (
        follow([IN_PLACE] * 4, [(in_blocks(a), b) for a, b in zip(shown, work, strict=True)])
        for shown in (work, other)
    )
    assert alike.agreement > 0.4
    assert abs(alike.gain) < 0.2
    assert alike.confidence < 0.05
    assert copy.gain > 0.5
    assert copy.confidence > 0.9


def test_another_moment_of_the_work_does_not_follow(film: list[Picture]) -> None:
    pairs = list(zip([in_blocks(picture) for picture in film], film[1:] + film[:1], strict=True))
    assert follow([IN_PLACE] * 4, pairs).confidence < 0.05


def test_a_work_that_stands_still_gives_no_confidence(film: list[Picture]) -> None:
    """It may be a copy; that cannot be told from changes."""
    found = follow([IN_PLACE] * 4, [(in_blocks(film[0]), film[0])] * 4)
    assert found.agreement > 0.8
    assert (found.gain, found.changed) == (0.0, 0)
    assert found.confidence < 0.01


def test_few_blocks_that_follow_say_less_than_many() -> None:
    few, many = (Following(agreement=0.8, gain=0.6, changed=changed) for changed in (30, 600))
    assert few.confidence < 0.1 < 0.9 < many.confidence


def test_nothing_registered_is_no_confidence(film: list[Picture]) -> None:
    found = follow([None] * 4, list(zip(film, film, strict=True)))
    assert found.changed == 0
    assert found.confidence < 0.01
