from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.output import from_json
from detector.review.evidence import NoEvidenceError
from detector.review.matrix import SIZE, draw_matrix, matrix_picture
from detector.review.records import Case
from detector.settings import Settings
from detector.timeline import timeline
from detector.types import Evidence, Segment
from index.reference_index import ReferenceIndex
from tests.detector.review.conftest import ScannedDesk

WIDTH, HEIGHT = SIZE


@pytest.fixture
def index(scanned_desk: ScannedDesk) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(scanned_desk.home) as index:
        yield index


@pytest.fixture
def settings(scanned_desk: ScannedDesk, tmp_path: Path) -> Settings:
    """Return settings with an evidence folder of their own."""
    return scanned_desk.settings.model_copy(update={"home": tmp_path / "home"})


def light_of(png: bytes) -> np.ndarray:
    """Return how light a PNG is, [height, width], the first row at the bottom."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (HEIGHT, WIDTH, 3)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2LAB)[::-1, :, 0], float)


def along(light: np.ndarray, start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """Return the lightness on a line between two points, in shares of width and height."""
    shares = np.linspace(0.1, 0.9, 40)
    x = np.rint((start[0] + shares * (end[0] - start[0])) * (WIDTH - 1)).astype(int)
    y = np.rint((start[1] + shares * (end[1] - start[1])) * (HEIGHT - 1)).astype(int)
    return light[y, x]


def segment(query: tuple[float, float], ref: tuple[float, float]) -> Segment:
    evidence = Evidence(0.9, 0.0, 1.0, 1.0, 4.0)
    return Segment(*query, *ref, score=0.9, speed=1.0, evidence=evidence)


def test_the_uploads_time_runs_to_the_right_and_the_works_upwards() -> None:
    matrix = np.full((240, 100), 0.1, np.float32)
    matrix[np.arange(120), np.arange(120) // 3 + 20] = 0.95  # the work's first half
    views = (10.0, 20.0), (100.0, 148.0)
    light = light_of(draw_matrix(matrix, 0.3, views, []))
    assert along(light, (0.2, 0.0), (0.6, 0.5)).mean() > 100
    assert along(light, (0.2, 0.5), (0.6, 1.0)).max() < 60
    assert light[-20:].max() < 60


def test_what_is_chance_is_as_dark_as_nothing() -> None:
    matrix = np.array([[-1.0, 0.1], [0.3, 1.0]], np.float32)
    light = light_of(draw_matrix(matrix, 0.3, ((0, 1), (0, 1)), []))
    assert len({light[10, 10], light[10, -10], light[-10, 10]}) == 1
    assert light[-10, -10] > light[10, 10] + 100


def test_segments_are_outlined_and_the_line_within_is_left_to_be_seen() -> None:
    matrix = np.full((240, 240), 0.1, np.float32)
    one = segment((2.0, 8.0), (102.0, 108.0))
    views = (0.0, 10.0), (100.0, 110.0)
    plain = light_of(draw_matrix(matrix, 0.3, views, []))
    light = light_of(draw_matrix(matrix, 0.3, views, [one]))
    rows, columns = np.nonzero(light != plain)
    ends = [columns.min() / WIDTH, columns.max() / WIDTH, rows.min() / HEIGHT, rows.max() / HEIGHT]
    assert ends == pytest.approx([0.2, 0.8, 0.2, 0.8], abs=0.05)
    assert (along(light, (0.2, 0.2), (0.8, 0.8)) == plain[0, 0]).all()


def test_a_real_copy_is_a_light_line(
    scanned_desk: ScannedDesk, index: ReferenceIndex, settings: Settings, tmp_path: Path
) -> None:
    case = scanned_desk.cases["bikes-sped-up"]
    path = Path(shutil.copy(case.source, tmp_path / "upload.mp4"))
    case = replace(case, source=str(path))
    png = matrix_picture(case, 0, index, scanned_desk.descriptors, settings)
    (flag,) = from_json(dict(case.result)).flags
    work = index.work("bikes")
    line = timeline(flag.match.segments, case.duration, work.duration)
    (one,) = flag.match.segments
    (left, right), (bottom, top) = line.upload.view, line.work.view
    ends = [
        ((query - left) / (right - left), (ref - bottom) / (top - bottom))
        for query, ref in ((one.query_start, one.ref_start), (one.query_end, one.ref_end))
    ]
    light = light_of(png)
    assert along(light, *ends).mean() > light.mean() + 60
    path.unlink()
    assert matrix_picture(case, 0, index, scanned_desk.descriptors, settings) == png


@pytest.fixture
def compilation(scanned_desk: ScannedDesk) -> Case:
    return scanned_desk.cases["best-scenes-compilation"]


def test_a_matrix_that_cannot_be_drawn_is_refused(
    scanned_desk: ScannedDesk,
    compilation: Case,
    index: ReferenceIndex,
    settings: Settings,
    tmp_path: Path,
) -> None:
    channels = scanned_desk.descriptors
    with pytest.raises(NoEvidenceError, match="no frames to be compared"):
        matrix_picture(scanned_desk.cases["interview"], 0, index, channels, settings)
    with pytest.raises(NoEvidenceError, match="Channel copy is not open"):
        matrix_picture(compilation, 0, index, {}, settings)
    gone = replace(compilation, source=str(tmp_path / "gone.mp4"))
    with pytest.raises(NoEvidenceError, match="no longer at"):
        matrix_picture(gone, 0, index, channels, settings)
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    with pytest.raises(NoEvidenceError, match="not a video"):
        matrix_picture(replace(compilation, source=str(broken)), 0, index, channels, settings)
    with (
        ReferenceIndex.open(tmp_path / "empty") as nothing,
        pytest.raises(NoEvidenceError, match="not enrolled any more"),
    ):
        matrix_picture(compilation, 0, nothing, channels, settings)
    assert not settings.home.exists()
