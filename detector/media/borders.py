"""Plain borders around a picture: letterbox, pillarbox, a phone's upright frame around a film."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_FLAT_RANGE = 14  # 8-bit levels within a border line; coding noise around black stays below
_SAME_COLOUR = 10  # 8-bit levels between the lines of one border
_LEAST_BORDER = 0.02  # of a side; less is an edge artefact, and not worth a crop
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
    spread = np.ptp(image, axis=1).max(axis=1)
    colour = image.mean(axis=1)
    first = _border(spread, colour)
    last = lines - _border(spread[::-1], colour[::-1])
    if last - first < max(2.0, _LEAST_LEFT * lines):
        return 0, lines
    least = _LEAST_BORDER * lines
    return (first if first >= least else 0), (last if lines - last >= least else lines)


def _border(spread: npt.NDArray[np.uint8], colour: npt.NDArray[np.float64]) -> int:
    """How many lines from the first on are flat and of the first one's colour."""
    plain = (spread <= _FLAT_RANGE) & (np.abs(colour - colour[0]).max(axis=1) <= _SAME_COLOUR)
    return len(plain) if plain.all() else int(np.argmin(plain))
