from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.evaluation import metrics
from detector.evaluation.metrics import (
    Box,
    boundary_errors,
    curve,
    expected_calibration_error,
    found,
    pair_average_precision,
    pair_curve,
    recall_without_false_flags,
    segment_average_precision,
    segment_f1,
)


def box(
    query: tuple[float, float],
    ref: tuple[float, float],
    score: float = 1.0,
    pair: tuple[str, str] = ("upload", "film"),
) -> Box:
    return Box(*pair, *query, *ref, score)


def seen(query_id: str, ref_id: str, score: float = 1.0) -> Box:
    """Make a box of which only the pair matters."""
    return box((0, 1), (0, 1), score, (query_id, ref_id))


@st.composite
def interval(draw: st.DrawFn) -> tuple[int, int]:
    start = draw(st.integers(0, 18))
    return start, draw(st.integers(start + 1, 20))


# Whole seconds, so that an oracle can look at one second after another.
boxes = st.builds(
    box,
    interval(),
    interval(),
    st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]),
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"])),
)
some_truth = st.lists(boxes, min_size=1, max_size=6)
some_predictions = st.lists(boxes, max_size=8)


def seconds(ones: list[Box], axis: str) -> set[tuple[str, str, int]]:
    """Seconds that boxes cover, by pair."""
    return {
        (*one.pair, second)
        for one in ones
        for second in range(int(getattr(one, f"{axis}_start")), int(getattr(one, f"{axis}_end")))
    }


def overlap(one: Box, other: Box) -> bool:
    return all(seconds([one], axis) & seconds([other], axis) for axis in ("query", "ref"))


def oracle_point(truth: list[Box], taken: list[Box]) -> tuple[float, float]:
    """Recall and precision by counting seconds."""
    hit = [one for one in truth if any(overlap(one, other) for other in taken)]
    recall = precision = 1.0
    for axis in ("query", "ref"):
        right = len(seconds(hit, axis) & seconds(taken, axis))
        recall *= right / len(seconds(truth, axis))
        precision *= right / len(seconds(taken, axis))
    return math.sqrt(recall), math.sqrt(precision)


def oracle_average_precision(truth: list[Box], predictions: list[Box]) -> float:
    total = reached = 0.0
    for score in sorted({one.score for one in predictions}, reverse=True):
        recall, precision = oracle_point(truth, [p for p in predictions if p.score >= score])
        total += precision * (recall - reached)
        reached = recall
    return total


# --- segments ---------------------------------------------------------------------------------


def test_half_of_a_copy_is_half_the_recall_at_full_precision() -> None:
    truth = [box((0, 10), (100, 110))]
    recall, precision = curve(truth, [box((0, 5), (100, 105))])
    assert recall.tolist() == [0.5]
    assert precision.tolist() == [1.0]
    assert segment_average_precision(truth, [box((0, 5), (100, 105))]) == 0.5


def test_the_axes_are_joined_by_their_geometric_mean() -> None:
    """All of the upload's time is found, but beside four times too much of the film."""
    point = segment_f1([box((0, 10), (100, 110))], [box((0, 10), (100, 140))], 0.0)
    assert point.recall == 1.0
    assert point.precision == pytest.approx(math.sqrt(1 * 1 / 4))
    assert point.f1 == pytest.approx(2 * 0.5 / 1.5)


def test_the_right_time_in_the_wrong_place_of_the_film_is_wrong() -> None:
    assert segment_average_precision([box((0, 10), (100, 110))], [box((0, 10), (300, 310))]) == 0


def test_a_copy_found_in_pieces_is_as_good_as_one_found_whole() -> None:
    truth = [box((0, 10), (100, 110))]
    pieces = [box((0, 4), (100, 104), 0.8), box((4, 10), (104, 110), 0.7)]
    assert segment_average_precision(truth, pieces) == pytest.approx(1.0)


def test_a_false_prediction_costs_precision_of_what_comes_after_it() -> None:
    truth = [box((0, 10), (0, 10)), box((0, 10), (0, 10), pair=("second", "film"))]
    predictions = [
        box((0, 10), (0, 10), 0.9),
        box((0, 10), (0, 10), 0.8, ("innocent", "film")),
        box((0, 10), (0, 10), 0.7, ("second", "film")),
    ]
    recall, precision = curve(truth, predictions)
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision == pytest.approx([1, 1 / 2, 2 / 3])
    assert segment_average_precision(truth, predictions) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_equal_scores_are_taken_together() -> None:
    truth = [box((0, 10), (0, 10))]
    predictions = [box((0, 10), (0, 10), 0.5), box((0, 10), (0, 10), 0.5, ("innocent", "film"))]
    assert segment_average_precision(truth, predictions) == pytest.approx(0.5)


