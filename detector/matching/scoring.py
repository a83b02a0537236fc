r"""How sure a segment is: a score in [0, 1] that can be compared across uploads.

Two things are weighed. The first is the mean similarity of the aligned frames. It cannot stand
alone: a picture cropped to half its side is less similar to its original (0.57 in the median) than
two takes in front of the same wall are to each other (up to 0.86). The second is whether the upload
*changes* as the work does. If q shows what r shows, s(q, r') = s(q, r) * s(r, r') in expectation
for every other frame r' of the work, so the regression of the upload's similarities on the work's
own similarities, each centred per frame, has a slope equal to the mean similarity. Their quotient,
the *agreement*, is near 1 for copies and near 0 for look-alikes. Where the work hardly changes
there is nothing to agree with, and the similarity decides alone.

    score = sigmoid((mean similarity - middle) / width)
    middle = even - structure * weight * tanh((agreement - 0.6) / 0.1)

with `even` and `structure` of the channel's settings, and `weight` from 0 for a still picture to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.matching.alignment import Alignment
from detector.settings import ChannelSettings
from detector.types import Channel, FramePair, Match, Segment
from index.embeddings import Embeddings

_WIDTH = 0.05
_AGREEMENT_MIDDLE, _AGREEMENT_WIDTH = 0.6, 0.1
_CHANGING = 0.05  # spread of a work's own similarities from which its changes can be followed
_MOST_FRAMES = 400  # enough for the regression; keeps a match of hours from filling the memory
_MOST_PAIRS = 6


@dataclass(frozen=True, slots=True)
class _Aligned:
    """Frames of the upload and their partners in the work."""

    queries: npt.NDArray[np.int64]
    refs: npt.NDArray[np.int64]
    similarities: npt.NDArray[np.float32]


def build_match(
    channel: Channel,
    work_id: str,
    query: Embeddings,
    ref: Embeddings,
    alignments: list[Alignment],
    durations: tuple[float, float],
    settings: ChannelSettings,
    min_score: float = 0.0,
) -> Match | None:
    """Turn the alignments of an upload with a work into a match; None if no segment is left.

    Parameters
    ----------
    query, ref
        The upload and the work in this channel.
    durations
        Of upload and work, in seconds.
    min_score
        Segments with a lower score are left out.
    """
    segments = [_segment(query, ref, run, durations, settings) for run in alignments]
    kept = tuple(segment for segment in segments if segment.score >= min_score)
    if not kept:
        return None
    return Match(work_id, channel, max(segment.score for segment in kept), kept)


def _segment(
    query: Embeddings,
    ref: Embeddings,
    run: Alignment,
    durations: tuple[float, float],
    settings: ChannelSettings,
) -> Segment:
    matched = run.partners >= 0
    queries = np.arange(run.first, run.last + 1)[matched]
    refs = run.partners[matched]
    similarities = np.einsum("ij,ij->i", query.vectors[queries], ref.vectors[refs])
    aligned = _Aligned(queries, refs, similarities)
    start, end = _edges(query.times, run.first, run.last, durations[0])
    ref_start = min(max(run.speed * start + run.offset, 0.0), durations[1])
    ref_end = min(max(run.speed * end + run.offset, ref_start), durations[1])
    return Segment(
        query_start=start,
        query_end=end,
        ref_start=ref_start,
        ref_end=ref_end,
        score=_score(query, ref, aligned, settings),
        similarity=float(similarities.mean()),
        speed=run.speed,
        pairs=_strongest_pairs(query, ref, aligned),
    )


def _edges(
    times: npt.NDArray[np.float64], first: int, last: int, duration: float
) -> tuple[float, float]:
    """Start and end of a run: half way to the frames beside it, or the ends of the file."""
    spacing = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    before = times[first - 1] if first > 0 else times[first] - spacing
    after = times[last + 1] if last + 1 < len(times) else times[last] + spacing
    start = times[first] - min(times[first] - before, spacing) / 2
    end = times[last] + min(after - times[last], spacing) / 2
    # The grid of samples ends up to one spacing before the file does.
    if first == 0 and times[first] <= spacing:
        start = 0.0
    if last + 1 == len(times) and duration - times[last] <= 1.5 * spacing:
        end = duration
    return max(float(start), 0.0), min(float(end), duration)


def _score(
    query: Embeddings, ref: Embeddings, aligned: _Aligned, settings: ChannelSettings
) -> float:
    similarity = float(aligned.similarities.mean())
    agreement, weight = _agreement(query, ref, aligned)
    confirmed = np.tanh((agreement - _AGREEMENT_MIDDLE) / _AGREEMENT_WIDTH)
    middle = settings.even - settings.structure * weight * confirmed
    return float(1 / (1 + np.exp(-(similarity - middle) / _WIDTH)))


def _agreement(query: Embeddings, ref: Embeddings, aligned: _Aligned) -> tuple[float, float]:
    """How well the upload's changes follow the work's, and how much that says: both in [0, 1]."""
    picked = np.unique(np.linspace(0, len(aligned.refs) - 1, _MOST_FRAMES).astype(np.int64))
    refs = aligned.refs[picked]
    others = ref.vectors[np.unique(refs)]
    work = ref.vectors[refs] @ others.T
    upload = query.vectors[aligned.queries[picked]] @ others.T
    work -= work.mean(axis=1, keepdims=True)
    upload -= upload.mean(axis=1, keepdims=True)
    variance = float(np.mean(work**2))
    weight = min(1.0, variance / _CHANGING**2)
    if variance < 1e-8:
        return 0.0, 0.0
    slope = float(np.mean(work * upload)) / variance
    similarity = max(float(aligned.similarities.mean()), 1e-6)
    return min(max(slope / similarity, 0.0), 1.0), weight


def _strongest_pairs(
    query: Embeddings, ref: Embeddings, aligned: _Aligned
) -> tuple[FramePair, ...]:
    """The most similar pair of each of a few equal parts, so that they show the whole segment."""
    parts = np.array_split(np.arange(len(aligned.queries)), _MOST_PAIRS)
    best = [part[np.argmax(aligned.similarities[part])] for part in parts if part.size]
    return tuple(
        FramePair(
            query_time=float(query.times[aligned.queries[i]]),
            ref_time=float(ref.times[aligned.refs[i]]),
            similarity=float(aligned.similarities[i]),
        )
        for i in best
    )
