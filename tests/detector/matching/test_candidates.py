from __future__ import annotations

import numpy as np
import pytest

from detector.matching import Candidate, rank_candidates
from index.vectors import NO_ID, BruteForceStore, Hits, vector_id


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def random_directions(count: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(count, 32)))


def hits(rows: list[list[tuple[int, int, float]]]) -> Hits:
    """Make hits of (work, frame, similarity), one list for each frame of the upload."""
    width = max(len(row) for row in rows)
    answer = Hits.none(len(rows), width)
    for number, row in enumerate(rows):
        for column, (work, frame, similarity) in enumerate(row):
            answer.ids[number, column] = vector_id(work, frame)
            answer.similarities[number, column] = similarity
    return answer


def ranked(found: Hits, limit: int = 20) -> list[int]:
    return [candidate.work_number for candidate in rank_candidates(found, 0.3, limit)]


def test_evidence_is_what_exceeds_chance_summed_over_frames() -> None:
    found = hits([[(1, 0, 0.9)], [(1, 1, 0.5)], [(2, 0, 0.8)]])
    assert rank_candidates(found, 0.3, 20) == [
        Candidate(1, pytest.approx(0.6 + 0.2)),
        Candidate(2, pytest.approx(0.5)),
    ]


def test_weak_but_frequent_evidence_outweighs_one_chance_hit() -> None:
    assert ranked(hits([[(1, 0, 0.95)], *([(2, n, 0.5)] for n in range(5))])) == [2, 1]


def test_the_work_that_an_upload_was_taken_from_comes_first() -> None:
    store = BruteForceStore(32)
    for work in range(1, 9):
        store.add(work, random_directions(50, seed=work))
    upload = unit(random_directions(50, seed=5)[10:30] + 0.5 * random_directions(20, seed=99))
    assert ranked(store.search(upload, 16))[0] == 5


def test_many_alike_frames_of_a_work_count_once_per_frame_of_the_upload() -> None:
    """A work of one still picture has as many hits as frames; they are all the same evidence."""
    crowd = [(1, frame, 0.5) for frame in range(60)]
    assert ranked(hits([[(2, n, 0.7), *crowd] for n in range(4)])) == [2, 1]


def test_the_best_hit_of_a_frame_is_the_one_that_counts() -> None:
    (candidate,) = rank_candidates(hits([[(1, 0, 0.9), (1, 1, 0.8), (1, 2, 0.4)]]), 0.3, 20)
    assert candidate.evidence == pytest.approx(0.6)


def test_what_is_chance_is_no_candidate() -> None:
    assert ranked(hits([[(1, 0, 0.3), (2, 0, 0.1), (3, 0, -0.2)]])) == []


def test_an_empty_index_gives_no_candidate() -> None:
    assert ranked(Hits.none(5, 4)) == []


def test_an_upload_without_frames_gives_no_candidate() -> None:
    assert ranked(Hits.none(0, 4)) == []


def test_places_without_a_neighbour_are_passed_over() -> None:
    found = hits([[(1, 0, 0.9), (2, 0, 0.8)], [(1, 1, 0.7)]])
    assert found.ids[1, 1] == NO_ID
    assert ranked(found) == [1, 2]


def test_only_the_best_are_kept() -> None:
    found = hits([[(work, 0, 0.4 + work / 100) for work in range(1, 31)]])
    assert ranked(found, limit=3) == [30, 29, 28]
