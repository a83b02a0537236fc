from __future__ import annotations

import numpy as np
import pytest
from view_examples import directions

from detector.matching import Candidate, rank_candidates
from index.vectors import NO_ID, BruteForceStore, Hits, vector_id

CHANCE = 0.3


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def hits(rows: list[list[tuple[int, int, float]]]) -> Hits:
    """Make hits of (work, frame, similarity), one list for each view of the upload."""
    width = max(len(row) for row in rows)
    answer = Hits.none(len(rows), width)
    for number, row in enumerate(rows):
        for column, (work, frame, similarity) in enumerate(row):
            answer.ids[number, column] = vector_id(work, frame)
            answer.similarities[number, column] = similarity
    return answer


def candidates(found: Hits, frames: list[int] | None = None) -> list[Candidate]:
    """Rank the works hit; without `frames` each view is a frame of its own."""
    views = np.arange(len(found.ids)) if frames is None else np.array(frames)
    return rank_candidates(found, views, CHANCE, limit=20)


def ranked(found: Hits, frames: list[int] | None = None) -> list[int]:
    return [candidate.work_number for candidate in candidates(found, frames)]


def test_evidence_is_what_exceeds_chance_summed_over_frames() -> None:
    assert candidates(hits([[(1, 0, 0.9)], [(1, 1, 0.5)], [(2, 0, 0.8)]])) == [
        Candidate(1, pytest.approx(0.6 + 0.2)),
        Candidate(2, pytest.approx(0.5)),
    ]


def test_weak_but_frequent_evidence_outweighs_one_chance_hit() -> None:
    assert ranked(hits([[(1, 0, 0.95)], *([(2, n, 0.5)] for n in range(5))])) == [2, 1]


def test_the_work_that_an_upload_was_taken_from_comes_first() -> None:
    store = BruteForceStore(32)
    for work in range(1, 9):
        store.add(work, directions(50, work, dim=32))
    noise = directions(20, 99, dim=32)
    upload = unit(directions(50, 5, dim=32)[10:30] + 0.5 * noise)
    assert ranked(store.search(upload, 16))[0] == 5


def test_many_alike_frames_of_a_work_count_once_per_frame_of_the_upload() -> None:
    """A work of one still picture has as many hits as frames; they are all the same evidence."""
    crowd = [(1, frame, 0.5) for frame in range(60)]
    assert ranked(hits([[(2, n, 0.7), *crowd] for n in range(4)])) == [2, 1]


def test_the_best_hit_of_a_frame_is_the_one_that_counts() -> None:
    (candidate,) = candidates(hits([[(1, 0, 0.9), (1, 1, 0.8), (1, 2, 0.4)]]))
    assert candidate.evidence == pytest.approx(0.6)


def test_the_views_of_a_frame_count_as_one_frame() -> None:
    """Of the first frame the inset is more like the work than the whole."""
    found = hits([[(1, 0, 0.5)], [(1, 0, 0.9)], [(1, 1, 0.7)]])
    (candidate,) = candidates(found, frames=[0, 0, 1])
    assert candidate.evidence == pytest.approx(0.6 + 0.4)


def test_the_views_of_a_frame_may_show_several_works() -> None:
    found = hits([[(1, 0, 0.5), (2, 7, 0.4)], [(2, 7, 0.9)]])
    assert candidates(found, frames=[0, 0]) == [
        Candidate(2, pytest.approx(0.6)),
        Candidate(1, pytest.approx(0.2)),
    ]


def test_an_ordinary_view_has_to_be_more_similar_than_others() -> None:
    """Credits are like any credits: similarities up to the floor of each view are chance."""
    found = hits([[(1, 0, 0.6)], [(2, 0, 0.5)]])
    assert ranked(found) == [1, 2]
    floors = np.array([0.55, 0.3], np.float32)
    assert rank_candidates(found, np.arange(2), floors, 20) == [
        Candidate(2, pytest.approx(0.2)),
        Candidate(1, pytest.approx(0.05)),
    ]


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
    best = rank_candidates(found, np.arange(1), CHANCE, limit=3)
    assert [candidate.work_number for candidate in best] == [30, 29, 28]
