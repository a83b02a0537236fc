"""The geometry of a match's timeline: two bars and the bands that join them.

Every x is in per cent of the drawing's width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detector.text import clock
from detector.types import Segment

_SCALE_RATIO = 5  # beyond it, two bars on one scale would leave the shorter one too short to read
_MOST_TICKS = 6
_TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)

Interval = tuple[float, float]
"""Start and end."""


def covered(intervals: Iterable[Interval]) -> float:
    """Seconds that lie in at least one of the intervals."""
    total, reached = 0.0, -math.inf
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on a bar's scale."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One file's time, or the stretch of it that is drawn."""

    duration: float
    view: Interval  # seconds
    width: float
    spans: tuple[Interval, ...]  # x of each segment
    ticks: tuple[Tick, ...]
    overview: tuple[Interval, ...]  # x of each segment on the whole file; none if all is drawn


@dataclass(frozen=True, slots=True)
class Timeline:
    """The upload's bar, the work's bar, and whether a second is as long on both."""

    upload: Bar
    work: Bar
    same_scale: bool

    @property
    def bands(self) -> list[tuple[float, float, float, float]]:
        """For each segment left and right on the upload's bar, and on the work's."""
        return [
            above + below for above, below in zip(self.upload.spans, self.work.spans, strict=True)
        ]


def timeline(
    segments: Sequence[Segment], upload_duration: float | None, work_duration: float | None
) -> Timeline:
    """Lay out two bars so that a match can be seen on both.

    Of a file that is much longer than what was matched only the stretch around it is drawn, or
    ten seconds of a film would be a hairline. Both bars have one scale, so that a change of speed
    is seen as a band that narrows, unless that would leave one of them too short.
    """
    sides = [
        ([(s.query_start, s.query_end) for s in segments], upload_duration),
        ([(s.ref_start, s.ref_end) for s in segments], work_duration),
    ]
    extents = [(min(a for a, _ in times), max(b for _, b in times)) for times, _ in sides]
    stretch = 1.5 * max(1.0, *(end - start for start, end in extents))
    durations = [
        max(duration or 0.0, end) for (_, duration), (_, end) in zip(sides, extents, strict=True)
    ]
    views = [
        _view(extent, duration, stretch)
        for extent, duration in zip(extents, durations, strict=True)
    ]
    lengths = [end - start for start, end in views]
    same_scale = max(lengths) <= _SCALE_RATIO * min(lengths)
    upload, work = (
        _bar(times, duration, view, max(lengths) if same_scale else view[1] - view[0])
        for (times, _), duration, view in zip(sides, durations, views, strict=True)
    )
    return Timeline(upload, work, same_scale)


def _view(extent: Interval, duration: float, stretch: float) -> Interval:
    if duration <= 4 * stretch:
        return 0.0, duration
    start = min(max(0.0, sum(extent) / 2 - stretch / 2), duration - stretch)
    return start, start + stretch


def _bar(times: Sequence[Interval], duration: float, view: Interval, scale: float) -> Bar:
    start, end = view
    step = next(
        (step for step in _TICK_STEPS if scale / step <= _MOST_TICKS),
        3600.0 * math.ceil(scale / 3600 / _MOST_TICKS),
    )
    numbers = range(math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9) + 1)
    return Bar(
        duration,
        view,
        100 * (end - start) / scale,
        tuple(_place(interval, start, scale) for interval in times),
        tuple(
            Tick(round(100 * (n * step - start) / scale, 3), clock(n * step, int(step < 1)))
            for n in numbers
        ),
        () if end - start == duration else tuple(_place(i, 0.0, duration) for i in times),
    )


def _place(interval: Interval, start: float, scale: float) -> Interval:
    left, right = (round(100 * (time - start) / scale, 3) for time in interval)
    return left, max(right, left + 0.4)
