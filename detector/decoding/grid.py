"""Which moments of a video are sampled, and which packets have to be decoded for that."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

P = TypeVar("P")

_LONGEST_HELD = 60.0  # seconds of packets that are kept in case a window begins in their group


class Grid:
    """The points 0, interval, 2 x interval, ... of time; of these perhaps only some stretches.

    Parameters
    ----------
    interval
        Seconds between two points.
    windows
        Stretches (from, to), in seconds, that points are wanted of: rising, and apart from each
        other. None: all points.
    """

    def __init__(
        self, interval: float, windows: Sequence[tuple[float, float]] | None = None
    ) -> None:
        self.interval = interval
        self._windows = None if windows is None else list(windows)
        self._ends = [end for _, end in windows or ()]

    @property
    def is_whole(self) -> bool:
        return self._windows is None

    def has(self, number: int) -> bool:
        """Whether the point of this number is wanted."""
        return self._next(number) == number

    def next_time(self, number: int) -> float:
        """Return the time of the first wanted point from this number on; infinite if none is."""
        found = self._next(number)
        return math.inf if found is None else found * self.interval

    def _next(self, number: int) -> int | None:
        if self._windows is None:
            return number
        first = bisect_left(self._ends, number * self.interval - 1e-9)
        for start, end in self._windows[first:]:
            number = max(number, math.ceil(start / self.interval - 1e-9))
            if number * self.interval <= end + 1e-9:
                return number
        return None


class PacketSelector(Generic[P]):
    """Decides which packets of a stream must be decoded to know what is shown at grid points.

    Feed packets in file order with `push`; what it returns goes to the decoder. With `interval`
    the distance of grid points and k0, k1 the times of two neighbouring keyframes:

    - a group of pictures without a grid point is dropped whole;
    - one that is no longer than `interval` gives its keyframe alone, which is at most `interval`
      from what is on screen;
    - of a longer one, what follows its last grid point is dropped.

    Held-back packets span at most one interval, or between two windows a minute, so memory is
    bounded.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._interval = grid.interval
        self._points_passed = 0  # grid points 0 .. n-1 have been served
        self._held: list[tuple[float, P]] = []
        self._key_time: float | None = None
        self._is_long = False

    @property
    def _next_point(self) -> float:
        return self._grid.next_time(self._points_passed)

    def push(self, packet: P, time: float | None, *, is_key: bool) -> list[P]:
        """Take the next packet; return those to be decoded now, in order."""
        if time is None:  # nothing can be said about it, so it is never held back
            return [*self._release(), packet]
        if is_key:
            due = self._close_group(time)
            self._key_time, self._is_long = time, False
            self._held = [(time, packet)]
            return due
        if self._key_time is None:  # before the first keyframe: the decoder knows best
            return [packet]
        self._held.append((time, packet))
        if not self._is_long and time - self._key_time > self._interval:
            self._is_long = True
        if not self._is_long:
            return []
        latest = max(t for t, _ in self._held)
        if latest - self._held[0][0] > _LONGEST_HELD:
            return self._release()
        # `time < last point served`: a frame shown earlier but stored later, because frames that
        # refer to both sides follow them in the file. It may be what is on screen at that point.
        if latest >= self._next_point or time <= (self._points_passed - 1) * self._interval + 1e-9:
            self._pass_points(latest)
            return self._release()
        return []

    def finish(self) -> list[P]:
        """Return what the end of the file makes due."""
        return self._release() if self._is_long else [packet for _, packet in self._held[:1]]

    def _close_group(self, end: float) -> list[P]:
        """Return what the group that ends at the keyframe time `end` still owes."""
        if self._key_time is None or end <= self._next_point:
            return []
        self._pass_points(end, inclusive=False)
        return self._release() if self._is_long else [packet for _, packet in self._held[:1]]

    def _pass_points(self, time: float, *, inclusive: bool = True) -> None:
        points = time / self._interval
        count = int(np.floor(points + 1e-9)) + 1 if inclusive else int(np.ceil(points - 1e-9))
        self._points_passed = max(self._points_passed, count)

    def _release(self) -> list[P]:
        released = [packet for _, packet in self._held]
        self._held = []
        return released
