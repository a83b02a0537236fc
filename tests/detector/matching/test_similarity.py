from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from view_examples import embedded, several_views

from detector.matching import Similarities, Views, similar_pairs, similarity
from index.embeddings import Embeddings


def whole(count: int, seed: int) -> Views:
    return Views.of_whole(embedded(count, seed))


def as_dict(pairs: Similarities) -> dict[tuple[int, int], float]:
    places = zip(pairs.query.tolist(), pairs.ref.tolist(), strict=True)
    return dict(zip(places, pairs.value.tolist(), strict=True))


def brute_force(query: Views, ref: Embeddings, floor: float) -> dict[tuple[int, int], float]:
    best: dict[tuple[int, int], float] = {}
    for frame, view in zip(query.frames.tolist(), query.vectors, strict=True):
        for r, other in enumerate(ref.vectors):
            value = float(view @ other)
            if value > max(floor, best.get((frame, r), -1.0)):
                best[frame, r] = value
    return best


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    most_views=st.integers(1, 4),
    seed=st.integers(0, 99),
    floor=st.sampled_from([-0.5, 0.0, 0.3, 0.9]),
)
def test_it_is_the_matrix_of_best_views_without_what_is_chance(
    sizes: tuple[int, int], most_views: int, seed: int, floor: float
) -> None:
    query, ref = several_views(sizes[0], seed, most_views), embedded(sizes[1], seed + 1000)
    expected = brute_force(query, ref, floor)
    assert as_dict(similar_pairs(query, ref, floor)) == pytest.approx(expected, abs=1e-6)


def test_an_inset_is_as_similar_as_if_it_were_all_of_the_frame() -> None:
    """The whole frames show other footage; the work is in a corner of frames 3 to 6."""
    work = embedded(20, 2)
    insets = Views(np.arange(10) / 2, work.vectors[12:16], np.arange(3, 7))
    pairs = as_dict(similar_pairs(whole(10, 1).joined(insets), work, 0.99))
    assert pairs == pytest.approx({(frame, frame + 9): 1.0 for frame in range(3, 7)}, abs=1e-6)


def test_pairs_are_sorted_by_the_frame_of_the_upload() -> None:
    pairs = similar_pairs(several_views(40, 1), embedded(40, 2), 0.0)
    assert (np.diff(pairs.query) >= 0).all()


def test_the_times_of_all_frames_go_along() -> None:
    query, ref = several_views(7, 1), embedded(9, 2)
    pairs = similar_pairs(query, ref, 0.9)
    assert pairs.query_times.tolist() == query.times.tolist()
    assert pairs.ref_times.tolist() == ref.times.tolist()


def test_of_very_many_similar_frames_the_best_hundred_are_kept() -> None:
    query, ref = whole(5, 1), embedded(300, 2)
    pairs = similar_pairs(query, ref, -1.0)
    for frame, values in enumerate(query.vectors @ ref.vectors.T):
        kept = pairs.value[pairs.query == frame]
        assert sorted(kept) == pytest.approx(sorted(values)[-100:])


def test_a_work_of_identical_frames_does_not_fill_the_memory() -> None:
    query = whole(3, 1)
    ref = Embeddings(np.repeat(query.vectors[:1], 1000, axis=0), np.arange(1000.0))
    pairs = similar_pairs(query, ref, 0.3)
    assert np.bincount(pairs.query, minlength=3).max() <= 100


@pytest.mark.parametrize("cells", [1, 300, 1200, 1201, 5000])
def test_slices_give_the_same_as_one_piece(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    query, ref = several_views(50, 1), embedded(300, 2)
    in_one = as_dict(similar_pairs(query, ref, 0.1))
    monkeypatch.setattr(similarity, "_CELLS_AT_ONCE", cells)
    assert as_dict(similar_pairs(query, ref, 0.1)) == pytest.approx(in_one)


@pytest.mark.parametrize(("queries", "refs"), [(0, 5), (5, 0), (0, 0)])
def test_without_frames_there_are_no_pairs(queries: int, refs: int) -> None:
    assert as_dict(similar_pairs(whole(queries, 1), embedded(refs, 2), 0.0)) == {}


def test_frames_that_are_explained_are_left_out() -> None:
    pairs = similar_pairs(several_views(20, 1), embedded(20, 2), 0.0)
    left = pairs.without_queries(5, 9)
    assert as_dict(left) == {
        place: value for place, value in as_dict(pairs).items() if not 5 <= place[0] <= 9
    }
    assert left.query_times.tolist() == pairs.query_times.tolist()
