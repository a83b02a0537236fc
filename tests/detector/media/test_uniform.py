from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.assets import ASSETS, fetch
from detector.media import is_uniform
from detector.samples import Picture

SHAPE = (270, 480, 3)
BARS = [
    (180, 180, 180), (180, 180, 16), (16, 180, 180), (16, 180, 16),
    (180, 16, 180), (180, 16, 16), (16, 16, 180),
]  # fmt: skip


def plain(*colour: int) -> Picture:
    return np.full(SHAPE, colour, np.uint8)


def noisy(picture: Picture, spread: float) -> Picture:
    noise = np.random.default_rng(5).normal(0, spread, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def colour_bars() -> Picture:
    """Draw the seven vertical bars of a test card."""
    return np.repeat(np.repeat(np.uint8([BARS]), 69, axis=1)[:, : SHAPE[1]], SHAPE[0], axis=0)


def smpte_bars() -> Picture:
    """Draw the whole test card: bars, a row of castellations, and the black-level steps."""
    card = colour_bars()
    castellations = np.repeat(np.uint8([BARS[::-1]]), 69, axis=1)[0, : SHAPE[1]]
    castellations[69:138] = castellations[207:276] = castellations[345:414] = 16
    card[180:202] = castellations
    levels = np.uint8([[(16, 33, 76), (235,) * 3, (50, 16, 106), (16,) * 3, (9,) * 3, (25,) * 3]])
    card[202:] = np.repeat(levels, 80, axis=1)
    return card


def gradient(axis: int) -> Picture:
    ramp = np.linspace(0, 255, SHAPE[axis]).astype(np.uint8)
    return np.broadcast_to(np.expand_dims(ramp, (1 - axis, 2)), SHAPE).copy()


def photo(name: str) -> Picture:
    picture = cv2.imread(str(fetch(ASSETS[name])))
    return picture[:, :, ::-1].copy()


def faded(picture: Picture, left: float, towards: int = 0) -> Picture:
    return np.rint(picture * left + towards * (1 - left)).astype(np.uint8)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (16, 16, 16), (20, 60, 220)])
def test_one_colour_is_uniform(colour: tuple[int, int, int]) -> None:
    assert is_uniform(plain(*colour))


@pytest.mark.parametrize("level", [3, 128, 250])
def test_noise_does_not_hide_that_there_is_nothing(level: int) -> None:
    assert is_uniform(noisy(plain(level, level, level), spread=6))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_plain_gradient_is_uniform(axis: int) -> None:
    assert is_uniform(gradient(axis))


def test_colour_bars_are_uniform() -> None:
    assert is_uniform(colour_bars())


def test_a_whole_test_card_is_uniform() -> None:
    assert is_uniform(smpte_bars())


@pytest.mark.parametrize("towards", [0, 255], ids=["to black", "to white"])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_a_picture_that_has_faded_out_is_uniform(name: str, towards: int) -> None:
    assert is_uniform(faded(photo(name), 0.05, towards))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_a_real_picture_is_not_uniform(name: str) -> None:
    assert not is_uniform(photo(name))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_dark_scene_with_something_in_it_is_not_uniform(name: str) -> None:
    assert not is_uniform(faded(photo(name), 0.15))


@pytest.mark.parametrize("shape", [(360, 640), (640, 360)])
def test_a_picture_between_black_bars_is_not_uniform(shape: tuple[int, int]) -> None:
    canvas = np.zeros((*shape, 3), np.uint8)
    canvas[90:270, 90:270] = cv2.resize(photo("chelsea"), (180, 180))
    assert not is_uniform(canvas)


def test_white_titles_on_black_are_not_uniform() -> None:
    card = plain(0, 0, 0)
    for line, text in enumerate(["directed by", "F. W. Murnau", "Berlin 1922"]):
        cv2.putText(card, text, (80, 90 + 50 * line), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255,) * 3, 3)
    assert not is_uniform(card)


def test_the_size_of_the_picture_does_not_matter() -> None:
    for size in [(32, 18), (1920, 1080)]:
        assert is_uniform(cv2.resize(colour_bars(), size, interpolation=cv2.INTER_AREA))
        assert not is_uniform(cv2.resize(photo("coffee"), size, interpolation=cv2.INTER_AREA))
