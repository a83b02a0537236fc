"""Enrolling people: from photos and clips to reference faces, and the key that these lie under."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import tempfile
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from detector.describe import OnProgress
from detector.descriptors import DescriptorUnavailableError, space_of
from detector.descriptors.sface import FaceDescriptor
from detector.faces import SHORT_SIDE, FaceChannel, FaceWatch, describe_face, read_photo
from detector.inputs import Source, digest_of
from detector.matching.likeness import (
    Cohort,
    FaceTrack,
    Likenesses,
    leaders,
    read_cohort,
    shipped_cohort,
)
from detector.media import Frame, Sampler, grab, is_still, probe, rate_for
from detector.remote import Media
from detector.settings import Settings
from detector.text import encodable
from detector.types import Box
from index.cipher import KEY_BYTES, Cipher
from index.errors import SpaceMismatchError, WrongKeyError
from index.files import sync_folder
from index.people import People
from index.person_records import NewPerson, Person, ReferenceFace
from index.reference_index import ReferenceIndex

LARGEST = "largest"
_SURE = 0.85  # what is less surely a face would make a second person of a picture's background
_MOST_OF_CLIP = 12  # reference faces taken from one clip
_BATCH = 32
_CROP_SIDE = 200  # pixels of a reference face's picture
_AROUND = 0.35  # of the face's size, shown on each side of it
_ALIKE = 0.3  # cosine of a photo to the person's others below which it may be somebody else's


class NoFaceError(Exception):
    """A photo or clip cannot be enrolled; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Described:
    """One file's reference faces of one person."""

    faces: tuple[ReferenceFace, ...]
    problem: str | None  # what could not be read of it, None if all was


def describe_reference(
    source: Source,
    descriptor: FaceDescriptor,
    settings: Settings,
    which: str | None = None,
    on_progress: OnProgress | None = None,
) -> Described:
    """Find the one person that a photo or clip shows.

    Parameters
    ----------
    which
        For files that show several: ``largest``, or the number of the face counted from the left,
        from 1 (in a clip the number of the person, in order of appearance). None refuses them.

    Raises
    ------
    InputError, UnreadableMediaError
        The file cannot be read.
    NoFaceError
        There is no usable face, or there are several and nothing says which.
    """
    with source.opened(settings.protocols) as media:
        digest = digest_of(media)
        name = encodable(source.address)
        if is_still(media):
            vector, crop = _photo(media, descriptor, which)
            return Described((ReferenceFace(vector, crop, name, digest),), None)
        tracks, problem = _clip(media, descriptor, settings, which, on_progress)
        # The best pictures, spread over the clip.
        tracks = sorted(tracks, key=lambda track: -track.faces)[:_MOST_OF_CLIP]
        pictures = grab(media, [track.time for track in tracks], SHORT_SIDE)
        faces = [
            ReferenceFace(track.vector, crop_face(picture, track.box), name, digest, track.time)
            for track, picture in zip(tracks, pictures, strict=True)
        ]
    return Described(tuple(sorted(faces, key=lambda face: face.time or 0.0)), problem)


def find_outliers(faces: Sequence[ReferenceFace]) -> list[tuple[ReferenceFace, float]]:
    """Return faces that do not look like the person's others, with their cosine to these."""
    vectors = np.array([face.vector for face in faces])
    total = vectors.sum(axis=0)
    outliers = []
    for face in faces if len(faces) > 1 else ():
        others = total - face.vector
        similarity = float(face.vector @ others / max(float(np.linalg.norm(others)), 1e-6))
        if similarity < _ALIKE:
            outliers.append((face, similarity))
    return outliers


def crop_face(
    image: npt.NDArray[np.uint8], box: Box, side: int = _CROP_SIDE, around: float = _AROUND
) -> bytes:
    """Return a face with something around it as a JPEG file.

    Parameters
    ----------
    image
        uint8 [height, width, 3] RGB.
    side
        Pixels of the longer side, at most.
    around
        What is shown on each side, as a share of the face's own size.
    """
    height, width = image.shape[:2]
    margin = around * max(box.width * width, box.height * height)
    left = max(0, round(box.left * width - margin))
    top = max(0, round(box.top * height - margin))
    right = min(width, round((box.left + box.width) * width + margin))
    bottom = min(height, round((box.top + box.height) * height + margin))
    crop = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    scale = min(1.0, side / max(crop.shape[:2]))
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    return jpeg.tobytes()


