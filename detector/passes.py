"""How closely an upload is looked at: all of it at once, or after a glance only where it pays.

Most uploads hold nothing protected. A glance at every fourth frame, of which a file with frequent
keyframes gives most for a tenth of the decoding, tells where an upload resembles works more than
ordinary footage does; only there all frames are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from detector.describe import Described, Nearest, Window
from detector.matching import Views
from detector.types import Channel, FrameCounts

_SHARE = 0.25  # of the frames, in a glance
_MARGIN = 1.5  # sampling intervals of the glance, around what is suspicious
_MOSTLY = 0.8  # share of an upload, from which all of it is looked at


class Look(Protocol):
    """Describes an upload; see `detector.describe.describe`."""

    def __call__(
        self, *, share: float = 1.0, windows: Sequence[Window] | None = None
    ) -> Described: ...


def look_twice(
    look: Look, excess: Nearest, suspicious: float, others: Callable[[], Iterable[Window]]
) -> Described:
    """Glance at an upload, then look closely at what is suspicious in it.

    Parameters
    ----------
    look
        Describes the upload, in the copy channel at least.
    excess
        Tells for vectors of the copy channel how similar the nearest frame of a work is, less what
        any frame so ordinary may have.
    suspicious
        A frame with a larger excess is.
    others
        What else is suspicious after the glance.

    Returns
    -------
    Described
        The copy channel sees the suspicious stretches, with all their frames; other channels the
        frames of the glance.
    """
    glance = look(share=_SHARE)
    times = [
        *_times_above(glance.views[Channel.COPY], excess, suspicious),
        *_negatives_above(glance, excess, suspicious),
    ]
    margin = _MARGIN * glance.interval
    found = [*((time - margin, time + margin) for time in times), *others()]
    windows = _joined(found, glance.duration)
    if not windows:
        nothing = Views(np.empty(0), glance.views[Channel.COPY].vectors[:0], np.empty(0, np.int64))
        return replace(glance, views={**glance.views, Channel.COPY: nothing}, negatives=None)
    is_most = sum(end - start for start, end in windows) > _MOSTLY * glance.duration
    close = look(windows=None if is_most else windows)
    return replace(
        close,
        views={**glance.views, Channel.COPY: close.views[Channel.COPY]},
        duration=max(glance.duration, close.duration),
        frames=_sum(glance.frames, close.frames),
        problem=close.problem if is_most else glance.problem or close.problem,
        timings={
            stage: glance.timings[stage] + seconds for stage, seconds in close.timings.items()
        },
    )


def _times_above(views: Views, excess: Nearest, suspicious: float) -> list[float]:
    if not len(views.vectors):
        return []
    rows = np.flatnonzero(excess(views.vectors) > suspicious)
    times: list[float] = views.times[np.unique(views.frames[rows])].tolist()
    return times


def _negatives_above(glance: Described, excess: Nearest, suspicious: float) -> list[float]:
    negatives = glance.negatives
    if negatives is None or not len(negatives):
        return []
    times: list[float] = negatives.times[excess(negatives.vectors) > suspicious].tolist()
    return times


def _joined(windows: Iterable[Window], duration: float) -> list[Window]:
    """Return the union of stretches, within the upload: rising, and apart from each other."""
    joined: list[Window] = []
    for start, end in sorted(windows):
        first, last = max(start, 0.0), min(end, duration)
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        elif first <= last:
            joined.append((first, last))
    return joined


def _sum(one: FrameCounts, other: FrameCounts) -> FrameCounts:
    return FrameCounts(
        one.sampled + other.sampled,
        one.uniform + other.uniform,
        max(one.undecodable, other.undecodable),
    )
