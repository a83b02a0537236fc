"""How many vectors are kept how: the one table of structures and what they are set to.

==================  ==========================================  ============  ===============
vectors             structure                                   bytes each    answers
==================  ==========================================  ============  ===============
to 100 thousand     exact (``IDMap2,Flat``), in memory          4 dim + 8     exact
to 2 million        lists of half floats (``IVF,SQfp16``)       2 dim + 8     approximate
more                lists of bytes (``IVF,SQ8``)                dim + 8       approximate
==================  ==========================================  ============  ===============

Lists (IVF) hold the vectors that are nearest to one of some centroids, which k-means finds in a
sample. A search looks into the lists of the centroids nearest to the query, and into no others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

SAMPLE_PER_LIST = 64
"""Vectors per list that k-means finds the centroids from."""

_LISTS_PER_ROOT = 4.0  # lists: so many times the square root of the vectors
_MOST_LISTS = 8192  # beyond, finding the list of each new vector is what takes the time

# Lists that a query looks into: so many times the fourth root of all. It has to grow with them, as
# the same number finds ever less; `scripts/bench_index` tells what is found.
_PROBES_PER_FOURTH_ROOT = 5.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """At how many vectors a channel's store changes.

    Attributes
    ----------
    exact
        Up to so many, all are compared with.
    half
        Up to so many, a number is kept in 2 bytes; beyond, in 1.
    recent
        So many may have been added to a large store before they are merged into its main file:
        until then they are compared with one by one, and written anew whenever some are added.
    removed
        Share of a main file's vectors that may have been removed before it is written anew.
    growth
        A main file that has so many times the vectors that its lists were laid out for gets
        others.
    """

    exact: int = 100_000
    half: int = 2_000_000
    recent: int = 50_000
    removed: float = 0.1
    growth: float = 2.0

    def codec(self, vectors: int) -> str | None:
        """How FAISS is to write down each of so many vectors; None for as they are."""
        if vectors <= self.exact:
            return None
        return "SQfp16" if vectors <= self.half else "SQ8"

    def is_due(self, main: Mapping[int, int], wanted: Mapping[int, int]) -> bool:
        """Whether a main file should be written anew, or for the first time.

        Parameters
        ----------
        main
            Vectors of each work in it.
        wanted
            Vectors of each work in the catalogue.
        """
        new = sum(count for number, count in wanted.items() if number not in main)
        if not main:
            return new > self.exact
        gone = sum(count for number, count in main.items() if number not in wanted)
        return new > self.recent or gone > self.removed * sum(main.values())

    def is_far_behind(self, missing: int) -> bool:
        """Whether so many vectors are too many to take in one by one."""
        return missing > max(self.exact, 4 * self.recent)


SIZES = Sizes()


def lists_for(vectors: int) -> int:
    """How many lists so many vectors are kept in."""
    return max(1, min(int(_LISTS_PER_ROOT * math.sqrt(vectors)), vectors // 40, _MOST_LISTS))


def probes_for(lists: int) -> int:
    """How many of the lists each query looks into."""
    return min(lists, math.ceil(_PROBES_PER_FOURTH_ROOT * math.sqrt(math.sqrt(lists))))
