from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from detector.matching.geometry import Picture, register
from detector.media import grab
from detector.output import from_json
from detector.people import people_cipher
from detector.review.evidence import NoEvidenceError
from detector.review.evidence_store import EVIDENCE
from detector.review.pictures import (
    face_enrolled,
    face_in_upload,
    outlined,
    pair_picture,
)
from detector.review.records import Case
from detector.samples import SampleSet
from detector.settings import Settings
from detector.types import Flag, FramePair, Likeness
from index.cipher import KEY_BYTES, Cipher
from index.errors import WrongKeyError
from index.reference_index import ReferenceIndex
from tests.detector.review.conftest import ScannedDesk, case_of


@pytest.fixture
def index(scanned_desk: ScannedDesk) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(scanned_desk.home) as index:
        yield index


@pytest.fixture
def settings(scanned_desk: ScannedDesk, tmp_path: Path) -> Settings:
    """Return settings with an evidence folder of their own."""
    return scanned_desk.settings.model_copy(update={"home": tmp_path / "home"})


@pytest.fixture
def compilation(scanned_desk: ScannedDesk) -> Case:
    return scanned_desk.cases["best-scenes-compilation"]


def number_of(case: Case, work_id: str) -> int:
    flags = from_json(dict(case.result)).flags
    return next(n for n, flag in enumerate(flags) if flag.match.ref_id == work_id)


def with_pair(case: Case, match: int, pair: FramePair) -> Case:
    """Return a case in which a match has this pair of frames only."""
    result = from_json(dict(case.result))
    flag = result.flags[match]
    segment = replace(flag.match.segments[0], pairs=(pair,))
    changed: list[Flag] = list(result.flags)
    changed[match] = replace(flag, match=replace(flag.match, segments=(segment,)))
    return case_of(replace(result, flags=tuple(changed)), case.digest)


def picture_of(jpeg: bytes | None) -> Picture:
    assert jpeg is not None
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def drawn(jpeg: bytes | None, plain: Picture) -> np.ndarray:
    """Return where a picture has the line's colour and the plain one has not, [height, width]."""
    image = picture_of(jpeg).astype(int)
    assert image.shape == plain.shape

    def yellow(one: np.ndarray) -> np.ndarray:
        return (one[..., 0] > 190) & (one[..., 1] > 180) & (one[..., 2] < 130)

    return yellow(image) & ~yellow(plain.astype(int))


def test_around_a_letterboxed_film_a_line_is_drawn(
    compilation: Case, index: ReferenceIndex, settings: Settings, samples: SampleSet
) -> None:
    match = number_of(compilation, "bikes")
    pair = from_json(dict(compilation.result)).flags[match].match.segments[0].pairs[0]
    pictures = pair_picture(compilation, match, 0, 0, index, settings)
    assert pictures.notes == ()
    film = next(path for path in samples.films if path.stem == "bikes")
    (ours,), (theirs,) = (
        grab(Path(compilation.source), [pair.query_time], 360),
        grab(film, [pair.ref_time], 360),
    )
    rows, columns = np.nonzero(drawn(pictures.upload, ours))
    bars = np.flatnonzero(ours.max(axis=(1, 2)) > 60)  # the film between its black bars
    dot = 12  # pixels: it reaches beyond the corner that it marks
    assert rows.min() == pytest.approx(bars.min(), abs=dot)
    assert rows.max() == pytest.approx(bars.max(), abs=dot)
    assert columns.min() < 8
    assert columns.max() > ours.shape[1] - 8
    rows, columns = np.nonzero(drawn(pictures.reference, theirs))
    assert (rows.min() < 8, columns.min() < 8) == (True, True)
    assert rows.max() > theirs.shape[0] - 8


def test_the_dot_marks_the_same_corner_of_a_mirrored_film(samples: SampleSet) -> None:
    film = next(path for path in samples.films if path.stem == "bikes")
    (work,) = grab(film, [4.0], 360)
    upload = np.ascontiguousarray(work[:, ::-1])
    registration = register(upload, work)
    assert registration is not None
    corner = 24
    dots = []
    for plain, picture in zip((upload, work), outlined(upload, work, registration), strict=True):
        changed = (picture != plain).any(axis=2)
        dots.append((changed[:corner, :corner].sum(), changed[:corner, -corner:].sum()))
    (upload_left, upload_right), (work_left, work_right) = dots
    assert work_left > 1.1 * work_right
    assert upload_right > 1.1 * upload_left


