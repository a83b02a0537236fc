from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.evaluation.temporal_network import NetworkSettings, Path, find_paths

# Every path that there is, also one of a single node.
ALL = NetworkSettings(min_length=1, min_density=0.0)


def noise(queries: int, refs: int, seed: int = 0) -> np.ndarray:
    """Make similarities of footage that has nothing in common, below what makes a node."""
    return np.random.default_rng(seed).uniform(-0.2, 0.15, (queries, refs)).astype(np.float32)


def planted(*diagonals: tuple[int, int, int, int], queries: int = 40, refs: int = 60) -> np.ndarray:
    """Make similarities with copies of (query start, ref start, frames, speed)."""
    similarities = noise(queries, refs)
    for query, ref, count, speed in diagonals:
        steps = np.arange(count)
        similarities[query + steps, ref + speed * steps] = 0.8
    return similarities


def extent(path: Path) -> tuple[int, int, int, int]:
    return (
        int(path.queries[0]),
        int(path.queries[-1]),
        int(path.refs[0]),
        int(path.refs[-1]),
    )


def heaviest_total(similarities: np.ndarray, settings: NetworkSettings) -> float:
    """Try every path."""
    nodes = [
        (query, int(ref))
        for query, row in enumerate(similarities)
        for ref in np.argsort(-row)[: settings.top_k]
        if row[ref] >= settings.min_similarity
    ]

    def heaviest_from(node: tuple[int, int]) -> float:
        onward = [
            heaviest_from(other)
            for other in nodes
            if all(0 < b - a <= settings.max_step for a, b in zip(node, other, strict=True))
        ]
        return float(similarities[node]) + max(onward, default=0.0)

    return max((heaviest_from(node) for node in nodes), default=0.0)


@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    seed=st.integers(0, 10_000),
    top_k=st.integers(1, 3),
    max_step=st.integers(1, 3),
)
def test_the_first_path_is_the_heaviest_of_all(
    shape: tuple[int, int], seed: int, top_k: int, max_step: int
) -> None:
    similarities = np.random.default_rng(seed).uniform(-0.5, 1, shape).astype(np.float32)
    settings = NetworkSettings(top_k, max_step, min_length=1, min_density=0.0)
    paths = find_paths(similarities, settings)
    wanted = heaviest_total(similarities, settings)
    assert (paths[0].total if paths else 0.0) == pytest.approx(wanted)


@given(st.integers(0, 10_000))
def test_paths_go_forward_in_both_videos_and_use_no_node_twice(seed: int) -> None:
    similarities = np.random.default_rng(seed).uniform(0, 1, (20, 20)).astype(np.float32)
    used: set[tuple[int, int]] = set()
    for path in find_paths(similarities, ALL):
        for frames in (path.queries, path.refs):
            assert np.isin(np.diff(frames), range(1, ALL.max_step + 1)).all()
        nodes = set(zip(path.queries.tolist(), path.refs.tolist(), strict=True))
        assert path.total == pytest.approx(sum(similarities[node] for node in nodes))
        assert not nodes & used
        used |= nodes


@pytest.mark.parametrize("speed", [1, 2])
def test_a_planted_copy_is_found(speed: int) -> None:
    (path,) = find_paths(planted((5, 12, 20, speed)))
    assert extent(path) == (5, 24, 12, 12 + 19 * speed)
    assert path.total == pytest.approx(20 * 0.8)


def test_two_copies_are_two_paths_the_longer_first() -> None:
    paths = find_paths(planted((0, 40, 8, 1), (20, 3, 15, 1)))
    assert [extent(path) for path in paths] == [(20, 34, 3, 17), (0, 7, 40, 47)]


def test_a_path_bridges_a_few_missing_frames_and_no_more() -> None:
    assert [extent(path) for path in find_paths(planted((0, 0, 6, 1), (10, 10, 6, 1)))] == [
        (0, 15, 0, 15)
    ]
    assert [extent(path) for path in find_paths(planted((0, 0, 6, 1), (11, 11, 6, 1)))] == [
        (0, 5, 0, 5),
        (11, 16, 11, 16),
    ]


@pytest.mark.parametrize(("frames", "paths"), [(3, 0), (4, 1)])
def test_a_path_needs_a_few_frames(frames: int, paths: int) -> None:
    assert len(find_paths(planted((5, 5, frames, 1)))) == paths


def test_a_path_of_far_apart_weak_frames_is_too_thin() -> None:
    similarities = np.full((40, 40), -np.inf, np.float32)
    similarities[np.arange(0, 40, 5), np.arange(0, 40, 5)] = 0.5
    assert find_paths(similarities) == []
    assert len(find_paths(similarities, NetworkSettings(min_density=0.1))) == 1


def test_only_so_many_paths_are_looked_at() -> None:
    similarities = planted(*((0, 10 * number, 5, 1) for number in range(5)))
    assert len(find_paths(similarities, NetworkSettings(max_paths=3))) == 3


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5, 5)])
def test_nothing_in_common_is_no_path(shape: tuple[int, int]) -> None:
    assert find_paths(noise(*shape)) == []
