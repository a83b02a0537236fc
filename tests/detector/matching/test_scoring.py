from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.matching import Alignment, align, build_match, similar_pairs
from detector.settings import Settings
from detector.types import Channel, Match
from index.embeddings import Embeddings

COPY = Settings().channel(Channel.COPY)
DIM = 512
RATE = 2.0


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def directions(count: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(count, DIM)))


def frames(vectors: np.ndarray) -> Embeddings:
    return Embeddings(unit(vectors), np.arange(len(vectors)) / RATE)


def film(seed: int, count: int = 40, stillness: float = 0.7) -> np.ndarray:
    """Draw frames that share `stillness` of their look; the rest of it changes all the time."""
    common, own = directions(1, seed), directions(count, seed + 1)
    return unit(np.sqrt(stillness) * common + np.sqrt(1 - stillness) * own)


def edited(vectors: np.ndarray, similarity: float, seed: int = 77) -> np.ndarray:
    """Change each frame so that it has about this similarity to what it was."""
    noise = directions(len(vectors), seed)
    return unit(similarity * vectors + np.sqrt(1 - similarity**2) * noise)


def matched(
    query: Embeddings, ref: Embeddings, first: int = 0, last: int | None = None, offset: int = 0
) -> Match:
    """Match frames `first` to `last` of the upload with those `offset` frames later in the work."""
    last = len(query) - 1 if last is None else last
    partners = np.arange(first, last + 1) + offset
    run = Alignment(1.0, offset / RATE, first, last, 5.0, partners)
    durations = len(query) / RATE, len(ref) / RATE
    match = build_match(Channel.COPY, "metropolis", query, ref, [run], durations, COPY)
    assert match is not None
    return match


@pytest.mark.parametrize("similarity", [0.6, 0.75, 0.9, 0.99])
def test_a_copy_of_a_changing_film_is_surer_than_even(similarity: float) -> None:
    work = film(1)
    assert matched(frames(edited(work, similarity)), frames(work)).score > 0.5


@pytest.mark.parametrize("stillness", [0.55, 0.65, 0.75])
def test_a_look_alike_that_changes_otherwise_is_less_sure_than_even(stillness: float) -> None:
    """Two takes in front of one wall: as alike as an edited copy, but each changes by itself."""
    work, take = film(1, stillness=stillness), film(1, stillness=stillness)
    own = directions(len(take), 500)
    take = unit(np.sqrt(stillness) * directions(1, 1) + np.sqrt(1 - stillness) * own)
    match = matched(frames(take), frames(work))
    assert match.segments[0].similarity == pytest.approx(stillness, abs=0.05)
    assert match.score < 0.5


def test_at_equal_similarity_a_copy_scores_above_a_look_alike() -> None:
    work = film(1)
    own = directions(len(work), 500)
    take = unit(np.sqrt(0.7) * directions(1, 1) + np.sqrt(0.3) * own)
    copy = edited(work, 0.7)
    assert matched(frames(copy), frames(work)).score > matched(frames(take), frames(work)).score


def test_of_a_still_work_the_similarity_decides_alone() -> None:
    still = np.repeat(directions(1, 4), 40, axis=0)
    like, unlike = (np.repeat(edited(still[:1], s), 40, axis=0) for s in (0.8, 0.5))
    assert matched(frames(like), frames(still)).score > 0.5
    assert matched(frames(unlike), frames(still)).score < 0.5


def test_an_exact_copy_is_nearly_certain() -> None:
    work = frames(film(1))
    match = matched(work, work)
    assert match.score > 0.99
    assert match.segments[0].similarity == pytest.approx(1.0, abs=1e-5)


@settings(deadline=None)
@given(
    similarity=st.floats(0.0, 1.0),
    stillness=st.floats(0.0, 1.0),
    count=st.integers(3, 60),
    seed=st.integers(0, 50),
)
def test_a_score_lies_between_nothing_and_certainty(
    similarity: float, stillness: float, count: int, seed: int
) -> None:
    work = film(seed, count, stillness)
    match = matched(frames(edited(work, similarity)), frames(work))
    assert 0 <= match.score <= 1
    assert match.score == max(segment.score for segment in match.segments)


def test_the_more_alike_the_surer() -> None:
    work = film(1)
    scores = [matched(frames(edited(work, s)), frames(work)).score for s in (0.3, 0.5, 0.7, 0.9)]
    assert scores == sorted(scores)


# --- where a segment begins and ends ----------------------------------------------------------


def test_a_copy_of_the_whole_ends_where_the_files_end() -> None:
    work = frames(film(1))
    (segment,) = matched(work, work).segments
    assert (segment.query_start, segment.query_end) == (0.0, 20.0)
    assert (segment.ref_start, segment.ref_end) == (0.0, 20.0)


