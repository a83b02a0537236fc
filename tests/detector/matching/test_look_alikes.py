"""When shots look like those of a work, in a space where it is known what looks like what.

A kind of scene is a direction; a shot of it lies near, so that two takes of one kind are alike
without being the same scene. A recreation lies nearer to its original than to other takes.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from view_examples import directions

from detector.descriptors.base import normalised
from detector.matching import Ordinary, build_look_alike, find_scenes, is_news, with_cast
from detector.settings import Settings
from detector.types import Channel
from index.embeddings import Embeddings
from index.vectors import BruteForceStore

DIM = 64
SETTINGS = Settings().semantic_channel
KINDS, WORKS, SHOTS = 6, 12, 18
TAKES = 0.8  # how far takes of one kind of scene are from it


def near(vectors, distance, seed):
    """Draw vectors at some distance from others; those of a photograph are never far apart."""
    noise = directions(len(vectors), seed, DIM)
    return normalised((vectors + distance * noise).astype(np.float32))


def shots(vectors, seconds=4.0):
    edges = np.arange(len(vectors) + 1) * seconds
    return Embeddings(vectors, edges[:-1] + seconds / 2, np.stack([edges[:-1], edges[1:]], axis=1))


@pytest.fixture(scope="module")
def world():
    """Works, by number: each of shots of several kinds."""
    anything = directions(1, 99, DIM)
    kinds = near(np.repeat(anything, KINDS, axis=0), 0.9, 1)
    order = np.random.default_rng(2).integers(0, KINDS, (WORKS, SHOTS))
    return kinds, {n: near(kinds[order[n]], TAKES, 10 + n) for n in range(WORKS)}


@pytest.fixture(scope="module")
def store(world):
    found = BruteForceStore(DIM)
    for number, vectors in world[1].items():
        found.add(number, vectors)
    return found


def match_of(query, number, world, store, settings=SETTINGS):
    hits = store.search(query.vectors, 256)
    usual = Ordinary(hits, settings.usual).beside(number)
    ref = shots(world[1][number])
    scenes = find_scenes(query, ref, usual, hits.similarities[:, 0], settings)
    return build_look_alike("metropolis", query, ref, scenes, settings)


def score(*arguments, **options):
    match = match_of(*arguments, **options)
    return 0.0 if match is None else match.score


def test_recreated_scenes_are_found_and_named_by_their_shots(world, store):
    picked = [2, 5, 9]
    upload = shots(near(world[1][3][picked], 0.25, 77))
    match = match_of(upload, 3, world, store)
    assert match is not None
    assert match.channel is Channel.SEMANTIC
    assert match.score > SETTINGS.min_score
    assert [one.pairs[0].query_time for one in match.segments] == [2.0, 6.0, 10.0]
    assert [one.ref_start for one in match.segments] == [8.0, 20.0, 36.0]
    assert {one.score for one in match.segments} == {match.score}
    assert match.notes == ("3 different shots look like shots of it, in the order of the work",)


def test_other_takes_of_the_same_kinds_of_scene_are_seldom_taken_for_recreated(world, store):
    kinds, works = world
    wrong = right = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        taken = shots(near(kinds[rng.integers(0, KINDS, 6)], TAKES, 500 + seed))
        wrong += max(score(taken, number, world, store) for number in works) >= SETTINGS.min_score
        recreated = near(works[3][rng.choice(SHOTS, 3, replace=False)], 0.4, 600 + seed)
        right += score(shots(recreated), 3, world, store) >= SETTINGS.min_score
    assert wrong <= 4  # in a world of six kinds of scene that all works show
    assert right >= 39


def test_a_long_upload_of_ordinary_scenes_is_like_no_work(world, store):
    kinds, works = world
    rows = np.random.default_rng(4).integers(0, KINDS, 600)
    upload = shots(near(kinds[rows], TAKES, 900))
    assert max(score(upload, number, world, store) for number in works) < SETTINGS.min_score


def test_of_several_recreated_works_each_is_found_by_its_own_scenes(world, store):
    works = world[1]
    parts = [near(works[number][[3, 8]], 0.4, number) for number in range(5)]
    upload = shots(np.concatenate(parts))
    scores = {number: score(upload, number, world, store) for number in works}
    assert {number for number, one in scores.items() if one >= SETTINGS.min_score} == {*range(5)}


def test_one_shot_alone_has_to_be_very_alike(world, store):
    shot = world[1][3][2:3]
    weak, strong = (shots(near(shot, distance, 5)) for distance in (1.2, 0.05))
    assert score(weak, 3, world, store) < SETTINGS.min_score < score(strong, 3, world, store)


def test_shots_that_look_the_same_count_once(world, store):
    """As the two sides of a dialogue, cut to and fro."""
    once = near(world[1][3][[2]], 0.35, 5)
    often = near(np.repeat(once, 10, axis=0), 0.1, 6)
    match = match_of(shots(often), 3, world, store)
    assert match is None or len(match.segments) == 1
    assert score(shots(often), 3, world, store) == pytest.approx(
        score(shots(once), 3, world, store), abs=0.2
    )


def test_the_order_of_the_work_speaks_for_it_and_is_not_needed(world, store):
    rows = np.array([1, 4, 7, 11, 15])
    upload = near(world[1][3][rows], 1.1, 5)
    in_order = match_of(shots(upload), 3, world, store)
    shuffled = match_of(shots(upload[[3, 0, 4, 2, 1]]), 3, world, store)
    assert in_order.score > shuffled.score > SETTINGS.min_score
    assert "in the order" not in shuffled.notes[0]


def test_a_second_work_with_the_same_footage_hides_neither(world):
    """A trailer and its film."""
    works = world[1]
    store = BruteForceStore(DIM)
    for number, vectors in {**works, 50: near(works[3][:6], 0.05, 8)}.items():
        store.add(number, vectors)
    upload = shots(near(works[3][[1, 4]], 0.25, 9))
    assert score(upload, 3, world, store) > SETTINGS.min_score


def test_with_a_single_work_usual_values_stand_in(world):
    store = BruteForceStore(DIM)
    store.add(3, world[1][3])
    upload = shots(near(world[1][3][[1, 4]], 0.25, 9))
    assert score(upload, 3, world, store) > SETTINGS.min_score
    other = shots(directions(5, 123, DIM))
    assert match_of(other, 3, world, store) is None


def test_the_cast_of_the_work_speaks_for_it_and_is_named(world, store):
    weak = match_of(shots(near(world[1][3][2:3], 1.2, 5)), 3, world, store)
    words = {"brigitte_helm": "Brigitte Helm, of its cast, is seen as well (0:01 - 0:04)"}
    joined = with_cast(weak, words)
    assert weak.score < joined.score < 1
    assert {one.score for one in joined.segments} == {joined.score}
    assert joined.cast == ("brigitte_helm",)
    assert joined.notes == ("one shot looks like a shot of it", *words.values())
    assert with_cast(weak, {}) == weak


def test_ordinary_is_the_mean_of_the_best_of_other_works_but_for_one():
    store = BruteForceStore(4)
    similarities = [0.9, 0.8, 0.7, 0.6, 0.5]
    for number, value in enumerate(similarities):
        store.add(number, [[value, np.sqrt(1 - value**2), 0, 0], [0, 0, 1, 0]])
    hits = store.search([[1, 0, 0, 0]], 64)
    # Work 0 itself does not count, nor does the best of the others; three works are averaged.
    assert Ordinary(hits, 0.4).beside(0) == pytest.approx([(0.7 + 0.6 + 0.5) / 3])
    assert Ordinary(hits, 0.4).beside(3) == pytest.approx([(0.8 + 0.7 + 0.5) / 3])
    two = store.search([[1, 0, 0, 0]], 3)
    # All that were not found are less similar than the last that was.
    assert Ordinary(two, 0.9).beside(0) == pytest.approx([(0.7 + 0.7 + 0.7) / 3])
    assert Ordinary(two, 0.4).beside(0) == pytest.approx([(0.7 + 0.4 + 0.4) / 3])
    assert Ordinary(BruteForceStore(4).search([[1, 0, 0, 0]], 3), 0.4).beside(0) == pytest.approx(
        [0.4]
    )


def test_what_copies_explain_is_no_news():
    spans = np.array([[0.0, 4.0], [4.0, 8.0], [8.0, 12.0], [12.0, 12.0]])
    assert is_news(spans, []).tolist() == [True] * 4
    assert is_news(spans, [(1.0, 5.0)]).tolist() == [False, True, True, True]
    assert is_news(spans, [(8.0, 9.5), (9.0, 10.5), (0.0, 1.0)]).tolist() == [
        True, True, False, True,
    ]  # fmt: skip


@hypothesis_settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 30), distance=st.floats(0.0, 2.0))
def test_no_shot_is_in_two_pairs_and_scores_are_shares(world, store, seed, count, distance):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, SHOTS, count)
    match = match_of(shots(near(world[1][3][rows], distance, seed % 1000)), 3, world, store)
    if match is not None:
        starts = [one.query_start for one in match.segments]
        assert starts == sorted(set(starts))
        assert len({one.ref_start for one in match.segments}) == len(starts)
        assert 0 < match.score <= 1
