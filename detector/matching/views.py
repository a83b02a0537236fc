"""What an upload's frames look like: each whole, and those parts of it that may be footage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.embeddings import Embeddings


@dataclass(frozen=True, slots=True)
class Views:
    """Embeddings of frames, one or more of each: a frame is as similar as its best view.

    A picture in picture, a half of a split screen or the film within a painted border is a view
    of its own beside the whole frame.
    """

    times: npt.NDArray[np.float64]  # [q] seconds, every frame
    vectors: npt.NDArray[np.float32]  # [n, dim], of unit length
    frames: npt.NDArray[np.int64]  # [n] frame of each vector, never falling; each has one at least

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of_whole(cls, embeddings: Embeddings) -> Views:
        """Take each frame as a whole only."""
        frames = np.arange(len(embeddings), dtype=np.int64)
        return cls(embeddings.times, embeddings.vectors, frames)

    def joined(self, other: Views) -> Views:
        """Add views of the same frames, such as the frames turned.

        Raises
        ------
        ValueError
            When the frames are others.
        """
        if not np.array_equal(self.times, other.times):
            raise ValueError("views of other frames cannot be joined")
        frames = np.concatenate([self.frames, other.frames])
        order = np.argsort(frames, kind="stable")
        vectors = np.concatenate([self.vectors, other.vectors])
        return Views(self.times, vectors[order], frames[order])

    def first_rows(self) -> npt.NDArray[np.int64]:
        """Return the first row of each frame, [q]: that of the whole picture."""
        return np.searchsorted(self.frames, np.arange(len(self.times))).astype(np.int64)

    def best_rows(
        self, frames: npt.NDArray[np.int64], partners: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.int64]:
        """Return the row of each of these frames that is most similar to its partner, [m, dim]."""
        first = np.searchsorted(self.frames, frames)
        last = np.searchsorted(self.frames, frames, side="right")
        best = first.copy()
        most = np.einsum("ij,ij->i", self.vectors[first], partners)
        for step in range(1, int(np.max(last - first, initial=1))):
            rows = np.minimum(first + step, last - 1)
            similarity = np.einsum("ij,ij->i", self.vectors[rows], partners)
            best = np.where(similarity > most, rows, best)
            most = np.maximum(similarity, most)
        return best.astype(np.int64)
