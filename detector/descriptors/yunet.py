"""Finding faces: YuNet, a small detector, at several scales.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023; the
quantised weights of the OpenCV Zoo, through OpenCV's own class, which decodes what the network puts
out. It misses faces larger than about 300 pixels and misplaces the landmarks of those over about
150, so a picture is looked at in several sizes and each face is taken from where it is of a size
the network was made for.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.types import Box

_BEST_SIDES = (36.0, 150.0)  # pixels of a face, for which the landmarks are best placed
_SMALLEST_LEVEL = 90  # pixels, the shorter side of the last of the scales
_SAME_FACE = 0.6  # overlap from which two finds are one face
_LEAST_SCORE = 0.7
_SAME_FIND = 0.3  # intersection over union, within one scale
_MOST_FACES = 500  # in one picture and scale


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face in a picture; coordinates are pixels of that picture."""

    left: float
    top: float
    width: float
    height: float
    landmarks: npt.NDArray[np.float32]  # [5, 2]: the eyes, the nose, the corners of the mouth
    score: float  # in [0, 1]: how surely it is a face

    @property
    def side(self) -> float:
        """How large it is: the geometric mean of width and height."""
        return math.sqrt(max(self.width, 0.0) * max(self.height, 0.0))

    def box_in(self, image: npt.NDArray[np.uint8]) -> Box:
        """Return where it is in the picture it was found in."""
        height, width = image.shape[:2]
        return Box(self.left / width, self.top / height, self.width / width, self.height / height)

    def overlap(self, other: FoundFace) -> float:
        """Return how much of the smaller box lies in the other one."""
        width = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        height = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        smaller = min(self.side, other.side) ** 2
        return max(width, 0.0) * max(height, 0.0) / smaller if smaller > 0 else 0.0


class YuNet:
    """YuNet in OpenCV.

    Parameters
    ----------
    model
        The ONNX file.
    short_side
        Pictures with a longer one are scaled down to it first.
    """

    def __init__(self, model: Path, short_side: int = 720) -> None:
        self._model = str(model)
        self._short_side = short_side
        self._own = threading.local()  # OpenCV's detector is not for two threads at a time

    def find(self, image: npt.NDArray[np.uint8]) -> list[FoundFace]:
        """Find the faces in a picture, uint8 [height, width, 3] RGB; the largest first."""
        import cv2

        picture = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), np.uint8)
        short = min(image.shape[:2])
        scale = min(1.0, self._short_side / short)
        found: list[tuple[int, FoundFace]] = []
        level = 0
        while level == 0 or short * scale >= _SMALLEST_LEVEL:
            size = (
                max(1, round(image.shape[1] * scale)),
                max(1, round(image.shape[0] * scale)),
            )
            if size != (picture.shape[1], picture.shape[0]):
                resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                picture = np.asarray(resized, np.uint8)
            found += [
                (_preference(face.side * scale), face)
                for face in self._detect(level, picture, image.shape[1] / size[0])
            ]
            scale /= 2
            level += 1
        found.sort(key=lambda one: (one[0], one[1].score), reverse=True)
        faces: list[FoundFace] = []
        for _, face in found:
            if all(face.overlap(other) < _SAME_FACE for other in faces):
                faces.append(face)
        return sorted(faces, key=lambda face: -face.side)

    def _detect(self, level: int, bgr: npt.NDArray[np.uint8], scale: float) -> list[FoundFace]:
        detector = self._detector(level)
        detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = detector.detect(bgr)
        if rows is None:
            return []
        return [_face(row * scale, float(row[14])) for row in rows]

    def _detector(self, level: int) -> Any:
        """Return this thread's detector of a scale: each keeps the size of its last picture."""
        import cv2

        detectors = vars(self._own).setdefault("detectors", {})
        if level not in detectors:
            log = cv2.utils.logging
            before = log.setLogLevel(log.LOG_LEVEL_ERROR)  # it warns of what it does itself
            try:
                detectors[level] = cv2.FaceDetectorYN.create(
                    self._model, "", (320, 320), _LEAST_SCORE, _SAME_FIND, _MOST_FACES
                )
            finally:
                log.setLogLevel(before)
        return detectors[level]


def _face(row: npt.NDArray[np.float32], score: float) -> FoundFace:
    left, top, width, height = row[:4].tolist()
    return FoundFace(left, top, width, height, row[4:14].reshape(5, 2), score)


def _preference(side: float) -> int:
    """Rank finds by the size they were found at: the best, then larger, then smaller ones."""
    least, most = _BEST_SIDES
    if side < least:
        return 1
    return 2 if side <= most else 0
