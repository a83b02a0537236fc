import subprocess
import sys

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_examples import some_vectors
from vector_store_conformance import (
    ACTIONS,
    DIM,
    VectorStoreConformance,
    check_against_brute_force,
)

from index.errors import DamagedFileError
from index.faiss_store import FaissStore
from index.vectors import NO_ID


class TestFaissStore(VectorStoreConformance):
    @pytest.fixture
    def store(self):
        return FaissStore(DIM)


class TestFaissStoreReadBack(VectorStoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        digest = FaissStore(DIM).save(tmp_path / "empty.faiss")
        return FaissStore.load(tmp_path / "empty.faiss", DIM, digest)


@settings(deadline=None, max_examples=60)
@given(st.lists(ACTIONS, max_size=12))
def test_agrees_with_brute_force(sequence):
    check_against_brute_force(FaissStore(DIM), sequence)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(1, 40))
def test_add_then_remove_leaves_no_trace(before, count):
    store = FaissStore(DIM)
    store.add(1, some_vectors(before, seed=1))
    expected = store.search(some_vectors(4), 50)
    store.add(2, some_vectors(count, seed=2))
    assert store.remove(2) == count
    got = store.search(some_vectors(4), 50)
    np.testing.assert_array_equal(got.ids, expected.ids)
    assert len(store) == before


def test_saved_store_answers_as_before(tmp_path):
    store = FaissStore(DIM)
    store.add(1, some_vectors(10, seed=1))
    store.add(2, some_vectors(10, seed=2))
    store.remove(1)
    digest = store.save(tmp_path / "copy.faiss")
    again = FaissStore.load(tmp_path / "copy.faiss", DIM, digest)
    np.testing.assert_array_equal(
        again.search(some_vectors(3), 5).ids, store.search(some_vectors(3), 5).ids
    )
    assert again.verify() == []
    assert again.remove(2) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["copy.faiss"]


@pytest.mark.parametrize("position", [0, 40, -1])
def test_one_flipped_byte_is_damage(tmp_path, position):
    path = tmp_path / "copy.faiss"
    store = FaissStore(DIM)
    store.add(1, some_vectors(10))
    digest = store.save(path)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"copy\.faiss is damaged .*index compact"):
        FaissStore.load(path, DIM, digest)


def test_missing_and_foreign_files_are_damage(tmp_path):
    with pytest.raises(DamagedFileError, match="No such file"):
        FaissStore.load(tmp_path / "none.faiss", DIM, "0" * 64)
    digest = FaissStore(DIM + 1).save(tmp_path / "wide.faiss")
    with pytest.raises(DamagedFileError, match="9 dimensions instead of 8"):
        FaissStore.load(tmp_path / "wide.faiss", DIM, digest)


def test_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "copy.faiss"
    path.mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match=r"copy\.faiss"):
        FaissStore(DIM).save(path)
    assert list(tmp_path.iterdir()) == [path]


def test_verify_finds_contradictions():
    store = FaissStore(DIM)
    store._recent.add_with_ids(some_vectors(2), np.array([5, 9], dtype=np.int64))
    store._recent.add_with_ids(np.zeros((1, DIM), np.float32), np.array([1 << 24], dtype=np.int64))
    works, frames, length = store.verify()
    assert works == "it does not hold the works that it should"
    assert frames == "work 0: its frames are not 0 to 1"
    assert "length 0" in length


def test_search_leaves_the_setting_of_faiss_alone():
    before = faiss.cvar.distance_compute_blas_threshold
    store = FaissStore(DIM)
    store.add(1, some_vectors(10))
    assert (store.search(some_vectors(64), 1).ids != NO_ID).all()
    assert faiss.cvar.distance_compute_blas_threshold == before


def test_loading_faiss_leaves_the_environment_alone():
    code = (
        "import os; before = dict(os.environ); import index.faiss_store; "
        "assert os.environ == before, os.environ"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
