"""What several threads have described together is what each would have got alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from detector.descriptors.base import Images, normalised, space_of
from detector.descriptors.joined import JoinedDescriptor

THREADS, CALLS = 8, 40


class Means:
    """A descriptor of the mean colour, which notes its batches and can be held up."""

    name, version, dim, is_on_gpu = "means", "1", 3, True

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def describe(self, images: Images) -> np.ndarray:
        self.may_go_on.wait()
        self.batches.append(len(images))
        if any(not image.any() for image in images):
            raise ValueError("a black picture")
        means = [image.reshape(-1, 3).mean(axis=0) for image in images]
        return normalised(np.array(means, np.float32).reshape(-1, 3))


def some_pictures(seed: int) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.integers(1, 256, (4, 4, 3), np.uint8) for _ in range(draw.integers(0, 5))]


def test_every_call_gets_the_vectors_of_its_own_pictures() -> None:
    joined = JoinedDescriptor(Means())
    calls = [some_pictures(seed) for seed in range(CALLS)]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(joined.describe, calls))
    for pictures, vectors in zip(calls, answers, strict=True):
        assert np.array_equal(vectors, Means().describe(pictures))


def test_what_collects_during_a_batch_is_the_next() -> None:
    means = Means()
    means.may_go_on.clear()
    joined = JoinedDescriptor(means)
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.submit(joined.describe, [np.full((2, 2, 3), 9, np.uint8)])
        while not joined._describing.locked():
            pass
        others = [
            pool.submit(joined.describe, [np.full((2, 2, 3), 7, np.uint8)] * 2) for _ in range(5)
        ]
        while len(joined._waiting) < len(others):
            pass
        means.may_go_on.set()
        assert [len(one.result()) for one in (first, *others)] == [1, 2, 2, 2, 2, 2]
    assert means.batches == [1, 10]


def test_an_error_is_that_of_the_call_whose_picture_it_was() -> None:
    means = Means()
    means.may_go_on.clear()
    joined = JoinedDescriptor(means)
    black, grey = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 7, np.uint8)
    with ThreadPoolExecutor(THREADS) as pool:
        calls = [pool.submit(joined.describe, [image]) for image in (grey, grey, black, grey)]
        means.may_go_on.set()
        for call, image in zip(calls, (grey, grey, black, grey), strict=True):
            if image is black:
                with pytest.raises(ValueError, match="a black picture"):
                    call.result()
            else:
                assert len(call.result()) == 1


def test_it_is_of_the_same_space() -> None:
    assert space_of(JoinedDescriptor(Means())) == space_of(Means())
