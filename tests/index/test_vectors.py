import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vector_store_conformance import DIM, VectorStoreConformance

from index.vectors import (
    MAX_FRAMES,
    MAX_WORK_NUMBER,
    NO_ID,
    BruteForceStore,
    split_vector_ids,
    vector_id,
)


class TestBruteForceStore(VectorStoreConformance):
    @pytest.fixture
    def store(self):
        return BruteForceStore(DIM)


def test_vector_id_is_work_and_frame_side_by_side():
    assert vector_id(7, [0, 41]).tolist() == [7 << 24, 7 << 24 | 41]


@given(st.integers(0, MAX_WORK_NUMBER), st.lists(st.integers(0, MAX_FRAMES - 1)))
def test_splitting_undoes_joining(work, frames):
    ids = vector_id(work, frames)
    assert ids.dtype == np.int64
    works, numbers = split_vector_ids(ids)
    assert works.tolist() == [work] * len(frames)
    assert numbers.tolist() == frames


def test_no_id_splits_into_no_work_and_no_frame():
    works, frames = split_vector_ids([[NO_ID]])
    assert works.tolist() == frames.tolist() == [[-1]]


@pytest.mark.parametrize(
    ("work", "frames"),
    [(-1, [0]), (MAX_WORK_NUMBER + 1, [0]), (1, [MAX_FRAMES]), (1, [-1]), (1, [0.5])],
)
def test_refuses_numbers_that_would_run_into_another_work(work, frames):
    with pytest.raises(ValueError, match="number"):
        vector_id(work, frames)
