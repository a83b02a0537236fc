r"""How good a list of found segments is, given what was planted.

Truth and predictions are *boxes*: an interval of an upload beside an interval of a work. The main
measure is the micro-average precision of the matching track of VSC2022 (Pizzi et al., "The 2023
Video Similarity Dataset and Challenge", 2023), which counts seconds, not boxes (He et al., "A
Large-scale Comprehensive Dataset and Copy-overlap Aware Evaluation Protocol for Segment-level
Video Copy Detection", CVPR 2022), so that it does not matter into how many boxes a copy is cut:

    recall    = sqrt(R_query * R_ref),  R_axis = right seconds / seconds of truth
    precision = sqrt(P_query * P_ref),  P_axis = right seconds / seconds predicted

Per pair of upload and work and per axis, *right* is what the union of the predictions has in
common with the union of those truth boxes that some prediction overlaps on both axes; a box at the
right time of the upload but elsewhere in the work is right on neither axis.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pair = tuple[str, str]
"""An upload and a work: (query_id, ref_id)."""

_ROUNDING = 1e-9  # share of a length that sums of floating-point numbers may be off


@dataclass(frozen=True, slots=True)
class Box:
    """An aligned pair of intervals, truth or prediction; times in seconds.

    Raises
    ------
    ValueError
        An interval ends before it starts, or something is not a number.
    """

    query_id: str
    ref_id: str
    query_start: float
    query_end: float
    ref_start: float
    ref_end: float
    score: float = 1.0  # of a prediction: higher is surer; on any scale

    def __post_init__(self) -> None:
        ordered = self.query_start <= self.query_end and self.ref_start <= self.ref_end
        if not ordered or not np.isfinite(self.edges).all() or math.isnan(self.score):
            raise ValueError(f"intervals run from start to end, and scores are numbers: {self}")

    @property
    def pair(self) -> Pair:
        return self.query_id, self.ref_id

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Start and end in the upload, start and end in the work."""
        return self.query_start, self.query_end, self.ref_start, self.ref_end

    def overlap(self, other: Box) -> float:
        """Intersection over union of the upload's intervals times that of the work's.

        In [0, 1]; 0 unless the boxes are of one pair and share time on both axes.
        """
        if self.pair != other.pair:
            return 0.0
        shares = [
            _overlap((self.query_start, self.query_end), (other.query_start, other.query_end)),
            _overlap((self.ref_start, self.ref_end), (other.ref_start, other.ref_end)),
        ]
        return shares[0] * shares[1]


class Curve(NamedTuple):
    """Recall and precision, each float64 [n], when everything down to some score is taken.

    One point for each score that occurs, from the highest down, so recall never falls.
    """

    recall: Floats
    precision: Floats

    @property
    def average_precision(self) -> float:
        """Sum of precision times increase of recall."""
        return float(np.sum(self.precision * np.diff(self.recall, prepend=0.0)))


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What one threshold gives; precision is 0 where nothing passes it."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """The predictions whose scores lie in one interval."""

    low: float
    high: float  # not included, but for the last bin
    count: int
    mean_score: float  # NaN where the bin is empty
    share_right: float  # NaN where the bin is empty


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well scores can be read as probabilities."""

    error: float  # expected calibration error, in [0, 1]; NaN without any prediction
    bins: tuple[CalibrationBin, ...]  # for a reliability plot, from low scores to high


# --- segments ---------------------------------------------------------------------------------


def segment_average_precision(truth: Sequence[Box], predictions: Sequence[Box]) -> float:
    """Micro-average precision of the matching track of VSC2022, in [0, 1].

    Predictions of equal score are taken together, so their order does not matter.

    Raises
    ------
    ValueError
        There is no truth of any length to be found.
    """
    return curve(truth, predictions).average_precision


def curve(truth: Sequence[Box], predictions: Sequence[Box]) -> Curve:
    """Precision and recall over seconds, see the head of this module.

    Raises
    ------
    ValueError
        There is no truth of any length to be found.
    """
    tally = _Tally(truth)
    points = [tally.add(group) for group in _by_falling_score(predictions)]
    return _curve_of(points)


def segment_f1(
    truth: Sequence[Box], predictions: Sequence[Box], min_score: float
) -> OperatingPoint:
    """Precision, recall and F1 over seconds of the predictions that score at least `min_score`.

    Raises
    ------
    ValueError
        There is no truth of any length to be found.
    """
    return _Tally(truth).add([box for box in predictions if box.score >= min_score])


