"""Each edit, made for real, has its name; a mere copy has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.matching.explain import name_edits
from detector.matching.geometry import Picture, register
from detector.media import grab
from detector.samples import (
    Cut,
    SampleSet,
    cropped,
    graded,
    letterboxed,
    mirrored,
    resized,
    write_clip,
)
from detector.samples import footage as frames_of

TIMES = [2.0, 4.5, 8.5]
Edit = Callable[[Picture], Picture]


@pytest.fixture(scope="module")
def film(samples: SampleSet) -> list[Picture]:
    return grab(samples.films[1], TIMES)


@pytest.fixture(scope="module")
def other(samples: SampleSet) -> list[Picture]:
    return grab(samples.films[0], [0.5, 2.0, 4.5])


def coded(picture: Picture, quality: int = 75) -> Picture:
    bgr = np.ascontiguousarray(picture[:, :, ::-1])
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[:, :, ::-1], np.uint8)


def named(uploads: list[Picture], works: list[Picture], speed: float = 1.0) -> tuple[str, ...]:
    pairs = list(zip(uploads, works, strict=True))
    return name_edits([register(*pair) for pair in pairs], pairs, speed)


def edited(film: list[Picture], *edits: Edit) -> tuple[str, ...]:
    uploads = film
    for edit in edits:
        uploads = [edit(picture) for picture in uploads]
    return named([coded(picture) for picture in uploads], film)


def turned(degrees: float, zoom: float) -> Edit:
    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
        return np.asarray(cv2.warpAffine(picture, matrix, (width, height)), np.uint8)

    return edit


def seen_from(*corners: tuple[float, float]) -> Edit:
    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        whole_picture = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (width, height)
        seen = np.array(corners) * (width, height)
        matrix = cv2.getPerspectiveTransform(
            whole_picture.astype(np.float32), seen.astype(np.float32)
        )
        return np.asarray(cv2.warpPerspective(picture, matrix, (width, height)), np.uint8)

    return edit


def coloured(table: list[list[float]]) -> Edit:
    matrix = np.array(table).T
    return lambda picture: np.clip(picture @ matrix, 0, 255).astype(np.uint8)


def hue_turned(picture: Picture) -> Picture:
    hsv = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0].astype(int) + 30) % 180  # of 180, so by 60 degrees
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def blurred(picture: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3), np.uint8)


def sharpened(picture: Picture) -> Picture:
    soft = cv2.GaussianBlur(picture, (0, 0), 1.5)
    return np.asarray(cv2.addWeighted(picture, 2.5, soft, -1.5, 0), np.uint8)


def noisy(picture: Picture) -> Picture:
    noise = np.random.default_rng(0).normal(0, 20, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def captioned(picture: Picture) -> Picture:
    picture = picture.copy()
    height, width = picture.shape[:2]
    cv2.putText(picture, "SUBSCRIBE NOW", (30, height - 30), 0, 1.4, (255, 230, 0), 6)
    cv2.circle(picture, (width - 60, 60), 40, (220, 0, 0), -1)
    return picture


def on_canvas(width: int, height: int, left: int, top: int) -> Edit:
    """Scale to a size, and put it into a grey picture of 640 x 360."""

    def edit(picture: Picture) -> Picture:
        canvas = np.full((360, 640, 3), 60, np.uint8)
        canvas[top : top + height, left : left + width] = resized(width, height)(picture)
        return canvas

    return edit


def upside_down(picture: Picture) -> Picture:
    return picture[::-1]


def negative(picture: Picture) -> Picture:
    return np.asarray(255 - picture, np.uint8)


GREY = [[0.3, 0.59, 0.11]] * 3
SEPIA = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]

PLACES = {
    ("mirrored",): mirrored,
    ("flipped upside down",): upside_down,
    ("rotated by 90°",): lambda picture: np.rot90(picture, -1),
    ("rotated by 180°",): lambda picture: picture[::-1, ::-1],
    ("rotated by 8°",): turned(8, 1.0),
    ("cropped to 70 %",): cropped(0.7),
    ("cropped to 50 %",): cropped(0.5),
    ("cropped to 40 % of the width",): lambda picture: picture[:, 192:448],
    ("letterboxed",): letterboxed(360, 640),
    ("inset at the lower right, 35 % of the width",): on_canvas(224, 95, 400, 250),
    ("inset at the upper left, 25 % of the width",): on_canvas(160, 68, 0, 0),
    ("inset in the middle, 70 % of the width",): on_canvas(448, 190, 96, 85),
    ("squeezed to 75 % of its width",): resized(480, 272),
    ("stretched to 130 % of its width",): resized(832, 272),
    ("at an angle",): seen_from((0.12, 0.1), (0.96, 0.0), (1.0, 1.0), (0.02, 0.88)),
}


@pytest.mark.parametrize(("words", "edit"), PLACES.items(), ids=map(", ".join, PLACES))
def test_place_and_shape(film: list[Picture], words: tuple[str, ...], edit: Edit) -> None:
    assert edited(film, edit) == words


LOOKS = {
    ("colours inverted",): negative,
    ("in grey",): coloured(GREY),
    ("hue shifted",): hue_turned,
    ("lighter",): graded(1.0, 30),
    ("darker",): graded(1.0, -30),
    ("softer",): blurred,
    ("sharper",): sharpened,
    ("noisy",): noisy,
    ("overlaid with text or a logo",): captioned,
}


@pytest.mark.parametrize(("words", "edit"), LOOKS.items(), ids=map(", ".join, LOOKS))
def test_light_colour_and_texture(film: list[Picture], words: tuple[str, ...], edit: Edit) -> None:
    assert edited(film, edit) == words


def test_tint_and_contrast(film: list[Picture]) -> None:
    """Sepia brightens, too; contrast about a middle grey moves what is not in the middle."""
    assert "tinted" in edited(film, coloured(SEPIA))
    assert "more contrast" in edited(film, graded(1.35, 0))
    assert "less contrast" in edited(film, graded(0.7, 0))


def test_words_come_in_a_fixed_order(film: list[Picture]) -> None:
    edits = (graded(1.0, 30), mirrored, cropped(0.7), coloured(GREY))
    assert edited(film, *edits) == ("mirrored", "cropped to 70 %", "in grey", "lighter")


def test_parts_of_a_split_screen(film: list[Picture], other: list[Picture]) -> None:
    """The other half covers what the film's picture would reach to."""
    halves, quarters = [], []
    for picture, beside in zip(film, other, strict=True):
        half = resized(640, 360)(beside).copy()
        half[:, :320] = resized(847, 360)(picture)[:, 263:583]
        halves.append(coded(half))
        quarter = resized(640, 360)(beside).copy()
        quarter[180:, 320:] = resized(320, 180)(cropped(1.0)(picture))
        quarters.append(coded(quarter))
    assert named(halves, film) == ("cropped to 40 % of the width", "in the left half")
    assert named(quarters, film)[0] == "in the lower right quarter"


