from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.matching import Similarities, similar_pairs, similarity
from index.embeddings import Embeddings


def some(count: int, seed: int, dim: int = 16) -> Embeddings:
    vectors = np.random.default_rng(seed).normal(size=(count, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Embeddings(vectors.astype(np.float32), np.arange(count) / 2)


def as_dict(pairs: Similarities) -> dict[tuple[int, int], float]:
    places = zip(pairs.query.tolist(), pairs.ref.tolist(), strict=True)
    return dict(zip(places, pairs.value.tolist(), strict=True))


def brute_force(query: Embeddings, ref: Embeddings, floor: float) -> dict[tuple[int, int], float]:
    return {
        (q, r): float(one @ other)
        for q, one in enumerate(query.vectors)
        for r, other in enumerate(ref.vectors)
        if one @ other > floor
    }


@settings(deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 99),
    floor=st.sampled_from([-0.5, 0.0, 0.3, 0.9]),
)
def test_it_is_the_full_matrix_without_what_is_chance(
    sizes: tuple[int, int], seed: int, floor: float
) -> None:
    query, ref = some(sizes[0], seed), some(sizes[1], seed + 1000)
    assert as_dict(similar_pairs(query, ref, floor)) == pytest.approx(
        brute_force(query, ref, floor), abs=1e-6
    )


def test_pairs_are_sorted_by_the_frame_of_the_upload() -> None:
    pairs = similar_pairs(some(40, 1), some(40, 2), 0.0)
    assert (np.diff(pairs.query) >= 0).all()


def test_the_times_of_all_frames_go_along() -> None:
    query, ref = some(7, 1), some(9, 2)
    pairs = similar_pairs(query, ref, 0.9)
    assert pairs.query_times.tolist() == query.times.tolist()
    assert pairs.ref_times.tolist() == ref.times.tolist()


def test_of_very_many_similar_frames_the_best_hundred_are_kept() -> None:
    query, ref = some(5, 1), some(300, 2)
    pairs = similar_pairs(query, ref, -1.0)
    for frame, values in enumerate(query.vectors @ ref.vectors.T):
        kept = pairs.value[pairs.query == frame]
        assert sorted(kept) == pytest.approx(sorted(values)[-100:])


def test_a_work_of_identical_frames_does_not_fill_the_memory() -> None:
    query = some(3, 1)
    ref = Embeddings(np.repeat(query.vectors[:1], 1000, axis=0), np.arange(1000.0))
    pairs = similar_pairs(query, ref, 0.3)
    assert np.bincount(pairs.query, minlength=3).max() <= 100


@pytest.mark.parametrize("cells", [1, 300, 301, 1000])
def test_slices_give_the_same_as_one_piece(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    query, ref = some(50, 1), some(300, 2)
    whole = as_dict(similar_pairs(query, ref, 0.1))
    monkeypatch.setattr(similarity, "_CELLS_AT_ONCE", cells)
    assert as_dict(similar_pairs(query, ref, 0.1)) == pytest.approx(whole)


@pytest.mark.parametrize(("queries", "refs"), [(0, 5), (5, 0), (0, 0)])
def test_without_frames_there_are_no_pairs(queries: int, refs: int) -> None:
    assert as_dict(similar_pairs(some(queries, 1), some(refs, 2), 0.0)) == {}


def test_frames_that_are_explained_are_left_out() -> None:
    pairs = similar_pairs(some(20, 1), some(20, 2), 0.0)
    left = pairs.without_queries(5, 9)
    assert as_dict(left) == {
        place: value for place, value in as_dict(pairs).items() if not 5 <= place[0] <= 9
    }
    assert len(left.query_times) == 20
