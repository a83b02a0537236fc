"""What a benchmark run comes to: the figures of one system over one set of uploads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detector.evaluation import metrics
from detector.evaluation.metrics import Box
from detector.evaluation.uploads import Upload


@dataclass(frozen=True, slots=True)
class Cell:
    """One edit family at one strength."""

    family: str
    strength: str
    copies: int
    found: int  # at the operating point

    @property
    def recall(self) -> float:
        return self.found / self.copies


@dataclass(frozen=True, slots=True)
class Figures:
    """How good a system is; shares lie in [0, 1], NaN where there is nothing to measure."""

    segment_ap: float
    pair_ap: float
    segment_f1: float
    segment_precision: float
    segment_recall: float
    boundary_error: float  # median over all four boundaries of what was found, seconds
    recall_without_false_flags: float
    found: float  # share of copies found at the operating point
    flagged_negatives: tuple[str, ...]  # query ids
    negatives: int
    calibration_error: float
    cells: tuple[Cell, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the figures as plain JSON values."""
        values: dict[str, object] = {
            name: round(getattr(self, name), 4)
            for name in (
                "segment_ap", "pair_ap", "segment_f1", "segment_precision", "segment_recall",
                "boundary_error", "recall_without_false_flags", "found", "calibration_error",
            )
        }  # fmt: skip
        values["negatives"] = self.negatives
        values["flagged_negatives"] = list(self.flagged_negatives)
        values["recall"] = {
            family: {cell.strength: round(cell.recall, 3) for cell in cells}
            for family, cells in self.by_family().items()
        }
        return values

    def by_family(self) -> Mapping[str, list[Cell]]:
        """Return the cells of each family, in order of strength."""
        families: dict[str, list[Cell]] = {}
        for cell in self.cells:
            families.setdefault(cell.family, []).append(cell)
        return families


def measure(
    uploads: Sequence[Upload], predictions: Sequence[Box], operating_point: float
) -> Figures:
    """Compare what a system predicted, down to a low score, with what is known of the uploads.

    A predicted segment counts as right, for the calibration, if it overlaps a copied interval of
    that work on both axes.

    Raises
    ------
    ValueError
        When no upload holds a copy: there is no recall.
    """
    truth = [box for upload in uploads for box in upload.truth]
    negatives = {upload.plan.query_id for upload in uploads if not upload.truth}
    reported = [box for box in predictions if box.score >= operating_point]
    f1 = metrics.segment_f1(truth, predictions, operating_point)
    errors = metrics.boundary_errors(truth, reported)
    is_right = [any(box.overlap(other) > 0 for other in truth) for box in predictions]
    found: dict[tuple[str, str], list[bool]] = {}
    for upload in uploads:
        key = upload.plan.family, upload.plan.strength.name.lower()
        mine = [box for box in reported if box.query_id == upload.plan.query_id]
        for box in upload.truth:
            found.setdefault(key, []).append(metrics.found(box, mine))
    everything = [one for cell in found.values() for one in cell]
    scores = np.array([box.score for box in predictions])
    calibration_error = float("nan")  # of scores that are no probabilities
    if scores.size and scores.min() >= 0 and scores.max() <= 1:
        calibration = metrics.expected_calibration_error(scores, np.array(is_right, bool))
        calibration_error = calibration.error
    return Figures(
        segment_ap=metrics.segment_average_precision(truth, predictions),
        pair_ap=metrics.pair_average_precision(truth, predictions),
        segment_f1=f1.f1,
        segment_precision=f1.precision,
        segment_recall=f1.recall,
        boundary_error=float(np.median(errors)) if errors.size else float("nan"),
        recall_without_false_flags=metrics.recall_without_false_flags(
            truth, predictions, negatives
        ),
        found=float(np.mean(everything)),
        flagged_negatives=tuple(sorted({box.query_id for box in reported} & negatives)),
        negatives=len(negatives),
        calibration_error=calibration_error,
        cells=tuple(
            Cell(family, strength, len(ones), sum(ones))
            for (family, strength), ones in found.items()
        ),
    )
