from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from detector.evaluation.generated import GENERATED, static_shot
from detector.media import is_uniform
from detector.samples import TimedPicture

each_name = pytest.mark.parametrize("name", GENERATED)
MOVING = {"credits", "countdown", "screen_recording", "test_pattern", "gradient", "game", "cartoon"}


def make(
    name: str, seed: int = 1, seconds: float = 2.0, size: tuple[int, int] = (320, 180)
) -> list[TimedPicture]:
    rng = random.Random(seed)
    return list(GENERATED[name](rng, seconds, size=size, rate=10))


@each_name
@pytest.mark.parametrize("size", [(160, 120), (320, 180), (180, 320), (640, 360)])
def test_footage_has_the_size_the_rate_and_the_seconds(name: str, size: tuple[int, int]) -> None:
    frames = make(name, size=size)
    assert [time for time, _ in frames] == pytest.approx([n / 10 for n in range(20)])
    shape = (size[1], size[0], 3)
    assert all(picture.shape == shape and picture.dtype == np.uint8 for _, picture in frames)


@each_name
def test_the_same_seed_gives_the_same_pictures(name: str) -> None:
    for (_, one), (_, other) in zip(make(name), make(name), strict=True):
        assert np.array_equal(one, other)


@each_name
def test_footage_is_the_same_whatever_the_generator_is_used_for_meanwhile(name: str) -> None:
    rng = random.Random(1)
    frames = GENERATED[name](rng, 1.0, size=(160, 120), rate=10)
    rng.random()
    for (_, one), (_, other) in zip(frames, make(name, seconds=1.0, size=(160, 120)), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", sorted(GENERATED.keys() - {"black", "colour_bars"}))
def test_another_seed_gives_other_pictures(name: str) -> None:
    pairs = zip(make(name, seed=1), make(name, seed=2), strict=True)
    assert any(np.abs(a.astype(int) - b).mean() > 1 for (_, a), (_, b) in pairs)


@each_name
def test_what_moves_moves(name: str) -> None:
    pictures = [picture for _, picture in make(name)]
    moves = [not np.array_equal(a, b) for a, b in itertools.pairwise(pictures)]
    assert all(moves) == (name in MOVING) or name == "black"  # black has noise with some seeds


@each_name
@pytest.mark.parametrize("seed", range(3))
def test_only_black_and_plain_bars_show_nothing(name: str, seed: int) -> None:
    shown = not all(is_uniform(picture) for _, picture in make(name, seed))
    assert shown == (name != "black") or name == "colour_bars"


@each_name
def test_long_footage_and_a_single_picture_can_be_had(name: str) -> None:
    assert len(make(name, seconds=30.0, size=(160, 120))) == 300
    assert len(make(name, seconds=0.05, size=(160, 120))) == 1


def test_a_countdown_counts_down() -> None:
    """Half a second after each number begins, only the number differs but for dust."""
    frames = make("countdown", seconds=3.5)
    middles = [frames[n][1][60:120, 130:190].astype(int) for n in (5, 15, 25)]
    assert all(np.abs(a - b).mean() > 8 for a, b in itertools.pairwise(middles))


def test_credits_roll_upwards() -> None:
    frames = [picture for _, picture in make("credits", seconds=4.0)]
    for one, other in itertools.pairwise(frames[10:20]):
        shifts = [np.abs(one[n:].astype(int) - other[: len(other) - n]).sum() for n in range(12)]
        assert np.argmin(shifts) > 0
        assert min(shifts) == 0


def test_a_static_shot_stands_still_under_noise() -> None:
    picture = make("cartoon")[0][1]
    rng = random.Random(3)
    shots = list(static_shot(rng, 1.0, picture, size=(200, 150)))
    assert len(shots) == 25
    assert {shot.shape for _, shot in shots} == {(150, 200, 3)}
    for (_, one), (_, other) in itertools.pairwise(shots):
        assert 0 < np.abs(one.astype(int) - other).mean() < 4
    unscaled = next(static_shot(rng, 1.0, picture))[1]
    assert np.abs(unscaled.astype(int) - picture).mean() < 3
