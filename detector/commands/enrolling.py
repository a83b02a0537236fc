"""Enrolling people from files, as `people add` and `people import` do it."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from detector.commands.adding import each_file, with_problem
from detector.console import say
from detector.describe import OnProgress
from detector.descriptors.sface import FaceDescriptor
from detector.inputs import Source
from detector.people import (
    NoFaceError,
    cipher_to_enrol,
    describe_reference,
    enroll_person,
    people_cipher,
)
from detector.settings import Settings
from index.errors import InvalidPersonError
from index.person_records import NewPerson, ReferenceFace
from index.reference_index import ReferenceIndex


class PeopleEnroller:
    """Reads faces from files and writes down whose they are, with what it says on stderr.

    Parameters
    ----------
    index
        Where they are written down.

    Raises
    ------
    DescriptorUnavailableError
        A model cannot be had.
    WrongKeyError
        People are enrolled, and their key is not at hand.
    """

    def __init__(self, index: ReferenceIndex, settings: Settings) -> None:
        self._index = index
        self._settings = settings
        is_first = not index.people.all()
        # A key made beside faces that are sealed with another would only be in the way.
        self._cipher = None if is_first else people_cipher(settings)
        self._descriptor = FaceDescriptor(settings.face_model)

    def enroll(
        self,
        person: NewPerson,
        sources: Sequence[Source],
        which: str | None = None,
        *,
        more: bool = False,
    ) -> tuple[bool, int]:
        """Enrol a person, or add faces of one who is enrolled, and print their id.

        Parameters
        ----------
        which
            Which face, where a file shows several: see `detector.people.describe_reference`.
        more
            Whether the person is enrolled already.

        Returns
        -------
        Whether anything was stored, and how many files could not be used
        """
        faces, rejected = self._describe(sources, which)
        if not faces:
            say(f"matchcut: nothing is stored of {person.name}")
            return False, rejected
        if self._cipher is None:
            self._cipher, told = cipher_to_enrol(self._index, self._settings)
            if told is not None:
                say(told)
        done = enroll_person(
            self._index.people, person, self._descriptor, faces, self._cipher, more=more
        )
        for warning in done.warnings:
            say(f"warning: {warning}")
        count = done.person.faces
        say(f"{person.name} is found by {count} face{'s' if count != 1 else ''}")
        typer.echo(done.person.id)
        return True, rejected

    def _describe(
        self, sources: Sequence[Source], which: str | None
    ) -> tuple[list[ReferenceFace], int]:
        """Return the faces of all files that can be used, and how many cannot."""
        faces: list[ReferenceFace] = []

        def read(source: Source, on_progress: OnProgress) -> str:
            described = describe_reference(
                source, self._descriptor, self._settings, which, on_progress
            )
            faces.extend(described.faces)
            count = len(described.faces)
            return with_problem(f"{count} face{'s' if count != 1 else ''}", described.problem)

        refused = (NoFaceError, InvalidPersonError)
        rejected = each_file(sources, read, refused, verb="reading", participle="used")
        return faces, rejected
