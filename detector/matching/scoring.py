r"""How sure a segment is: a probability, learned, from a few things that can be told in words.

- *similarity*: the mean cosine of the aligned frames.
- *ordinary*: how similar these frames are to ordinary footage that has nothing to do with the work
  (see `background`); of credits, title cards and slides, a high similarity says little.
- *agreement*: whether the upload changes as the work does. If q shows what r shows, s(q, r') =
  s(q, r) * s(r, r') in expectation for every other frame r' of the work, so the regression of the
  upload's similarities on the work's own, each centred per frame, has a slope equal to the mean
  similarity. Their quotient is near 1 for copies and near 0 for look-alikes: two takes in front of
  the same wall are more alike (up to 0.86) than a picture cropped to half its side is like its
  original (0.57), but they change differently. Where the work hardly changes, *change* is near 0
  and agreement says nothing.
- *seconds*: how long it goes on, on a logarithmic scale.
- *confirmed*: whether local features of frame pairs along the segment lie as those of a copy would,
  and what moves in the work moves in the upload (see `geometry` and, for pictures without detail,
  `coarse`); where frames could be looked at.

    score = sigmoid(w . features + intercept)

The weights are fitted by logistic regression to benchmark uploads (`scripts/calibrate`), once with
and once without confirmation, and stand in the settings with where they came from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.matching.alignment import Alignment
from detector.matching.background import Background
from detector.matching.views import Views
from detector.settings import ChannelSettings
from detector.types import Channel, Evidence, FramePair, Match, Segment
from index.embeddings import Embeddings

_USUAL = 0.15  # similarity to ordinary footage that any frame may have; its median is 0.14
_ENOUGH = 0.3  # agreement beyond which more says no more: fades of titles agree perfectly, too
_CHANGING = 0.05  # spread of a work's own similarities from which its changes can be followed
# Confirmation beyond these log-odds is near proof, and counts once more: look-alikes without drift
# had at most 6.3, static copies of a second, for which nothing else can speak, 8 and more.
_CERTAIN, _MOST_CERTAIN = 6.0, 9.0
_CERTAINTY = 0.7
_MOST_FRAMES = 400  # enough for the regression; keeps a match of hours from filling the memory
_MOST_PAIRS = 6


@dataclass(frozen=True, slots=True)
class _Aligned:
    """Frames of the upload and their partners in the work."""

    queries: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]  # of the upload's views
    refs: npt.NDArray[np.int64]
    similarities: npt.NDArray[np.float32]


def build_match(
    work_id: str,
    query: Views,
    ref: Embeddings,
    alignments: list[Alignment],
    durations: tuple[float, float],
    settings: ChannelSettings,
    background: Background | None = None,
) -> Match | None:
    """Turn the alignments of an upload with a work into a match; None if there are none.

    Parameters
    ----------
    query, ref
        The upload and the work.
    durations
        Of upload and work, in seconds.
    background
        Ordinary footage, if there is a bank of it in this space.
    """
    segments = tuple(
        _segment(query, ref, run, durations, settings, background) for run in alignments
    )
    if not segments:
        return None
    return Match(work_id, Channel.COPY, max(segment.score for segment in segments), segments)


def above(match: Match, min_score: float) -> Match | None:
    """Leave out segments with a lower score; None if no other is left."""
    kept = tuple(segment for segment in match.segments if segment.score >= min_score)
    return replace(match, segments=kept, score=max(s.score for s in kept)) if kept else None


def features(evidence: Evidence) -> dict[str, float]:
    """Return what the weights of a score are multiplied with, by name."""
    agreement = evidence.change * (evidence.agreement - 0.5)
    confirmed = 0.0
    if evidence.confirmed is not None:  # its log-odds, kept within 3 of even
        confirmed = float(np.log((evidence.confirmed + 0.05) / (1.05 - evidence.confirmed)))
        odds = min(-np.log(max(1.0 - evidence.confirmed, 1e-9)), _MOST_CERTAIN)
        confirmed += _CERTAINTY * max(odds - _CERTAIN, 0.0)
    return {
        "similarity": evidence.similarity,
        "ordinary": 10 * max(evidence.ordinary - _USUAL, 0.0),
        "agreement": min(agreement, _ENOUGH),
        "seconds": float(np.log(max(evidence.seconds, 0.1))),
        "confirmed": confirmed,
    }


def rescored(segment: Segment, settings: ChannelSettings) -> Segment:
    """Return a segment with the score that its evidence gives."""
    weights = settings.score
    if segment.evidence.confirmed is not None and settings.confirmed_score is not None:
        weights = settings.confirmed_score
    terms = (getattr(weights, name) * value for name, value in features(segment.evidence).items())
    return replace(segment, score=float(1 / (1 + np.exp(-weights.intercept - sum(terms)))))


def _segment(
    query: Views,
    ref: Embeddings,
    run: Alignment,
    durations: tuple[float, float],
    settings: ChannelSettings,
    background: Background | None,
) -> Segment:
    matched = run.partners >= 0
    queries = np.arange(run.first, run.last + 1)[matched]
    refs = run.partners[matched]
    rows = query.best_rows(queries, ref.vectors[refs])
    similarities = np.einsum("ij,ij->i", query.vectors[rows], ref.vectors[refs])
    aligned = _Aligned(queries, rows, refs, similarities)
    start, end = _edges(query.times, run.first, run.last, durations[0])
    ref_start = min(max(run.speed * start + run.offset, 0.0), durations[1])
    ref_end = min(max(run.speed * end + run.offset, ref_start), durations[1])
    agreement, change = _agreement(query, ref, aligned)
    ordinary = 0.0
    if background is not None:
        ordinary = (
            float(
                background.bias(query.vectors[rows]).mean()
                + background.bias(ref.vectors[refs]).mean()
            )
            / 2
        )
    evidence = Evidence(
        similarity=float(similarities.mean()),
        ordinary=ordinary,
        agreement=agreement,
        change=change,
        seconds=(end - start) * float(matched.mean()),
    )
    segment = Segment(
        query_start=start,
        query_end=end,
        ref_start=ref_start,
        ref_end=ref_end,
        score=0.0,
        speed=run.speed,
        evidence=evidence,
        pairs=_strongest_pairs(query, ref, aligned),
    )
    return rescored(segment, settings)


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


def _agreement(query: Views, ref: Embeddings, aligned: _Aligned) -> tuple[float, float]:
    """How well the upload's changes follow the work's, and how much that says: both in [0, 1]."""
    picked = np.unique(np.linspace(0, len(aligned.refs) - 1, _MOST_FRAMES).astype(np.int64))
    refs = aligned.refs[picked]
    others = ref.vectors[np.unique(refs)]
    work = ref.vectors[refs] @ others.T
    upload = query.vectors[aligned.rows[picked]] @ others.T
    work -= work.mean(axis=1, keepdims=True)
    upload -= upload.mean(axis=1, keepdims=True)
    variance = float(np.mean(work**2))
    weight = min(1.0, variance / _CHANGING**2)
    if variance < 1e-8:
        return 0.0, 0.0
    slope = float(np.mean(work * upload)) / variance
    similarity = max(float(aligned.similarities.mean()), 1e-6)
    return min(max(slope / similarity, 0.0), 1.0), weight


def _strongest_pairs(query: Views, ref: Embeddings, aligned: _Aligned) -> tuple[FramePair, ...]:
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
