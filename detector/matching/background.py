"""How ordinary a frame is: its similarity to frames that have nothing to do with any film.

White text on black, a plain wall or a web page is similar to many unrelated pictures, so that its
similarity to one more says little. The *bias* of a frame is its mean similarity to the nearest
frames of a background bank; subtracting a multiple of it from all similarities of that frame puts
frames on one scale. It is the score normalisation of the baseline of the Video Similarity Challenge
(Pizzi et al., "The 2023 Video Similarity Dataset and Challenge", 2023; for pictures: Douze et al.,
"The 2021 Image Similarity Dataset and Challenge", 2021).

Banks ship for the default descriptors, as vectors only: see `scripts/make_background`, and NOTICE
for what they were computed from.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from detector.descriptors.base import normalised
from index.vectors import unit_vectors

FILE_NAME = "background-{}.npz"  # in detector/data, with the name of the space
SEPARATOR = re.compile(r"[^\w.-]")  # what a space's name may have and a file's should not
_CELLS_AT_ONCE = 4_000_000  # 16 MB of similarities


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A bank of ordinary frames in one vector space.

    Attributes
    ----------
    space
        The vector space, see `detector.descriptors.space_of`.
    vectors
        float32 [n, d], each of length 1; read-only. There may be none.

    Raises
    ------
    ValueError
        The vectors do not fit this description (other numeric types are converted).
    """

    space: str
    vectors: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        vectors = unit_vectors(self.vectors).view()
        vectors.flags.writeable = False
        object.__setattr__(self, "vectors", vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def bias(self, vectors: npt.NDArray[np.float32], nearest: int = 8) -> npt.NDArray[np.float32]:
        """Tell how ordinary frames are.

        Memory is bounded for any number of frames: they are compared in slices.

        Parameters
        ----------
        vectors
            float32 [q, d], frames of the bank's space, each of length 1.
        nearest
            How many of the bank's frames to average over, at least 1; all, if it has fewer.

        Returns
        -------
        float32 [q], mean cosine with the nearest frames of the bank; zeros if that is empty
        """
        if nearest < 1:
            raise ValueError(f"nearest, the number of frames to average, is at least 1: {nearest}")
        biases = np.zeros(len(vectors), np.float32)
        if len(self) == 0:
            return biases
        count = min(nearest, len(self))
        rows = max(1, _CELLS_AT_ONCE // len(self))
        for start in range(0, len(vectors), rows):
            similarities = vectors[start : start + rows] @ self.vectors.T
            largest = np.partition(similarities, -count, axis=1)[:, -count:]
            biases[start : start + rows] = largest.mean(axis=1)
        return biases

    def joined(self, vectors: npt.NDArray[np.float32]) -> Background:
        """Return a larger bank: this one's frames and others, float32 [n, d] of the same space.

        Raises
        ------
        ValueError
            The vectors are of another width or not of length 1.
        """
        others = unit_vectors(vectors, self.vectors.shape[1])
        return Background(self.space, np.concatenate([self.vectors, others]))


@cache
def shipped(space: str) -> Background | None:
    """Return the bank that ships for a vector space, read once; None if there is none."""
    resource = files("detector") / "data" / FILE_NAME.format(SEPARATOR.sub("-", space))
    if not resource.is_file():
        return None
    with resource.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        about, vectors = json.loads(str(arrays["about"])), arrays["vectors"]
    # Two names can come out as one file's.
    if about["space"] != space:
        return None
    # What float16 rounded is brought back to length 1.
    return Background(space, normalised(vectors.astype(np.float32)))
