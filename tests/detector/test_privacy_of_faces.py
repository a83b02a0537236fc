"""Faces of people who are not enrolled leave no trace; those of the enrolled lie sealed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from detector.assets import ASSETS, fetch
from detector.batch import Batch
from detector.descriptors import space_of
from detector.descriptors.sface import FaceDescriptor, align_face
from detector.faces import FaceWatch
from detector.inputs import Source
from detector.matching.likeness import FaceTrack
from detector.media import Sampler
from detector.output import to_json
from detector.people import describe_reference, open_faces, people_cipher
from detector.settings import Settings, load_settings
from detector.types import ScanResult
from index.person_records import NewPerson, ReferenceFace
from index.records import Policy
from index.reference_index import ReferenceIndex

TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def descriptor() -> FaceDescriptor:
    return FaceDescriptor()


@pytest.fixture(scope="module")
def upload() -> Path:
    """Return a clip of a man whom nobody has enrolled."""
    return fetch(ASSETS["carphone_pristine"])


@pytest.fixture(scope="module")
def stranger(upload: Path, descriptor: FaceDescriptor) -> FaceTrack:
    watch = FaceWatch(descriptor)
    watch.look(list(Sampler(upload, 8.0, 720)))
    watch.finish()
    return watch.tracks[0]


@pytest.fixture(scope="module")
def enrolled(portrait: Path, descriptor: FaceDescriptor) -> ReferenceFace:
    (face,) = describe_reference(Source(str(portrait)), descriptor, load_settings()).faces
    return face


@pytest.fixture(scope="module")
def scanned(
    tmp_path_factory: pytest.TempPathFactory,
    upload: Path,
    portrait_clip: Path,
    enrolled: ReferenceFace,
    descriptor: FaceDescriptor,
) -> tuple[Settings, list[ScanResult]]:
    """Scan the stranger and the enrolled person in a workspace, as a batch does."""
    settings = load_settings(home=tmp_path_factory.mktemp("workspace"))
    person = NewPerson(
        id="eileen", name="Eileen", authority="NASA", retain_until=date.max, policy=Policy.REVIEW
    )
    with ReferenceIndex.open(settings.home) as index:
        cipher = people_cipher(settings, make=True)
        index.people.add(person, space_of(descriptor), [enrolled], cipher)
        faces = open_faces(index, settings, TODAY)
        batch = Batch(index, {}, settings, faces=faces, min_score=0.0)
        results = list(batch.run([Source(str(upload)), Source(str(portrait_clip))]))
    return settings, results


def traces(vector: npt.NDArray[np.float32]) -> Iterator[bytes]:
    """Yield what an embedding would leave in a file, in binary and in text."""
    for kind in ("<f4", "<f2", "<f8", ">f4"):
        numbers = vector.astype(kind)
        for start in range(0, len(vector) - 4, 4):
            yield numbers[start : start + 4].tobytes()
    for number in vector[np.abs(vector) > 0.01].tolist():
        yield f"{number:.6f}".encode()
        yield repr(number).encode()[:8]


def found_in(home: Path, vector: npt.NDArray[np.float32]) -> list[str]:
    files = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert files
    return [
        str(path.relative_to(home))
        for path, content in files.items()
        if any(trace in content for trace in traces(vector))
    ]


def test_a_stranger_leaves_nothing_in_the_workspace(scanned, stranger):
    settings, _ = scanned
    assert found_in(settings.home, stranger.vector) == []


def test_the_search_would_have_found_it(tmp_path, stranger):
    np.save(tmp_path / "planted.npy", stranger.vector)
    (tmp_path / "planted.json").write_text(str(stranger.vector.tolist()))
    assert sorted(found_in(tmp_path, stranger.vector)) == ["planted.json", "planted.npy"]


def test_nor_is_a_picture_of_anybody_kept(scanned, upload, descriptor):
    settings, _ = scanned
    for path in settings.home.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for magic in (b"\xff\xd8\xff", b"\x89PNG", b"RIFF"):
            assert magic not in content, path
    frame = next(iter(Sampler(upload, 8.0, 720))).image
    (face, *_) = descriptor.find(frame)
    aligned = align_face(frame, face.landmarks)
    _, png = cv2.imencode(".png", aligned)
    for path in settings.home.rglob("*"):
        if path.is_file():
            assert aligned[50].tobytes() not in path.read_bytes()
            assert png.tobytes()[100:140] not in path.read_bytes()


def test_results_only_count_strangers(scanned):
    _, (of_stranger, of_person) = scanned
    assert of_stranger.flags == ()
    assert of_stranger.faces is not None
    assert of_stranger.faces.unknown == of_stranger.faces.tracks > 0
    text = str(to_json(of_stranger))
    assert "box" not in text
    assert "similarity" not in text
    assert [flag.match.ref_id for flag in of_person.flags] == ["eileen"]


def test_what_is_kept_of_the_enrolled_is_sealed(scanned, enrolled):
    settings, _ = scanned
    assert found_in(settings.home, enrolled.vector) == []
    with ReferenceIndex.open(settings.home) as index:
        cipher = people_cipher(settings)
        (again,) = index.people.references("eileen", cipher)
        assert index.verify(cipher=cipher) == []
    np.testing.assert_array_equal(again.vector, enrolled.vector)
    assert again.crop == enrolled.crop
