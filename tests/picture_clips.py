"""Clips whose shots are photos that do not move, and these photos as stills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from detector.assets import ASSETS, fetch
from detector.samples import Picture, TimedPicture, write_clip

SHOT_S = 3.0
_RATE = 16
_SIZE = (320, 240)


def write_pictures(path: Path, names: Sequence[str]) -> Path:
    """Write a clip that shows each of some pictures of the manifest for `SHOT_S` seconds."""
    pictures = [_picture(name) for name in names]

    def frames() -> Iterator[TimedPicture]:
        for number in range(round(SHOT_S * _RATE) * len(pictures)):
            time = number / _RATE
            yield time, pictures[int(time / SHOT_S + 1e-9)]

    write_clip(path, frames(), crf=12)
    return path


def write_still(path: Path, name: str) -> Path:
    """Write one of these pictures as it is in the clips."""
    cv2.imwrite(str(path), cv2.cvtColor(_picture(name), cv2.COLOR_RGB2BGR))
    return path


def _picture(name: str) -> Picture:
    read = cv2.resize(cv2.imread(str(fetch(ASSETS[name]))), _SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), np.uint8)