def _photo(
    media: Media, descriptor: FaceDescriptor, which: str | None
) -> tuple[npt.NDArray[np.float32], bytes]:
    image = read_photo(media)
    found = [face for face in descriptor.find(image) if face.score >= _SURE]
    described = [(face, describe_face(descriptor, image, face)) for face in found]
    usable = [(face, vector) for face, vector in described if vector is not None]
    if not usable:
        raise NoFaceError(
            f"{len(found)} faces, but too small, blurred, dark or turned away"
            if found
            else "no face in it: give a photo that shows the face from the front"
        )
    from_left = sorted(usable, key=lambda one: one[0].left)
    places = ", ".join(
        f"{n} at {100 * (face.left + face.width / 2) / image.shape[1]:.0f} % from the left, "
        f"{face.side:.0f} pixels"
        for n, (face, _) in enumerate(from_left, 1)
    )
    sizes = [face.side for face, _ in from_left]
    face, vector = from_left[_choose(which, sizes, f"{len(usable)} faces ({places})")]
    return vector, crop_face(image, face.box_in(image))


def _clip(
    media: Media,
    descriptor: FaceDescriptor,
    settings: Settings,
    which: str | None,
    on_progress: OnProgress | None,
) -> tuple[list[FaceTrack], str | None]:
    """Return the tracks of the one person that a clip shows."""
    info = probe(media, settings.limits)
    rate = rate_for(info.duration, settings.rate)
    sampler = Sampler(media, rate, SHORT_SIDE, settings.limits)
    watch = FaceWatch(descriptor, least_score=_SURE)
    frames: list[Frame] = []
    for frame in sampler:
        frames.append(frame)
        if len(frames) == _BATCH:
            watch.look(frames)
            frames = []
            if on_progress is not None:
                on_progress(frame.time, info.duration)
    watch.look(frames)
    watch.finish()
    if not watch.tracks:
        raise NoFaceError("no usable face in it: give a clip that shows the face from the front")
    groups = leaders(np.array([track.vector for track in watch.tracks]))
    people = [[watch.tracks[row] for row in rows] for rows in groups]
    seconds = [sum(track.end - track.start for track in tracks) for tracks in people]
    places = ", ".join(
        f"{n} for {length:.1f} s from {tracks[0].start:.1f} s on"
        for n, (tracks, length) in enumerate(zip(people, seconds, strict=True), 1)
    )
    chosen = people[_choose(which, seconds, f"{len(people)} people ({places})")]
    return chosen, sampler.error


def _choose(which: str | None, sizes: Sequence[float], what: str) -> int:
    """Return which of several is meant.

    Parameters
    ----------
    sizes
        How much there is of each.
    what
        The choice in words, for the error.
    """
    if which == LARGEST:
        return int(np.argmax(sizes))
    if which is not None:
        if not re.fullmatch(r"[1-9]\d*", which) or int(which) > len(sizes):
            raise NoFaceError(f"--face {which} names none of {what}: give a number, or `{LARGEST}`")
        return int(which) - 1
    if len(sizes) > 1:
        raise NoFaceError(f"{what}: say which with --face NUMBER or --face {LARGEST}")
    return 0


@dataclass(frozen=True, slots=True)
class EnrolledPerson:
    """What became of an enrolment."""

    person: Person
    warnings: tuple[str, ...]


def enroll_person(
    people: People,
    person: NewPerson,
    descriptor: FaceDescriptor,
    faces: Sequence[ReferenceFace],
    cipher: Cipher,
    *,
    more: bool = False,
) -> EnrolledPerson:
    """Write down a person, or more faces of one who is enrolled.

    Raises
    ------
    index.errors.ReferenceIndexError
        The id is taken (or, with `more`, unknown), the key is another, the index is busy.
    """
    space = space_of(descriptor)
    if more:
        enrolled = people.add_faces(person.id, space, faces, cipher)
        everything: Sequence[ReferenceFace] = people.references(person.id, cipher)
    else:
        enrolled = people.add(person, space, faces, cipher)
        everything = faces
    warnings = [
        f"{face.source} does not look like the others (cosine {similarity:.2f}): is it really "
        f"{person.name}?"
        for face, similarity in find_outliers(everything)
    ]
    return EnrolledPerson(enrolled, tuple(warnings))


def note_of_expired(people: Sequence[Person], today: date) -> str | None:
    """Say who of the enrolled is not matched any more; None if everybody is."""
    expired = [person for person in people if person.is_expired(today)]
    if not expired:
        return None
    return (
        f"{len(expired)} of {len(people)} enrolled people have expired and are not matched any "
        "more: `matchcut people remove --expired` erases them"
    )


