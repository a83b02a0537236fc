from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.matching import Alignment, Similarities, Views, align, similar_pairs
from index.embeddings import Embeddings

FLOOR, ALIGNED, LEAST = 0.30, 0.42, 0.05  # the copy channel's
DIM = 64


class Film:
    """Footage whose look changes smoothly, as a random walk on the sphere.

    Two moments half a second apart have a similarity of 0.94, a second 0.8, two seconds 0.4.
    """

    def __init__(self, seed: int, seconds: float = 60.0) -> None:
        steps = np.random.default_rng(seed).normal(size=(round(seconds * 20) + 200, DIM))
        kernel = np.exp(-0.5 * (np.arange(-60, 61) / 20) ** 2)
        self._walk = np.apply_along_axis(np.convolve, 0, steps, kernel, mode="same")[60:]

    def at(self, times: np.ndarray) -> np.ndarray:
        places = np.clip(times * 20, 0, len(self._walk) - 2)
        before, part = places.astype(int), (places % 1)[:, None]
        return unit(self._walk[before] * (1 - part) + self._walk[before + 1] * part)


class StillFilm(Film):
    """Footage in which nothing moves."""

    def at(self, times: np.ndarray) -> np.ndarray:
        return super().at(np.zeros_like(times))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def noisy(vectors: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    """Add a random vector of the length `noise` to each of unit length."""
    random = unit(np.random.default_rng(seed).normal(size=vectors.shape))
    return unit(vectors + noise * random)


def sampled(film: Film, start: float, end: float, rate: float) -> Embeddings:
    times = np.arange(start, end, 1 / rate)
    return Embeddings(film.at(times), times)


def edited(
    parts: Sequence[tuple[Film, float, float, float]], rate: float, noise: float = 0.0
) -> Embeddings:
    """Cut an upload from (film, start in it, seconds of the upload, speed)."""
    times = np.arange(0, sum(seconds for _, _, seconds, _ in parts) - 1e-9, 1 / rate)
    vectors = np.empty((len(times), DIM), np.float32)
    begin = 0.0
    for film, start, seconds, speed in parts:
        inside = (times >= begin - 1e-9) & (times < begin + seconds - 1e-9)
        vectors[inside] = film.at(start + (times[inside] - begin) * speed)
        begin += seconds
    return Embeddings(noisy(vectors, noise), times)


def aligned(query: Embeddings, ref: Embeddings) -> list[Alignment]:
    return align(similar_pairs(Views.of_whole(query), ref, FLOOR), ALIGNED, LEAST)


def interval(run: Alignment, query: Embeddings) -> tuple[float, float]:
    return float(query.times[run.first]), float(query.times[run.last])


FILM, OTHER, THIRD = Film(1), Film(2), Film(3)


# --- one copy ---------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(10, 1000),
    speed=st.floats(0.5, 2.0),
    start=st.floats(0.0, 30.0),
    seconds=st.floats(3.0, 12.0),
    before=st.floats(0.0, 6.0),
    rates=st.tuples(st.sampled_from([2.0, 4.0, 8.0]), st.sampled_from([2.0, 4.0])),
    noise=st.floats(0.0, 0.8),
)
def test_a_planted_copy_is_found_where_it_is(
    seed: int,
    speed: float,
    start: float,
    seconds: float,
    before: float,
    rates: tuple[float, float],
    noise: float,
) -> None:
    film = Film(seed)
    parts = [(OTHER, 5.0, before, 1.0), (film, start, seconds, speed), (THIRD, 9.0, 4.0, 1.0)]
    query, ref = edited(parts, rates[0], noise), sampled(film, 0.0, 60.0, rates[1])
    run = max(aligned(query, ref), key=lambda run: run.evidence)
    spacing = max(1 / rates[0], 1 / rates[1])
    first, last = interval(run, query)
    slack = spacing + 0.75 * spacing * max(1, 1 / speed)  # a sample, and what a line tolerates
    assert first == pytest.approx(before, abs=slack)
    assert last == pytest.approx(before + seconds, abs=slack + 1 / rates[0])
    # The line through both ends, and with it the speed: the longer the copy, the more exact.
    for passed in (0.0, seconds):
        there = run.speed * (before + passed) + run.offset
        assert there == pytest.approx(start + passed * speed, abs=2.5 * spacing)


@pytest.mark.parametrize("speed", [0.5, 0.8, 0.9, 1.0, 1.1, 1.25, 2.0])
def test_the_speed_of_a_copy_is_told_within_five_percent(speed: float) -> None:
    query = edited([(FILM, 10.0, 12.0, speed)], 4.0, noise=0.3)
    (run,) = aligned(query, sampled(FILM, 0.0, 60.0, 2.0))
    assert run.speed == pytest.approx(speed, rel=0.05)


