"""A picture that nobody filmed, to try edits on."""

from __future__ import annotations

import cv2
import numpy as np

from detector.samples import Picture


def scenery(width: int, height: int, seed: int = 0) -> Picture:
    """Draw a picture with soft and sharp, dark and light, grey and coloured parts."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (6, 8, 3), np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        x, y = generator.integers(0, width), generator.integers(0, height)
        colour = [int(level) for level in generator.integers(0, 256, 3)]
        cv2.circle(picture, (int(x), int(y)), height // 12, colour, -1)
    return np.asarray(picture, np.uint8)
