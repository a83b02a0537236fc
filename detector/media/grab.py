"""Single frames at given times, as evidence for a reader; scanning never seeks like this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from detector.media.probe import UnreadableMediaError, open_video
from detector.media.sample import to_rgb


def grab(path: Path, times: Sequence[float], short_side: int = 360) -> list[npt.NDArray[np.uint8]]:
    """Return what is on screen at each of `times` (seconds), as [height, width, 3] RGB.

    Raises
    ------
    UnreadableMediaError
        When the file cannot be read, or has no frame at or before one of the times.
    """
    images = []
    with open_video(path) as (container, stream):
        start = (container.start_time or 0) / av.time_base
        for time in times:
            # A little early: seeking lands on a keyframe at or before a decoding time, which may
            # lie after the presentation time that is asked for.
            container.seek(max(0, int((time + start - 0.5) * av.time_base)))
            shown = None
            for frame in container.decode(stream):
                if frame.pts is None or stream.time_base is None:
                    continue
                if shown is not None and float(frame.pts * stream.time_base) - start > time + 1e-3:
                    break
                shown = frame
            if shown is None:
                raise UnreadableMediaError(f"no frame at {time:.3f} s")
            images.append(to_rgb(shown, short_side, stream.sample_aspect_ratio))
    return images