@given(some_truth, some_predictions)
def test_it_is_what_counting_seconds_gives(truth: list[Box], predictions: list[Box]) -> None:
    assert segment_average_precision(truth, predictions) == pytest.approx(
        oracle_average_precision(truth, predictions)
    )


@given(some_truth)
def test_what_was_planted_scores_one(truth: list[Box]) -> None:
    assert segment_average_precision(truth, truth) == pytest.approx(1.0)
    assert segment_f1(truth, truth, 0.0).f1 == pytest.approx(1.0)


@given(some_truth, some_predictions, st.randoms(use_true_random=False))
def test_order_does_not_matter(
    truth: list[Box], predictions: list[Box], shuffling: random.Random
) -> None:
    before = segment_average_precision(truth, predictions)
    pairs_before = pair_average_precision(truth, predictions)
    shuffling.shuffle(truth)
    shuffling.shuffle(predictions)
    assert segment_average_precision(truth, predictions) == pytest.approx(before)
    assert pair_average_precision(truth, predictions) == pytest.approx(pairs_before)


@given(some_truth, some_predictions, st.sampled_from([0.1, 0.0]))
def test_a_false_prediction_with_the_lowest_score_never_helps(
    truth: list[Box], predictions: list[Box], score: float
) -> None:
    false = box((0, 9), (0, 9), score, ("innocent", "x"))
    for measure in (segment_average_precision, pair_average_precision):
        assert measure(truth, [*predictions, false]) <= measure(truth, predictions) + 1e-12


@given(some_truth, some_predictions)
def test_only_the_order_of_scores_counts(truth: list[Box], predictions: list[Box]) -> None:
    rescaled = [replace(one, score=one.score**3 - 7) for one in predictions]
    assert segment_average_precision(truth, rescaled) == pytest.approx(
        segment_average_precision(truth, predictions)
    )


@given(some_truth, some_predictions)
def test_an_operating_point_is_a_point_of_the_curve(
    truth: list[Box], predictions: list[Box]
) -> None:
    recall, precision = curve(truth, predictions)
    scores = [score for score, _ in groupby(sorted((p.score for p in predictions), reverse=True))]
    points = [segment_f1(truth, predictions, score) for score in scores]
    assert [point.recall for point in points] == pytest.approx(recall)
    assert [point.precision for point in points] == pytest.approx(precision)
    assert (np.diff(recall) >= -1e-12).all()


def test_nothing_predicted_is_nothing_found() -> None:
    truth = [box((0, 10), (0, 10))]
    assert segment_average_precision(truth, []) == 0.0
    assert segment_f1(truth, truth, 2.0) == metrics.OperatingPoint(0.0, 0.0)
    assert segment_f1(truth, truth, 2.0).f1 == 0.0


def test_a_prediction_of_no_length_is_allowed_and_wrong() -> None:
    assert segment_average_precision([box((0, 10), (0, 10))], [box((3, 3), (3, 3))]) == 0.0


@pytest.mark.parametrize("truth", [[], [box((3, 3), (0, 4))]])
def test_without_truth_there_is_no_recall(truth: list[Box]) -> None:
    with pytest.raises(ValueError, match="no recall"):
        segment_average_precision(truth, [box((0, 1), (0, 1))])


@pytest.mark.parametrize(
    ("query", "score"),
    [((3, 2), 1.0), ((0, math.nan), 1.0), ((0, math.inf), 1.0), ((0, 1), math.nan)],
)
def test_a_box_is_checked(query: tuple[float, float], score: float) -> None:
    with pytest.raises(ValueError, match="from start to end"):
        box(query, (0, 1), score)


# --- boundaries and single copies -------------------------------------------------------------


def test_boundary_errors_are_those_of_the_best_overlapping_prediction() -> None:
    truth = [box((10, 20), (100, 110)), box((40, 50), (0, 10))]
    near, far = box((11, 19.5), (100, 112)), box((0, 30), (80, 130), 9.0)
    assert boundary_errors(truth, [far, near]).tolist() == [[1, 0.5, 0, 2]]


def test_without_a_match_there_are_no_boundary_errors() -> None:
    assert boundary_errors([box((0, 9), (0, 9))], [box((0, 9), (20, 29))]).shape == (0, 4)
    assert boundary_errors([], []).shape == (0, 4)


def test_a_copy_is_found_if_enough_of_its_time_is_covered() -> None:
    truth = box((10, 20), (100, 110))
    parts = [box((8, 12), (98, 102)), box((11, 14), (101, 104))]
    assert found(truth, parts, min_share=0.4)
    assert not found(truth, parts, min_share=0.41)
    assert not found(truth, [])