def test_a_film_aligns_with_itself_from_end_to_end() -> None:
    film = sampled(FILM, 0.0, 30.0, 2.0)
    (run,) = aligned(film, film)
    assert (run.first, run.last) == (0, 59)
    assert run.partners.tolist() == list(range(60))
    assert (run.speed, run.offset) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-6))


def test_evidence_hardly_depends_on_the_sampling_rate() -> None:
    ref = sampled(FILM, 0.0, 60.0, 4.0)
    evidence = [
        sum(run.evidence for run in aligned(edited([(FILM, 10.0, 12.0, 1.0)], rate), ref))
        for rate in (2.0, 4.0, 8.0)
    ]
    assert evidence == pytest.approx([evidence[0]] * 3, rel=0.1)


def test_uneven_times_are_no_hindrance() -> None:
    times = np.cumsum(np.random.default_rng(4).uniform(0.1, 0.9, 40))
    query = Embeddings(FILM.at(15 + times), times)
    (run,) = aligned(query, sampled(FILM, 0.0, 60.0, 2.0))
    assert (run.first, run.last) == (0, 39)
    assert run.offset == pytest.approx(15.0, abs=0.3)


def test_partners_are_the_frames_beside_the_line() -> None:
    query = edited([(FILM, 20.0, 10.0, 1.0)], 2.0, noise=0.2)
    ref = sampled(FILM, 0.0, 60.0, 2.0)
    (run,) = aligned(query, ref)
    assert len(run.partners) == run.last - run.first + 1
    matched = run.partners >= 0
    times = query.times[run.first : run.last + 1][matched]
    assert np.abs(ref.times[run.partners[matched]] - (20 + times)).max() <= 0.75


# --- several copies ---------------------------------------------------------------------------


def test_scenes_in_swapped_order_are_two_segments() -> None:
    query = edited([(FILM, 40.0, 6.0, 1.0), (FILM, 10.0, 6.0, 1.0)], 2.0, noise=0.2)
    one, two = aligned(query, sampled(FILM, 0.0, 60.0, 2.0))
    assert interval(one, query)[1] <= interval(two, query)[0]
    assert one.offset == pytest.approx(40.0, abs=0.5)
    assert two.offset == pytest.approx(10.0 - 6.0, abs=0.5)


def test_scenes_with_much_else_between_them_stay_apart() -> None:
    parts = [(FILM, 10.0, 5.0, 1.0), (OTHER, 0.0, 15.0, 1.0), (FILM, 30.0, 5.0, 1.0)]
    query = edited(parts, 2.0, noise=0.2)
    one, two = aligned(query, sampled(FILM, 0.0, 60.0, 2.0))
    assert interval(one, query) == (pytest.approx(0.0, abs=0.5), pytest.approx(5.0, abs=1.0))
    assert interval(two, query) == (pytest.approx(20.0, abs=0.5), pytest.approx(25.0, abs=1.0))


def test_a_scene_shown_twice_is_two_segments() -> None:
    parts = [(FILM, 10.0, 6.0, 1.0), (OTHER, 0.0, 6.0, 1.0), (FILM, 10.0, 6.0, 1.0)]
    query = edited(parts, 2.0, noise=0.2)
    one, two = aligned(query, sampled(FILM, 0.0, 60.0, 2.0))
    assert one.offset == pytest.approx(10.0, abs=0.5)
    assert two.offset == pytest.approx(-2.0, abs=0.5)


def test_a_short_gap_is_bridged() -> None:
    """An advertisement of a second over a running film does not split its copy."""
    parts = [(FILM, 10.0, 8.0, 1.0), (OTHER, 0.0, 1.0, 1.0), (FILM, 19.0, 8.0, 1.0)]
    query = edited(parts, 4.0, noise=0.2)
    (run,) = aligned(query, sampled(FILM, 0.0, 60.0, 4.0))
    assert interval(run, query) == (pytest.approx(0.0, abs=0.3), pytest.approx(17.0, abs=0.6))
    assert run.offset == pytest.approx(10.0, abs=0.3)


def on_lines(*lines: tuple[float, float, float], value: float) -> Similarities:
    """Make pairs of (begin, end, offset) at normal speed, four frames a second."""
    times = np.arange(0, 60, 0.25)
    pairs = [
        (query, query + round(offset * 4))
        for begin, end, offset in lines
        for query in range(round(begin * 4), round(end * 4))
    ]
    query, ref = np.array(pairs).T
    return Similarities(times, times, query, ref, np.full(len(query), value, np.float32))


def test_a_gap_too_long_to_be_paid_for_ends_a_segment() -> None:
    weak = on_lines((0, 4, 10), (12, 16, 10), value=ALIGNED + 0.15)
    assert len(align(weak, ALIGNED, LEAST)) == 2


