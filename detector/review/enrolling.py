"""What enrolling at the desk adds to enrolling: progress, and photos that are gone afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from detector.describe import OnProgress
from detector.descriptors.sface import FaceDescriptor
from detector.inputs import InputError, Source
from detector.media import UnreadableMediaError
from detector.people import NoFaceError, describe_reference
from detector.review.jobs import Report
from detector.review.uploads import Upload
from detector.settings import Settings
from detector.text import clock
from index.errors import InvalidPersonError
from index.person_records import ReferenceFace


@dataclass(frozen=True, slots=True)
class Photographed:
    """What photos and clips show of a person."""

    faces: tuple[ReferenceFace, ...]
    not_used: tuple[str, ...]  # which files show nothing usable, and why; a sentence each


def nobody_asks(fraction: float, note: str) -> None:
    """Take a report that nobody waits for."""


def reading(report: Report, what: str, start: float = 0.0, share: float = 1.0) -> OnProgress:
    """Return what tells a job's report how far a file is read.

    Parameters
    ----------
    what
        Is done with the file, in words.
    start, share
        Of the whole job: what is done before, and what this is.
    """

    def tell(time: float, duration: float | None) -> None:
        done = min(time / duration, 1.0) if duration else 0.0
        of = f" of {clock(duration, 0)}" if duration else ""
        report(start + share * done, f"{what}: {clock(time, 0)}{of}")

    return tell


def describe_photos(
    photos: Sequence[Upload],
    descriptor: FaceDescriptor,
    settings: Settings,
    which: str | None,
    report: Report,
) -> Photographed:
    """Find the one person that photos and clips show; those that cannot be used are left out.

    Parameters
    ----------
    which
        As for `detector.people.describe_reference`.

    Raises
    ------
    NoFaceError
        None can be used; the text says why, of each.
    """
    faces: list[ReferenceFace] = []
    not_used = []
    for number, photo in enumerate(photos):
        start, share = number / len(photos), 1 / len(photos)
        report(start, f"looking at {photo.name}")
        progress = reading(report, f"looking at {photo.name}", start, share)
        try:
            found = describe_reference(
                Source(str(photo.path)), descriptor, settings, which, progress
            )
        except (InputError, UnreadableMediaError, NoFaceError, InvalidPersonError) as error:
            not_used.append(f"{photo.name} is not used: {error}")
            continue
        if found.problem is not None:
            not_used.append(f"{photo.name} could be read in part only: {found.problem}")
        # Where they lie just now will be nowhere soon; what they were called says more.
        faces += [replace(face, source=photo.name) for face in found.faces]
    if not faces:
        raise NoFaceError("; ".join(not_used) or "no photo was given")
    return Photographed(tuple(faces), tuple(not_used))