@pytest.mark.parametrize(
    "elsewhere",
    [box((10, 20), (300, 310)), box((10, 20), (100, 110), pair=("upload", "other film"))],
)
def test_what_shows_something_else_covers_nothing(elsewhere: Box) -> None:
    assert not found(box((10, 20), (100, 110)), [elsewhere], min_share=0.0)


@given(boxes, some_predictions, st.integers(1, 10))
def test_found_is_what_counting_seconds_gives(
    truth: Box, predictions: list[Box], tenths: int
) -> None:
    hits = [one for one in predictions if one.pair == truth.pair and overlap(one, truth)]
    covered = len(seconds(hits, "query") & seconds([truth], "query"))
    enough = 10 * covered >= tenths * len(seconds([truth], "query"))
    assert found(truth, predictions, tenths / 10) == enough


# --- pairs ------------------------------------------------------------------------------------


def test_a_pair_scores_as_its_best_box() -> None:
    truth = [seen("a", "x"), seen("b", "x")]
    predictions = [
        seen("a", "x", 0.2),
        seen("a", "x", 0.9),
        seen("c", "x", 0.5),
        seen("b", "x", 0.4),
    ]
    recall, precision = pair_curve(truth, predictions)
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision == pytest.approx([1, 1 / 2, 2 / 3])
    assert pair_average_precision(truth, predictions) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_pairs_of_equal_score_are_taken_together() -> None:
    predictions = [seen("a", "x", 0.5), seen("c", "x", 0.5)]
    assert pair_average_precision([seen("a", "x")], predictions) == 0.5


def test_only_pairs_above_every_innocent_upload_are_found_without_false_flags() -> None:
    truth = [seen("a", "x"), seen("b", "x"), seen("c", "y"), seen("d", "y")]
    predictions = [
        seen("a", "x", 0.9),
        seen("b", "x", 0.6),
        seen("c", "y", 0.5),
        seen("z", "x", 0.6),
    ]
    assert recall_without_false_flags(truth, predictions, {"z"}) == 1 / 4
    assert recall_without_false_flags(truth, predictions, set()) == 3 / 4


def test_pairs_need_truth_that_does_not_contradict_itself() -> None:
    for measure in (pair_average_precision, lambda t, p: recall_without_false_flags(t, p, set())):
        with pytest.raises(ValueError, match="no recall"):
            measure([], [seen("a", "x")])
    with pytest.raises(ValueError, match=r"innocent: \['a'\]"):
        recall_without_false_flags([seen("a", "x")], [], {"a"})


# --- calibration ------------------------------------------------------------------------------


def test_calibration_by_hand() -> None:
    """Two bins: 0.2 and 0.4, one of two right; 0.9, right."""
    calibration = expected_calibration_error([0.2, 0.4, 0.9], [False, True, True], bins=2)
    assert calibration.error == pytest.approx(2 / 3 * abs(0.3 - 0.5) + 1 / 3 * abs(0.9 - 1))
    low, high = calibration.bins
    assert (low.low, low.high, low.count, low.share_right) == (0.0, 0.5, 2, 0.5)
    assert (high.low, high.high, high.count, high.share_right) == (0.5, 1.0, 1, 1.0)
    assert low.mean_score == pytest.approx(0.3)


def test_the_highest_score_belongs_to_the_last_bin() -> None:
    calibration = expected_calibration_error([0.0, 1.0], [False, True])
    assert calibration.error == 0.0
    assert [row.count for row in calibration.bins] == [1, *[0] * 8, 1]
    assert math.isnan(calibration.bins[4].share_right)


def test_scores_that_are_probabilities_are_calibrated() -> None:
    random_numbers = np.random.default_rng(0)
    scores = random_numbers.random(20_000)
    is_right = random_numbers.random(20_000) < scores
    assert expected_calibration_error(scores, is_right).error < 0.02
    assert expected_calibration_error(scores, ~is_right).error == pytest.approx(0.5, abs=0.02)


def test_without_predictions_there_is_no_calibration() -> None:
    assert math.isnan(expected_calibration_error([], []).error)


@pytest.mark.parametrize(
    ("scores", "is_right", "bins"),
    [([0.5], [], 10), ([1.1], [1], 10), ([0.5], [1], 0), ([math.nan], [1], 10)],
)
def test_calibration_refuses_what_are_no_probabilities(
    scores: list[float], is_right: list[int], bins: int
) -> None:
    with pytest.raises(ValueError, match=r"calibration needs|scores are compared"):
        expected_calibration_error(scores, is_right, bins)
