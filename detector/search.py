"""Works in what was seen of an upload: copies of them, and what looks like them.

Copies are searched for frame by frame, aligned, scored and looked at again; look-alikes shot by
shot, in what no copy explains.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detector.background import background_of
from detector.describe import Described
from detector.descriptors import Descriptor, space_of
from detector.inputs import InputError, Source
from detector.matching import (
    Background,
    Candidate,
    Ordinary,
    Views,
    align,
    build_look_alike,
    build_match,
    find_scenes,
    is_news,
    rank_candidates,
    similar_pairs,
)
from detector.remote import Media
from detector.settings import Settings
from detector.timeline import Interval
from detector.types import Channel, Match
from detector.verify import verify
from index.embeddings import Embeddings
from index.records import Work
from index.reference_index import ReferenceIndex
from index.vectors import NO_ID, Hits

_NEAREST_SHOTS = 256  # of all works, to a shot: enough to see what is ordinary


class Searchable(Protocol):
    """Finds the nearest frames of works; see `ReferenceIndex.search`."""

    def search(self, channel: str, queries: npt.NDArray[np.float32], k: int) -> Hits: ...


def nearest(index: Searchable, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return how similar the nearest frame of a work is to each vector; -1 if there is no work."""
    similarities = index.search(Channel.COPY, vectors, 1).similarities
    return np.asarray(similarities.max(axis=1, initial=-1.0), np.float32)


def too_ordinary(
    vectors: npt.NDArray[np.float32], background: Background | None, settings: Settings
) -> npt.NDArray[np.float32]:
    """Return by how much frames are more like ordinary footage than any frame may be, [n]."""
    if background is None:
        return np.zeros(len(vectors), np.float32)
    excess = background.bias(vectors) - np.float32(settings.ordinary)
    return np.asarray(np.maximum(excess, 0.0), np.float32)


def is_worth_a_look(described: Described, index: Searchable) -> bool:
    """Whether works are so similar to what was only glanced at that a video must be read again."""
    glances = described.glances
    return glances is not None and glances.deserve(partial(nearest, index))


