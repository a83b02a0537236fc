"""The similar frame pairs of an upload and a work: a similarity matrix without its empty part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.embeddings import Embeddings

_MOST_PER_FRAME = 100
_CELLS_AT_ONCE = 8_000_000  # 32 MB of similarities


@dataclass(frozen=True, slots=True)
class Similarities:
    """Pairs of frames with a similarity above a floor, sorted by the upload's frame."""

    query_times: npt.NDArray[np.float64]  # [q] seconds, every frame of the upload
    ref_times: npt.NDArray[np.float64]  # [r] seconds, every frame of the work
    query: npt.NDArray[np.int64]  # [n] frame of the upload
    ref: npt.NDArray[np.int64]  # [n] frame of the work
    value: npt.NDArray[np.float32]  # [n] cosine

    def without_queries(self, first: int, last: int) -> Similarities:
        """Leave out the pairs of the upload's frames `first` to `last`, both included."""
        keep = (self.query < first) | (self.query > last)
        return Similarities(
            self.query_times, self.ref_times, self.query[keep], self.ref[keep], self.value[keep]
        )


def similar_pairs(query: Embeddings, ref: Embeddings, floor: float) -> Similarities:
    """Compare every frame of an upload with every frame of a work.

    Memory is bounded for files of any length: the matrix is made in slices of upload frames, and
    of each frame's similarities above `floor` at most the best 100 are kept.
    """
    rows_at_once = max(1, _CELLS_AT_ONCE // max(1, len(ref.times)))
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
    for start in range(0, len(query.times), rows_at_once):
        values = query.vectors[start : start + rows_at_once] @ ref.vectors.T
        similar = values > floor
        if values.shape[1] > _MOST_PER_FRAME:
            others = np.argpartition(values, -_MOST_PER_FRAME, axis=1)[:, :-_MOST_PER_FRAME]
            np.put_along_axis(similar, others, False, axis=1)
        rows, columns = np.nonzero(similar)
        parts.append((rows + start, columns, values[rows, columns]))
    rows, columns, kept = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Similarities(query.times, ref.times, rows, columns, kept.astype(np.float32))
