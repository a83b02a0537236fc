"""What every `VectorStore` must do: inherit it, and give it a store by the fixture `store`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from index_examples import some_vectors

from index.vectors import NO_ID, BruteForceStore, VectorStore, split_vector_ids

DIM = 8

_works = st.integers(0, 5)
ACTIONS = st.one_of(
    st.tuples(st.just("add"), _works, st.integers(0, 30)),
    st.tuples(st.just("remove"), _works, st.just(0)),
    st.tuples(st.just("search"), st.integers(1, 5), st.integers(1, 40)),
)


def check_against_brute_force(store: VectorStore, sequence: list[tuple[str, int, int]]) -> None:
    """Do the same with an empty store and the oracle, and compare after every step."""
    oracle = BruteForceStore(DIM)
    for step, (action, a, b) in enumerate(sequence):
        if action == "add" and a not in oracle.counts():
            for each in (store, oracle):
                each.add(a, some_vectors(b, seed=step))
        elif action == "remove":
            assert store.remove(a) == oracle.remove(a)
        elif action == "search":
            queries = some_vectors(a, seed=1000 + step)
            got, expected = store.search(queries, b), oracle.search(queries, b)
            np.testing.assert_allclose(got.similarities, expected.similarities, atol=1e-5)
            np.testing.assert_array_equal(got.ids, expected.ids)
        assert store.counts() == oracle.counts()
        assert len(store) == len(oracle)
    assert store.verify() == []


class VectorStoreConformance:
    near = 1e-6  # how near to the truth a similarity is

    @pytest.fixture
    def store(self) -> VectorStore:
        """Make an empty store of `DIM` dimensions."""
        raise NotImplementedError

    def test_finds_a_frame_by_its_own_vector(self, store):
        frames = some_vectors(20)
        store.add(3, frames)
        hits = store.search(frames, k=1)
        works, numbers = split_vector_ids(hits.ids)
        assert works.ravel().tolist() == [3] * 20
        assert numbers.ravel().tolist() == list(range(20))
        assert hits.similarities == pytest.approx(1, abs=self.near)

    def test_answers_have_the_promised_types_and_order(self, store):
        store.add(1, some_vectors(50))
        hits = store.search(some_vectors(4, seed=1), k=10)
        assert hits.similarities.shape == hits.ids.shape == (4, 10)
        assert hits.similarities.dtype == np.float32
        assert hits.ids.dtype == np.int64
        assert (np.diff(hits.similarities, axis=1) <= 0).all()

    def test_pads_where_there_are_fewer_than_k(self, store):
        store.add(1, some_vectors(2))
        hits = store.search(some_vectors(3, seed=1), k=5)
        assert (hits.ids[:, :2] != NO_ID).all()
        assert (hits.ids[:, 2:] == NO_ID).all()
        assert (hits.similarities[:, 2:] == -np.inf).all()

    def test_empty_store_finds_nothing(self, store):
        hits = store.search(some_vectors(2), k=3)
        assert (hits.ids == NO_ID).all()
        assert (hits.similarities == -np.inf).all()
        assert len(store) == 0
        assert store.counts() == {}
        assert store.verify() == []

    def test_no_queries_have_no_answers(self, store):
        store.add(1, some_vectors(2))
        assert store.search(np.empty((0, DIM), np.float32), k=3).ids.shape == (0, 3)

    def test_removed_work_is_gone_and_the_others_stay(self, store):
        store.add(1, some_vectors(4, seed=1))
        store.add(2, some_vectors(6, seed=2))
        store.add(3, some_vectors(5, seed=3))
        assert store.remove(2) == 6
        assert store.counts() == {1: 4, 3: 5}
        works, frames = split_vector_ids(store.search(some_vectors(5, seed=3), k=1).ids)
        assert works.ravel().tolist() == [3] * 5
        assert frames.ravel().tolist() == [0, 1, 2, 3, 4]
        assert 2 not in split_vector_ids(store.search(some_vectors(6, seed=2), k=9).ids)[0]
        assert store.verify() == []

    def test_removing_what_is_not_there_removes_nothing(self, store):
        store.add(1, some_vectors(4))
        assert store.remove(2) == 0
        assert len(store) == 4

    def test_work_without_vectors_leaves_no_trace(self, store):
        store.add(1, np.empty((0, DIM), np.float32))
        assert store.counts() == {}

    def test_refuses_a_work_it_has(self, store):
        store.add(1, some_vectors(4))
        with pytest.raises(ValueError, match="work 1 has vectors already"):
            store.add(1, some_vectors(4))

    def test_converts_other_numbers(self, store):
        store.add(1, np.eye(DIM, dtype=np.float64)[::2])
        store.add(2, np.eye(DIM, dtype=np.int8)[1::2])
        hits = store.search(np.eye(DIM).tolist(), k=1)
        assert hits.similarities == pytest.approx(1, abs=self.near)

    @pytest.mark.parametrize(
        ("vectors", "complaint"),
        [
            (some_vectors(2, dim=DIM + 1), "9 dimensions, the others have 8"),
            (some_vectors(1)[0], "a table"),
            (some_vectors(2) * 2, "vector 0 has length 2"),
            (np.zeros((1, DIM)), "length 0: L2-normalise"),
            (np.full((1, DIM), np.nan), "not finite"),
            (np.full((1, DIM), np.inf), "not finite"),
            (np.full((1, DIM), "x"), "hold numbers"),
        ],
    )
    def test_refuses_unsound_vectors(self, store, vectors, complaint):
        with pytest.raises(ValueError, match=complaint):
            store.add(1, vectors)
        with pytest.raises(ValueError, match=complaint):
            store.search(vectors, k=1)
        assert len(store) == 0

    def test_refuses_to_look_for_no_neighbours(self, store):
        with pytest.raises(ValueError, match="at least 1"):
            store.search(some_vectors(1), k=0)

    def test_refuses_work_numbers_without_ids(self, store):
        with pytest.raises(ValueError, match="work number"):
            store.add(-1, some_vectors(1))
