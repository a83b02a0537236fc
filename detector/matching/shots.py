"""A shot as one vector: what most of its frames show.

Frames of a shot are alike, but for the first of a dissolve, a flash, a hand before the lens. The
vector is the mean of those that are nearest to the shot's medoid, the frame most like all others,
so that a quarter of the frames can be anything and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detector.descriptors.base import normalised
from index.embeddings import Embeddings

_KEPT = 0.75  # share of a shot's frames that count


def pool(
    vectors: npt.NDArray[np.float32],
    numbers: npt.NDArray[np.int64],
    times: npt.NDArray[np.float64],
    shots: Sequence[tuple[int, int]],
    interval: float,
    duration: float,
) -> Embeddings:
    """Describe shots by their frames; one of which no frame was described is left out.

    Parameters
    ----------
    vectors, numbers
        Of the frames that were described: float32 [m, dim], each of length 1, and which they are,
        [m], rising.
    times
        Of all frames, float64 [n], seconds, rising.
    shots
        First and last frame of each, in order; see `detector.media.find_shots`.
    interval, duration
        Seconds between two samples, and of the video: a frame stands for what is around it.

    Returns
    -------
    Embeddings
        One vector for each shot; its time is that of the medoid, the frame to show of it.
    """
    pooled = np.empty((len(shots), vectors.shape[1]), np.float32)
    keys = np.empty(len(shots), np.int64)
    seen = np.zeros(len(shots), np.bool_)
    for shot, (first, last) in enumerate(shots):
        start, end = np.searchsorted(numbers, [first, last + 1])
        frames = vectors[start:end]
        if len(frames) == 0:
            continue
        medoid = int(np.argmax((frames @ frames.T).sum(axis=1)))
        count = max(1, int(np.ceil(_KEPT * len(frames))))
        nearest = np.argsort(-(frames @ frames[medoid]), kind="stable")[:count]
        pooled[shot] = frames[nearest].mean(axis=0)
        keys[shot] = numbers[start + medoid]
        seen[shot] = True
    spans = _spans(times, shots, interval, duration)
    return Embeddings(normalised(pooled[seen]), times[keys[seen]], spans[seen])


def _spans(
    times: npt.NDArray[np.float64],
    shots: Sequence[tuple[int, int]],
    interval: float,
    duration: float,
) -> npt.NDArray[np.float64]:
    """From when to when each shot goes on: half way to the frames beside it, or to the ends."""
    first = np.array([shot[0] for shot in shots], np.int64)
    last = np.array([shot[1] for shot in shots], np.int64)
    starts, ends = times[first] - interval / 2, times[last] + interval / 2
    middles = (times[last[:-1]] + times[first[1:]]) / 2
    starts[1:] = np.maximum(starts[1:], middles)
    ends[:-1] = np.minimum(ends[:-1], middles)
    whole = max(duration, float(times[-1]) if len(times) else 0.0)
    # The grid of samples begins and ends up to one interval within the file.
    starts[:1][times[first[:1]] <= interval] = 0.0
    ends[-1:][whole - times[last[-1:]] <= 1.5 * interval] = whole
    return np.stack([np.maximum(starts, 0.0), np.minimum(ends, whole)], axis=1)
