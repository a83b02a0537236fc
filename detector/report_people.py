"""What a report shows of the people in an upload: when they are seen, and how like them it is.

Pictures are shown only of faces that are likely an enrolled person's. One that merely resembles
them is probably somebody else's, who never agreed to be in a file.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from detector.faces import SHORT_SIDE
from detector.people import crop_face
from detector.report_pictures import Footage, Picture
from detector.text import clock
from detector.timeline import Bar, Tick
from detector.types import Appearance, Channel, Flag, Likeness, ScanResult
from index.cipher import Cipher
from index.errors import ReferenceIndexError, UnknownPersonError
from index.people import People

APPEARANCES_PER_PERSON = 6  # that are shown with pictures
_LEAST_WIDTH = 0.4  # per cent of the timeline, so that a short appearance can be seen
_QUARTERS = 4
_SHORT = 20.0  # seconds; the scale of shorter files has tenths


@dataclass(frozen=True, slots=True)
class ReportedPerson:
    """What the report shows of a person besides the flag.

    Attributes
    ----------
    id
        As in `Match.ref_id`.
    references
        By their number, JPEG files of the enrolled faces that were found.
    problem
        Why there are fewer of these than there should be; None if there are not.
    """

    id: str
    references: Mapping[int, bytes] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ShownAppearance:
    """A likely appearance beside the enrolled face most like it; None where there is no picture."""

    appearance: Appearance
    number: int  # on the timeline
    query: Picture | None
    ref: Picture | None

    @property
    def words(self) -> str:
        """How like the person it is."""
        return likeness_in_words(self.appearance)


@dataclass(frozen=True, slots=True)
class ShownPerson:
    """A flag of a person with its evidence."""

    flag: Flag
    seconds: float  # in which the person is likely seen
    shown: tuple[ShownAppearance, ...]  # with pictures, in order of time
    others: tuple[tuple[int, Appearance], ...]  # likely, without pictures, with their numbers
    resembling: tuple[Appearance, ...]
    line: Bar
    notes: tuple[str, ...]  # why pictures are missing

    @property
    def likely(self) -> list[Appearance]:
        """All appearances that are likely the person's, in order of time."""
        return likely(self.flag)


def reported_people(
    results: Iterable[ScanResult], people: People, cipher: Cipher | None
) -> dict[str, ReportedPerson]:
    """Gather what the report needs of everybody who was found, by id.

    Parameters
    ----------
    cipher
        Of the enrolled faces; None: their pictures are not shown, and the report says so.
    """
    wanted: dict[str, set[int]] = {}
    for result in results:
        for flag in result.flags:
            if flag.match.channel is Channel.FACE and flag.verdict.is_flagged:
                wanted.setdefault(flag.match.ref_id, set()).update(
                    one.reference for one in likely(flag)
                )
    return {
        person_id: _reported(person_id, numbers, people, cipher)
        for person_id, numbers in wanted.items()
    }


def _reported(
    person_id: str, numbers: set[int], people: People, cipher: Cipher | None
) -> ReportedPerson:
    if cipher is None:
        return ReportedPerson(
            person_id, problem="The enrolled faces are not shown: there was no key to open them."
        )
    crops: dict[int, bytes] = {}
    try:
        person = people.get(person_id)
        for number in sorted(numbers):
            crops[number] = people.crop(person.number, number, cipher)
    except UnknownPersonError:
        return ReportedPerson(person_id, crops, "The person is not enrolled any more.")
    except ReferenceIndexError as error:
        return ReportedPerson(person_id, crops, f"Not all enrolled faces can be shown: {error}")
    return ReportedPerson(person_id, crops)


def likeness_in_words(one: Appearance) -> str:
    """Say how like the person a face is."""
    parts = [
        f"{one.similarity:.2f} similar",
        f"{one.distance:.1f} standard deviations above strangers",
    ]
    if math.isfinite(one.margin):
        parts.append(f"{one.margin:.1f} above the next enrolled person")
    parts.append(f"{one.faces} picture{'s' if one.faces != 1 else ''}")
    return "; ".join(parts)


def likely(flag: Flag) -> list[Appearance]:
    """Return the appearances that are likely the person's, in order of time."""
    return [one for one in flag.match.appearances if one.likeness is Likeness.LIKELY]


def show_person(
    result: ScanResult,
    flag: Flag,
    person: ReportedPerson | None,
    most: int,
    seconds: float,
    protocols: Collection[str],
) -> ShownPerson:
    """Choose what to show of a person, the surest appearances first, and take the pictures.

    Parameters
    ----------
    most
        Appearances that may have pictures.
    seconds
        In which the person is likely seen.
    protocols
        Those that the upload's address may have.
    """
    numbered = list(enumerate(likely(flag), 1))
    surest = sorted(numbered, key=lambda one: -one[1].score)[:most]
    chosen = {number for number, _ in surest}
    upload = Footage("upload", result.source, protocols)
    shown = []
    for number, one in numbered:
        if number in chosen:
            frame = upload.frame(one.time, SHORT_SIDE)
            query = None if frame is None else Picture.of_jpeg(crop_face(frame, one.box))
            crop = person.references.get(one.reference) if person is not None else None
            ref = None if crop is None else Picture.of_jpeg(crop)
            shown.append(ShownAppearance(one, number, query, ref))
    problem = person.problem if person is not None else "The catalogue does not know this person."
    return ShownPerson(
        flag,
        seconds,
        tuple(shown),
        tuple(one for one in numbered if one[0] not in chosen),
        tuple(one for one in flag.match.appearances if one.likeness is Likeness.RESEMBLES),
        appearance_line([one for _, one in numbered], result.duration),
        (*upload.notes, *([problem] if problem else [])),
    )


def appearance_line(appearances: Sequence[Appearance], duration: float | None) -> Bar:
    """Lay out the whole upload as a bar, with the appearances on it."""
    whole = max(duration or 0.0, *(one.end for one in appearances), 1e-3)
    spans = []
    for one in appearances:
        left, right = (round(100 * time / whole, 3) for time in (one.start, one.end))
        spans.append((min(left, 100 - _LEAST_WIDTH), max(right, left + _LEAST_WIDTH)))
    ticks = tuple(
        Tick(100 * n / _QUARTERS, clock(whole * n / _QUARTERS, int(whole < _SHORT)))
        for n in range(_QUARTERS + 1)
    )
    return Bar(whole, (0.0, whole), 100.0, tuple(spans), ticks, ())
