"""Where a work's picture lies in an upload's."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from detector.matching.geometry import (
    CORNERS,
    Picture,
    Registration,
    confirm,
    extract,
    map_points,
    register,
)
from detector.media import grab
from detector.samples import SampleSet, cropped, graded, letterboxed, mirrored, resized

TIMES = (2.0, 4.5, 6.5, 8.5)


@pytest.fixture(scope="module")
def film(samples: SampleSet) -> list[Picture]:
    return grab(samples.films[1], TIMES)


@pytest.fixture(scope="module")
def other(samples: SampleSet) -> list[Picture]:
    return grab(samples.films[0], [0.5, 2.0, 3.5, 4.5])


def coded(picture: Picture, quality: int = 60) -> Picture:
    _, jpeg = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[:, :, ::-1], np.uint8)


def inset(picture: Picture) -> Picture:
    canvas = np.full((360, 640, 3), 90, np.uint8)
    canvas[200:336, 300:620] = resized(320, 136)(picture)
    return canvas


def turned(degrees: float) -> Callable[[Picture], Picture]:
    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
        return np.asarray(cv2.warpAffine(picture, matrix, (width, height)), np.uint8)

    return edit


def at_an_angle(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    whole = CORNERS * (width, height)
    seen = np.array([[0.1, 0.1], [0.95, 0.0], [1.0, 1.0], [0.0, 0.85]]) * (width, height)
    matrix = cv2.getPerspectiveTransform(whole.astype(np.float32), seen.astype(np.float32))
    return np.asarray(cv2.warpPerspective(picture, matrix, (width, height)), np.uint8)


def negative(picture: Picture) -> Picture:
    return np.asarray(255 - picture, np.uint8)


def scaled(x: float, y: float, left: float, top: float) -> np.ndarray:
    return CORNERS * (x, y) + (left, top)


EDITS = {
    "none": (lambda picture: picture, CORNERS),
    "darker": (graded(0.6, -40), CORNERS),
    "negative": (negative, CORNERS),
    "half the middle": (cropped(0.5), scaled(2, 2, -0.5, -0.5)),
    "mirrored": (mirrored, CORNERS * (-1, 1) + (1, 0)),
    "inset": (inset, scaled(320 / 640, 136 / 360, 300 / 640, 200 / 360)),
    "squeezed": (resized(360, 272), CORNERS),
    "upright with bars": (letterboxed(360, 640), scaled(1, 153 / 640, 0, 243 / 640)),
    "on its side": (lambda picture: np.rot90(picture, -1), CORNERS[[1, 2, 3, 0]]),
    "at an angle": (at_an_angle, np.array([[0.1, 0.1], [0.95, 0.0], [1.0, 1.0], [0.0, 0.85]])),
}


@pytest.mark.parametrize(("edit", "corners"), EDITS.values(), ids=EDITS.keys())
def test_an_edited_picture_is_found_where_it_lies(
    film: list[Picture],
    edit: Callable[[Picture], Picture],
    corners: np.ndarray,
) -> None:
    for picture in film:
        found = register(coded(edit(picture)), picture)
        assert found is not None
        size = np.linalg.norm(np.ptp(corners, axis=0))
        assert np.abs(map_points(found.matrix, CORNERS) - corners).max() < 0.03 * size
        assert found.agreement > 0.9
        assert found.confidence > 0.8


def test_a_turned_picture_is_found_at_any_angle(film: list[Picture]) -> None:
    for degrees in (5, 37, 128):
        found = register(coded(turned(degrees)(film[0])), film[0])
        assert found is not None
        height, width = film[0].shape[:2]
        across = found.matrix[:2, 0] * (1, height / width)
        assert np.degrees(np.arctan2(-across[1], across[0])) == pytest.approx(degrees, abs=1)


def test_it_says_what_is_mirrored_or_inverted(film: list[Picture]) -> None:
    picture = film[1]
    for upload, expected in (
        (picture, (False, False)),
        (mirrored(picture), (True, False)),
        (negative(picture), (False, True)),
        (negative(mirrored(picture)), (True, True)),
    ):
        found = register(upload, picture)
        assert found is not None
        assert (found.mirrored, found.inverted) == expected


def test_features_can_be_extracted_once_for_several_pairs(film: list[Picture]) -> None:
    work = extract(film[0])
    upload = coded(cropped(0.8)(film[0]))
    once, again = register(upload, work), register(upload, film[0])
    assert once is not None
    assert again is not None
    assert np.array_equal(once.matrix, again.matrix)


def test_unrelated_pictures_are_not_registered(film: list[Picture], other: list[Picture]) -> None:
    for upload in film:
        for work in other:
            found = register(coded(upload), work)
            assert found is None or found.confidence < 0.1


def test_a_picture_that_shows_nothing_is_not_registered(film: list[Picture]) -> None:
    blank = np.full((360, 640, 3), 128, np.uint8)
    noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8)
    assert register(blank, film[0]) is None
    assert register(film[0], blank) is None
    assert register(blank, blank) is None
    assert register(noise, film[0]) is None


def test_a_logo_that_both_show_is_not_enough(film: list[Picture], other: list[Picture]) -> None:
    def branded(picture: Picture) -> Picture:
        picture = resized(640, 360)(picture)
        cv2.putText(picture, "CHANNEL 5 NEWS", (400, 340), 0, 0.8, (255, 255, 255), 2)
        return picture

    for upload, work in zip(film, other, strict=True):
        found = register(branded(upload), branded(work))
        assert found is None or found.confidence < 0.3


# --- several pairs together -------------------------------------------------------------------


def take(wall: Picture, seed: int) -> list[Picture]:
    """Draw somebody moving about in front of a wall, otherwise in each take."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(4):
        frame = resized(640, 360)(wall)
        person = rng.integers(0, 255, (12, 10, 3), np.uint8)
        left = int(rng.integers(180, 220))
        frame[90:360, left : left + 220] = resized(220, 270)(person)
        frames.append(frame)
    return frames


