"""Whether shots of an upload look like shots of a work, without being taken from it.

A recreated scene shares no pixels with the work, so nothing can be aligned frame by frame. What
can be said is that a shot is more like one shot of the work than it is like any other work. A pair
of shots is measured by its *lift*, the share of the way from the ordinary to the very same,

    lift = (similarity - ordinary) / (1 - ordinary)

with *ordinary* the mean of the shot's similarity to the best shots of other works, of which the
best is left out, as it may hold the same footage (a trailer, a restoration). A talking head is
ordinary where talking heads are protected, and how a scene is drawn makes it like or unlike all
works. It is score normalisation with a cohort, usual in the verification of speakers (Auckenthaler,
Carey and Lloyd-Thomas, "Score Normalization for Text-Independent Speaker Verification Systems",
Digital Signal Processing 2000); as a share it does not depend on how alike a model finds pictures
at all. Where there are too few other works, a usual value stands in.

A shot speaks for the work that it is most like, and for no other. A weak pair is not enough. Pairs
add up, each by its share of the lift that would be enough alone; shots that look the same, such as
the two sides of a dialogue cut to and fro, count once; and the more shots an upload has, the more
of them are alike by chance, so the more a pair has to have to count. That they come in the work's
order speaks for it; that they do not says nothing, as trailers and memes are cut anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.settings import LookAlikeSettings
from detector.timeline import Interval, covered
from detector.types import Channel, Evidence, FramePair, Match, Segment
from index.embeddings import Embeddings
from index.vectors import NO_ID, Hits, split_vector_ids

Floats = npt.NDArray[np.float32]

_SIBLINGS = 1  # other works whose best shot is not counted as ordinary
_OTHERS = 3  # works that are averaged after these
_TIED = 0.02  # cosine by which another work may be more like a shot (a trailer and its film)
_FEW, _GROWTH = 8, 0.25  # shots; by so much the least lift grows with the logarithm of more
_PARTNERS = 3  # shots of the work that a shot of the upload is compared with closely
_SAME = 0.92  # cosine from which two shots of a video show the same
_MOST_PAIRS = 12
_ORDERED = 0.2  # share of the evidence that the work's order adds
_STEEPNESS = 6.0  # of the score, per pair that would be enough alone
_CAST = 0.25  # of such a pair, that the work's cast is worth
_MOSTLY = 0.5  # share of a shot that is a copy, from which it is none of ours


@dataclass(frozen=True, slots=True)
class Scene:
    """A shot of the upload beside the shot of a work that it looks like."""

    query: int
    ref: int
    similarity: float  # cosine
    ordinary: float  # what the upload's shot has with other works
    lift: float


class Ordinary:
    """How similar shots are to works that they do not show.

    Parameters
    ----------
    hits
        The nearest shots of all works to each, [q, k].
    usual
        Stands for works that are not among the hits, unless even the last hit is less similar.
    """

    def __init__(self, hits: Hits, usual: float) -> None:
        works, _ = split_vector_ids(hits.ids)
        most = 1 + _SIBLINGS + _OTHERS  # of any one work is to be done without
        self._works = np.full((len(works), most), NO_ID, np.int64)
        self._best = np.empty((len(works), most), np.float32)
        for row, (numbers, similarities) in enumerate(zip(works, hits.similarities, strict=True)):
            there = numbers >= 0
            # Hits descend, so the first of a work is its best.
            firsts = np.sort(np.unique(numbers[there], return_index=True)[1])[:most]
            self._works[row, : len(firsts)] = numbers[firsts]
            self._best[row] = usual
            if there.all() and len(there):
                self._best[row] = min(usual, float(similarities[-1]))
            self._best[row, : len(firsts)] = similarities[firsts]

    def beside(self, work_number: int) -> Floats:
        """Return how similar each shot is to the works other than one, [q]."""
        others_first = np.argsort(self._works == work_number, axis=1, kind="stable")
        counted = others_first[:, _SIBLINGS : _SIBLINGS + _OTHERS]
        return np.asarray(np.take_along_axis(self._best, counted, axis=1).mean(axis=1), np.float32)


def is_news(spans: npt.NDArray[np.float64], copied: Sequence[Interval]) -> npt.NDArray[np.bool_]:
    """Tell which shots, [n, 2], are not mostly explained by copies, in seconds of the upload."""
    seconds = [
        covered((max(start, a), min(end, b)) for a, b in copied if a < end and start < b)
        for start, end in spans.tolist()
    ]
    lengths = spans[:, 1] - spans[:, 0]
    return np.asarray(np.array(seconds) <= _MOSTLY * lengths, np.bool_)


def find_scenes(
    query: Embeddings,
    ref: Embeddings,
    ordinary: Floats,
    best: Floats,
    settings: LookAlikeSettings,
) -> list[Scene]:
    """Pair shots of an upload with those of a work that they look like, the surest first.

    Parameters
    ----------
    query, ref
        Shots of the upload and of the work.
    ordinary
        How similar the upload's shots are to other works, [q], see `Ordinary`.
    best
        How similar they are to the most similar shot of any work, [q].
    """
    similarities = query.vectors @ ref.vectors.T
    # A shot's partner is found among the few that are most similar to it.
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :_PARTNERS]
    ours = np.flatnonzero(similarities.max(axis=1) >= best - _TIED)
    queries, refs = np.repeat(ours, nearest.shape[1]), nearest[ours].ravel()
    values = similarities[queries, refs]
    lifts = lift(values, ordinary[queries])
    least = settings.alike * (1 + _GROWTH * np.log(max(1.0, len(query) / _FEW)))
    found: list[Scene] = []
    for at in np.argsort(-lifts, kind="stable").tolist():
        if lifts[at] < least or len(found) == _MOST_PAIRS:
            break
        i, j = int(queries[at]), int(refs[at])
        if found and (
            (query.vectors[[one.query for one in found]] @ query.vectors[i]).max() >= _SAME
            or (ref.vectors[[one.ref for one in found]] @ ref.vectors[j]).max() >= _SAME
        ):
            continue
        found.append(Scene(i, j, float(values[at]), float(ordinary[i]), float(lifts[at])))
    return found


def lift(similarities: Floats, ordinary: Floats) -> Floats:
    """Return the share of the way from what is ordinary to the same that similarities go."""
    return np.asarray((similarities - ordinary) / np.maximum(1 - ordinary, 1e-6), np.float32)


def build_look_alike(
    work_id: str,
    query: Embeddings,
    ref: Embeddings,
    scenes: Sequence[Scene],
    settings: LookAlikeSettings,
) -> Match | None:
    """Turn pairs of shots into a match; None if there are none.

    Every segment has the score of the match: the pairs speak together.
    """
    if not scenes:
        return None
    shares = [min(scene.lift / settings.alone, 1.5) for scene in scenes]
    in_order = sorted(scenes, key=lambda scene: scene.query)
    order = _share_in_order([scene.ref for scene in in_order])
    total = sum(shares) * (1 + _ORDERED * max(0.0, 2 * order - 1))
    score = float(1 / (1 + np.exp(-_STEEPNESS * (total - 1))))
    segments = tuple(_segment(query, ref, scene, score) for scene in in_order)
    return Match(work_id, Channel.SEMANTIC, score, segments, notes=(_in_words(scenes, order),))


def with_cast(match: Match, cast: Mapping[str, str]) -> Match:
    """Let a look-alike gain by the likeness of people of the work's cast.

    Parameters
    ----------
    cast
        What is said of each who is seen in the upload as well, by id. If there is nobody, the match
        stays as it is.
    """
    if not cast:
        return match
    odds = match.score / max(1 - match.score, 1e-12) * np.exp(_STEEPNESS * _CAST)
    score = float(odds / (1 + odds))
    return replace(
        match,
        score=score,
        segments=tuple(replace(one, score=score) for one in match.segments),
        notes=(*match.notes, *cast.values()),
        cast=tuple(cast),
    )


def _in_words(scenes: Sequence[Scene], order: float) -> str:
    count = len(scenes)
    if count == 1:
        return "one shot looks like a shot of it"
    text = f"{count} different shots look like shots of it"
    return f"{text}, in the order of the work" if count > 2 and order == 1 else text


def _segment(query: Embeddings, ref: Embeddings, scene: Scene, score: float) -> Segment:
    start, end = query.stretches[scene.query].tolist()
    ref_start, ref_end = ref.stretches[scene.ref].tolist()
    return Segment(
        query_start=start,
        query_end=end,
        ref_start=ref_start,
        ref_end=ref_end,
        score=score,
        speed=1.0,
        evidence=Evidence(
            similarity=scene.similarity,
            ordinary=scene.ordinary,
            agreement=0.0,
            change=0.0,
            seconds=end - start,
        ),
        pairs=(
            FramePair(
                float(query.times[scene.query]), float(ref.times[scene.ref]), scene.similarity
            ),
        ),
    )


def _share_in_order(numbers: Sequence[int]) -> float:
    """Return how many follow one another in rising order, at most, as a share: 0 of one or none."""
    if len(numbers) < 2:
        return 0.0
    longest = [1] * len(numbers)
    for at, number in enumerate(numbers):
        longest[at] += max((longest[n] for n in range(at) if numbers[n] < number), default=0)
    return (max(longest) - 1) / (len(numbers) - 1)
