"""Shots as one vector each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from view_examples import directions

from detector.descriptors.base import normalised
from detector.matching import pool


def a_take(frames, seed, wobble=0.1, dim=16):
    """Frames that show one thing, a little different each time."""
    rng = np.random.default_rng(seed)
    return normalised(
        (directions(1, seed, dim) + rng.normal(0, wobble, (frames, dim))).astype(np.float32)
    )


def pooled(*takes, interval=0.5):
    vectors = np.concatenate(takes)
    ends = np.cumsum([len(take) for take in takes]).tolist()
    shots = list(zip([0, *ends[:-1]], [end - 1 for end in ends], strict=True))
    times = np.arange(len(vectors)) * interval
    numbers = np.arange(len(vectors))
    return pool(vectors, numbers, times, shots, interval, len(vectors) * interval)


def test_a_shot_is_like_all_its_frames():
    takes = [a_take(8, 1), a_take(5, 2)]
    shots = pooled(*takes)
    assert len(shots) == 2
    for vector, take in zip(shots.vectors, takes, strict=True):
        assert (take @ vector).mean() > (take @ take.T).mean()


def test_a_flash_changes_nothing():
    take = a_take(8, 1)
    flash = take.copy()
    flash[3] = -directions(1, 9)[0]
    without = np.delete(take, 3, axis=0)
    with_flash = pooled(flash)
    assert with_flash.vectors[0] @ pooled(without).vectors[0] > 0.99
    assert with_flash.times[0] != 1.5  # it is not what is shown of the shot, either


def test_shots_go_from_half_way_to_half_way():
    shots = pooled(a_take(4, 1), a_take(6, 2))
    assert shots.spans.tolist() == [[0.0, 1.75], [1.75, 5.0]]
    again = pool(
        a_take(3, 1), np.arange(3), np.array([10.0, 10.5, 12.5]), [(0, 1), (2, 2)], 0.5, 12.6
    )
    assert again.spans.tolist() == [[9.75, 10.75], [12.25, 12.6]]


def test_a_still_is_a_shot_of_one_frame():
    shots = pool(a_take(1, 1), np.arange(1), np.array([0.0]), [(0, 0)], 0.5, 0.0)
    assert shots.spans.tolist() == [[0.0, 0.0]]
    assert shots.vectors == pytest.approx(a_take(1, 1), abs=1e-6)


def test_a_video_without_frames_has_no_shots():
    assert len(pool(np.empty((0, 16), np.float32), np.arange(0), np.empty(0), [], 0.5, 3.0)) == 0


def test_shots_of_which_no_frame_was_described_are_left_out():
    take = a_take(6, 1)
    times = np.arange(9) * 0.5
    shots = pool(take, np.array([0, 1, 2, 6, 7, 8]), times, [(0, 2), (3, 5), (6, 8)], 0.5, 4.5)
    assert shots.spans.tolist() == [[0.0, 1.25], [2.75, 4.5]]
    assert shots.vectors[1] == pytest.approx(pooled(take[3:]).vectors[0])


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 1000))
def test_every_shot_is_shown_by_one_of_its_frames(lengths, seed):
    takes = [a_take(count, seed + n, wobble=0.5) for n, count in enumerate(lengths)]
    shots = pooled(*takes)
    ends = np.cumsum(lengths)
    assert len(shots) == len(lengths)
    assert ((ends - lengths) * 0.5 <= shots.times).all()
    assert (shots.times < ends * 0.5).all()