def test_only_the_part_of_the_work_that_is_seen_is_outlined(samples: SampleSet) -> None:
    film = next(path for path in samples.films if path.stem == "bikes")
    (work,) = grab(film, [4.0], 360)
    height, width = work.shape[:2]
    upload = np.ascontiguousarray(work[height // 4 : -height // 4, width // 4 : -width // 4])
    registration = register(upload, work)
    assert registration is not None
    _, picture = outlined(upload, work, registration)
    rows, columns = np.nonzero((picture != work).any(axis=2))
    found = [rows.min() / height, rows.max() / height, columns.min() / width, columns.max() / width]
    assert found == pytest.approx([0.25, 0.75, 0.25, 0.75], abs=0.05)


def test_on_frames_that_do_not_fit_nothing_is_drawn(
    compilation: Case, index: ReferenceIndex, settings: Settings, samples: SampleSet
) -> None:
    match = number_of(compilation, "bikes")
    case = with_pair(compilation, match, FramePair(0.5, 4.0, 0.4))  # of another film
    pictures = pair_picture(case, match, 0, 0, index, settings)
    film = next(path for path in samples.films if path.stem == "bikes")
    (ours,) = grab(Path(case.source), [0.5], 360)
    (theirs,) = grab(film, [4.0], 360)
    for jpeg, plain in zip(pictures[:2], (ours, theirs), strict=True):
        assert np.abs(picture_of(jpeg).astype(int) - plain).mean() < 6
        assert drawn(jpeg, plain).sum() < 20


def test_pictures_are_kept_with_the_workspace(
    compilation: Case, index: ReferenceIndex, settings: Settings, tmp_path: Path
) -> None:
    path = Path(shutil.copy(compilation.source, tmp_path / "upload.mp4"))
    case = replace(compilation, source=str(path))
    first = pair_picture(case, 0, 0, 0, index, settings)
    kept = sorted((settings.home / EVIDENCE / case.digest).iterdir())
    assert {file.read_bytes() for file in kept} == set(first[:2])
    path.unlink()
    assert pair_picture(case, 0, 0, 0, index, settings) == first
    assert pair_picture(case, 0, 0, 0, index, settings, side=180).upload is None


def test_pictures_can_be_kept_at_an_address(
    compilation: Case, index: ReferenceIndex, settings: Settings, s3: Any, tmp_path: Path
) -> None:
    s3.create_bucket(Bucket="desk")
    settings = settings.model_copy(update={"evidence": "s3://desk/pictures"})
    path = Path(shutil.copy(compilation.source, tmp_path / "upload.mp4"))
    case = replace(compilation, source=str(path))
    first = pair_picture(case, 0, 0, 0, index, settings)
    kept = s3.list_objects_v2(Bucket="desk", Prefix=f"pictures/{case.digest}/")["Contents"]
    assert len(kept) == 2
    assert not settings.home.exists()
    path.unlink()
    assert pair_picture(case, 0, 0, 0, index, settings) == first


def test_of_a_missing_upload_the_reference_is_shown_alone(
    compilation: Case, index: ReferenceIndex, settings: Settings, tmp_path: Path
) -> None:
    case = replace(compilation, source=str(tmp_path / "gone.mp4"))
    pictures = pair_picture(case, 0, 0, 0, index, settings)
    assert pictures.upload is None
    film = Path(index.work(from_json(dict(case.result)).flags[0].match.ref_id).source)
    assert picture_of(pictures.reference).shape == grab(film, [0.0], 360)[0].shape
    assert pictures.notes == (f"The upload is no longer at {tmp_path / 'gone.mp4'}",)
    assert not settings.home.exists()
    with ReferenceIndex.open(tmp_path / "empty") as nothing:
        alone = pair_picture(compilation, 0, 0, 0, nothing, settings)
    assert alone.reference is None
    assert alone.upload is not None


@pytest.mark.parametrize(
    ("numbers", "says"),
    [((9, 0, 0), "no match 9"), ((0, 7, 0), "no segment 7"), ((0, 0, 99), "no pair 99"),
     ((0, -1, 0), "no segment -1"), ((0, 0, -1), "no pair -1")],
)  # fmt: skip
def test_pairs_that_are_not_there_are_refused(
    compilation: Case,
    index: ReferenceIndex,
    settings: Settings,
    numbers: tuple[int, int, int],
    says: str,
) -> None:
    with pytest.raises(NoEvidenceError, match=says):
        pair_picture(compilation, *numbers, index, settings)


def test_a_likely_face_is_shown_beside_the_enrolled_one_and_never_kept(
    scanned_desk: ScannedDesk, index: ReferenceIndex
) -> None:
    case = scanned_desk.cases["interview"]
    before = set(scanned_desk.home.rglob("*"))
    enrolled = face_enrolled(case, 0, 0, index, people_cipher(scanned_desk.settings))
    person = index.people.get("eileen")
    assert enrolled == index.people.crop(person.number, 1, people_cipher(scanned_desk.settings))
    seen = picture_of(face_in_upload(case, 0, 0, scanned_desk.settings))
    assert max(seen.shape) <= 200
    assert set(scanned_desk.home.rglob("*")) == before


def test_a_face_that_only_resembles_the_person_is_not_shown(
    scanned_desk: ScannedDesk, index: ReferenceIndex
) -> None:
    case = scanned_desk.cases["interview"]
    result = from_json(dict(case.result))
    (flag,) = result.flags
    (one,) = flag.match.appearances
    match = replace(flag.match, appearances=(replace(one, likeness=Likeness.RESEMBLES),))
    case = case_of(replace(result, flags=(replace(flag, match=match),)), case.digest)
    with pytest.raises(NoEvidenceError, match="only resembles"):
        face_in_upload(case, 0, 0, scanned_desk.settings)
    with pytest.raises(NoEvidenceError, match="only resembles"):
        face_enrolled(case, 0, 0, index, people_cipher(scanned_desk.settings))


def test_faces_that_cannot_be_shown_are_refused(
    scanned_desk: ScannedDesk, index: ReferenceIndex, compilation: Case, tmp_path: Path
) -> None:
    case = scanned_desk.cases["interview"]
    settings = scanned_desk.settings
    cipher = people_cipher(settings)
    with pytest.raises(NoEvidenceError, match="no appearance 3"):
        face_in_upload(case, 0, 3, settings)
    with pytest.raises(NoEvidenceError, match="no appearance 0"):
        face_in_upload(compilation, 0, 0, settings)
    with pytest.raises(NoEvidenceError, match="no longer at"):
        face_in_upload(replace(case, source=str(tmp_path / "gone.mp4")), 0, 0, settings)
    with pytest.raises(WrongKeyError):
        face_enrolled(case, 0, 0, index, Cipher(b"x" * KEY_BYTES))
    with (
        ReferenceIndex.open(tmp_path / "empty") as nothing,
        pytest.raises(NoEvidenceError, match="not enrolled any more"),
    ):
        face_enrolled(case, 0, 0, nothing, cipher)
