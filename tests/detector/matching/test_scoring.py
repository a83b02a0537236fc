from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from view_examples import directions as directions_of_dim

from detector.matching import (
    Alignment,
    Background,
    Views,
    above,
    align,
    build_match,
    rescored,
    similar_pairs,
)
from detector.matching.scoring import features
from detector.settings import ChannelSettings, ScoreWeights
from detector.types import Channel, Evidence, Match, Segment
from index.embeddings import Embeddings

DIM = 512
RATE = 2.0
WEIGHTS = ScoreWeights(intercept=-3.0, similarity=5.0, ordinary=-2.0, agreement=9.0, seconds=0.5)
CONFIRMED = ScoreWeights(intercept=-4.0, similarity=4.0, agreement=8.0, confirmed=1.5)
COPY = ChannelSettings(
    floor=0.30,
    aligned=0.42,
    least_evidence=0.05,
    min_score=0.5,
    score=WEIGHTS,
    confirmed_score=CONFIRMED,
)


def directions(count: int, seed: int) -> np.ndarray:
    return directions_of_dim(count, seed, DIM)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def frames(vectors: np.ndarray) -> Embeddings:
    return Embeddings(unit(vectors), np.arange(len(vectors)) / RATE)


def film(seed: int, count: int = 40, stillness: float = 0.7) -> np.ndarray:
    """Draw frames that share `stillness` of their look; the rest of it changes all the time."""
    common, own = directions(1, seed), directions(count, seed + 1)
    return unit(np.sqrt(stillness) * common + np.sqrt(1 - stillness) * own)


def other_take(seed: int, count: int = 40, stillness: float = 0.7) -> np.ndarray:
    """Draw frames in front of the wall that `film` shows, which change by themselves."""
    common, own = directions(1, seed), directions(count, seed + 500)
    return unit(np.sqrt(stillness) * common + np.sqrt(1 - stillness) * own)


def edited(vectors: np.ndarray, similarity: float, seed: int = 77) -> np.ndarray:
    """Change each frame so that it has about this similarity to what it was."""
    noise = directions(len(vectors), seed)
    return unit(similarity * vectors + np.sqrt(1 - similarity**2) * noise)


def built(
    query: Embeddings | Views,
    ref: Embeddings,
    runs: list[Alignment],
    background: Background | None = None,
    durations: tuple[float, float] | None = None,
) -> Match | None:
    views = query if isinstance(query, Views) else Views.of_whole(query)
    durations = durations or (len(query) / RATE, len(ref) / RATE)
    return build_match("metropolis", views, ref, runs, durations, COPY, background)


def straight(first: int, last: int, offset: int = 0, speed: float = 1.0) -> Alignment:
    """Align frames `first` to `last` of the upload with those `offset` frames later in the work."""
    partners = np.arange(first, last + 1) + offset
    return Alignment(speed, offset / RATE, first, last, 5.0, partners)


def only_segment(match: Match | None) -> Segment:
    assert match is not None
    (segment,) = match.segments
    return segment


def matched(
    query: Embeddings | Views, ref: Embeddings, background: Background | None = None
) -> Segment:
    """Match an upload with a work, frame by frame."""
    return only_segment(built(query, ref, [straight(0, len(query) - 1)], background))


# --- from evidence to a score -----------------------------------------------------------------

EVIDENCE = Evidence(similarity=0.6, ordinary=0.2, agreement=0.5, change=1.0, seconds=1.0)


def segment_of(evidence: Evidence) -> Segment:
    return Segment(0.0, 1.0, 5.0, 6.0, score=0.0, speed=1.0, evidence=evidence)


def log_odds(evidence: Evidence, settings: ChannelSettings = COPY) -> float:
    score = rescored(segment_of(evidence), settings).score
    return float(np.log(score / (1 - score)))


@pytest.mark.parametrize(("confirmed", "weights"), [(None, WEIGHTS), (0.8, CONFIRMED)])
def test_the_score_is_the_logistic_of_weighted_features(
    confirmed: float | None, weights: ScoreWeights
) -> None:
    """There are two sets of weights, for segments whose pictures were compared and others."""
    evidence = replace(EVIDENCE, confirmed=confirmed)
    weighted = (getattr(weights, name) * value for name, value in features(evidence).items())
    assert log_odds(evidence) == pytest.approx(weights.intercept + sum(weighted))


