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
import numpy.typing as npt

from detector.describe import Described, Glances, Nearest, Window
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
    look: Look, nearest: Nearest, limits: Nearest, others: Callable[[], Iterable[Window]]
) -> Described:
    """Glance at an upload, then look closely at what is suspicious in it.

    Parameters
    ----------
    look
        Describes the upload: all of it at a glance, and in the copy channel what is looked at
        closely.
    nearest
        Tells for vectors of the copy channel how similar the nearest frame of a work is.
    limits
        Tells for such vectors from which similarity they are suspicious.
    others
        What else is suspicious after the glance.

    Returns
    -------
    Described
        The copy channel sees the suspicious stretches, with all their frames; the semantic channel
        what it saw at a glance.
    """
    glance = look(share=_SHARE)
    vectors, times = _passed(glance)
    allowed = limits(vectors)
    margin = _MARGIN * glance.interval
    suspicious = times[nearest(vectors) > allowed].tolist() if len(times) else []
    found = [*((time - margin, time + margin) for time in suspicious), *others()]
    windows = _joined(found, glance.duration)
    is_most = sum(end - start for start, end in windows) > _MOSTLY * glance.duration
    outside = np.full(len(times), not is_most)
    for start, end in windows:
        outside &= (times < start) | (times > end)
    glances = Glances(vectors[outside], allowed[outside])
    if glance.glances is not None:
        glances = Glances.joined([glances, glance.glances])
    if not windows:
        nothing = Views(np.empty(0), vectors[:0], np.empty(0, np.int64))
        views = {Channel.COPY: nothing}
        return replace(glance, views=views, negatives=None, glances=glances)
    close = look(windows=None if is_most else windows)
    if close.glances is not None:
        glances = Glances.joined([glances, close.glances])
    return replace(
        close,
        shots=glance.shots,
        glances=glances,
        duration=max(glance.duration, close.duration),
        frames=_sum(glance.frames, close.frames),
        problem=close.problem if is_most else glance.problem or close.problem,
        fault=close.fault if is_most else glance.fault or close.fault,
        timings={
            stage: glance.timings[stage] + seconds for stage, seconds in close.timings.items()
        },
    )


def _passed(glance: Described) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return what a glance saw, the negatives as well, and when: [n, dim] and [n]."""
    views, negatives = glance.views[Channel.COPY], glance.negatives
    vectors, times = [views.vectors], [views.times[views.frames]]
    if negatives is not None:
        vectors.append(negatives.vectors)
        times.append(negatives.times)
    return np.concatenate(vectors), np.concatenate(times)


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
