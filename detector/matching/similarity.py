"""The similar frame pairs of an upload and a work: a similarity matrix without its empty part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.matching.views import Views
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


def similar_pairs(query: Views, ref: Embeddings, floor: float) -> Similarities:
    """Compare every frame of an upload, by its best view, with every frame of a work.

    Memory is bounded for files of any length: the matrix is made in slices of upload frames, and
    of each frame's similarities above `floor` at most the best 100 are kept.
    """
    rows_of = np.append(query.first_rows(), len(query.vectors))
    most_views = int(np.max(np.diff(rows_of), initial=1))
    frames_at_once = max(1, _CELLS_AT_ONCE // max(1, len(ref.times) * most_views))
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
    for start in range(0, len(query), frames_at_once):
        rows = rows_of[start : start + frames_at_once + 1]
        values = query.vectors[rows[0] : rows[-1]] @ ref.vectors.T
        if len(values) > len(rows) - 1:
            values = np.maximum.reduceat(values, rows[:-1] - rows[0], axis=0)
        similar = values > floor
        if values.shape[1] > _MOST_PER_FRAME:
            others = np.argpartition(values, -_MOST_PER_FRAME, axis=1)[:, :-_MOST_PER_FRAME]
            np.put_along_axis(similar, others, False, axis=1)
        frames, columns = np.nonzero(similar)
        parts.append((frames + start, columns, values[frames, columns]))
    frames, columns, kept = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Similarities(query.times, ref.times, frames, columns, kept.astype(np.float32))