def judged(uploads: list[Picture], works: list[Picture]) -> tuple[float, list[Registration | None]]:
    pairs = list(zip(uploads, works, strict=True))
    found = [register(*pair) for pair in pairs]
    return confirm(found, pairs).confidence, found


def test_another_take_of_the_same_set_up_is_not_confirmed(film: list[Picture]) -> None:
    """The wall behind is the very same, so each pair registers; what happens there differs."""
    work = take(film[2], 1)
    copy = [coded(cropped(0.85)(picture)) for picture in work]
    copy_confidence, _ = judged(copy, work)
    alike_confidence, found = judged(take(film[2], 2), work)
    assert sum(one is not None for one in found) >= 2
    assert copy_confidence > 0.9
    assert alike_confidence < 0.3


def test_a_picture_that_does_not_stay_in_its_place_counts_for_less(film: list[Picture]) -> None:
    """Two cameras that move about one table: each picture fits, but each in another way."""
    pairs = [(cropped(0.9)(film[2]), cropped(0.8)(film[2]))] * 4
    moving = [
        (turned(by)(pair[0]), pair[1]) for by, pair in zip((-20, 4, 15, 40), pairs, strict=True)
    ]
    steady, loose = (
        confirm([register(*pair) for pair in shown], shown) for shown in (pairs, moving)
    )
    assert steady.drift < 0.01
    assert loose.drift > 0.1
    assert loose.confidence < steady.confidence


def test_nothing_registered_is_no_confidence(film: list[Picture], other: list[Picture]) -> None:
    pairs = list(zip(film, other, strict=True))
    confirmation = confirm([None] * len(pairs), pairs)
    assert (confirmation.registered, confirmation.confidence) == (0, 0.0)


def test_a_copy_of_a_still_work_is_confirmed_by_agreement_alone(film: list[Picture]) -> None:
    confidence, _ = judged([coded(cropped(0.7)(film[0]))] * 3, [film[0]] * 3)
    assert confidence > 0.8
