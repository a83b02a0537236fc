"""Small works and vectors to test with."""

from __future__ import annotations

import hashlib

import numpy as np

from index.embeddings import Embeddings
from index.records import NewWork
from index.reference_index import ChannelEmbeddings

SPACE = "sscd-distilled@240436cc531e"


def some_vectors(count: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    """Random directions: float32 [count, dim], each of length 1."""
    vectors = np.random.default_rng(seed).normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def some_embeddings(count: int = 5, dim: int = 8, seed: int = 0) -> Embeddings:
    """One vector a second."""
    return Embeddings(some_vectors(count, dim, seed), np.arange(count, dtype=np.float64))


def some_channel(count: int = 5, dim: int = 8, seed: int = 0) -> ChannelEmbeddings:
    return ChannelEmbeddings(SPACE, some_embeddings(count, dim, seed))


def a_work(name: str = "metropolis", **changes: object) -> NewWork:
    facts: dict = {
        "id": name,
        "title": name.title(),
        "owner": "Murnau Foundation",
        "policy": "review",
        "source": f"/films/{name}.mp4",
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "duration": 5.0,
        "frames_sampled": 6,
        "frames_uniform": 1,
    }
    return NewWork(**(facts | changes))