class Matching:
    """Search, alignment, score and verification of uploads in the copy channel.

    Parameters
    ----------
    timings
        Seconds by stage, added to.
    among
        What finds only some of the works; by default all are looked for.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        index: ReferenceIndex,
        settings: Settings,
        timings: dict[str, float],
        among: Searchable | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._index = index
        self._searched = among or index
        self._settings = settings
        self._thresholds = settings.copy_channel
        self._background = background_of(index, Channel.COPY, space_of(descriptor))
        self._timings = timings

    def aligned(self, query: Views, duration: float) -> list[tuple[Match, Work]]:
        """Return the matches of an upload that is so long, in seconds, whatever their scores."""
        if len(query) == 0:
            return []
        with timed(self._timings, "search"):
            candidates = self._candidates(query)
        found: list[tuple[Match, Work]] = []
        with timed(self._timings, "align"):
            for candidate in candidates:
                work = self._index.work(candidate.work_number)
                match = self._aligned(query, work, duration)
                if match is not None:
                    found.append((match, work))
        return found

    def verified(self, found: list[tuple[Match, Work]], upload: Media) -> list[tuple[Match, Work]]:
        """Look again at pictures of matches, in the upload and the films, where that may tell."""
        if not found or self._thresholds.confirmed_score is None:
            return found
        with (
            timed(self._timings, "verify"),
            ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="verify") as pool,
        ):
            matches = list(pool.map(lambda one: self._verified(one[0], one[1], upload), found))
        return [(match, work) for match, (_, work) in zip(matches, found, strict=True)]

    def _candidates(self, query: Views) -> list[Candidate]:
        hits = self._searched.search(Channel.COPY, query.vectors, self._settings.neighbours)
        ordinary = too_ordinary(query.vectors, self._background, self._settings)
        floor = np.asarray(self._thresholds.floor + ordinary, np.float32)
        return rank_candidates(hits, query.frames, floor, self._settings.max_candidates)

    def _aligned(self, query: Views, work: Work, duration: float) -> Match | None:
        thresholds = self._thresholds
        ref = self._index.embeddings(work.number, Channel.COPY)
        pairs = similar_pairs(query, ref, thresholds.floor)
        return build_match(
            work.id,
            query,
            ref,
            align(pairs, thresholds.aligned, thresholds.least_evidence),
            (duration, work.duration),
            thresholds,
            self._background,
        )

    def is_worth_verifying(self, match: Match) -> bool:
        """Whether a match may turn out to be a copy."""
        return match.score >= self._thresholds.verify_from

    def _verified(self, match: Match, work: Work, upload: Media) -> Match:
        if not self.is_worth_verifying(match):
            return match
        ref = self._index.embeddings(work.number, Channel.COPY)
        try:
            with Source(work.source).opened(self._settings.protocols) as film:
                return verify(match, upload, film, ref, self._descriptor, self._thresholds)
        except InputError:  # the film is gone, or cannot be reached: nothing is concluded
            return match


class LookAlikes:
    """Search of uploads for shots that look like works; see `detector.matching.look_alikes`.

    Parameters
    ----------
    timings, among
        As for `Matching`.
    """

    def __init__(
        self,
        index: ReferenceIndex,
        settings: Settings,
        timings: dict[str, float],
        among: Searchable | None = None,
    ) -> None:
        self._index = index
        self._among = among
        self._most = settings.max_candidates
        self._thresholds = settings.semantic_channel
        self._timings = timings

    def found(
        self,
        shots: Embeddings,
        copied: Sequence[Interval] = (),
        excluded: Callable[[Work], Sequence[Interval]] = lambda _: (),
    ) -> list[tuple[Match, Work]]:
        """Return the works that shots of an upload look like, whatever their scores.

        Parameters
        ----------
        copied
            Seconds of the upload that are known to be copies of anything: these are no look-alikes.
        excluded
            Tells the seconds of a work that its owner claims nothing for.
        """
        query = _outside(shots, copied)
        if len(query) == 0:
            return []
        with timed(self._timings, "search"):
            hits = self._index.search(Channel.SEMANTIC, query.vectors, _NEAREST_SHOTS)
            among = hits
            if self._among is not None:
                among = self._among.search(Channel.SEMANTIC, query.vectors, _NEAREST_SHOTS)
            numbers = self._candidates(among)
        usual = Ordinary(hits, self._thresholds.usual)
        best = hits.similarities[:, 0]
        found: list[tuple[Match, Work]] = []
        with timed(self._timings, "align"):
            for number in numbers:
                work = self._index.work(number)
                ref = _outside(self._index.embeddings(number, Channel.SEMANTIC), excluded(work))
                if len(ref) == 0:
                    continue
                scenes = find_scenes(query, ref, usual.beside(number), best, self._thresholds)
                match = build_look_alike(work.id, query, ref, scenes, self._thresholds)
                if match is not None:
                    found.append((match, work))
        return found

    def _candidates(self, hits: Hits) -> list[int]:
        """Return the works with the most shots that stand out, at most so many."""
        lane = self._thresholds
        usual = Ordinary(hits, lane.usual).beside(NO_ID)
        rows = np.arange(len(hits.ids), dtype=np.int64)
        least = np.asarray(usual + lane.alike * (1 - usual), np.float32)
        ranked = rank_candidates(hits, rows, least, self._most)
        return [candidate.work_number for candidate in ranked]


def _outside(shots: Embeddings, intervals: Sequence[Interval]) -> Embeddings:
    """Leave out shots that lie mostly in some seconds of the video."""
    if not intervals:
        return shots
    rows = np.flatnonzero(is_news(shots.stretches, intervals))
    return Embeddings(shots.vectors[rows], shots.times[rows], shots.stretches[rows])


@contextmanager
def timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    """Add the seconds that something takes to a stage's."""
    started = time.perf_counter()
    yield
    timings[stage] += time.perf_counter() - started
