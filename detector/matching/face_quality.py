"""Whether a face can be told from others at all, and how far to trust what is seen of it.

What is known of strangers' faces does not depend on any of this (`detector.matching.likeness`):
small, blurred and turned faces are not taken for somebody more often. They are only recognised
less often, so the gate is wide, and the weight lets the better pictures of a face speak.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_LEAST_SIDE = 20.0  # pixels of the face in the video; at 16 half of all people are not recognised
_LEAST_CONTRAST = 10.0  # grey levels, standard deviation; faces in the dark of a theatre have 4
_LEAST_DETAIL = 0.004  # share of the contrast that is between neighbouring pixels
_LEAST_EYES = 0.12  # distance of the eyes, of that from eyes to mouth; 1 from the front
_GOOD_SIDE, _GOOD_DETAIL, _GOOD_EYES, _GOOD_TURN = 80.0, 0.05, 0.9, 0.25
_MOST_TURN = 1.5
_CORE = (slice(24, 108), slice(20, 92))  # of an aligned face: without hair and surroundings


def face_quality(
    aligned: npt.NDArray[np.uint8],
    landmarks: npt.NDArray[np.float32],
    side: float,
    score: float,
) -> float:
    """Judge one picture of a face by size, sharpness, light, pose and the detector's certainty.

    Parameters
    ----------
    aligned
        The aligned face, uint8 [112, 112, 3] RGB.
    landmarks
        float [5, 2] in the picture it was found in: eyes, nose, corners of the mouth.
    side
        Pixels of the face in that picture.
    score
        The detector's, in [0, 1].

    Returns
    -------
    float
        0 if the face cannot be told from others, else a weight in (0, 1].
    """
    import cv2

    grey = np.asarray(cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY), np.float32)
    contrast = float(grey[_CORE].std())
    if side < _LEAST_SIDE or contrast < _LEAST_CONTRAST:
        return 0.0
    detail = float(cv2.Laplacian(grey, cv2.CV_32F)[_CORE].var()) / contrast**2
    eyes, turn = _pose(np.asarray(landmarks, np.float64))
    if detail < _LEAST_DETAIL or eyes < _LEAST_EYES:
        return 0.0
    facing = min(1.0, eyes / _GOOD_EYES) * min(1.0, max(0.1, 1 - (turn - _GOOD_TURN) / _MOST_TURN))
    sharp = min(1.0, detail / _GOOD_DETAIL) ** 0.5
    large = min(1.0, side / _GOOD_SIDE) ** 0.5
    return float(large * sharp * facing * score)


def _pose(points: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return how far apart the eyes are, and how far the nose is to their side.

    Both are 0 in a strict profile and from the front: the first as a share of the distance from
    the eyes to the mouth, the second of that between the eyes.
    """
    left, right, nose, *mouth = points
    middle = (left + right) / 2
    height = float(np.linalg.norm(np.mean(mouth, axis=0) - middle))
    width = float(np.linalg.norm(right - left))
    if not height or not width:
        return 0.0, 0.0
    turn = abs(float((nose - middle) @ (right - left))) / width**2
    return width / height, turn
