"""The systems the detector is compared with, on a real clip and its re-encoded copy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from detector.descriptors import DescriptorUnavailableError
from detector.descriptors.base import Descriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.evaluation.baselines import (
    Baseline,
    NearestFrameBaseline,
    PdqBaseline,
    VscRecipeBaseline,
    describe_background,
    open_baselines,
)
from detector.evaluation.metrics import Box, found
from detector.samples import Cut, SampleSet, transcode, whole, write_clip


@pytest.fixture(scope="module")
def descriptor() -> SscdDescriptor:
    return SscdDescriptor()


def upload(samples: SampleSet, name: str) -> Path:
    return next(sample.path for sample in samples.uploads if sample.path.stem == name)


def planted(samples: SampleSet, name: str) -> list[Box]:
    copies = next(sample.copies for sample in samples.uploads if sample.path.stem == name)
    return [Box(name, c.ref_id, c.query_start, c.query_end, c.ref_start, c.ref_end) for c in copies]


def enrolled(baseline: Baseline, samples: SampleSet) -> Baseline:
    for film in samples.films:
        baseline.enroll(film.stem, film)
    return baseline


def check_whole_copy_is_found(baseline: Baseline, samples: SampleSet, folder: Path) -> None:
    """The whole of a re-encoded film is found, and nothing scores above it."""
    copy = folder / "copy.mp4"
    film = next(film for film in samples.films if film.stem == "bikes")
    transcode(copy, [whole(film)], crf=33)
    boxes = enrolled(baseline, samples).scan("copy", copy)
    best = max(boxes, key=lambda box: box.score)
    duration = whole(film).duration
    assert best.pair == ("copy", "bikes")
    assert best.edges == pytest.approx((0, duration, 0, duration), abs=1.0)


@pytest.fixture(scope="module")
def background(descriptor: Descriptor, samples: SampleSet) -> np.ndarray:
    return describe_background([upload(samples, "holiday-slides")], descriptor)


class TestNearestFrame:
    @pytest.fixture
    def baseline(self, descriptor: Descriptor, samples: SampleSet) -> Baseline:
        return enrolled(NearestFrameBaseline(descriptor), samples)

    def test_a_whole_copy(self, baseline: Baseline, samples: SampleSet, tmp_path: Path) -> None:
        check_whole_copy_is_found(baseline, samples, tmp_path)

    def test_every_scene_of_a_compilation(self, baseline: Baseline, samples: SampleSet) -> None:
        name = "best-scenes-compilation"
        boxes = baseline.scan(name, upload(samples, name))
        assert all(found(truth, boxes) for truth in planted(samples, name))

    def test_without_works_nothing_is_found(
        self, descriptor: Descriptor, samples: SampleSet
    ) -> None:
        assert NearestFrameBaseline(descriptor).scan("a", samples.films[0]) == []


class TestVscRecipe:
    def test_a_whole_copy(
        self, descriptor: Descriptor, background: np.ndarray, samples: SampleSet, tmp_path: Path
    ) -> None:
        check_whole_copy_is_found(VscRecipeBaseline(descriptor, background), samples, tmp_path)

    def test_copies_score_above_other_footage(
        self, descriptor: Descriptor, background: np.ndarray, samples: SampleSet
    ) -> None:
        baseline = enrolled(VscRecipeBaseline(descriptor, background, neighbours=5), samples)
        copy = baseline.scan("bikes-cropped", upload(samples, "bikes-cropped"))
        innocent = baseline.scan("phone-call", upload(samples, "phone-call"))
        scores = {box.ref_id: box.score for box in copy}
        assert scores["bikes"] > 0.5
        assert all(box.score < 0.2 for box in innocent)

    def test_what_resembles_the_background_scores_lower(
        self, descriptor: Descriptor, background: np.ndarray, samples: SampleSet
    ) -> None:
        film = samples.films[0]
        alike = describe_background([film], descriptor)
        scores = [
            max(
                box.score
                for box in enrolled(VscRecipeBaseline(descriptor, vectors), samples).scan("a", film)
            )
            for vectors in (background, np.concatenate([background, alike]))
        ]
        assert scores[0] > 0.5
        assert scores[1] == pytest.approx(1 - 1.2, abs=0.01)

    def test_the_background_is_checked(self, descriptor: Descriptor) -> None:
        with pytest.raises(ValueError, match="mean over 1 neighbours"):
            VscRecipeBaseline(descriptor, np.empty((0, descriptor.dim), np.float32))
        with pytest.raises(ValueError, match="L2-normalise"):
            VscRecipeBaseline(descriptor, np.ones((3, descriptor.dim), np.float32))


class TestPdq:
    @pytest.fixture(autouse=True)
    def _library(self) -> None:
        pytest.importorskip("pdqhash")

    @pytest.mark.parametrize("score_by", ["share", "count"])
    def test_a_whole_copy(
        self, score_by: Literal["share", "count"], samples: SampleSet, tmp_path: Path
    ) -> None:
        check_whole_copy_is_found(PdqBaseline(score_by), samples, tmp_path)

    def test_other_footage_does_not_match(self, samples: SampleSet) -> None:
        baseline = enrolled(PdqBaseline(), samples)
        assert baseline.scan("phone-call", upload(samples, "phone-call")) == []

    def test_too_few_matches_for_a_path_still_make_a_box(
        self, samples: SampleSet, tmp_path: Path
    ) -> None:
        film = samples.films[0]
        short = tmp_path / "short.mp4"
        transcode(short, [Cut(film, 1.0, 3.0)])
        baseline = PdqBaseline()
        baseline.enroll("film", film)
        (box,) = baseline.scan("short", short)
        assert box.edges == pytest.approx((0, 2, 1, 3), abs=1.0)
        assert box.score == 1.0

    def test_frames_without_content_match_nothing(self, tmp_path: Path) -> None:
        black = tmp_path / "black.mp4"
        write_clip(black, ((t / 5, np.zeros((90, 160, 3), np.uint8)) for t in range(20)))
        baseline = PdqBaseline()
        baseline.enroll("black", black)
        assert baseline.scan("again", black) == []


def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, descriptor: Descriptor
) -> None:
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    with pytest.raises(DescriptorUnavailableError, match="pip install pdqhash"):
        PdqBaseline()
    notes: list[str] = []
    names = [baseline.name for baseline in open_baselines(notes.append, descriptor)]
    assert names == [f"nearest-frame-{descriptor.name}"]
    assert [("pdqhash" in note, "background" in note) for note in notes] == [
        (True, False),
        (False, True),
    ]
