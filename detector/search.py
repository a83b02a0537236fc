"""Works in what was seen of an upload, by channel: search, alignment, score, second look."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detector.background import background_of
from detector.describe import Described
from detector.descriptors import Descriptor, space_of
from detector.matching import (
    Background,
    Candidate,
    Views,
    align,
    build_match,
    rank_candidates,
    similar_pairs,
)
from detector.settings import Settings
from detector.types import Channel, Match
from detector.verify import verify
from index.records import Work
from index.reference_index import ReferenceIndex
from index.vectors import Hits


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
    """Search, alignment, score and verification of uploads in one channel.

    Parameters
    ----------
    timings
        Seconds by stage, added to.
    among
        What finds only some of the works; by default all are looked for.
    """

    def __init__(
        self,
        channel: Channel,
        descriptor: Descriptor,
        index: ReferenceIndex,
        settings: Settings,
        timings: dict[str, float],
        among: Searchable | None = None,
    ) -> None:
        self._channel = channel
        self._descriptor = descriptor
        self._index = index
        self._searched = among or index
        self._settings = settings
        self._thresholds = settings.channel(channel)
        self._background = background_of(index, channel, space_of(descriptor))
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

    def verified(self, found: list[tuple[Match, Work]], path: Path) -> list[tuple[Match, Work]]:
        """Look again at the pictures of matches, in the upload's file, where that may tell."""
        if not found or self._thresholds.confirmed_score is None:
            return found
        with (
            timed(self._timings, "verify"),
            ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="verify") as pool,
        ):
            matches = list(pool.map(lambda one: self._verified(one[0], one[1], path), found))
        return [(match, work) for match, (_, work) in zip(matches, found, strict=True)]

    def _candidates(self, query: Views) -> list[Candidate]:
        hits = self._searched.search(self._channel, query.vectors, self._settings.neighbours)
        ordinary = too_ordinary(query.vectors, self._background, self._settings)
        floor = np.asarray(self._thresholds.floor + ordinary, np.float32)
        return rank_candidates(hits, query.frames, floor, self._settings.max_candidates)

    def _aligned(self, query: Views, work: Work, duration: float) -> Match | None:
        thresholds = self._thresholds
        ref = self._index.embeddings(work.number, self._channel)
        pairs = similar_pairs(query, ref, thresholds.floor)
        return build_match(
            self._channel,
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

    def _verified(self, match: Match, work: Work, path: Path) -> Match:
        if not self.is_worth_verifying(match):
            return match
        ref = self._index.embeddings(work.number, self._channel)
        return verify(match, path, Path(work.source), ref, self._descriptor, self._thresholds)


@contextmanager
def timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    """Add the seconds that something takes to a stage's."""
    started = time.perf_counter()
    yield
    timings[stage] += time.perf_counter() - started
