"""Which works an upload may contain, judged from the nearest reference frames of all its frames.

As in the baseline of the VSC2022 challenge, the frames of an upload are not judged one by one: the
best hits of the whole upload are taken together and summed by work, so that a work seen weakly but
often is found, and a chance hit of one frame counts for little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.vectors import Hits, split_vector_ids


@dataclass(frozen=True, slots=True)
class Candidate:
    """A work worth aligning with the upload."""

    work_number: int
    evidence: float  # sum over frames of how far the best hit exceeds chance


def rank_candidates(
    hits: Hits,
    frames: npt.NDArray[np.int64],
    floor: float | npt.NDArray[np.float32],
    limit: int,
) -> list[Candidate]:
    """Return the works with the most evidence, at most `limit`, best first.

    Parameters
    ----------
    hits
        Nearest reference frames of every view of the upload's frames, [n, k].
    frames
        The frame of each view, [n].
    floor
        Similarity up to which a hit is chance; one for all, or one for each view, [n]: higher for
        ordinary pictures (see `background`).
    """
    floors = np.broadcast_to(np.asarray(floor, np.float32), len(hits.ids))
    excesses = hits.similarities - floors[:, None]
    rows, columns = np.nonzero((hits.ids >= 0) & (excesses > 0))
    if rows.size == 0:
        return []
    works, _ = split_vector_ids(hits.ids[rows, columns])
    excess = excesses[rows, columns]
    numbers, work_index = np.unique(works, return_inverse=True)
    # The best hit of each (work, frame): a work full of similar frames must not count them all.
    best = np.zeros((len(numbers), int(frames[-1]) + 1), np.float32)
    np.maximum.at(best, (work_index, frames[rows]), excess)
    evidence = best.sum(axis=1)
    order = np.argsort(-evidence, kind="stable")[:limit]
    return [Candidate(int(numbers[i]), float(evidence[i])) for i in order]
