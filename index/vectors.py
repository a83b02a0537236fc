"""Vectors that know which work and frame they stand for, and the protocol of what finds them.

A vector's id is ``work_number << 24 | frame_number``: from a hit to its work and frame is
arithmetic, without a side table that could disagree with the vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

FRAME_BITS = 24
MAX_FRAMES = 1 << FRAME_BITS  # 16.7 million: 194 days of film at one frame a second
MAX_WORK_NUMBER = (1 << (63 - FRAME_BITS)) - 1
NO_ID = -1  # stands in `Hits.ids` where there was no further neighbour

_NORM_TOLERANCE = 1e-3  # what is lost by normalising in float16, and no more


def vector_id(work_number: int, frame_numbers: ArrayLike) -> NDArray[np.int64]:
    """Ids of a work's frames.

    Parameters
    ----------
    work_number
        From 0 to `MAX_WORK_NUMBER`.
    frame_numbers
        Integers from 0 to `MAX_FRAMES` - 1, of any shape.

    Returns
    -------
    int64 array of the shape of `frame_numbers`

    Raises
    ------
    ValueError
        A number is out of range and would run into another work's ids.
    """
    if not 0 <= work_number <= MAX_WORK_NUMBER:
        raise ValueError(f"work number {work_number} is not between 0 and {MAX_WORK_NUMBER}")
    frames = np.asarray(frame_numbers)
    if frames.size and frames.dtype.kind not in "iu":
        raise ValueError(f"frame numbers are integers, not {frames.dtype}")
    if frames.size and (frames.min() < 0 or frames.max() >= MAX_FRAMES):
        raise ValueError(
            f"frame numbers run from 0 to {MAX_FRAMES - 1}, "
            f"but these run from {frames.min()} to {frames.max()}"
        )
    return np.int64(work_number << FRAME_BITS) | frames.astype(np.int64)


def split_vector_ids(ids: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Work numbers and frame numbers of vector ids; both -1 where the id is `NO_ID`.

    Examples
    --------
    >>> split_vector_ids(vector_id(7, [0, 41]))
    (array([7, 7]), array([ 0, 41]))
    """
    numbers = np.asarray(ids, dtype=np.int64)
    nothing = numbers < 0
    works = np.where(nothing, NO_ID, numbers >> FRAME_BITS)
    frames = np.where(nothing, NO_ID, numbers & (MAX_FRAMES - 1))
    return works, frames


def unit_vectors(vectors: ArrayLike, dim: int | None = None) -> NDArray[np.float32]:
    """Check vectors before they are kept or searched for.

    Returns
    -------
    float32 array [n, dim], C-contiguous

    Raises
    ------
    ValueError
        Not a table of numbers of the right width, not finite, or not of length 1. Inner products
        of such vectors are not cosines, and every threshold would mean something else.
    """
    table = np.asarray(vectors)
    if table.dtype.kind not in "fiu":
        raise ValueError(f"vectors hold numbers, not {table.dtype}")
    if table.ndim != 2:
        raise ValueError(f"vectors are a table [n, dim], not an array of shape {table.shape}")
    if dim is not None and table.shape[1] != dim:
        raise ValueError(f"these vectors have {table.shape[1]} dimensions, the others have {dim}")
    table = np.ascontiguousarray(table, dtype=np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", table, table))
    if not np.isfinite(norms).all():
        row = int(np.flatnonzero(~np.isfinite(norms))[0])
        raise ValueError(f"vector {row} holds values that are not finite numbers")
    wrong = np.flatnonzero(np.abs(norms - 1) > _NORM_TOLERANCE)
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(
            f"vector {row} has length {norms[row]:.4g}: L2-normalise vectors to length 1 first"
        )
    return table


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The nearest neighbours of each of q query vectors.

    Attributes
    ----------
    similarities
        float32 [q, k], cosine, descending along each row; -inf where there was no neighbour left.
    ids
        int64 [q, k], see `split_vector_ids`; `NO_ID` where there was no neighbour left.
    """

    similarities: NDArray[np.float32]
    ids: NDArray[np.int64]

    @classmethod
    def none(cls, queries: int, k: int) -> Hits:
        """Answer of an index that holds nothing."""
        return cls(
            np.full((queries, k), -np.inf, dtype=np.float32),
            np.full((queries, k), NO_ID, dtype=np.int64),
        )


class VectorStore(Protocol):
    """Remembers the vectors of works and finds the nearest to others.

    Every implementation passes tests/index/vector_store_conformance.py and agrees with
    `BruteForceStore`.
    """

    @property
    def dim(self) -> int:
        """Width of the vectors."""

    def add(self, work_number: int, vectors: ArrayLike) -> None:
        """Remember a work's vectors, float32 [n, dim], as its frames 0 to n - 1.

        Raises
        ------
        ValueError
            The vectors are not sound (`unit_vectors`), or the work has vectors already.
        """

    def remove(self, work_number: int) -> int:
        """Forget a work; returns how many vectors that were, 0 for a work that was not there."""

    def search(self, queries: ArrayLike, k: int) -> Hits:
        """Find the k nearest vectors of each query, float32 [q, dim], by inner product."""

    def __len__(self) -> int:
        """Count the vectors."""

    def counts(self) -> dict[int, int]:
        """Count the vectors of each work that has any."""

    def verify(self) -> list[str]:
        """Look for inner contradictions; each is a sentence, none if the store is sound."""


class BruteForceStore:
    """The obvious implementation: compares with everything. Slow, and right."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._works: dict[int, NDArray[np.float32]] = {}

    def add(self, work_number: int, vectors: ArrayLike) -> None:
        table = unit_vectors(vectors, self.dim)
        vector_id(work_number, np.arange(len(table)))  # refuses what has no id
        if work_number in self._works:
            raise ValueError(f"work {work_number} has vectors already: remove it first")
        if len(table):
            self._works[work_number] = table.copy()

    def remove(self, work_number: int) -> int:
        return len(self._works.pop(work_number, ()))

    def search(self, queries: ArrayLike, k: int) -> Hits:
        wanted = unit_vectors(queries, self.dim)
        check_k(k)
        hits = Hits.none(len(wanted), k)
        if self._works:
            ids = np.concatenate([vector_id(w, np.arange(len(v))) for w, v in self._works.items()])
            similarities = wanted @ np.concatenate(list(self._works.values())).T
            order = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
            found = order.shape[1]
            hits.similarities[:, :found] = np.take_along_axis(similarities, order, axis=1)
            hits.ids[:, :found] = ids[order]
        return hits

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> dict[int, int]:
        return {number: len(vectors) for number, vectors in self._works.items()}

    def verify(self) -> list[str]:
        problems = []
        for number, vectors in self._works.items():
            try:
                unit_vectors(vectors, self.dim)
            except ValueError as error:
                problems.append(f"work {number}: {error}")
        return problems


def check_k(k: int) -> None:
    """Refuse to look for fewer than one neighbour."""
    if k < 1:
        raise ValueError(f"k, the number of neighbours to find, is at least 1, not {k}")
