from __future__ import annotations

import stat
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.assets import ASSETS, fetch
from detector.descriptors import DescriptorUnavailableError
from detector.descriptors.sface import FaceDescriptor
from detector.inputs import Source
from detector.people import (
    NoFaceError,
    crop_face,
    describe_reference,
    enroll_person,
    find_outliers,
    id_of,
    open_faces,
    people_cipher,
)
from detector.samples import Picture, footage, whole, write_clip
from detector.settings import Settings, load_settings
from detector.types import Box
from index.errors import SpaceMismatchError, WrongKeyError
from index.person_records import NewPerson, ReferenceFace
from index.records import Policy
from index.reference_index import ReferenceIndex
from tests.conftest import load_picture


@pytest.fixture(scope="module")
def descriptor() -> FaceDescriptor:
    return FaceDescriptor()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", people_key_file=tmp_path / "own" / "people.key")


@pytest.fixture(scope="module")
def man() -> Picture:
    return next(iter(footage(whole(fetch(ASSETS["carphone_pristine"])))))[1]


def save(path: Path, picture: Picture) -> Source:
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return Source(str(path))


def reference(source: Source, descriptor: FaceDescriptor, which: str | None = None):
    return describe_reference(source, descriptor, load_settings(), which).faces


# --- photos and clips -------------------------------------------------------------------------


def test_a_photo_gives_one_face_with_its_picture(portrait, descriptor):
    (face,) = reference(Source(str(portrait)), descriptor)
    assert (face.source, face.time) == (str(portrait), None)
    crop = cv2.imdecode(np.frombuffer(face.crop, np.uint8), cv2.IMREAD_COLOR)
    assert max(crop.shape) <= 200
    (found, *_) = descriptor.find(np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), np.uint8))
    assert found.side > 60


def test_a_clip_gives_faces_at_their_times(portrait_clip, portrait, descriptor):
    faces = reference(Source(str(portrait_clip)), descriptor)
    (photo,) = reference(Source(str(portrait)), descriptor)
    assert faces
    for face in faces:
        assert face.time is not None
        assert 1.0 <= face.time <= 3.0  # the first second shows a cup
        assert face.vector @ photo.vector > 0.6


@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_a_photo_without_a_face_is_refused(descriptor, name):
    with pytest.raises(NoFaceError, match="no face in it"):
        reference(Source(str(fetch(ASSETS[name]))), descriptor)


def test_a_clip_without_a_face_is_refused(tmp_path, descriptor):
    cup = load_picture(fetch(ASSETS["coffee"]))
    write_clip(tmp_path / "cup.mp4", ((n / 10, cup[:, n : n + 400]) for n in range(20)))
    with pytest.raises(NoFaceError, match="no usable face"):
        reference(Source(str(tmp_path / "cup.mp4")), descriptor)