def test_there_is_a_weight_for_every_feature() -> None:
    assert features(EVIDENCE).keys() == ScoreWeights.model_fields.keys() - {"intercept"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("similarity", (0.3, 0.5, 0.9)),
        ("agreement", (0.0, 0.3, 0.6, 0.75)),
        ("seconds", (1.0, 1.5, 60.0, 90.0)),
        ("confirmed", (0.0, 0.1, 0.5, 0.9, 0.999, 1.0)),
    ],
)
def test_the_score_rises_with(name: str, values: tuple[float, ...]) -> None:
    scores = [log_odds(replace(EVIDENCE, **{name: value})) for value in values]
    assert scores == sorted(set(scores))
    assert np.isfinite(scores).all()


def test_the_score_falls_with_likeness_to_ordinary_footage() -> None:
    ordinary = [replace(EVIDENCE, ordinary=value) for value in (0.3, 0.5, 0.7)]
    scores = [log_odds(evidence) for evidence in ordinary]
    assert scores == sorted(set(scores), reverse=True)


def test_that_frames_are_a_little_like_ordinary_ones_says_nothing() -> None:
    assert log_odds(replace(EVIDENCE, ordinary=0.1)) == log_odds(replace(EVIDENCE, ordinary=0.0))


def test_each_ten_times_longer_adds_the_same_to_the_log_odds() -> None:
    one, ten, hundred = (log_odds(replace(EVIDENCE, seconds=s)) for s in (1.0, 10.0, 100.0))
    assert ten - one == pytest.approx(0.5 * np.log(10))
    assert hundred - ten == pytest.approx(ten - one)


@pytest.mark.parametrize("agreement", [0.0, 0.5, 1.0])
def test_where_the_work_does_not_change_agreement_says_nothing(agreement: float) -> None:
    still = replace(EVIDENCE, similarity=0.9, change=0.0)
    assert log_odds(replace(still, agreement=agreement)) == pytest.approx(log_odds(still))


def test_that_all_changes_are_followed_says_no_more_than_that_most_are() -> None:
    """As titles fade in and out, all of them agree."""
    assert log_odds(replace(EVIDENCE, agreement=0.9)) == log_odds(replace(EVIDENCE, agreement=1.0))


def test_near_proof_counts_more_than_what_is_merely_likely() -> None:
    """From odds of 400 to 1 on: where a work stands still for a second nothing else can speak."""
    likely, surely, proof, more = (
        features(replace(EVIDENCE, confirmed=1 - 1 / odds))["confirmed"]
        for odds in (50, 400, 10_000, 1e12)
    )
    assert surely - likely < 1
    assert proof - surely > 2
    assert more == pytest.approx(proof, abs=0.1)


def test_a_channel_without_weights_for_confirmation_takes_no_notice_of_it() -> None:
    plain = COPY.model_copy(update={"confirmed_score": None})
    assert log_odds(replace(EVIDENCE, confirmed=1.0), plain) == log_odds(EVIDENCE, plain)


def test_rescoring_changes_nothing_but_the_score() -> None:
    segment = segment_of(EVIDENCE)
    assert replace(rescored(segment, COPY), score=0.0) == segment


def test_a_match_has_the_score_that_its_evidence_gives() -> None:
    segment = matched(frames(edited(film(1), 0.7)), frames(film(1)))
    assert segment.evidence.confirmed is None
    assert rescored(segment, COPY) == segment


@settings(deadline=None, max_examples=50)
@given(
    similarity=st.floats(0.0, 1.0),
    stillness=st.floats(0.0, 1.0),
    count=st.integers(3, 40),
    seed=st.integers(0, 50),
)
def test_all_evidence_and_the_score_stay_within_their_bounds(
    similarity: float, stillness: float, count: int, seed: int
) -> None:
    work = film(seed, count, stillness)
    segment = matched(frames(edited(work, similarity)), frames(work))
    evidence = segment.evidence
    assert -1 <= evidence.similarity <= 1 + 1e-6
    assert 0 <= evidence.agreement <= 1
    assert 0 <= evidence.change <= 1
    assert evidence.seconds == pytest.approx(count / RATE)
    assert 0 <= segment.score <= 1


# --- what the evidence is ---------------------------------------------------------------------


@pytest.mark.parametrize("similarity", [0.5, 0.6, 0.75, 0.9, 0.99])
def test_a_copy_changes_as_the_work_does(similarity: float) -> None:
    evidence = matched(frames(edited(film(1), similarity)), frames(film(1))).evidence
    assert evidence.similarity == pytest.approx(similarity, abs=0.03)
    assert evidence.agreement > 0.85
    assert evidence.change > 0.8