def open_faces(
    index: ReferenceIndex,
    settings: Settings,
    today: date,
    descriptor: FaceDescriptor | None = None,
) -> FaceChannel | None:
    """Make ready to find the people enrolled who may be matched today; None if there are none.

    Parameters
    ----------
    descriptor
        One that is loaded already; by default that of the settings is.

    Raises
    ------
    DescriptorUnavailableError
        A model or the cohort cannot be had.
    index.errors.ReferenceIndexError
        There is no key, it is another one, or the people were described by another descriptor.
    """
    if not any(not person.is_expired(today) for person in index.people.all()):
        return None
    gallery = index.people.gallery(people_cipher(settings), today)
    descriptor = descriptor or FaceDescriptor(settings.face_model)
    if gallery.space != space_of(descriptor):
        raise SpaceMismatchError(
            f"the people were described with {gallery.space}, not with {space_of(descriptor)}: "
            "set MATCHCUT_FACE_MODEL back, or remove the people and add them again"
        )
    return FaceChannel(descriptor, Likenesses(gallery, cohort_for(descriptor, settings)))


def cohort_for(descriptor: FaceDescriptor, settings: Settings) -> Cohort:
    """Return the faces of others that a descriptor's are measured against.

    Raises
    ------
    DescriptorUnavailableError
        The one that the settings name cannot be read, or is another model's.
    """
    path = settings.face_cohort
    try:
        cohort = shipped_cohort(space_of(descriptor)) if path is None else read_cohort(path)
    except (OSError, ValueError) as error:
        raise DescriptorUnavailableError(
            f"the cohort of faces {path} cannot be read ({error}): make one with "
            "scripts/make_cohort, or leave MATCHCUT_FACE_COHORT unset"
        ) from error
    if cohort is None:
        return Cohort.unknown(descriptor.dim)
    if len(cohort.mean) != descriptor.dim:
        raise DescriptorUnavailableError(
            f"the cohort of faces {path} is {len(cohort.mean)} wide, {descriptor.name} makes "
            f"vectors of {descriptor.dim}: make one with scripts/make_cohort for this model"
        )
    return cohort


def id_of(name: str) -> str:
    """Return the id that a name gives: "Zoë O'Hara" -> "zoe_o_hara"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def people_cipher(settings: Settings, *, make: bool = False) -> Cipher:
    """Return the cipher of the enrolled faces.

    Parameters
    ----------
    make
        Whether a key is made, in the key file, if there is none.

    Raises
    ------
    WrongKeyError
        There is no key, or what is there is none.
    """
    path = settings.people_key_file
    if settings.people_key is not None:
        text, where = settings.people_key.get_secret_value(), "MATCHCUT_PEOPLE_KEY"
    else:
        where = str(path)
        if make and not path.exists():
            _make_key(path)
        try:
            text = path.read_text("ascii")
        except FileNotFoundError as error:
            raise WrongKeyError(
                f"there is no key for the enrolled faces in {path}: put it back, or set "
                "MATCHCUT_PEOPLE_KEY or MATCHCUT_PEOPLE_KEY_FILE"
            ) from error
        except ValueError as error:
            raise _not_a_key(where) from error
    try:
        return Cipher(base64.b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError) as error:
        raise _not_a_key(where) from error


def cipher_to_enrol(index: ReferenceIndex, settings: Settings) -> tuple[Cipher, str | None]:
    """Return the cipher for new faces, and what to tell of a key that was made for the first ones.

    Raises
    ------
    WrongKeyError
        There are faces and no key to them, or what is there is none: one made beside faces that
        are sealed with another would only be in the way.
    """
    if index.people.all():
        return people_cipher(settings), None
    had_key = settings.people_key is not None or settings.people_key_file.exists()
    cipher = people_cipher(settings, make=True)
    if had_key:
        return cipher, None
    return cipher, (
        f"the key of the enrolled faces was made in {settings.people_key_file}: without it they "
        "cannot be read, so back it up, apart from the workspace"
    )


def _make_key(path: Path) -> None:
    """Make a key file, whole from its first moment; another process's, if it was first, stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)
    sync_folder(path.parent)


def _not_a_key(where: str) -> WrongKeyError:
    return WrongKeyError(
        f"{where} holds no key: it is {KEY_BYTES} random bytes in base64 "
        f"(`head -c {KEY_BYTES} /dev/urandom | base64`)"
    )
