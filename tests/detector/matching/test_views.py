from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from view_examples import directions, embedded, several_views

from detector.matching import Views


def rows_of(views: Views, frame: int) -> list[list[float]]:
    return views.vectors[views.frames == frame].tolist()


def test_frames_as_wholes_have_one_view_each() -> None:
    frames = embedded(7, 1)
    views = Views.of_whole(frames)
    assert len(views) == 7
    assert views.times.tolist() == frames.times.tolist()
    assert views.vectors.tolist() == frames.vectors.tolist()
    assert views.frames.tolist() == list(range(7))


def test_no_frames_have_no_views() -> None:
    views = Views.of_whole(embedded(0, 1))
    assert len(views) == 0
    assert views.first_rows().tolist() == []


def test_the_length_counts_frames_not_views() -> None:
    views = several_views(9, seed=3)
    assert len(views.vectors) > 9
    assert len(views) == 9


@settings(deadline=None, max_examples=50)
@given(count=st.integers(0, 12), seeds=st.tuples(st.integers(0, 50), st.integers(51, 99)))
def test_joined_views_are_those_of_both_frame_by_frame(count: int, seeds: tuple[int, int]) -> None:
    one, other = (several_views(count, seed) for seed in seeds)
    both = one.joined(other)
    assert (np.diff(both.frames) >= 0).all()
    for frame in range(count):
        assert rows_of(both, frame) == rows_of(one, frame) + rows_of(other, frame)
    firsts = both.vectors[both.first_rows()]
    assert firsts.tolist() == one.vectors[one.first_rows()].tolist()


def test_views_of_other_frames_cannot_be_joined() -> None:
    views = several_views(5, seed=1)
    later = Views(views.times + 0.1, views.vectors, views.frames)
    with pytest.raises(ValueError, match="other frames"):
        views.joined(later)
    with pytest.raises(ValueError, match="other frames"):
        views.joined(several_views(6, seed=1))


@settings(deadline=None, max_examples=50)
@given(count=st.integers(1, 12), seed=st.integers(0, 99), data=st.data())
def test_the_best_row_is_the_view_most_like_the_partner(
    count: int, seed: int, data: st.DataObject
) -> None:
    views = several_views(count, seed)
    frames = np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=10)), np.int64)
    partners = directions(len(frames), seed + 1000)
    best = views.best_rows(frames, partners)
    assert views.frames[best].tolist() == frames.tolist()
    for row, frame, partner in zip(best, frames, partners, strict=True):
        most = max(float(view @ partner) for view in views.vectors[views.frames == frame])
        assert views.vectors[row] @ partner == pytest.approx(most, abs=1e-6)


def test_of_equal_views_the_whole_picture_is_taken() -> None:
    frames = embedded(6, 1)
    views = Views.of_whole(frames).joined(Views.of_whole(frames))
    assert views.best_rows(np.arange(6), frames.vectors).tolist() == views.first_rows().tolist()
