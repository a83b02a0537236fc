"""Pictures of a case: frames that were found alike with the verified geometry, and faces.

Pictures of frames are kept as evidence, since decoding takes time. Those of faces never are: they
are biometric data, and looking at one is an event of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from detector.faces import SHORT_SIDE as FACES_SIDE
from detector.matching.geometry import (
    CORNERS,
    Floats,
    Picture,
    Registration,
    clip,
    map_points,
    register,
)
from detector.people import crop_face
from detector.report_pictures import Footage, jpeg_of
from detector.review.evidence import REFERENCE, UPLOAD, NoEvidenceError, match_of
from detector.review.evidence_store import EvidenceStore, picture_name
from detector.review.records import Case
from detector.settings import Settings
from detector.types import Appearance, Channel, FramePair, Likeness
from index.cipher import Cipher
from index.errors import UnknownPersonError, UnknownWorkError
from index.reference_index import ReferenceIndex

_SIDE = 360  # pixels of the shorter side
_CONFIRMED = 0.5  # confidence of a registration from which it is drawn
# Yellow on black is seen on any picture, by any eyes (Okabe and Ito's palette).
_LINE, _CASING = (240, 228, 66), (0, 0, 0)


class PairPictures(NamedTuple):
    """Two frames that were found alike, as JPEG files; None where a file gives no picture.

    Where local features confirm that the one was made from the other, a line is drawn around what
    both show; a dot marks the same corner of it in both, to see what was mirrored or turned.
    """

    upload: bytes | None
    reference: bytes | None
    notes: tuple[str, ...] = ()  # why one is missing


def pair_picture(
    case: Case,
    match: int,
    segment: int,
    pair: int,
    index: ReferenceIndex,
    settings: Settings,
    side: int = _SIDE,
) -> PairPictures:
    """Return the two frames of a pair, as they were kept if they were drawn before.

    Parameters
    ----------
    match, segment, pair
        Numbers as in `detector.review.evidence`.
    side
        Pixels of the shorter side, at most.

    Raises
    ------
    NoEvidenceError
        There is no such pair.
    """
    wanted, work_id = _pair_of(case, match, segment, pair)
    try:
        work = index.work(work_id)
    except UnknownWorkError:
        source, digest = None, ""
    else:
        source, digest = work.source, work.digest
    key = (digest, wanted.query_time, wanted.ref_time, side)
    names = [picture_name(case, "pair", *key, suffix=f"-{which}.jpg") for which in "ur"]
    store = EvidenceStore(settings)
    kept = PairPictures(store.get(names[0]), store.get(names[1]))
    if kept.upload is not None and kept.reference is not None:
        return kept
    upload = Footage(UPLOAD, case.source, settings.protocols)
    reference = Footage(REFERENCE, source, settings.protocols)
    ours = upload.frame(wanted.query_time, side)
    theirs = reference.frame(wanted.ref_time, side)
    if ours is None or theirs is None:
        return PairPictures(
            None if ours is None else jpeg_of(ours),
            None if theirs is None else jpeg_of(theirs),
            (*upload.notes, *reference.notes),
        )
    registration = register(ours, theirs)
    if registration is not None and registration.confidence >= _CONFIRMED:
        ours, theirs = outlined(ours, theirs, registration)
    pictures = PairPictures(jpeg_of(ours), jpeg_of(theirs))
    for name, jpeg in zip(names, pictures[:2], strict=True):
        if jpeg is not None:
            store.put(name, jpeg)
    return pictures


def _pair_of(case: Case, match: int, segment: int, pair: int) -> tuple[FramePair, str]:
    """Return a pair by its numbers, and the id of its work."""
    found = match_of(case, match)
    if not 0 <= segment < len(found.segments):
        raise NoEvidenceError(f"Match {match} has no segment {segment}.")
    pairs = found.segments[segment].pairs
    if not 0 <= pair < len(pairs):
        raise NoEvidenceError(f"Segment {segment} has no pair {pair}.")
    return pairs[pair], found.ref_id


def outlined(upload: Picture, work: Picture, registration: Registration) -> tuple[Picture, Picture]:
    """Draw around what both pictures show, given how the work's lies in the upload's."""
    shown = clip(map_points(registration.matrix, CORNERS), (0.0, 0.0, 1.0, 1.0))
    if len(shown) == 0:
        return upload, work
    of_work = map_points(np.asarray(np.linalg.inv(registration.matrix), np.float64), shown)
    corner = int(np.argmin(of_work.sum(axis=1)))  # nearest to the work's upper left
    return _drawn(upload, shown, corner), _drawn(work, of_work, corner)


def _drawn(picture: Picture, corners: Floats, marked: int) -> Picture:
    height, width = picture.shape[:2]
    line = max(2, round(min(height, width) / 120))
    drawn = picture.copy()
    shape = _within(corners, line, width, height)
    dot = _within(corners[marked : marked + 1], 3 * line, width, height)[0]
    for colour, wider in ((_CASING, line), (_LINE, 0)):
        cv2.polylines(drawn, [shape], True, colour, line + wider, cv2.LINE_AA)
        cv2.circle(drawn, dot.tolist(), 3 * line + wider // 2, colour, cv2.FILLED, cv2.LINE_AA)
    return drawn


def _within(points: Floats, margin: int, width: int, height: int) -> npt.NDArray[np.int32]:
    """Turn shares into pixels that are not nearer to the picture's edge than a margin."""
    most = np.array([width - 1 - margin, height - 1 - margin])
    pixels = np.clip(points * (width, height), margin, np.maximum(most, margin))
    return np.rint(pixels).astype(np.int32)


# --- faces ------------------------------------------------------------------------------------


def face_in_upload(case: Case, match: int, appearance: int, settings: Settings) -> bytes:
    """Return the best picture of an appearance that is likely the person's, as a JPEG file.

    Nothing is kept of it, and whoever asks is to record that somebody looked.

    Raises
    ------
    NoEvidenceError
        There is no such appearance, it only resembles the person, or the upload gives no picture.
    """
    one, _ = _appearance_of(case, match, appearance)
    upload = Footage(UPLOAD, case.source, settings.protocols)
    frame = upload.frame(one.time, FACES_SIDE)
    if frame is None:
        raise NoEvidenceError(" ".join(upload.notes))
    return crop_face(frame, one.box)


def face_enrolled(
    case: Case, match: int, appearance: int, index: ReferenceIndex, cipher: Cipher
) -> bytes:
    """Return the enrolled face that an appearance is most like, opened with its key, as a JPEG.

    Nothing is kept of it, and whoever asks is to record that somebody looked.

    Raises
    ------
    NoEvidenceError
        There is no such appearance, it only resembles the person, or the face is not enrolled any
        more.
    index.errors.WrongKeyError, index.errors.DamagedFileError
        The key does not open it.
    """
    one, person_id = _appearance_of(case, match, appearance)
    try:
        person = index.people.get(person_id)
        return index.people.crop(person.number, one.reference, cipher)
    except UnknownPersonError as error:
        raise NoEvidenceError("The person's face is not enrolled any more.") from error


def _appearance_of(case: Case, match: int, appearance: int) -> tuple[Appearance, str]:
    """Return an appearance that is likely the person's, and the person's id."""
    found = match_of(case, match)
    if found.channel is not Channel.FACE or not 0 <= appearance < len(found.appearances):
        raise NoEvidenceError(f"Match {match} has no appearance {appearance}.")
    one = found.appearances[appearance]
    if one.likeness is not Likeness.LIKELY:
        raise NoEvidenceError(
            "This face only resembles the person. It is probably somebody else's, so it is not "
            "shown."
        )
    return one, found.ref_id
