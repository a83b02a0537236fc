"""A long video of known footage, to take speed with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from detector.samples import footage, whole, write_clip

WIDTH, HEIGHT, RATE = 1280, 720, 25
_REPEATS = 5  # encoding takes long, so a fifth is encoded and repeated


def make_long_video(clips: Sequence[Path], minutes: int, folder: Path) -> Path:
    """Make a video at 720p out of clips: H.264 with a keyframe every 2 s, like web video."""
    part, video = folder / "part.mp4", folder / "long.mp4"
    seconds = 60 * minutes // _REPEATS
    frames = _frames(clips, seconds)
    write_clip(part, frames, gop=2 * RATE, b_frames=3, threads=os.cpu_count() or 1)
    _repeat(part, video, Fraction(seconds))
    return video


def _frames(clips: Sequence[Path], seconds: float) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
    """Frames of the clips one after the other, again and again, at a constant rate."""
    number = 0
    for clip in cycle(clips):
        for _, image in footage(whole(clip)):
            if number >= seconds * RATE:
                return
            resized = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            yield number / RATE, np.asarray(resized, np.uint8)
            number += 1


def _repeat(source: Path, target: Path, period: Fraction) -> None:
    """Write a video several times over, without encoding it again."""
    with av.open(os.fspath(target), "w") as output:
        copy: Any = None
        for number in range(_REPEATS):
            with av.open(os.fspath(source)) as container:
                stream = container.streams.video[0]
                copy = copy or output.add_stream_from_template(stream)
                base = stream.time_base or Fraction(1, av.time_base)
                offset = int(number * period / base)
                for packet in container.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = copy
                    output.mux(packet)
