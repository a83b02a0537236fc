"""Single frames at given times, as evidence for a reader; scanning never seeks like this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from detector.media.probe import UnreadableMediaError, open_video, pixel_aspect_of
from detector.media.sample import to_rgb

# Seconds before the time that is asked for. A seek goes by decoding times and by an index that may
# be coarse (MPEG-TS has none), and can end up after it; then it is tried from further back.
_SEEK_BACK = (0.5, 5.0, 60.0, float(1 << 40))


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
            shown = None
            for back in _SEEK_BACK:
                target = max(0, int((time + start - back) * av.time_base))
                shown = _frame_at(container, stream, target, time + start)
                if shown is not None:
                    break
            if shown is None:
                raise UnreadableMediaError(f"no frame at {time:.3f} s")
            images.append(to_rgb(shown, short_side, pixel_aspect_of(stream)))
    return images


def _frame_at(
    container: InputContainer, stream: VideoStream, target: int, time: float
) -> VideoFrame | None:
    """Seek to `target` (microseconds) and return the last frame up to `time` (seconds)."""
    shown = None
    try:
        container.seek(target)
        for frame in container.decode(stream):
            if frame.pts is None or stream.time_base is None:
                continue
            if float(frame.pts * stream.time_base) > time + 1e-3:
                break
            shown = frame
    except (av.error.FFmpegError, IndexError):
        return shown  # damaged from here on; what was decoded before may be what is asked for
    return shown
