"""A store with a main file: approximate in what it finds, exact in what it must not find."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_examples import some_vectors
from large_stores import CODECS, NEAR, CompactedStore
from vector_store_conformance import DIM, VectorStoreConformance

from index.errors import DamagedFileError
from index.faiss_store import FaissStore
from index.main_file import StoppedError, build_main
from index.vectors import BruteForceStore, split_vector_ids


class TestHalfFloats(VectorStoreConformance):
    near = NEAR["SQfp16"]

    @pytest.fixture
    def store(self, tmp_path):
        return CompactedStore(DIM, tmp_path, "SQfp16")


class TestBytes(VectorStoreConformance):
    near = NEAR["SQ8"]

    @pytest.fixture
    def store(self, tmp_path):
        return CompactedStore(DIM, tmp_path, "SQ8")


class TestBesideRemovedWorks(VectorStoreConformance):
    """All of the main file has been removed: it must not be found, nor be in the way."""

    @pytest.fixture
    def store(self, large):
        for number in list(large.counts()):
            large.remove(number)
        return large


class TestReadBackBesideRemovedWorks(VectorStoreConformance):
    @pytest.fixture
    def store(self, large, tmp_path):
        for number in list(large.counts()):
            large.remove(number)
        digest = large.save(tmp_path / "copy.json")
        return FaissStore.load(tmp_path / "copy.json", DIM, digest)


@pytest.fixture
def large(tmp_path):
    """Works 0 to 3, each of 100 vectors, in a main file."""
    works = {number: some_vectors(100, seed=number) for number in range(4)}
    return FaissStore(DIM, build_main(tmp_path, "copy", works.items, 400, "SQ8"))


def works_found(store, queries, k):
    return set(np.unique(split_vector_ids(store.search(queries, k).ids)[0]).tolist()) - {-1}


# Bytes span what the vectors of the first main file do; of so few as here others lie outside.
SPANNED = {"SQfp16": 1e-3, "SQ8": 0.3}
steps = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 5), st.integers(40, 120)),
    st.tuples(st.just("remove"), st.integers(0, 5), st.just(0)),
    st.tuples(st.sampled_from(["compact", "save and load"]), st.just(0), st.just(0)),
)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(CODECS), st.lists(steps, max_size=10))
def test_finds_what_is_there_and_never_what_was_removed(codec, sequence):
    with tempfile.TemporaryDirectory() as folder:
        large, oracle = CompactedStore(DIM, Path(folder), codec), BruteForceStore(DIM)
        tables = {}  # every work that there ever was
        for step, (action, number, count) in enumerate(sequence):
            if action == "add" and number not in oracle.counts():
                tables[number, step] = large._vectors[number] = some_vectors(count, seed=step)
                large.store.add(number, tables[number, step])
                oracle.add(number, tables[number, step])
            elif action == "remove":
                large._vectors.pop(number, None)
                assert large.store.remove(number) == oracle.remove(number)
            elif action == "compact":
                large.compact()
            elif action == "save and load":
                path = Path(folder, f"{step}{large.store.suffix}")
                large.store = FaissStore.load(path, DIM, large.store.save(path))
            assert large.counts() == oracle.counts()
            for table in tables.values():
                got, expected = large.search(table, 1), oracle.search(table, 1)
                assert (split_vector_ids(got.ids)[0] >= 0).all() == bool(len(oracle))
                assert set(split_vector_ids(got.ids)[0].ravel().tolist()) <= {-1, *oracle.counts()}
                mine = expected.similarities > 0.9999  # frames of works that are still there
                assert got.similarities[mine] == pytest.approx(1, abs=SPANNED[codec])
        assert large.verify() == []


def test_without_a_main_file_it_is_exact_beyond_doubt():
    store, oracle = FaissStore(DIM), BruteForceStore(DIM)
    for each in (store, oracle):
        each.add(1, some_vectors(300))
    queries = some_vectors(20, seed=1)
    np.testing.assert_array_equal(store.search(queries, 5).ids, oracle.search(queries, 5).ids)


def test_what_was_added_since_is_found_beside_the_main_file(large):
    large.add(9, some_vectors(5, seed=9))
    assert works_found(large, some_vectors(5, seed=9), 1) == {9}
    assert works_found(large, some_vectors(5, seed=2), 1) == {2}
    assert works_found(large, some_vectors(5, seed=9), 400) == {0, 1, 2, 3, 9}


def test_saving_writes_the_main_file_once(large, tmp_path):
    large.save(tmp_path / "one.json")
    (main,) = tmp_path.glob("*.ivf")
    before = main.stat()
    large.remove(2)
    large.add(9, some_vectors(5, seed=9))
    digest = large.save(tmp_path / "two.json")
    assert (main.stat().st_ino, main.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    again = FaissStore.load(tmp_path / "two.json", DIM, digest)
    assert again.counts() == {0: 100, 1: 100, 3: 100, 9: 5}
    assert works_found(again, some_vectors(100, seed=2), 5) == {0, 1, 3, 9}


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("part", ["copy.json", "copy.faiss", "header"])
def test_damage_in_what_is_read_whole_is_found_at_once(large, tmp_path, part):
    digest = large.save(tmp_path / "copy.json")
    path = tmp_path / large.main.facts.file if part == "header" else tmp_path / part
    flip(path, 40)
    with pytest.raises(DamagedFileError, match="index compact"):
        FaissStore.load(tmp_path / "copy.json", DIM, digest)


def test_damage_in_a_list_is_found_before_it_is_believed(tmp_path):
    frames = some_vectors(3000, dim=128)
    large = FaissStore(128, build_main(tmp_path, "copy", {1: frames}.items, 3000, "SQfp16"))
    digest = large.save(tmp_path / "copy.json")
    flip(tmp_path / large.main.facts.file, -1)  # the number of a frame, in the last list
    again = FaissStore.load(tmp_path / "copy.json", 128, digest)
    with pytest.raises(DamagedFileError, match="does not hold what was written"):
        again.search(frames, 1)
    (problem,) = again.verify()
    assert "does not hold what was written" in problem


@pytest.mark.parametrize("mishap", [lambda path: path.unlink(), lambda path: flip_length(path)])
def test_missing_or_cut_main_file_is_damage(large, tmp_path, mishap):
    digest = large.save(tmp_path / "copy.json")
    mishap(tmp_path / large.main.facts.file)
    with pytest.raises(DamagedFileError, match=r"\.ivf is damaged"):
        FaissStore.load(tmp_path / "copy.json", DIM, digest)


def flip_length(path):
    path.write_bytes(path.read_bytes()[:-1])


def test_a_large_store_can_do_without_what_was_added_last(large, tmp_path):
    large.add(9, some_vectors(5, seed=9))
    digest = large.save(tmp_path / "copy.json")
    flip(tmp_path / "copy.faiss", -1)
    assert FaissStore.load(
        tmp_path / "copy.json", DIM, digest, mend=True
    ).counts() == dict.fromkeys(range(4), 100)


def test_a_store_that_is_called_off_leaves_nothing(tmp_path):
    works = {1: some_vectors(500)}
    with pytest.raises(StoppedError):
        build_main(tmp_path, "copy", works.items, 500, "SQ8", go_on=lambda: False)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_never_saved_leaves_nothing(tmp_path):
    build_main(tmp_path, "copy", {1: some_vectors(500)}.items, 500, "SQ8")
    assert list(tmp_path.iterdir()) == []
