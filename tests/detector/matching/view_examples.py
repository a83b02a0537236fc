"""Views that several tests draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.matching import Views
from index.embeddings import Embeddings


def directions(count: int, seed: int, dim: int = 16) -> npt.NDArray[np.float32]:
    """Draw vectors of length 1 at random."""
    vectors = np.random.default_rng(seed).normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def embedded(count: int, seed: int, dim: int = 16) -> Embeddings:
    """Draw frames, two a second."""
    return Embeddings(directions(count, seed, dim), np.arange(count) / 2)


def several_views(count: int, seed: int, most: int = 4) -> Views:
    """Draw frames, two a second, each with one view to `most` of them."""
    views = np.random.default_rng(seed).integers(1, most + 1, count)
    frames = np.repeat(np.arange(count), views)
    return Views(np.arange(count) / 2, directions(len(frames), seed), frames)