def test_a_face_in_the_dark_is_refused(tmp_path, portrait, descriptor):
    dark = save(tmp_path / "dark.png", np.asarray(load_picture(portrait) // 14, np.uint8))
    with pytest.raises(NoFaceError, match="face"):
        reference(dark, descriptor)


@pytest.fixture(scope="module")
def group(portrait: Path, man: Picture) -> Picture:
    """Return a picture of two people: an astronaut at the left, larger, and a man."""
    left = load_picture(portrait)[:300, 60:400]
    right = np.asarray(cv2.resize(man, (360, 300)), np.uint8)
    return np.hstack([left, right[:, :340]])


def test_of_several_faces_somebody_must_say_which(tmp_path, group, portrait, descriptor):
    both = save(tmp_path / "group.png", group)
    with pytest.raises(NoFaceError, match=r"2 faces .*say which with --face NUMBER or"):
        reference(both, descriptor)
    (photo,) = reference(Source(str(portrait)), descriptor)
    (first,) = reference(both, descriptor, "1")
    (second,) = reference(both, descriptor, "2")
    assert first.vector @ photo.vector > 0.6
    assert second.vector @ photo.vector < 0.3
    (largest,) = reference(both, descriptor, "largest")
    assert any(np.array_equal(largest.vector, one.vector) for one in (first, second))
    with pytest.raises(NoFaceError, match="--face 3 names none of 2 faces"):
        reference(both, descriptor, "3")


def test_of_several_people_in_a_clip_as_well(tmp_path, portrait, man, descriptor):
    astronaut = load_picture(portrait)[:400, :400]
    other = np.asarray(cv2.resize(man, (400, 400)), np.uint8)
    frames = [astronaut] * 20 + [other] * 30
    path = tmp_path / "interview.mp4"
    write_clip(path, ((n / 10, frame) for n, frame in enumerate(frames)))
    source = Source(str(path))
    with pytest.raises(NoFaceError, match=r"2 people .*say which"):
        reference(source, descriptor)
    (photo,) = reference(Source(str(portrait)), descriptor)
    assert all(face.vector @ photo.vector > 0.6 for face in reference(source, descriptor, "1"))
    assert all(face.vector @ photo.vector < 0.3 for face in reference(source, descriptor, "2"))
    assert all(f.vector @ photo.vector < 0.3 for f in reference(source, descriptor, "largest"))


def test_a_crop_stays_within_the_picture():
    picture = np.zeros((100, 200, 3), np.uint8)
    for box in (Box(-0.1, -0.2, 0.5, 0.6), Box(0.9, 0.9, 0.3, 0.3), Box(0, 0, 0, 0)):
        crop = cv2.imdecode(np.frombuffer(crop_face(picture, box), np.uint8), cv2.IMREAD_COLOR)
        assert crop.size > 0


# --- outliers ---------------------------------------------------------------------------------


def test_a_photo_of_somebody_else_is_warned_of(tmp_path, portrait, man, descriptor, settings):
    flipped = save(tmp_path / "flipped.png", np.ascontiguousarray(load_picture(portrait)[:, ::-1]))
    wrong = save(tmp_path / "wrong.png", np.asarray(cv2.resize(man, None, fx=2, fy=2), np.uint8))
    sources = [Source(str(portrait)), flipped, wrong]
    faces = [face for source in sources for face in reference(source, descriptor)]
    ((outlier, similarity),) = find_outliers(faces)
    assert (outlier.source, similarity < 0.3) == (wrong.name, True)
    assert find_outliers(faces[:2]) == []
    assert find_outliers(faces[:1]) == []
    with ReferenceIndex.open(settings.home) as index:
        cipher = people_cipher(settings, make=True)
        done = enroll_person(index.people, eileen(), descriptor, faces, cipher)
    (warning,) = done.warnings
    assert warning.startswith(f"{wrong.name} does not look like the others")
    assert done.person.faces == 3


# --- the key ----------------------------------------------------------------------------------


def test_the_key_is_made_once_and_for_its_owner_only(settings):
    with pytest.raises(WrongKeyError, match="there is no key"):
        people_cipher(settings)
    cipher = people_cipher(settings, make=True)
    path = settings.people_key_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert people_cipher(settings, make=True).fingerprint == cipher.fingerprint
    assert not path.is_relative_to(settings.home)


def test_a_key_may_come_from_the_settings(settings, monkeypatch):
    made = people_cipher(settings, make=True).fingerprint
    monkeypatch.setenv("MATCHCUT_PEOPLE_KEY", settings.people_key_file.read_text())
    assert people_cipher(load_settings()).fingerprint == made
    assert "people_key=SecretStr('**********')" in repr(load_settings())


@pytest.mark.parametrize("text", ["", "no base64!", "c2hvcnQ="])
def test_what_is_no_key_is_refused(settings, text):
    settings.people_key_file.parent.mkdir()
    settings.people_key_file.write_text(text)
    with pytest.raises(WrongKeyError, match="holds no key: it is 32 random bytes in base64"):
        people_cipher(settings)


# --- ready to scan ----------------------------------------------------------------------------


def eileen(until: date = date(2030, 1, 1)) -> NewPerson:
    return NewPerson(
        id="eileen", name="Eileen", authority="NASA", retain_until=until, policy=Policy.REVIEW
    )


@pytest.fixture
def face(portrait: Path, descriptor: FaceDescriptor) -> ReferenceFace:
    return reference(Source(str(portrait)), descriptor)[0]


def test_nobody_is_looked_for_when_nobody_may_be_matched(settings, descriptor, face):
    with ReferenceIndex.open(settings.home) as index:
        assert open_faces(index, settings, date(2026, 1, 1)) is None
        enroll_person(
            index.people, eileen(), descriptor, [face], people_cipher(settings, make=True)
        )
        assert open_faces(index, settings, date(2030, 1, 1)) is not None
        assert open_faces(index, settings, date(2030, 1, 2)) is None


def test_faces_of_another_model_are_not_compared(settings, descriptor, face):
    other = settings.model_copy(update={"face_model": str(fetch(ASSETS["sface"]))})
    with ReferenceIndex.open(settings.home) as index:
        enroll_person(
            index.people, eileen(), descriptor, [face], people_cipher(settings, make=True)
        )
        with pytest.raises(SpaceMismatchError, match="set MATCHCUT_FACE_MODEL back"):
            open_faces(index, other, date(2026, 1, 1))


def test_a_cohort_must_fit_the_model(tmp_path, settings, descriptor, face):
    narrow = tmp_path / "cohort.npz"
    np.savez(narrow, mean=np.zeros(8), covariance=np.eye(8), people=100)
    with ReferenceIndex.open(settings.home) as index:
        enroll_person(
            index.people, eileen(), descriptor, [face], people_cipher(settings, make=True)
        )
        for path, reason in ((narrow, "is 8 wide"), (tmp_path / "none.npz", "cannot be read")):
            given = settings.model_copy(update={"face_cohort": path})
            with pytest.raises(DescriptorUnavailableError, match=reason):
                open_faces(index, given, date(2026, 1, 1))


@pytest.mark.parametrize(
    ("name", "person_id"),
    [
        ("Anna Magnani", "anna_magnani"),
        ("Zoë O'Hara", "zoe_o_hara"),
        ("  R2-D2 ", "r2_d2"),
        ("三船敏郎", ""),
    ],
)
def test_a_name_gives_an_id(name, person_id):
    assert id_of(name) == person_id
