from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pytest
from drawn_pictures import scenery

from detector.evaluation.edits import FAMILIES, Edited, Strength
from detector.samples import Picture, TimedPicture

SIZES = [(160, 120), (320, 180), (180, 320), (201, 201)]
TIMING = {"speed", "frame-rate", "dropped-frames", "blackouts"}
ENCODING = {"low-bit-rate", "downscale"}


def moving(width: int, height: int, count: int = 12) -> list[TimedPicture]:
    picture = scenery(width, height)
    return [(n / 25, np.roll(picture, 2 * n, axis=1)) for n in range(count)]


def other_footage() -> Iterator[Picture]:
    return itertools.cycle([scenery(256, 144, seed=7), scenery(256, 144, seed=8)])


def draw(family: str, strength: Strength, seed: int = 1) -> Edited:
    rng = random.Random(f"{seed}")
    return FAMILIES[family](strength, rng, other_footage)


def run(edited: Edited, frames: list[TimedPicture]) -> list[TimedPicture]:
    def pictures() -> Iterator[TimedPicture]:
        for time, picture in frames:
            for edit in edited.edits:
                picture = edit(picture)
            yield time / edited.speed, picture

    return list(pictures() if edited.timing is None else edited.timing(pictures()))


def difference(family: str, strength: Strength, seed: int = 1) -> float:
    """Mean 8-bit difference that an edit makes, of one picture."""
    picture = scenery(320, 180)
    ((_, changed),) = run(draw(family, strength, seed), [(0.0, picture)])
    return float(np.abs(changed.astype(float) - picture).mean())


each_family = pytest.mark.parametrize("family", FAMILIES)
each_strength = pytest.mark.parametrize("strength", Strength, ids=lambda s: s.name.lower())


@each_family
def test_pictures_keep_one_size_and_times_rise(family: str) -> None:
    for strength, size in itertools.product(Strength, SIZES):
        edited = draw(family, strength)
        frames = run(edited, moving(*size))
        assert edited.words
        ((height, width, channels),) = {picture.shape for _, picture in frames}
        assert min(height, width) > 40
        assert channels == 3
        assert all(picture.dtype == np.uint8 for _, picture in frames)
        times = [time for time, _ in frames]
        assert times[0] == 0
        assert all(one < next_ for one, next_ in itertools.pairwise(times))


@each_family
def test_the_same_seed_gives_the_same_pictures(family: str) -> None:
    for strength in Strength:
        one, other = (draw(family, strength) for _ in range(2))
        for what in ("words", "speed", "height", "crf", "bit_rate"):
            assert getattr(one, what) == getattr(other, what)
        frames = zip(run(one, moving(160, 120)), run(other, moving(160, 120)), strict=True)
        for (time, picture), (same_time, same) in frames:
            assert time == same_time
            assert np.array_equal(picture, same)


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - TIMING - ENCODING))
def test_every_picture_is_changed(family: str) -> None:
    for strength, size in itertools.product(Strength, SIZES):
        frames = moving(*size, count=3)
        shown = run(draw(family, strength), frames)
        for (_, picture), (_, changed) in zip(frames, shown, strict=True):
            smaller = picture.shape != changed.shape
            assert smaller or np.abs(changed.astype(int) - picture).mean() > 0.2, strength


def test_an_edit_leaves_the_picture_it_got_as_it_was() -> None:
    for family in FAMILIES:
        frames = moving(160, 120, count=2)
        run(draw(family, Strength.STRONG), frames)
        assert all(
            np.array_equal(picture, same)
            for (_, picture), (_, same) in zip(frames, moving(160, 120, count=2), strict=True)
        ), family


