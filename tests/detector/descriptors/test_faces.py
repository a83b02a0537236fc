from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.assets import ASSETS, fetch
from detector.descriptors import DescriptorUnavailableError
from detector.descriptors.sface import SIDE, FaceDescriptor, align_face
from detector.descriptors.yunet import FoundFace
from detector.samples import Picture
from tests.conftest import load_picture


@pytest.fixture(scope="module")
def descriptor() -> FaceDescriptor:
    return FaceDescriptor()


@pytest.fixture(scope="module")
def astronaut(portrait: Path) -> Picture:
    """Return the upper part of the portrait, with a face of about 100 pixels."""
    return np.ascontiguousarray(load_picture(portrait)[:260, 80:380])


def scaled(picture: Picture, factor: float) -> Picture:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way), np.uint8)


@pytest.mark.parametrize("side", [24, 32, 50, 100, 200, 400, 640])
def test_a_face_is_found_whatever_its_size(descriptor, astronaut, side):
    (face,) = descriptor.find(astronaut)
    factor = side / face.side
    (found,) = descriptor.find(scaled(astronaut, factor))
    assert found.side == pytest.approx(side, rel=0.25)
    error = np.linalg.norm(found.landmarks - face.landmarks * factor, axis=1).max()
    assert error < 0.1 * side


def test_several_faces_are_found_the_largest_first(descriptor, astronaut):
    picture = np.zeros((600, 900, 3), np.uint8)
    picture[:260, :300] = astronaut
    picture[:520, 300:] = scaled(astronaut, 2)
    large, small = descriptor.find(picture)
    assert (large.left > 300, small.left < 300) == (True, True)
    assert large.side == pytest.approx(2 * small.side, rel=0.15)


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_no_face_is_found_where_there_is_none(descriptor, name):
    found = descriptor.find(load_picture(fetch(ASSETS[name])))
    assert [face for face in found if face.score >= 0.85] == []


def test_threads_do_not_get_into_each_others_way(descriptor, astronaut):
    pictures = [scaled(astronaut, factor) for factor in (0.5, 1, 1.5, 2)] * 3
    alone = [descriptor.find(picture) for picture in pictures]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(descriptor.find, pictures))
    assert [[f.score for f in faces] for faces in together] == [
        [f.score for f in faces] for faces in alone
    ]


def box(left: float, top: float, width: float, height: float) -> FoundFace:
    return FoundFace(left, top, width, height, np.zeros((5, 2), np.float32), 0.9)


def test_overlap_is_the_share_of_the_smaller_box():
    assert box(0, 0, 10, 10).overlap(box(2, 2, 4, 4)) == pytest.approx(1)  # one in the other
    assert box(0, 0, 10, 10).overlap(box(5, 0, 10, 10)) == pytest.approx(0.5)
    assert box(0, 0, 10, 10).overlap(box(10, 0, 10, 10)) == 0
    assert box(0, 0, 0, 0).overlap(box(0, 0, 10, 10)) == 0


POSITIONS = np.array(
    [[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]], np.float32
)


@given(
    scale=st.floats(0.3, 3),
    turn=st.floats(-3, 3),
    right=st.floats(0, 200),
    down=st.floats(0, 200),
)
def test_a_face_is_aligned_wherever_and_however_it_lies(scale, turn, right, down):
    """A dot on a landmark comes to lie where the network expects that landmark."""
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    landmarks = POSITIONS @ np.array([[cosine, sine], [-sine, cosine]]) + [300 + right, 300 + down]
    picture = np.zeros((900, 900, 3), np.uint8)
    nose = landmarks[2]
    cv2.circle(picture, (round(nose[0]), round(nose[1])), max(2, round(3 * scale)), (255,) * 3, -1)
    aligned = align_face(picture, np.asarray(landmarks, np.float32))
    assert aligned.shape == (SIDE, SIDE, 3)
    rows, columns = np.nonzero(aligned[..., 0] > 60)
    assert abs(columns.mean() - 56.03) < 2.5
    assert abs(rows.mean() - 71.74) < 2.5


def embedding(descriptor: FaceDescriptor, picture: Picture) -> np.ndarray:
    (face, *_) = descriptor.find(picture)
    return descriptor.describe([align_face(picture, face.landmarks)])[0]


def test_an_embedding_knows_the_person_again(descriptor, astronaut):
    _, jpeg = cv2.imencode(".jpg", astronaut, [cv2.IMWRITE_JPEG_QUALITY, 20])
    compressed = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    vector = embedding(descriptor, astronaut)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    for picture in (astronaut[:, ::-1], scaled(astronaut, 0.4), compressed, astronaut[:, :, ::-1]):
        assert vector @ embedding(descriptor, np.ascontiguousarray(picture)) > 0.6


def test_one_face_after_the_other_gives_what_all_give_together(descriptor, astronaut):
    (face,) = descriptor.find(astronaut)
    aligned = align_face(astronaut, face.landmarks)
    pictures = [aligned, np.ascontiguousarray(aligned[:, ::-1]), 255 - aligned]
    together = descriptor.describe(pictures)
    assert together.shape == (3, descriptor.dim)
    np.testing.assert_allclose(
        together, np.concatenate([descriptor.describe([one]) for one in pictures]), atol=1e-5
    )
    assert descriptor.describe([]).shape == (0, descriptor.dim)


def test_the_space_is_named_by_the_model(descriptor):
    assert (descriptor.name, descriptor.version, descriptor.dim) == ("sface", "fb143eea0783", 128)


def test_a_model_that_is_none_is_refused(tmp_path):
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no model")
    for model in (str(broken), str(tmp_path / "missing.onnx")):
        with pytest.raises(DescriptorUnavailableError, match="give an ONNX model that takes"):
            FaceDescriptor(model)


def test_a_model_of_another_shape_is_refused():
    with pytest.raises(DescriptorUnavailableError, match="cannot be used"):
        FaceDescriptor(str(fetch(ASSETS["yunet"])))


def test_another_model_makes_another_space():
    """SFace itself, given by path, stands for any model of aligned faces."""
    path = fetch(ASSETS["sface"])
    other = FaceDescriptor(str(path))
    assert (other.name, other.dim) == (path.stem, 128)
