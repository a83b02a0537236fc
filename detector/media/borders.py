"""Plain borders around a picture: letterbox, pillarbox, a phone's upright frame around a film."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_FLAT_RANGE = 14  # 8-bit levels within a border line; coding noise around black stays below
_SAME_COLOUR = 10  # 8-bit levels between the lines of one border
_LEAST_BORDER = 0.02  # of a side; less is an edge artefact, and not worth a crop
_LINES_AT_ONCE = 8
_LEAST_LEFT = 0.15  # of either side; with less, it is not a picture in a frame


def trim_borders(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Cut plain lines of one colour off all four sides of a picture, [height, width, 3] RGB.

    Returns a view, which is the whole picture where there are no borders. References and uploads
    are treated alike, so it does no harm where a dark scene is taken for a border.
    """
    top, bottom = _inner(image)
    left, right = _inner(image[top:bottom].transpose(1, 0, 2))
    return image[top:bottom, left:right]


def _inner(image: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """First and last line (exclusive) along the first axis that are not border."""
    lines = len(image)
    first, last = _border(image), lines - _border(image[::-1])
    if last - first < max(2.0, _LEAST_LEFT * lines):
        return 0, lines
    least = _LEAST_BORDER * lines
    return (first if first >= least else 0), (last if lines - last >= least else lines)


def _border(image: npt.NDArray[np.uint8]) -> int:
    """How many lines from the first on are flat and of the first one's colour."""
    colour = image[0].mean(axis=0)
    for start in range(0, len(image), _LINES_AT_ONCE):  # most pictures have none: look no further
        lines = image[start : start + _LINES_AT_ONCE]
        spread = lines.max(axis=1).astype(np.int16) - lines.min(axis=1)
        plain = spread.max(axis=1) <= _FLAT_RANGE
        plain &= np.abs(lines.mean(axis=1) - colour).max(axis=1) <= _SAME_COLOUR
        if not plain.all():
            return start + int(np.argmin(plain))
    return len(image)
