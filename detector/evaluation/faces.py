"""Faces of benchmark pictures, by the detector and by the recipe it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from detector.descriptors.base import normalised
from detector.descriptors.sface import FaceDescriptor, align_face
from detector.faces import describe_face, read_photo
from detector.matching.likeness import Cohort, Likenesses, distances, likeness_score
from detector.media import UnreadableMediaError
from index.person_records import Gallery, Person
from index.records import Policy

Floats = npt.NDArray[np.float32]

# What OpenCV's own sample program for YuNet and SFace sets.
PUBLISHED_LEAST_SCORE = 0.9
PUBLISHED_THRESHOLD = 0.363  # cosine, of SFace on Labeled Faces in the Wild


def largest_face(path: Path, descriptor: FaceDescriptor) -> Floats | None:
    """Return the embedding of the largest usable face, float32 [d], or None."""
    try:
        image = read_photo(path)
    except UnreadableMediaError:
        return None
    for face in descriptor.find(image):
        vector = describe_face(descriptor, image, face)
        if vector is not None:
            return vector
    return None


class Published:
    """YuNet and SFace as published: one scale, the surest face, one embedding, its cosine.

    The picture goes to the detector in its own size, as in OpenCV's sample. Detector and network
    are those that the project uses; only what is done around them differs.
    """

    def __init__(self, descriptor: FaceDescriptor, model: Path) -> None:
        self._descriptor = descriptor
        self._detector: Any = cv2.FaceDetectorYN.create(
            str(model), "", (320, 320), PUBLISHED_LEAST_SCORE
        )

    def face(self, path: Path) -> Floats | None:
        """Return the embedding of the surest face, float32 [d], or None."""
        image = cv2.imread(str(path))
        if image is None:
            return None
        self._detector.setInputSize((image.shape[1], image.shape[0]))
        _, rows = self._detector.detect(image)
        if rows is None:
            return None
        landmarks = rows[rows[:, 14].argmax(), 4:14].reshape(5, 2)
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        return np.asarray(self._descriptor.describe([align_face(rgb, landmarks)])[0], np.float32)


def compared(
    pairs: Sequence[tuple[Path, Path]], faces: Mapping[Path, Floats | None], cohort: Cohort | None
) -> npt.NDArray[np.float64]:
    """Return how alike the faces of pairs are: the cosine, or with a cohort their distance.

    -inf where one of the pictures has no face.
    """
    result = np.full(len(pairs), -np.inf)
    for row, (one, other) in enumerate(pairs):
        a, b = faces[one], faces[other]
        if a is not None and b is not None:
            result[row] = a @ b if cohort is None else distances(a[None], b[None], cohort)[0, 0]
    return result


def gallery_of(people: Mapping[str, Sequence[Floats]], space: str) -> Gallery:
    """Return a gallery of people by name, each with at least one embedding."""
    enrolled = tuple(
        Person(
            id=name,
            name=name,
            authority="benchmark",
            retain_until=date.max,
            policy=Policy.REVIEW,
            number=number,
            added_at=datetime.now(UTC),
            faces=len(vectors),
        )
        for number, (name, vectors) in enumerate(people.items(), 1)
    )
    counts = [len(vectors) for vectors in people.values()]
    return Gallery(
        space,
        enrolled,
        np.concatenate([np.array(vectors, np.float32) for vectors in people.values()]),
        np.repeat(np.arange(len(counts)), counts),
        np.concatenate([np.arange(1, count + 1) for count in counts]),
    )


def crowded(
    people: Mapping[str, Sequence[Floats]], count: int, seed: int
) -> dict[str, Sequence[Floats]]:
    """Fill a gallery up to `count` people with made-up ones, near real people in all directions.

    A made-up person is a real one moved at random so far that the cosine to them is about 0.3: as
    alike as the most alike strangers.
    """
    rng = np.random.default_rng(seed)
    templates = normalised(
        np.array([np.mean(vectors, axis=0) for vectors in people.values()], np.float32)
    )
    filled: dict[str, Sequence[Floats]] = dict(people)
    for number in range(max(0, count - len(people))):
        near = templates[number % len(templates)]
        away = rng.standard_normal(len(near)).astype(np.float32)
        away -= (away @ near) * near
        away /= np.linalg.norm(away)
        filled[f"made-up-{number}"] = [np.float32(0.3) * near + np.float32(0.954) * away]
    return filled


@dataclass(frozen=True, slots=True)
class Answer:
    """What one picture's face is said to be."""

    nearest: str  # the person
    score: float


def answer(vector: Floats, likenesses: Likenesses) -> Answer:
    """Ask who a single picture shows."""
    row = likenesses.distances(vector[None])[0]
    order = np.argsort(-row)
    best = int(order[0])
    second = float(row[order[1]]) if len(row) > 1 else -np.inf
    score = likeness_score(float(row[best]), second, len(row))
    return Answer(likenesses.gallery.people[best].id, score)