@pytest.mark.parametrize(
    "family",
    ["blur", "sharpen", "noise", "contrast", "gamma", "text", "logo", "sepia", "inversion"],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_stronger_edit_changes_more(family: str, seed: int) -> None:
    if family == "inversion":  # hard contrast takes a negative no farther from the picture
        light, middle = (difference(family, s, seed) for s in list(Strength)[:2])
        assert light < middle
    elif family in ("sepia", "logo"):  # fading, and another place, may count for less
        light, strong = (difference(family, s, seed) for s in (Strength.LIGHT, Strength.STRONG))
        assert light < strong
    else:
        light, middle, strong = (difference(family, s, seed) for s in Strength)
        assert light < middle < strong


@pytest.mark.parametrize("family", ["crop", "mirror"])
def test_a_stronger_crop_keeps_less(family: str) -> None:
    areas = [run(draw(family, strength), moving(320, 180, 1))[0][1].size for strength in Strength]
    assert areas[0] > areas[1] > areas[2]


@pytest.mark.parametrize("family", ["picture-in-picture", "stack", "border-frame", "letterbox"])
def test_a_stronger_edit_leaves_a_smaller_share_to_the_copy(family: str) -> None:
    """A magenta picture, where nothing else is, shows how much of the frame it is given."""
    magenta = np.full((180, 320, 3), (255, 0, 255), np.uint8)
    shares = []
    for strength in Strength:
        edited = FAMILIES[family](
            strength,
            random.Random(2),
            lambda: itertools.repeat(np.full((90, 160, 3), 40, np.uint8)),
        )
        ((_, picture),) = run(edited, [(0.0, magenta)])
        shares.append((picture == (255, 0, 255)).all(axis=2).mean())
    assert shares[0] > shares[1] > shares[2] > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_a_window_lies_at_a_random_place(seed: int) -> None:
    """Red tells how far to the right a pixel was, green how far down."""
    y, x = np.mgrid[:120, :160].astype(np.uint8)
    picture = np.stack([x, y, np.zeros_like(x)], axis=2)
    edited = draw("crop", Strength.STRONG, seed)
    ((_, kept),) = run(edited, [(0.0, picture)])
    left, top = int(kept[0, 0, 0]), int(kept[0, 0, 1])
    assert np.array_equal(kept, picture[top : top + kept.shape[0], left : left + kept.shape[1]])
    other = run(draw("crop", Strength.STRONG, seed + 1), [(0.0, picture)])[0][1]
    assert (left, top) != (other[0, 0, 0], other[0, 0, 1])


def test_encodings_get_worse() -> None:
    rates = [draw("low-bit-rate", strength).bit_rate or 0 for strength in Strength]
    assert rates[0] > rates[1] > rates[2] > 0
    assert [draw("downscale", strength).height for strength in Strength] == [240, 144, 96]


def test_noise_and_shaking_differ_from_picture_to_picture() -> None:
    still = [(n / 25, scenery(160, 120)) for n in range(4)]
    for family in ("noise", "filmed-off-screen"):
        shown = [picture for _, picture in run(draw(family, Strength.MIDDLE), still)]
        assert not any(np.array_equal(a, b) for a, b in itertools.pairwise(shown)), family


def test_other_footage_goes_on_beside_the_copy() -> None:
    still = [(n / 25, scenery(160, 120)) for n in range(2)]
    for family in ("picture-in-picture", "stack"):
        (_, one), (_, other) = run(draw(family, Strength.STRONG), still)
        assert not np.array_equal(one, other), family


# --- time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_speeds_leave_the_real_one_farther_and_farther_behind(seed: int) -> None:
    distances = [abs(np.log(draw("speed", strength, seed).speed)) for strength in Strength]
    assert 0 < distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("seed", range(4))
@each_strength
def test_a_frame_rate_shows_at_each_time_what_was_shown_then(strength: Strength, seed: int) -> None:
    frames = moving(160, 120, count=50)
    edited = draw("frame-rate", strength, seed)
    shown = run(edited, frames)
    rate = int(edited.words.split()[1])
    assert [time for time, _ in shown] == pytest.approx([n / rate for n in range(len(shown))])
    assert len(shown) == int(49 / 25 * rate + 1e-6) + 1
    for time, picture in shown:
        last = max(n for n in range(50) if n / 25 <= time + 1e-6)
        assert picture is frames[last][1]


@each_strength
def test_dropped_frames_leave_the_others_at_their_times(strength: Strength) -> None:
    frames = moving(160, 120, count=400)
    kept = run(draw("dropped-frames", strength), frames)
    times = dict(frames)
    assert all(times[time] is picture for time, picture in kept)
    assert 1 - len(kept) / 400 == pytest.approx((0.1, 0.25, 0.5)[strength], abs=0.06)


@each_strength
def test_blackouts_take_a_tenth_of_the_time_in_longer_and_longer_bursts(
    strength: Strength,
) -> None:
    picture = scenery(160, 120)
    frames = [(n / 25, picture) for n in range(25 * 200)]
    shown = run(draw("blackouts", strength), frames)
    assert [time for time, _ in shown] == [time for time, _ in frames]
    out = [shown_picture is not picture for _, shown_picture in shown]
    assert np.mean(out) == pytest.approx(0.1, abs=0.03)
    bursts = [len(list(group)) / 25 for is_out, group in itertools.groupby(out) if is_out]
    least, most = ((0.04, 0.2), (0.16, 0.24), (0.44, 1.04))[strength]
    assert all(least - 1e-6 <= burst <= most + 1e-6 for burst in bursts)
    assert {p.min() for _, p in shown if p is not picture} in ({0}, {255})


@pytest.mark.parametrize("seed", range(5))
@each_strength
def test_blackouts_reach_short_uploads_too(strength: Strength, seed: int) -> None:
    picture = scenery(160, 120)
    shown = run(draw("blackouts", strength, seed), [(n / 25, picture) for n in range(125)])
    assert any(shown_picture is not picture for _, shown_picture in shown)
    assert not all(shown_picture is not picture for _, shown_picture in shown)


def test_timing_copes_with_uneven_times_and_none() -> None:
    times = [0.0, 0.04, 0.11, 0.5, 0.533, 1.7, 1.71]
    frames = [(time, scenery(160, 120)) for time in times]
    for family in sorted(TIMING):
        for strength in Strength:
            shown = [time for time, _ in run(draw(family, strength), frames)]
            assert all(one < next_ for one, next_ in itertools.pairwise(shown)), family
            assert run(draw(family, strength), []) == []


# --- several at once --------------------------------------------------------------------------


def test_combined_edits_grow_in_number_then_in_strength() -> None:
    for seed in range(5):
        light, middle, strong = (draw("combined", strength, seed) for strength in Strength)
        parts = [edited.words.count(", then ") + 1 for edited in (light, middle, strong)]
        assert parts == [2, 3, 3]
        assert strong.speed == 1
