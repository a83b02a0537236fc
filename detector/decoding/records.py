"""What is known of a video, and its frames: plain values that pass from the child to its parent."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.types import Fault


class UnreadableMediaError(Exception):
    """A file gives no frames; the text says why, in words for a user.

    Attributes
    ----------
    fault
        The same for programs, where it has a name; None: the file is no video, damaged ...
    """

    def __init__(self, text: str, fault: Fault | None = None) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What is known of a video before its frames are decoded."""

    width: int  # as shown: after rotation, with square pixels
    height: int
    rotation: int  # degrees clockwise that a player turns the stored picture: 0, 90, 180, 270
    frame_rate: float | None  # average, frames per second
    is_variable_rate: bool
    duration: float | None  # seconds, as the file claims; None when it does not say
    codec: str
    container: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One sampled picture."""

    time: float  # seconds
    image: npt.NDArray[np.uint8]  # [height, width, 3] RGB, upright, square pixels


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may cost.

    A file that lies about its length gains nothing: processor time is allowed as frames come, not
    as headers promise. Uploads of ordinary make stay far below all of these.
    """

    memory: int = 4 << 30  # bytes of address space of the child process
    cpu_seconds: float = 120.0  # of processor time, to begin with,
    cpu_per_frame: float = 10.0  # and for each frame that was sampled
    silence: float = 120.0  # seconds without a frame, after which a file counts as hanging
    frames: int = 200_000  # samples of one file: 27 hours at 2 per second
    threads: int = max(1, (os.cpu_count() or 1) // 2)  # the other half describes what was decoded