def test_bars_of_the_work_are_no_edit(film: list[Picture]) -> None:
    """Neither when they are copied with it, nor when they are cut off."""
    works = [letterboxed(640, 360)(picture) for picture in film]
    assert named([coded(picture) for picture in works], works) == ()
    assert named([coded(picture) for picture in film], works) == ()


@pytest.mark.parametrize("options", [{"crf": 23}, {"crf": 32}, {"bit_rate": 250_000}])
def test_a_film_coded_again_has_no_edits(
    samples: SampleSet, tmp_path: Path, options: dict[str, int]
) -> None:
    for source in samples.films:
        upload = tmp_path / source.name
        write_clip(upload, frames_of(Cut(source, 0, 4)), **options)
        times = [0.5, 2.0, 3.5]
        assert named(grab(upload, times), grab(source, times)) == ()


def test_another_speed_is_told_from_three_per_cent_on(film: list[Picture]) -> None:
    assert named(film, film, speed=1.02) == ()
    assert named(film, film, speed=1.25) == ("1.25x speed",)
    assert named(film, film, speed=0.5) == ("0.5x speed",)


def test_one_pair_is_enough_for_most(film: list[Picture]) -> None:
    picture = film[0]
    assert named([coded(mirrored(cropped(0.7)(picture)))], [picture]) == (
        "mirrored",
        "cropped to 70 %",
    )


def test_of_what_cannot_be_registered_nothing_is_said(
    film: list[Picture], other: list[Picture]
) -> None:
    pairs = list(zip(film, other, strict=True))
    assert name_edits([None] * len(pairs), pairs) == ()
    assert name_edits([], []) == ()