@pytest.mark.parametrize("stillness", [0.55, 0.65, 0.75])
def test_a_look_alike_changes_otherwise(stillness: float) -> None:
    """Two takes in front of one wall: as alike as an edited copy, but each changes by itself."""
    work = frames(film(1, stillness=stillness))
    evidence = matched(frames(other_take(1, stillness=stillness)), work).evidence
    assert evidence.similarity == pytest.approx(stillness, abs=0.05)
    assert evidence.agreement < 0.15


def test_at_equal_similarity_a_copy_scores_above_a_look_alike() -> None:
    work = frames(film(1))
    copy, take = matched(frames(edited(film(1), 0.7)), work), matched(frames(other_take(1)), work)
    assert copy.evidence.similarity == pytest.approx(take.evidence.similarity, abs=0.05)
    assert copy.score > 0.9
    assert take.score < 0.2


def test_the_more_alike_the_surer() -> None:
    work = film(1)
    scores = [matched(frames(edited(work, s)), frames(work)).score for s in (0.3, 0.5, 0.7, 0.9)]
    assert scores == sorted(scores)


def test_the_longer_the_surer() -> None:
    work, copy = frames(film(1)), frames(edited(film(1), 0.6))
    runs = [straight(0, last) for last in (9, 19, 39)]
    segments = [only_segment(built(copy, work, [run])) for run in runs]
    assert [segment.evidence.seconds for segment in segments] == [4.75, 9.75, 20.0]
    scores = [segment.score for segment in segments]
    assert scores == sorted(scores)


def test_frames_without_a_partner_are_no_evidence() -> None:
    work = frames(film(1))
    partners = np.arange(40)
    partners[10:20] = -1
    query = Embeddings(np.concatenate([film(1)[:10], directions(10, 9), film(1)[20:]]), work.times)
    run = Alignment(1.0, 0.0, 0, 39, 5.0, partners)
    segment = only_segment(built(query, work, [run]))
    assert segment.evidence.similarity == pytest.approx(1.0, abs=1e-5)
    assert segment.evidence.seconds == pytest.approx(15.0)
    assert (segment.query_start, segment.query_end) == (0.0, 20.0)
    assert not [pair for pair in segment.pairs if 5.0 <= pair.query_time < 10.0]


def test_of_a_still_work_there_is_no_change_to_follow() -> None:
    still = np.repeat(directions(1, 4), 40, axis=0)
    evidence = matched(
        frames(np.repeat(edited(still[:1], 0.8), 40, axis=0)), frames(still)
    ).evidence
    assert evidence.similarity == pytest.approx(0.8, abs=0.03)
    assert evidence.change == pytest.approx(0.0, abs=1e-6)


def test_what_changes_little_says_little() -> None:
    changes = [
        matched(frames(work), frames(work)).evidence.change
        for work in (film(1, stillness=stillness) for stillness in (0.99, 0.9, 0.8))
    ]
    assert changes == sorted(changes)
    assert changes[0] < 0.1


def test_what_resembles_ordinary_footage_is_less_sure() -> None:
    """The bank holds one frame; 0.7 of each frame of the work is that frame, squared."""
    work, copy = frames(film(1)), frames(edited(film(1), 0.8))
    ordinary = Background("a", directions(1, 1))
    segment, surer = matched(copy, work, ordinary), matched(copy, work)
    of_work, of_upload = np.sqrt(0.7), 0.8 * np.sqrt(0.7)
    assert segment.evidence.ordinary == pytest.approx((of_work + of_upload) / 2, abs=0.03)
    assert surer.evidence.ordinary == 0.0
    assert segment.score < surer.score


def test_of_several_views_the_one_most_like_the_work_counts() -> None:
    """A picture in picture: the frames show something else, an inset shows the work."""
    work = frames(film(1))
    grounds, insets = Views.of_whole(frames(film(8))), Views.of_whole(frames(edited(film(1), 0.9)))
    both = matched(grounds.joined(insets), work)
    assert both == matched(insets, work)


# --- where a segment begins and ends ----------------------------------------------------------


def test_a_copy_of_the_whole_ends_where_the_files_end() -> None:
    work = frames(film(1))
    segment = matched(work, work)
    assert (segment.query_start, segment.query_end) == (0.0, 20.0)
    assert (segment.ref_start, segment.ref_end) == (0.0, 20.0)


