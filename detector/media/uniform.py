"""Frames that show nothing: black, white, one colour, faded out, or a test card.

Such frames match each other perfectly whatever the film, so a single black frame would be enough
to flag everything that fades to black. They are left out before indexing and before searching.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_SIDE = 64
_FLAT_RANGE = 16  # 8-bit levels between the darkest and the brightest 2 % of a flat picture
_SAME_LINE = 1.5  # mean 8-bit difference up to which two neighbouring lines are the same
_LINES_THE_SAME = 0.92


def is_uniform(image: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture, [height, width, 3] RGB, has too little content to tell films apart.

    Flat pictures have nearly the same value everywhere in every colour channel. Test cards and
    plain gradients consist of stripes: nearly every line, or every column, equals its neighbour.
    """
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    ends = _SIDE * _SIDE // 50  # pixels that may be darker or brighter than a flat picture
    ordered = np.partition(small.reshape(-1, 3), (ends, -ends - 1), axis=0)
    if (ordered[-ends - 1] - ordered[ends]).max() < _FLAT_RANGE:
        return True
    for axis in (0, 1):
        differences = np.abs(np.diff(small, axis=axis)).mean(axis=(1 - axis, 2))
        if (differences < _SAME_LINE).mean() >= _LINES_THE_SAME:
            return True
    return False
