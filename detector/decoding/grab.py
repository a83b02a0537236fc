"""Single frames at given times, as evidence for a reader; scanning never seeks like this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from detector.decoding.probe import open_video, pixel_aspect_of
from detector.decoding.ranges import AnyFile, Ranges
from detector.decoding.records import UnreadableMediaError
from detector.decoding.sample import to_rgb
from detector.decoding.skipping import leave_out_others

# Seconds before the time that is asked for. A seek goes by decoding times and by an index that may
# be coarse (MPEG-TS has none), and can end up after it; then it is tried from further back.
_SEEK_BACK = (0.5, 5.0, 60.0, float(1 << 40))


def grab(
    file: AnyFile, times: Sequence[float], short_side: int = 360
) -> list[npt.NDArray[np.uint8]]:
    """Return what is on screen at each of `times` (seconds), as [height, width, 3] RGB.

    Raises
    ------
    UnreadableMediaError
        When the file cannot be read, or has no frame at or before one of the times.
    """
    images = []
    with open_video(file) as (container, stream):
        if isinstance(file, Ranges):
            leave_out_others(container, stream)
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


def grab_run(
    file: AnyFile, times: Sequence[float], short_side: int = 360
) -> list[npt.NDArray[np.uint8]]:
    """Return the same for rising times that lie close together, for which to seek once is faster.

    Raises
    ------
    UnreadableMediaError
        When the file cannot be read, or has no frame at or before the first time.
    """
    images: list[npt.NDArray[np.uint8]] = []
    with open_video(file) as (container, stream):
        if isinstance(file, Ranges):
            leave_out_others(container, stream)
        start = (container.start_time or 0) / av.time_base
        for back in _SEEK_BACK:
            target = max(0, int((times[0] + start - back) * av.time_base))
            shown = None
            for time, frame in _frames_from(container, stream, target):
                while shown is not None and time > times[len(images)] + start + 1e-3:
                    images.append(to_rgb(shown, short_side, pixel_aspect_of(stream)))
                    if len(images) == len(times):
                        return images
                if shown is None and time > times[0] + start + 1e-3:
                    break  # the seek ended too late
                shown = frame
            if shown is not None:  # the file ends before the last time
                last = to_rgb(shown, short_side, pixel_aspect_of(stream))
                return [*images, *[last] * (len(times) - len(images))]
    raise UnreadableMediaError(f"no frame at {times[0]:.3f} s")


def _frame_at(
    container: InputContainer, stream: VideoStream, target: int, time: float
) -> VideoFrame | None:
    """Seek to `target` (microseconds) and return the last frame up to `time` (seconds)."""
    shown = None
    for at, frame in _frames_from(container, stream, target):
        if at > time + 1e-3:
            break
        shown = frame
    return shown


def _frames_from(
    container: InputContainer, stream: VideoStream, target: int
) -> Iterator[tuple[float, VideoFrame]]:
    """Seek to `target` (microseconds) and decode: (seconds on the file's own clock, frame)."""
    try:
        container.seek(target)
        for frame in container.decode(stream):
            if frame.pts is not None and stream.time_base is not None:
                yield float(frame.pts * stream.time_base), frame
    except (av.error.FFmpegError, IndexError):
        return  # damaged from here on; what was decoded before may be what is asked for
