"""A film and a person in an index, by vectors that nothing was looked at for."""

from __future__ import annotations

import hashlib
from datetime import date

import numpy as np

from detector.people import people_cipher
from detector.review.engine import Engine
from index.embeddings import Embeddings
from index.person_records import NewPerson, ReferenceFace
from index.records import NewWork, Policy
from index.reference_index import ChannelEmbeddings, ReferenceIndex

_SPACE, _FACE_SPACE = "sscd-distilled@240436cc531e", "sface@fb143eea0783"


def enrol_examples(engine: Engine) -> ReferenceIndex:
    """Enrol ``metropolis`` and ``brigitte-helm``."""
    index = engine.index
    vectors, faces = np.eye(5, 512, dtype=np.float32), np.eye(1, 128, dtype=np.float32)
    film = NewWork(
        id="metropolis",
        title="Metropolis",
        owner="Murnau Foundation",
        policy=Policy.REVIEW,
        source="films/metropolis.mp4",
        digest=hashlib.sha256(b"metropolis").hexdigest(),
        duration=5.0,
        frames_sampled=6,
        frames_uniform=1,
    )
    content = ChannelEmbeddings(_SPACE, Embeddings(vectors, np.arange(5.0)))
    index.enroll(film, {"copy": content})
    person = NewPerson(
        id="brigitte-helm",
        name="Brigitte Helm",
        authority="consent form 12/2026",
        retain_until=date(2099, 12, 31),
        policy=Policy.REVIEW,
    )
    face = ReferenceFace(faces[0], b"\xff\xd8 a picture", "photo.jpg", "0" * 64)
    index.people.add(person, _FACE_SPACE, [face], people_cipher(engine.settings, make=True))
    return index
