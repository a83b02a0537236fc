"""Where videos are cut, told from real frames of several films in a row."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from detector.assets import ASSETS, fetch
from detector.media import Sampler, change, find_shots, look_of

# Of each, seconds that show one shot.
TAKES = {
    "bigbuckbunny": (0.0, 5.0),
    "carphone_pristine": (0.0, 4.0),
    "bikes": (5.4, 7.4),
}


@pytest.fixture(scope="module")
def takes():
    """Looks of frames of three takes, sampled twice a second."""
    return {
        name: np.stack(
            [look_of(frame.image) for frame in Sampler(fetch(ASSETS[name]), 2.0)
             if start <= frame.time < end]
        )
        for name, (start, end) in TAKES.items()
    }  # fmt: skip


def changes_of(looks):
    changes = [change(one, other) for one, other in pairwise(looks)]
    return np.array([1.0, *changes], np.float32)


def shots_of(*parts, interval=0.5):
    looks = np.concatenate(parts)
    return find_shots(changes_of(looks), np.arange(len(looks)) * interval, interval)


def test_a_take_is_one_shot(takes):
    for looks in takes.values():
        assert shots_of(looks) == [(0, len(looks) - 1)]


def test_takes_in_a_row_are_cut_where_one_ends(takes):
    parts = [
        takes[name] for name in ("carphone_pristine", "bikes", "bigbuckbunny", "carphone_pristine")
    ]
    ends = np.cumsum([len(part) for part in parts])
    assert [last + 1 for _, last in shots_of(*parts)] == ends.tolist()


def test_a_shot_does_not_go_on_over_black(takes):
    looks = takes["carphone_pristine"]
    times = np.arange(len(looks)) * 0.5
    times[4:] += 1.0  # two frames between were black, and are not among these
    assert find_shots(changes_of(looks), times, 0.5) == [(0, 3), (4, len(looks) - 1)]


@pytest.mark.parametrize("frame_rate", [5, 10, 12, 25])
def test_a_shot_goes_on_where_a_file_has_few_frames(takes, frame_rate):
    """A grid of eight samples a second gives frames of ten a second in unequal steps."""
    grid = np.arange(0, 3, 1 / 8)
    times = np.unique(np.ceil(grid * frame_rate - 1e-9) / frame_rate)
    changes = np.full(len(times), 0.05, np.float32)
    assert find_shots(changes, times, 1 / 8) == [(0, len(times) - 1)]


def test_a_long_take_is_described_in_equal_parts(takes):
    still = np.repeat(takes["carphone_pristine"][:1], 101, axis=0)
    lengths = [last - first + 1 for first, last in shots_of(still)]
    assert sum(lengths) == 101
    assert len(lengths) == 3  # 50 seconds, at most 20 each
    assert max(lengths) - min(lengths) <= 1


def test_a_look_does_not_depend_on_size_and_hardly_on_noise():
    picture = np.asarray(next(iter(Sampler(fetch(ASSETS["bikes"]), 2.0))).image)
    rng = np.random.default_rng(1)
    noisy = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    assert look_of(picture) @ look_of(picture[::2, ::2].copy()) > 0.95
    assert look_of(picture) @ look_of(noisy) > 0.9


@hypothesis_settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 120),
    interval=st.sampled_from([0.1, 0.5, 2.0]),
)
def test_every_frame_is_in_one_shot(seed, count, interval):
    rng = np.random.default_rng(seed)
    changes = rng.beta(1, 3, count).astype(np.float32)
    times = np.cumsum(rng.choice([interval, 3 * interval], count, p=[0.9, 0.1]))
    shots = find_shots(changes, times, interval)
    assert [n for first, last in shots for n in range(first, last + 1)] == list(range(count))
    assert all(times[last] - times[first] <= 20.0 for first, last in shots)
