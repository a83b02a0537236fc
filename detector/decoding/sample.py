"""Frames of a video at a chosen rate, by exact presentation time.

A sample stands for a point of the time grid 0, 1/rate, 2/rate, ...: it is the frame that a player
shows at that moment. Its time is the frame's own presentation time (PTS x time base, counted from
the start of the file), so nothing is lost to variable frame rates, edit lists or offsets; only a
frame that stays on screen for several grid points is given again with the later points as times.

Decoding is the cost of a scan, so what no grid point needs is not decoded. The file is read in
order, without a seek, and `grid.PacketSelector` decides from the packets' times alone which of them
the decoder gets; where the frame rate is far above the sampling rate the decoder is told to drop
frames that no other frame refers to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, cast

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from detector.decoding.grid import Grid, PacketSelector
from detector.decoding.probe import (
    display_size,
    open_video,
    pixel_aspect_of,
    read_packets,
)
from detector.decoding.ranges import AnyFile, Ranges
from detector.decoding.records import Frame, UnreadableMediaError
from detector.decoding.skipping import Skipping, leave_out_others

# With this many frames between two samples, losing those that nothing refers to (commonly one to
# three in a row) moves a sample by a fraction of the grid. Below it every frame is decoded.
_FRAMES_PER_SAMPLE_TO_SKIP = 8
_BITS_PER_PIXEL = 0.025  # 600 kbit/s for 720p at 25 frames per second
# A frame that stays is given again for so many seconds; a header that claims years must not fill
# the memory.
_LONGEST_HOLD = 30.0


class Sampler:
    """Streams the frames of one file; after the iteration it tells what was lost.

    Parameters
    ----------
    file
        A local file, or one that lies elsewhere.
    rate
        Samples per second.
    short_side
        Frames are scaled down to this short side, in pixels; smaller ones are left as they are.
    threads
        Of the decoder.
    windows
        Stretches of time, in seconds, that frames are wanted of; None: of all. See `grid.Grid`.

    Raises
    ------
    UnreadableMediaError
        While iterating, when the file gives no frame at all.
    """

    def __init__(
        self,
        file: AnyFile,
        rate: float,
        short_side: int = 288,
        threads: int = 1,
        windows: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        self._file = file
        self._grid = Grid(1.0 / rate, windows)
        self._threads = threads
        self._interval = 1.0 / rate
        self._short_side = short_side
        self.undecodable = 0  # packets the decoder refused
        self.end: float | None = None  # end of the last decoded frame, seconds
        self._pixel_aspect: Fraction | None = None
        self._time_base = Fraction(1, av.time_base)
        self._usual_duration = 0.0
        self.error: str | None = None  # why reading stopped before the end of the file

    def __iter__(self) -> Iterator[Frame]:
        interval = self._interval
        shown: tuple[float, VideoFrame] | None = None  # what is on screen at the next grid point
        point = 0  # number of the next grid point
        sampled = losses = 0
        for time, frame in self._decoded():
            if shown is None:
                point = max(0, int(np.ceil(time / interval - 1e-9)))
            elif time <= shown[0]:
                continue
            else:
                # A gap in which packets were lost shows nothing that we know of.
                until = time if self.undecodable == losses else min(time, shown[0] + interval)
                for sample in self._on_screen(shown, point, until):
                    yield sample
                    sampled += 1
                point = max(point, int(np.ceil(time / interval - 1e-9)))
            shown, losses = (time, frame), self.undecodable
            self.end = time + self._duration_of(frame)
        if shown is None or self.end is None:
            raise UnreadableMediaError(self.error or "no frame could be decoded")
        if (
            not sampled and self._grid.is_whole
        ):  # a clip so short that it lies between two grid points
            yield Frame(shown[0], to_rgb(shown[1], self._short_side, self._pixel_aspect))
        else:
            yield from self._on_screen(shown, point, self.end)

    def _on_screen(
        self, shown: tuple[float, VideoFrame], point: int, until: float
    ) -> Iterator[Frame]:
        """Sample one frame for every grid point from `point` on that lies before `until`."""
        time, frame = shown
        until = min(until, time + _LONGEST_HOLD)
        image = None
        while point * self._interval < until - 1e-9:
            if self._grid.has(point):
                if image is None:
                    image = to_rgb(frame, self._short_side, self._pixel_aspect)
                    yield Frame(time, image)
                else:
                    yield Frame(point * self._interval, image)
            point += 1

    def _decoded(self) -> Iterator[tuple[float, VideoFrame]]:
        """Decode what the grid needs: (seconds from the start of the file, frame), in order."""
        with open_video(self._file, self._threads) as (container, stream):
            start = self._begin(container, stream)
            rate = stream.average_rate
            # Without deblocking H.264 and its kin decode a fifth faster, and the frames, scaled
            # down, stay the same to a descriptor (cosine 0.9997 in the mean); but where bits are
            # short the blocks are what is left of the picture (0.54 or 0.74 to the original).
            if not _is_short_of_bits(container, stream):
                context = stream.codec_context
                context.options = {**context.options, "skip_loop_filter": "all"}
            if rate and rate * self._interval >= _FRAMES_PER_SAMPLE_TO_SKIP:
                stream.codec_context.skip_frame = "NONREF"
            selector: PacketSelector[Packet[Any]] = PacketSelector(self._grid)
            for packet in self._packets(
                container, stream, self._skipping(container, stream, start)
            ):
                stamp = packet.pts if packet.pts is not None else packet.dts
                time = None if stamp is None else float(stamp * self._time_base) - start
                for due in selector.push(packet, time, is_key=packet.is_keyframe):
                    yield from self._decode(stream, due, start)
            for due in selector.finish():
                yield from self._decode(stream, due, start)
            yield from self._decode(stream, None, start)

    def every_frame(self) -> Iterator[tuple[float, VideoFrame]]:
        """Decode all there is in full quality, as a player does: (seconds, frame), in order."""
        with open_video(self._file, self._threads) as (container, stream):
            start = self._begin(container, stream)
            for packet in self._packets(container, stream):
                yield from self._decode(stream, packet, start)
            yield from self._decode(stream, None, start)

    def _begin(self, container: InputContainer, stream: VideoStream) -> float:
        """Take down what frames are read by; return the time at which the file starts."""
        self._pixel_aspect = pixel_aspect_of(stream)
        base = stream.time_base
        if base:
            self._time_base = Fraction(base.numerator, base.denominator)
        rate = stream.average_rate
        self._usual_duration = float(1 / rate) if rate else 0.0
        return (container.start_time or 0) / av.time_base

    def _skipping(
        self, container: InputContainer, stream: VideoStream, start: float
    ) -> Skipping | None:
        """Read of a far file only what is needed; of others reading is the least that costs."""
        if not isinstance(self._file, Ranges):
            return None
        leave_out_others(container, stream)
        return Skipping(self._file, container, stream, self._grid, start)

    def _packets(
        self, container: InputContainer, stream: VideoStream, skipping: Skipping | None = None
    ) -> Iterator[Packet[Any]]:
        """Read packets on one clock: where it jumps back (joined recordings), time goes on."""
        shift = 0  # in units of the time base
        latest: int | None = None
        try:
            for packet in read_packets(container, stream):
                if skipping is not None:
                    skipping.see(packet)
                if packet.dts is not None:
                    if latest is not None and self._time_base * (latest - packet.dts - shift) > 1:
                        shift = latest - packet.dts + round(self._usual_duration / self._time_base)
                    packet.dts += shift
                    if packet.pts is not None:
                        packet.pts += shift
                    latest = packet.dts
                yield packet
        except UnreadableMediaError as error:
            self.error = str(error)

    def _duration_of(self, frame: VideoFrame) -> float:
        # The frame's own `time_base` is missing on frames that the decoder held back to the end.
        return float(frame.duration * self._time_base) if frame.duration else self._usual_duration

    def _decode(
        self, stream: VideoStream, packet: Packet[Any] | None, start: float
    ) -> Iterator[tuple[float, VideoFrame]]:
        try:
            frames = stream.codec_context.decode(packet)
        except MemoryError:  # FFmpeg's is one of its errors, too
            raise
        except av.error.FFmpegError:
            self.undecodable += 1
            return
        for frame in frames:
            if frame.pts is not None:
                yield float(frame.pts * self._time_base) - start, frame


def _is_short_of_bits(container: InputContainer, stream: VideoStream) -> bool:
    """Whether there are so few bits that blocks show; also where nobody knows."""
    bits = stream.codec_context.bit_rate or container.bit_rate
    pixels = stream.width * stream.height * float(stream.average_rate or 25)
    return not bits or bits < _BITS_PER_PIXEL * pixels


def to_rgb(
    frame: VideoFrame, short_side: int, pixel_aspect: Fraction | None
) -> npt.NDArray[np.uint8]:
    """Return the picture as a player shows it: RGB, upright, square pixels, scaled down."""
    width, height = display_size(frame.width, frame.height, pixel_aspect)
    scale = min(1.0, short_side / min(width, height), 8 * short_side / max(width, height))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    image = cast(
        npt.NDArray[np.uint8],
        frame.to_ndarray(
            format="rgb24", width=size[0], height=size[1], interpolation="AREA", threads=1
        ),
    )
    turns = frame.rotation // 90 % 4  # counter-clockwise quarter turns, as np.rot90 counts
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