def test_a_copy_of_a_part_ends_half_way_to_the_next_frames() -> None:
    work = frames(film(1))
    query = frames(np.concatenate([directions(8, 600), film(1)[20:30], directions(6, 601)]))
    segment = only_segment(built(query, work, [straight(8, 17, offset=12)]))
    assert (segment.query_start, segment.query_end) == (3.75, 8.75)
    assert (segment.ref_start, segment.ref_end) == (9.75, 14.75)


def test_a_segment_does_not_reach_over_frames_that_show_nothing() -> None:
    """Five seconds of black were left out before and after: they are not part of the copy."""
    query = Embeddings(film(1)[:10], 5.0 + np.arange(10) / RATE)
    run = Alignment(1.0, -5.0, 0, 9, 5.0, np.arange(10))
    segment = only_segment(built(query, frames(film(1)), [run], durations=(15.0, 20.0)))
    assert (segment.query_start, segment.query_end) == (4.75, 9.75)
    assert segment.ref_start == 0.0


def test_times_stay_within_the_files() -> None:
    work = frames(film(1, count=10))
    run = Alignment(2.0, -3.0, 0, 9, 5.0, np.arange(10))
    segment = only_segment(built(work, work, [run], durations=(4.8, 5.0)))
    assert 0 <= segment.query_start <= segment.query_end <= 4.8
    assert 0 <= segment.ref_start <= segment.ref_end <= 5.0


# --- evidence for a reader --------------------------------------------------------------------


def test_the_pairs_shown_are_true_strong_and_in_order_of_time() -> None:
    work = frames(film(1))
    query = frames(edited(film(1), 0.8))
    segment = matched(query, work)
    assert 3 <= len(segment.pairs) <= 6
    assert all(one.query_time < two.query_time for one, two in itertools.pairwise(segment.pairs))
    for pair in segment.pairs:
        q, r = round(pair.query_time * RATE), round(pair.ref_time * RATE)
        assert pair.similarity == pytest.approx(float(query.vectors[q] @ work.vectors[r]), abs=1e-5)
    assert np.mean([pair.similarity for pair in segment.pairs]) >= segment.evidence.similarity


# --- from alignments to a match ---------------------------------------------------------------


def test_without_alignments_there_is_no_match() -> None:
    work = frames(film(1))
    assert built(work, work, []) is None


@pytest.fixture
def unequal() -> Match:
    """Match an upload whose second half is hardly like the work."""
    query = frames(np.concatenate([film(1)[:20], edited(film(1), 0.35)[20:]]))
    match = built(query, frames(film(1)), [straight(0, 19), straight(20, 39)])
    assert match is not None
    return match


def test_a_match_is_as_sure_as_its_surest_segment(unequal: Match) -> None:
    assert len(unequal.segments) == 2
    assert unequal.score == max(segment.score for segment in unequal.segments)


def test_segments_below_a_score_are_left_out(unequal: Match) -> None:
    strong, weak = unequal.segments
    assert weak.score < strong.score
    assert above(unequal, 0.0) == unequal
    assert above(unequal, weak.score) == unequal
    assert above(unequal, strong.score) == replace(unequal, segments=(strong,))
    assert above(unequal, 1.0) is None


def test_what_is_left_of_a_match_keeps_its_order() -> None:
    segments = tuple(replace(segment_of(EVIDENCE), score=score) for score in (0.6, 0.4, 0.7))
    match = above(Match("metropolis", Channel.COPY, 0.7, segments), 0.5)
    assert match == Match("metropolis", Channel.COPY, 0.7, (segments[0], segments[2]))


def test_all_stages_together_find_a_copy_and_no_look_alike() -> None:
    work = frames(film(1))

    def found(query: np.ndarray) -> Match | None:
        views = Views.of_whole(frames(query))
        pairs = similar_pairs(views, work, COPY.floor)
        match = built(views, work, align(pairs, COPY.aligned, COPY.least_evidence))
        return match and above(match, COPY.min_score)

    segment = only_segment(found(edited(film(1)[10:30], 0.8)))
    assert segment.score > 0.9
    assert (segment.query_start, segment.query_end) == (0.0, 10.0)
    assert segment.ref_start == pytest.approx(5.0, abs=0.3)
    assert segment.ref_end == pytest.approx(15.0, abs=0.3)
    assert found(other_take(1, count=20)) is None