def boundary_errors(truth: Iterable[Box], predictions: Sequence[Box]) -> Floats:
    """How far off the boundaries of found segments are, in seconds.

    Each truth box is compared with the prediction that overlaps it best (`Box.overlap`). Boxes
    that none overlaps are left out.

    Returns
    -------
    float64 [n, 4], absolute errors of query_start, query_end, ref_start and ref_end
    """
    by_pair = _by_pair(predictions)
    errors = []
    for box in truth:
        best = max(by_pair[box.pair], key=box.overlap, default=None)
        if best is not None and box.overlap(best) > 0:
            errors.append(np.abs(np.subtract(best.edges, box.edges)))
    return np.array(errors, np.float64).reshape(-1, 4)


def found(truth: Box, predictions: Iterable[Box], min_share: float = 0.5) -> bool:
    """Whether predictions cover at least `min_share` of a truth box, in seconds of the upload.

    Those of its pair that overlap it on both axes count, united.
    """
    right = [box for box in predictions if box.overlap(truth) > 0]
    covered = _common(_united(_intervals(right, 0)), _intervals([truth], 0))
    length = truth.query_end - truth.query_start
    return bool(right) and covered >= (min_share - _ROUNDING) * length


# --- pairs of upload and work -----------------------------------------------------------------


def pair_average_precision(truth: Iterable[Box], predictions: Iterable[Box]) -> float:
    """Micro-average precision over the pairs of upload and work, in [0, 1]; times do not matter.

    The score of a pair is that of its best box; pairs of equal score are taken together.

    Raises
    ------
    ValueError
        There is no truth.
    """
    return pair_curve(truth, predictions).average_precision


def pair_curve(truth: Iterable[Box], predictions: Iterable[Box]) -> Curve:
    """Precision and recall over pairs of upload and work.

    Raises
    ------
    ValueError
        There is no truth.
    """
    wanted = {box.pair for box in truth}
    if not wanted:
        raise ValueError("without any pair to be found there is no recall")
    right = taken = 0
    points = []
    for group in _by_falling_score(_best_of_pairs(predictions).values()):
        right += sum(box.pair in wanted for box in group)
        taken += len(group)
        points.append(OperatingPoint(right / taken, right / len(wanted)))
    return _curve_of(points)


def recall_without_false_flags(
    truth: Iterable[Box], predictions: Sequence[Box], negatives: Collection[str]
) -> float:
    """Share of the pairs of upload and work that can be found without flagging any innocent upload.

    Parameters
    ----------
    truth
        What is to be found; times do not matter.
    negatives
        Uploads, by query id, that copy nothing. The best score on any of them is the threshold,
        which a pair must exceed.

    Raises
    ------
    ValueError
        There is no truth, or a pair to be found is of an innocent upload.
    """
    wanted, innocent = {box.pair for box in truth}, set(negatives)
    if not wanted:
        raise ValueError("without any pair to be found there is no recall")
    if contradictions := {query for query, _ in wanted} & innocent:
        raise ValueError(f"uploads that are both copies and innocent: {sorted(contradictions)}")
    highest = max((box.score for box in predictions if box.query_id in innocent), default=-math.inf)
    best = _best_of_pairs(predictions)
    return sum(pair in best and best[pair].score > highest for pair in wanted) / len(wanted)


# --- calibration ------------------------------------------------------------------------------


