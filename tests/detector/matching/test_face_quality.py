from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.descriptors.sface import FaceDescriptor, align_face
from detector.matching.face_quality import face_quality
from detector.samples import Picture
from tests.conftest import load_picture

FRONT = np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]], np.float32)
PROFILE = np.array([[50, 52], [52, 52], [30, 72], [46, 92], [48, 92]], np.float32)
HALF_TURNED = np.array([[40, 52], [64, 52], [42, 72], [42, 92], [60, 92]], np.float32)


@pytest.fixture(scope="module")
def aligned(portrait: Path) -> Picture:
    picture = load_picture(portrait)
    (face, *_) = FaceDescriptor().find(picture)
    return align_face(picture, face.landmarks)


def quality(aligned: Picture, landmarks=FRONT, side: float = 100.0, score: float = 0.95) -> float:
    return face_quality(aligned, landmarks, side, score)


def test_a_good_portrait_is_trusted(aligned):
    assert 0.8 < quality(aligned) <= 1


def test_it_falls_with_size_sharpness_pose_and_certainty(aligned):
    blurred = np.asarray(cv2.GaussianBlur(aligned, (0, 0), 1.5), np.uint8)
    best = quality(aligned)
    for worse in (
        quality(aligned, side=40),
        quality(blurred),
        quality(aligned, HALF_TURNED),
        quality(aligned, score=0.75),
    ):
        assert 0 < worse < best


def test_what_cannot_be_told_apart_is_not_used(aligned):
    dark = np.asarray(aligned // 16, np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(aligned, (0, 0), 6), np.uint8)
    assert quality(dark) == 0
    assert quality(blurred) == 0
    assert quality(aligned, side=12) == 0
    assert quality(aligned, PROFILE) == 0
    assert quality(aligned, np.full((5, 2), 50, np.float32)) == 0  # no landmarks to speak of
