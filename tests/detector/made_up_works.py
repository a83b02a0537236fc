"""Works of random vectors, for tests of an index in which nothing is to be recognised."""

from __future__ import annotations

import numpy as np

from index.embeddings import Embeddings
from index.records import NewWork
from index.reference_index import ChannelEmbeddings, ReferenceIndex


def enrol(index: ReferenceIndex, name: str, frames: int, space: str = "a@1", dim: int = 8) -> None:
    """Enrol a work in the channel `copy`; names of several works have several lengths."""
    vectors = np.random.default_rng(len(name)).normal(size=(frames, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    times = np.arange(frames, dtype=np.float64)
    work = NewWork(
        id=name,
        title=name,
        owner=None,
        policy="review",
        source=f"/films/{name}.mp4",
        digest=f"{len(name):064}",
        duration=float(frames),
        frames_sampled=frames,
        frames_uniform=0,
    )
    index.enroll(work, {"copy": ChannelEmbeddings(space, Embeddings(vectors, times))})
