r"""Whether shots of an upload look like shots of a work, without being taken from it.

A recreated scene shares no pixels with the work, so nothing can be aligned frame by frame. What
can be said is that a shot is more like one shot of the work than such shots usually are like
anything. A pair of shots is measured by its *lift*,

    lift = (similarity - ordinary) / spread

with *ordinary* the mean of what both shots have with the best shots of other works, of which the
best few are left out, as one of them may hold the same footage (a trailer, a restoration), and
*spread* the deviation of the similarities of the upload's shots to all of the work's. It is the
score normalisation with a cohort that is usual in the verification of speakers (Auckenthaler,
Carey and Lloyd-Thomas, "Score Normalization for Text-Independent Speaker Verification Systems",
Digital Signal Processing 2000), and makes the scales of different models comparable. Where there
is little to go by, usual values stand in for it.

One pair is rarely enough: a talking head looks like a talking head. Pairs add up, each by its share
of the lift that would be enough alone; shots that look the same, such as the two sides of a
dialogue cut to and fro, count once. That they come in the work's order speaks for it; that they do
not says nothing, as trailers and memes are cut anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.settings import LookAlikeSettings
from detector.timeline import Interval, covered
from detector.types import Channel, Evidence, FramePair, Match, Segment
from index.embeddings import Embeddings
from index.vectors import Hits, split_vector_ids

Floats = npt.NDArray[np.float32]

_SIBLINGS = 2  # other works whose best shot is not counted as ordinary
_OTHERS = 8  # works that are averaged after these
_KNOWN_PAIRS = 64  # of shots, from which the spread is known as well as guessed
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
    ordinary: float  # what such shots have with other works
    lift: float


def ordinary(hits: Hits, work_number: int, usual: float) -> Floats:
    """Tell how similar shots are to works other than one, [q].

    Parameters
    ----------
    hits
        The nearest shots of all works to each, [q, k].
    usual
        Stands for works that are not among the hits, unless even the last hit is less similar.
    """
    works, _ = split_vector_ids(hits.ids)
    values = np.empty(len(works), np.float32)
    for row, (numbers, similarities) in enumerate(zip(works, hits.similarities, strict=True)):
        there = numbers >= 0
        # Hits descend, so the first of a work is its best.
        _, firsts = np.unique(numbers[there], return_index=True)
        others = [
            float(similarities[first]) for first in np.sort(firsts) if numbers[first] != work_number
        ][_SIBLINGS : _SIBLINGS + _OTHERS]
        unseen = usual
        if there.all() and len(there):
            unseen = min(usual, float(similarities[-1]))
        values[row] = np.mean(others + [unseen] * (_OTHERS - len(others)))
    return values


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
    query_ordinary: Floats,
    ordinary_of: Callable[[Floats], Floats],
    settings: LookAlikeSettings,
) -> list[Scene]:
    """Pair shots of an upload with those of a work that they look like, the surest first.

    Parameters
    ----------
    query, ref
        Shots of the upload and of the work.
    query_ordinary
        How similar the upload's shots are to other works, see `ordinary`.
    ordinary_of
        Tells the same of shots of the work, float32 [m, dim].
    """
    similarities = query.vectors @ ref.vectors.T
    spread = _spread(similarities, settings.spread)
    # Its most similar shots are enough to find a shot's partner among.
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :_PARTNERS]
    queries = np.repeat(np.arange(len(query)), nearest.shape[1])
    refs = nearest.ravel()
    alike = similarities[queries, refs] >= settings.floor
    queries, refs = queries[alike], refs[alike]
    if len(queries) == 0:
        return []
    looked_up = np.unique(refs)
    ref_ordinary = ordinary_of(ref.vectors[looked_up])[np.searchsorted(looked_up, refs)]
    both = (query_ordinary[queries] + ref_ordinary) / 2
    values = similarities[queries, refs]
    lifts = (values - both) / spread
    found: list[Scene] = []
    for at in np.argsort(-lifts, kind="stable").tolist():
        if lifts[at] < settings.alike or len(found) == _MOST_PAIRS:
            break
        i, j = int(queries[at]), int(refs[at])
        others = [scene.query for scene in found], [scene.ref for scene in found]
        if found and (
            (query.vectors[others[0]] @ query.vectors[i]).max() >= _SAME
            or (ref.vectors[others[1]] @ ref.vectors[j]).max() >= _SAME
        ):
            continue
        found.append(Scene(i, j, float(values[at]), float(both[at]), float(lifts[at])))
    return found


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


def _spread(similarities: Floats, usual: float) -> float:
    """Deviation of similarities, by their quartiles; the fewer there are, the more as is usual."""
    count = similarities.size
    quartiles = np.quantile(similarities, [0.25, 0.75])
    measured = float(quartiles[1] - quartiles[0]) / 1.349
    return (count * measured + _KNOWN_PAIRS * usual) / (count + _KNOWN_PAIRS)
