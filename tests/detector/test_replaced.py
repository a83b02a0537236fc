from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.assets import ASSETS, fetch
from detector.descriptors.sface import FaceDescriptor
from detector.faces import SHORT_SIDE, FaceWatch
from detector.matching.likeness import FaceTrack
from detector.media import Sampler
from detector.replaced import REPLACED, mark_replaced, mark_strangers_to_cast
from detector.samples import Picture, footage, mirrored, whole, write_clip
from detector.types import (
    Appearance,
    Box,
    Channel,
    Evidence,
    Likeness,
    Match,
    Segment,
)
from tests.conftest import load_picture

SEGMENT = Segment(0, 3, 0, 3, 0.99, 1.0, Evidence(0.8, 0.1, 0.6, 0.5, 3.0), edits=("blurred",))
MATCH = Match("interview", Channel.COPY, 0.99, (SEGMENT,))


@pytest.fixture(scope="module")
def descriptor() -> FaceDescriptor:
    return FaceDescriptor()


@pytest.fixture(scope="module")
def another(descriptor: FaceDescriptor) -> tuple[Picture, np.ndarray]:
    """Return a picture of somebody else, and where in it the landmarks of the face are."""
    _, picture = next(iter(footage(whole(fetch(ASSETS["carphone_pristine"])))))
    (face, *_) = descriptor.find(picture)
    return picture, face.landmarks


@pytest.fixture(scope="module")
def film(portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three seconds in which the camera moves over the portrait of an astronaut."""
    path = tmp_path_factory.mktemp("film") / "interview.mp4"
    still = load_picture(portrait)
    frames = (np.ascontiguousarray(still[:400, 3 * n : 3 * n + 400]) for n in range(30))
    write_clip(path, ((n / 10, frame) for n, frame in enumerate(frames)))
    return path


def edited(film: Path, path: Path, edit: Callable[[Picture], Picture]) -> Path:
    write_clip(path, ((time, edit(picture)) for time, picture in footage(whole(film))))
    return path


def faces_of(path: Path, descriptor: FaceDescriptor) -> list[FaceTrack]:
    watch = FaceWatch(descriptor)
    watch.look(list(Sampler(path, 4.0, SHORT_SIDE)))
    watch.finish()
    assert watch.tracks
    return watch.tracks


def edits_of(match: Match) -> tuple[str, ...]:
    (segment,) = match.segments
    return segment.edits


def test_another_face_on_the_actor_is_named(tmp_path, film, descriptor, another):
    picture, landmarks = another

    def swapped(frame: Picture) -> Picture:
        (face, *_) = descriptor.find(frame)
        matrix, _ = cv2.estimateAffinePartial2D(landmarks, face.landmarks)
        size = frame.shape[1], frame.shape[0]
        put = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros((*frame.shape[:2], 1), np.float32)
        centre = tuple(int(value) for value in face.landmarks.mean(axis=0))
        cv2.ellipse(mask, centre, (int(face.side * 0.45), int(face.side * 0.5)), 0, 0, 360, 1, -1)
        return np.asarray(frame * (1 - mask) + put * mask, np.uint8)

    upload = edited(film, tmp_path / "swapped.mp4", swapped)
    marked = mark_replaced(MATCH, faces_of(upload, descriptor), upload, film, descriptor)
    assert edits_of(marked) == ("blurred", REPLACED)
    assert replace(marked.segments[0], edits=("blurred",)) == SEGMENT


def shrunk(frame: Picture) -> Picture:
    return np.asarray(cv2.resize(frame, (280, 280), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("edit", [shrunk, mirrored])
def test_a_copy_with_the_actors_own_face_is_not(tmp_path, film, descriptor, edit):
    upload = edited(film, tmp_path / "copy.mp4", edit)
    assert mark_replaced(MATCH, faces_of(upload, descriptor), upload, film, descriptor) == MATCH


def test_nor_is_somebody_beside_the_scene(tmp_path, film, descriptor, another):
    """A reaction video: the scene, and next to it a person who watches."""
    picture, _ = another
    beside = np.asarray(cv2.resize(picture, (480, 400)), np.uint8)
    upload = edited(film, tmp_path / "reaction.mp4", lambda frame: np.hstack([frame, beside]))
    tracks = faces_of(upload, descriptor)
    assert len({track.box.left > 0.5 for track in tracks}) == 2  # both are seen
    assert mark_replaced(MATCH, tracks, upload, film, descriptor) == MATCH


def test_without_the_film_nothing_is_concluded(tmp_path, film, descriptor):
    tracks = faces_of(film, descriptor)
    assert mark_replaced(MATCH, tracks, film, tmp_path / "gone.mp4", descriptor) == MATCH


def seen(person: str, time: float, likeness: Likeness = Likeness.LIKELY) -> Match:
    box = Box(0.4, 0.2, 0.2, 0.3)
    one = Appearance(time - 1, time + 1, 0.99, likeness, 0.6, 6.0, 4.0, 5, time, box, 1)
    return Match(person, Channel.FACE, 0.99, appearances=(one,))


def test_who_does_not_belong_to_the_cast_is_named():
    people = [seen("anna", 1.0), seen("bert", 2.0), seen("carl", 9.0)]
    people += [seen("dora", 1.5, Likeness.RESEMBLES)]
    names = {"anna": "Anna", "bert": "Bert", "carl": "Carl", "dora": "Dora"}
    marked = mark_strangers_to_cast(MATCH, people, names, cast=["anna"])
    assert edits_of(marked) == ("blurred", "shows Bert, who is not in its cast")
    assert mark_strangers_to_cast(MATCH, people, names, cast=[]) == MATCH