def test_weak_copies_on_one_line_are_joined_over_a_gap() -> None:
    """Neither can pay for the gap of three seconds, but they go on where they stopped."""
    (run,) = align(on_lines((0, 4, 10), (7, 11, 10), value=ALIGNED + 0.15), ALIGNED, LEAST)
    assert (run.first, run.last) == (0, 43)
    assert (run.speed, run.offset) == (pytest.approx(1.0), pytest.approx(10.0))
    assert run.evidence == pytest.approx(2 * 4 * 0.15, rel=0.1)
    assert (run.partners == -1).sum() == 12
    assert len(run.partners) == 44


def test_weak_copies_on_two_lines_are_not_joined() -> None:
    one, two = align(on_lines((0, 4, 10), (7, 11, 15), value=ALIGNED + 0.15), ALIGNED, LEAST)
    assert (one.offset, two.offset) == (pytest.approx(10.0), pytest.approx(15.0))


def test_scenes_with_other_footage_between_them_are_not_drawn_onto_one_line() -> None:
    """From 40 s and 52 s of a film, four seconds apart: a line of speed 1.5 runs near both."""
    parts = [(FILM, 40.0, 4.0, 1.0), (OTHER, 0.0, 4.0, 1.0), (FILM, 52.0, 4.0, 1.0)]
    one, two = aligned(edited(parts, 4.0, noise=0.2), sampled(FILM, 0.0, 60.0, 4.0))
    assert (one.offset, two.offset) == (pytest.approx(40.0, abs=0.5), pytest.approx(44.0, abs=0.5))


def test_segments_come_in_order_and_share_no_frame_of_the_upload() -> None:
    parts = [(FILM, start, 4.0, 1.0) for start in (52.0, 42.0, 32.0, 22.0, 12.0, 2.0)]
    runs = aligned(edited(parts, 2.0, noise=0.3), sampled(FILM, 0.0, 60.0, 2.0))
    assert len(runs) == 6
    assert all(one.last < two.first for one, two in itertools.pairwise(runs))


# --- no copy ----------------------------------------------------------------------------------


def no_pairs(queries: int) -> Similarities:
    nothing = np.empty(0, np.int64)
    times = np.arange(queries, dtype=np.float64)
    return Similarities(times, times, nothing, nothing, nothing.astype(np.float32))


@pytest.mark.parametrize("queries", [0, 1, 30])
def test_without_similar_frames_there_is_nothing_to_align(queries: int) -> None:
    assert align(no_pairs(queries), ALIGNED, LEAST) == []


def test_an_upload_without_frames_has_no_pairs() -> None:
    nothing = Embeddings(np.empty((0, DIM), np.float32), np.empty(0))
    assert aligned(nothing, sampled(FILM, 0.0, 10.0, 2.0)) == []


@pytest.mark.parametrize("seed", range(10))
def test_unrelated_vectors_do_not_align(seed: int) -> None:
    random = np.random.default_rng(seed)
    one, two = (unit(random.normal(size=(200, 512))) for _ in range(2))
    times = np.arange(200) / 2
    assert aligned(Embeddings(one, times), Embeddings(two, times)) == []


def test_one_frame_alike_is_no_segment() -> None:
    query = edited([(OTHER, 0.0, 10.0, 1.0)], 2.0)
    vectors = query.vectors.copy()
    ref = sampled(FILM, 0.0, 60.0, 2.0)
    vectors[7] = ref.vectors[33]
    lonely = unit(np.hstack([vectors, np.zeros_like(vectors)]))
    lonely[np.arange(len(lonely)) != 7] = np.roll(lonely[np.arange(len(lonely)) != 7], DIM, axis=1)
    wide = unit(np.hstack([ref.vectors, np.zeros_like(ref.vectors)]))
    assert aligned(Embeddings(lonely, query.times), Embeddings(wide, ref.times)) == []


def test_less_evidence_than_asked_for_is_not_reported() -> None:
    pairs = similar_pairs(
        Views.of_whole(edited([(FILM, 10.0, 6.0, 1.0)], 2.0)), sampled(FILM, 0.0, 60.0, 2.0), FLOOR
    )
    (run,) = align(pairs, ALIGNED, LEAST)
    assert align(pairs, ALIGNED, least_evidence=run.evidence * 1.01) == []


# --- films in which nothing moves -------------------------------------------------------------


def test_a_still_work_gives_one_segment_however_long_it_is() -> None:
    still = StillFilm(9)
    query = edited([(OTHER, 0.0, 5.0, 1.0), (still, 0.0, 10.0, 1.0), (THIRD, 0.0, 5.0, 1.0)], 2.0)
    (run,) = aligned(query, sampled(still, 0.0, 60.0, 2.0))
    assert interval(run, query) == (pytest.approx(5.0, abs=0.5), pytest.approx(15.0, abs=1.0))
    assert run.speed == pytest.approx(1.0, rel=0.05)


def test_a_still_upload_of_a_still_work_runs_at_its_own_speed() -> None:
    still = sampled(StillFilm(9), 0.0, 20.0, 2.0)
    (run,) = aligned(still, still)
    assert (run.first, run.last) == (0, 39)
