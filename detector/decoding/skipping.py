"""Passing over the packets of a far file that no grid point needs, before they are fetched.

MP4 has an index of all its packets. From it follows at each keyframe whether `grid.PacketSelector`
is going to drop all that comes before the next one; then the demuxer is told to go straight there.
The frames that are sampled stay the same.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from detector.decoding.grid import Grid
from detector.decoding.ranges import Ranges

# Seconds by which a group's frames may be shown later than its index entries say, as these count
# in the order of decoding.
_MARGIN = 1.0


def leave_out_others(container: InputContainer, stream: VideoStream) -> None:
    """Have the demuxer leave out all streams but one."""
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all


class Skipping:
    """Has the demuxer leave out what is not needed of one stream.

    Parameters
    ----------
    start
        Time at which the file starts, in seconds.
    """

    def __init__(
        self, file: Ranges, container: InputContainer, stream: VideoStream, grid: Grid, start: float
    ) -> None:
        self._file = file
        self._stream = stream
        self._grid = grid
        self._start = start
        has_index = "mp4" in container.format.name.split(",")  # of all packets
        entries = list(stream.index_entries) if has_index else []
        if np.any(np.diff([one.pos for one in entries]) <= 0):  # not stored in order
            entries = []
        keys = [one for one in entries if one.is_keyframe]
        self._times = np.array([one.timestamp for one in keys], np.int64)
        self._places = [range(one.pos, one.pos + one.size) for one in keys]

    def see(self, packet: Packet[Any]) -> None:
        """Take a packet; decide which one is read next."""
        base = self._stream.time_base
        if not packet.is_keyframe or packet.dts is None or packet.pts is None or base is None:
            return
        following = int(np.searchsorted(self._times, packet.dts, side="right"))
        if following in (0, len(self._times)):  # not in the index, or the last group
            self._read_all()
            return
        length = float((int(self._times[following]) - packet.dts) * base)
        is_needed = self._is_needed(float(packet.pts * Fraction(base)) - self._start, length)
        if is_needed:
            self._read_all()
        else:
            self._stream.discard = Discard.nonkey
            self._file.expect(self._places[following], self._places[following - 1].stop)

    def _read_all(self) -> None:
        self._stream.discard = Discard.default
        self._file.expect(range(0), 0)

    def _is_needed(self, time: float, length: float) -> bool:
        """Whether more than the keyframe is decoded of a group that begins then."""
        interval = self._grid.interval
        next_point = self._grid.next_time(max(0, ceil(time / interval - 1e-9)))
        return length > interval and next_point < time + length + _MARGIN