def expected_calibration_error(
    scores: npt.ArrayLike, is_right: npt.ArrayLike, bins: int = 10
) -> Calibration:
    """How far scores are from the share of predictions that are right.

    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", AAAI 2015: the distance of mean score and share in bins of equal width, averaged over
    predictions.

    Parameters
    ----------
    scores
        [n], in [0, 1].
    is_right
        [n], whether each prediction is.

    Raises
    ------
    ValueError
        The arrays do not fit this description.
    """
    values, right = np.asarray(scores, np.float64), np.asarray(is_right, np.float64)
    if bins < 1 or values.ndim != 1 or values.shape != right.shape:
        raise ValueError(
            f"calibration needs at least one bin and as many scores as outcomes, not {bins} bins, "
            f"scores {values.shape} and outcomes {right.shape}"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("scores are compared with probabilities, so they lie in [0, 1]")
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    table = []
    for number in range(bins):
        inside = places == number
        count = int(inside.sum())
        table.append(
            CalibrationBin(
                low=float(edges[number]),
                high=float(edges[number + 1]),
                count=count,
                mean_score=float(values[inside].mean()) if count else math.nan,
                share_right=float(right[inside].mean()) if count else math.nan,
            )
        )
    gaps = [row.count * abs(row.mean_score - row.share_right) for row in table if row.count]
    return Calibration(sum(gaps) / len(values) if len(values) else math.nan, tuple(table))


# --- helpers ----------------------------------------------------------------------------------


class _Tally:
    """Right seconds and predicted seconds over all pairs, as predictions come in."""

    def __init__(self, truth: Sequence[Box]) -> None:
        self._truth = _by_pair(truth)
        self._predictions: dict[Pair, list[Box]] = defaultdict(list)
        # [2], query and ref axis; of each pair, so that only those that change are done again.
        self._right: dict[Pair, Floats] = {}
        self._predicted: dict[Pair, Floats] = {}
        pairs = self._truth.values()
        self._wanted = np.sum([_union_lengths(boxes) for boxes in pairs], axis=0)
        if not self._truth or not (self._wanted > 0).all():
            raise ValueError("without any segment to be found there is no recall")

    def add(self, predictions: Sequence[Box]) -> OperatingPoint:
        """Take some more predictions; return precision and recall of all so far."""
        for box in predictions:
            self._predictions[box.pair].append(box)
        for pair in {box.pair for box in predictions}:
            boxes = self._predictions[pair]
            hit = [one for one in self._truth[pair] if any(one.overlap(box) > 0 for box in boxes)]
            self._predicted[pair] = _union_lengths(boxes)
            self._right[pair] = np.array(
                [
                    _common(_united(_intervals(boxes, axis)), _united(_intervals(hit, axis)))
                    for axis in (0, 1)
                ]
            )
        right = np.array(
            [math.fsum(both[axis] for both in self._right.values()) for axis in (0, 1)]
        )
        predicted = np.array(
            [math.fsum(both[axis] for both in self._predicted.values()) for axis in (0, 1)]
        )
        precision = np.divide(right, predicted, out=np.zeros(2), where=predicted > 0)
        recall = right / self._wanted
        return OperatingPoint(
            precision=math.sqrt(precision[0] * precision[1]),
            recall=math.sqrt(recall[0] * recall[1]),
        )


def _curve_of(points: Sequence[OperatingPoint]) -> Curve:
    return Curve(
        np.array([point.recall for point in points], np.float64),
        np.array([point.precision for point in points], np.float64),
    )


def _by_falling_score(boxes: Iterable[Box]) -> Iterator[list[Box]]:
    ordered = sorted(boxes, key=lambda box: -box.score)
    return (list(group) for _, group in groupby(ordered, lambda box: box.score))


def _by_pair(boxes: Iterable[Box]) -> dict[Pair, list[Box]]:
    grouped: dict[Pair, list[Box]] = defaultdict(list)
    for box in boxes:
        grouped[box.pair].append(box)
    return grouped


def _best_of_pairs(boxes: Iterable[Box]) -> dict[Pair, Box]:
    best: dict[Pair, Box] = {}
    for box in boxes:
        if box.pair not in best or box.score > best[box.pair].score:
            best[box.pair] = box
    return best


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Intersection over union of two intervals."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    if common <= 0:
        return 0.0
    return common / (max(one[1], other[1]) - min(one[0], other[0]))


def _intervals(boxes: Sequence[Box], axis: int) -> Floats:
    """Intervals [n, 2] of boxes on the upload's axis, 0, or on the work's, 1."""
    edges = np.array([box.edges for box in boxes], np.float64).reshape(-1, 4)
    return edges[:, 2 * axis : 2 * axis + 2]


def _united(intervals: Floats) -> Floats:
    """Disjoint intervals [m, 2] with the same union as intervals [n, 2], in order."""
    if len(intervals) < 2:
        return intervals
    ordered = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reached = np.maximum.accumulate(ordered[:, 1])
    is_first = np.append(True, ordered[1:, 0] > reached[:-1])
    is_last = np.append(is_first[1:], True)
    return np.column_stack([ordered[is_first, 0], reached[is_last]])


def _union_lengths(boxes: Sequence[Box]) -> Floats:
    """Seconds that boxes cover on the upload's and on the work's axis, [2]."""
    return np.array([np.diff(_united(_intervals(boxes, axis))).sum() for axis in (0, 1)])


def _common(ones: Floats, others: Floats) -> float:
    """Seconds that two lists of disjoint intervals, [n, 2] and [m, 2], share."""
    starts = np.maximum(ones[:, None, 0], others[None, :, 0])
    ends = np.minimum(ones[:, None, 1], others[None, :, 1])
    return float(np.maximum(ends - starts, 0.0).sum())
