"""Small works, people and vectors to test with."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from index.embeddings import Embeddings
from index.person_records import NewPerson, ReferenceFace
from index.records import NewWork
from index.reference_index import ChannelEmbeddings

SPACE = "sscd-distilled@240436cc531e"
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # and on no other


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


FACES = "sface@fb143eea0783"  # the space of faces
KEY = bytes(range(32))


def a_person(person_id: str = "brigitte-helm", **changes: object) -> NewPerson:
    facts: dict = {
        "id": person_id,
        "name": person_id.replace("-", " ").title(),
        "authority": "consent form 12/2026",
        "retain_until": date(2027, 12, 31),
        "policy": "review",
    }
    return NewPerson(**(facts | changes))


def some_faces(count: int = 2, dim: int = 8, seed: int = 0) -> list[ReferenceFace]:
    """Faces of as many photos, with pictures of random bytes."""
    pictures = np.random.default_rng(seed)
    return [
        ReferenceFace(
            vector,
            b"\xff\xd8" + pictures.bytes(3000),
            f"/photos/{seed}-{number}.jpg",
            hashlib.sha256(f"{seed} {number}".encode()).hexdigest(),
        )
        for number, vector in enumerate(some_vectors(count, dim, seed))
    ]


def everything_in(home: Path) -> bytes:
    """All bytes of the home folder, read by another process as `cat` would.

    Were this process to read the database, it would let go of SQLite's locks on it.
    """
    code = (
        "import pathlib, sys\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).rglob('*')):\n"
        "    if path.is_file(): sys.stdout.buffer.write(path.read_bytes())\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, check=True
    ).stdout