def test_a_copy_of_a_part_ends_half_way_to_the_next_frames() -> None:
    work = frames(film(1))
    query = frames(np.concatenate([directions(8, 600), film(1)[20:30], directions(6, 601)]))
    (segment,) = matched(query, work, first=8, last=17, offset=12).segments
    assert (segment.query_start, segment.query_end) == (3.75, 8.75)
    assert (segment.ref_start, segment.ref_end) == (9.75, 14.75)


def test_a_segment_does_not_reach_over_frames_that_show_nothing() -> None:
    """Five seconds of black were left out before and after: they are not part of the copy."""
    work = frames(film(1))
    times = 5.0 + np.arange(10) / RATE
    query = Embeddings(film(1)[:10], times)
    run = Alignment(1.0, -5.0, 0, 9, 5.0, np.arange(10))
    match = build_match(Channel.COPY, "metropolis", query, work, [run], (15.0, 20.0), COPY)
    assert match is not None
    (segment,) = match.segments
    assert (segment.query_start, segment.query_end) == (4.75, 9.75)
    assert segment.ref_start == 0.0


def test_times_stay_within_the_files() -> None:
    work, query = frames(film(1, count=10)), frames(film(1, count=10))
    run = Alignment(2.0, -3.0, 0, 9, 5.0, np.arange(10))
    match = build_match(Channel.COPY, "metropolis", query, work, [run], (4.8, 5.0), COPY)
    assert match is not None
    (segment,) = match.segments
    assert 0 <= segment.query_start <= segment.query_end <= 4.8
    assert 0 <= segment.ref_start <= segment.ref_end <= 5.0


# --- evidence for a reader --------------------------------------------------------------------


def test_the_pairs_shown_are_true_strong_and_in_order_of_time() -> None:
    work = frames(film(1))
    query = frames(edited(film(1), 0.8))
    (segment,) = matched(query, work).segments
    assert 3 <= len(segment.pairs) <= 6
    assert all(one.query_time < two.query_time for one, two in itertools.pairwise(segment.pairs))
    for pair in segment.pairs:
        q, r = round(pair.query_time * RATE), round(pair.ref_time * RATE)
        assert pair.similarity == pytest.approx(float(query.vectors[q] @ work.vectors[r]), abs=1e-5)
    assert np.mean([pair.similarity for pair in segment.pairs]) >= segment.similarity


def test_frames_without_a_partner_are_no_evidence() -> None:
    work = frames(film(1))
    partners = np.arange(40)
    partners[10:20] = -1
    run = Alignment(1.0, 0.0, 0, 39, 5.0, partners)
    match = build_match(Channel.COPY, "metropolis", work, work, [run], (20.0, 20.0), COPY)
    assert match is not None
    (segment,) = match.segments
    assert segment.similarity == pytest.approx(1.0, abs=1e-5)
    assert not [pair for pair in segment.pairs if 5.0 <= pair.query_time < 10.0]


# --- from alignments to a match ---------------------------------------------------------------


def test_without_alignments_there_is_no_match() -> None:
    work = frames(film(1))
    assert build_match(Channel.COPY, "metropolis", work, work, [], (20.0, 20.0), COPY) is None


def test_segments_below_the_least_score_are_left_out() -> None:
    work = frames(film(1))
    query = frames(np.concatenate([film(1)[:20], edited(film(1), 0.35)[20:]]))
    runs = [
        Alignment(1.0, 0.0, first, first + 19, 5.0, np.arange(first, first + 20))
        for first in (0, 20)
    ]
    durations = 20.0, 20.0
    every = build_match(Channel.COPY, "metropolis", query, work, runs, durations, COPY)
    sure = build_match(Channel.COPY, "metropolis", query, work, runs, durations, COPY, 0.5)
    assert every is not None
    assert len(every.segments) == 2
    assert sure == replace(every, segments=every.segments[:1])


def test_all_stages_together_find_a_copy_and_no_look_alike() -> None:
    work = frames(film(1))
    copy = frames(edited(film(1)[10:30], 0.8))
    runs = align(similar_pairs(copy, work, COPY.floor), COPY.aligned, COPY.least_evidence)
    match = build_match(Channel.COPY, "metropolis", copy, work, runs, (10.0, 20.0), COPY)
    assert match is not None
    assert match.score > 0.9
    (segment,) = match.segments
    assert (segment.query_start, segment.query_end) == (0.0, 10.0)
    assert segment.ref_start == pytest.approx(5.0, abs=0.3)
    assert segment.ref_end == pytest.approx(15.0, abs=0.3)
