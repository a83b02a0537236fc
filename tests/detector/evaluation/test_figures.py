from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from detector.evaluation.edits import Strength
from detector.evaluation.figures import Figures, measure
from detector.evaluation.metrics import Box
from detector.evaluation.uploads import Piece, Plan, Upload


def upload(query_id: str, family: str, strength: Strength, *truth: Box) -> Upload:
    piece = Piece("film.mp4", 0.0, 10.0, "copy" if truth else "other")
    plan = Plan(query_id, family, strength, seed=1, pieces=(piece,), edits_all=True)
    return Upload(plan, Path(f"{query_id}.mp4"), truth, "edited")


CROP = Box("crop", "film", 2.0, 8.0, 12.0, 18.0)
BLUR = Box("blur", "film", 0.0, 5.0, 30.0, 35.0)
TWO = (Box("two", "film", 0.0, 4.0, 0.0, 4.0), Box("two", "other", 6.0, 9.0, 5.0, 8.0))
UPLOADS = [
    upload("crop", "crop", Strength.LIGHT, CROP),
    upload("blur", "blur", Strength.STRONG, BLUR),
    upload("two", "two-works", Strength.LIGHT, *TWO),
    upload("holiday", "none", Strength.LIGHT),
]
PERFECT = [replace(box, score=0.9) for box in (CROP, BLUR, *TWO)]


def recall(figures: Figures) -> dict[tuple[str, str], float]:
    return {(cell.family, cell.strength): cell.recall for cell in figures.cells}


def test_a_perfect_system_finds_everything_where_it_is() -> None:
    figures = measure(UPLOADS, PERFECT, operating_point=0.5)
    assert figures.segment_ap == figures.pair_ap == figures.segment_f1 == 1.0
    assert figures.found == figures.recall_without_false_flags == 1.0
    assert figures.boundary_error == 0.0
    assert figures.flagged_negatives == ()
    assert figures.negatives == 1
    assert figures.calibration_error == pytest.approx(0.1)  # all right, where 0.9 was said
    assert set(recall(figures).values()) == {1.0}


def test_what_is_below_the_operating_point_is_not_found_but_ranked() -> None:
    weak = [replace(PERFECT[0], score=0.4), *PERFECT[1:]]
    figures = measure(UPLOADS, weak, operating_point=0.5)
    assert figures.found == 0.75
    assert recall(figures) == {
        ("crop", "light"): 0.0,
        ("blur", "strong"): 1.0,
        ("two-works", "light"): 1.0,
    }
    assert figures.segment_ap == 1.0


def test_one_of_two_works_in_an_upload_is_half_of_it() -> None:
    figures = measure(UPLOADS, PERFECT[:-1], operating_point=0.5)
    assert recall(figures)["two-works", "light"] == 0.5


def test_flagged_negatives_are_named_and_cost_recall() -> None:
    false = Box("holiday", "film", 0.0, 3.0, 0.0, 3.0, score=0.95)
    figures = measure(UPLOADS, [*PERFECT, false], operating_point=0.5)
    assert figures.flagged_negatives == ("holiday",)
    assert figures.recall_without_false_flags == 0.0
    assert figures.found == 1.0
    assert figures.segment_precision < 1.0


def test_the_boundary_error_is_that_of_what_was_reported() -> None:
    late = [replace(box, query_start=box.query_start + 0.25) for box in PERFECT]
    far_off = Box("crop", "film", 100.0, 160.0, 12.0, 18.0, score=0.1)
    figures = measure(UPLOADS, [*late, far_off], operating_point=0.5)
    assert 0 <= figures.boundary_error <= 0.25


def test_a_segment_at_the_wrong_place_of_the_work_counts_as_wrong() -> None:
    elsewhere = replace(CROP, ref_start=50.0, ref_end=56.0, score=1.0)
    right = measure(UPLOADS, PERFECT, 0.5).calibration_error
    assert measure(UPLOADS, [*PERFECT, elsewhere], 0.5).calibration_error > right


def test_a_system_that_finds_nothing_has_figures_too() -> None:
    figures = measure(UPLOADS, [], operating_point=0.5)
    assert figures.found == figures.segment_ap == figures.segment_recall == 0.0
    assert math.isnan(figures.boundary_error)


def test_of_negatives_alone_there_is_no_recall() -> None:
    with pytest.raises(ValueError, match="recall"):
        measure(UPLOADS[-1:], [], operating_point=0.5)


def test_cells_are_put_together_by_family() -> None:
    strong = upload("crop-2", "crop", Strength.STRONG, replace(CROP, query_id="crop-2"))
    figures = measure([*UPLOADS, strong], PERFECT, operating_point=0.5)
    cells = figures.by_family()["crop"]
    assert [(cell.strength, cell.recall) for cell in cells] == [("light", 1.0), ("strong", 0.0)]


def test_figures_can_be_written_as_json() -> None:
    values = json.loads(json.dumps(measure(UPLOADS, PERFECT, 0.5).as_dict()))
    assert values["segment_ap"] == 1.0
    assert values["recall"]["crop"] == {"light": 1.0}
    assert (values["negatives"], values["flagged_negatives"]) == (1, [])


@pytest.mark.parametrize(
    ("box", "shares"),
    [
        (Box("crop", "film", 7.0, 9.0, 17.0, 19.0), True),
        (Box("crop", "film", 8.0, 9.0, 17.0, 19.0), False),  # they only touch
        (Box("crop", "film", 7.0, 9.0, 20.0, 22.0), False),
        (Box("crop", "film", 0.0, 90.0, 0.0, 90.0), True),
    ],
)
def test_boxes_overlap_that_share_time_on_both_axes(box: Box, shares: bool) -> None:
    assert (CROP.overlap(box) > 0) is shares
    assert (box.overlap(CROP) > 0) is shares
