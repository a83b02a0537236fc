"""People with a protected likeness: enrol them, find their faces, erase them.

Faces are biometric data. They are sealed with a key that is not in the index, kept no longer than
was agreed, and when a person is removed nothing is left of them: `index.erasure` proves it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, date, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import sessionmaker

from index.catalog import Catalog
from index.cipher import Cipher
from index.errors import PersonIdTakenError, UnknownPersonError
from index.people_rows import (
    FaceKey,
    add_sealed,
    check_key,
    drop_unused_key,
    keep_key,
    load_gallery,
    load_nonces,
    load_people,
    load_person,
    load_references,
    open_picture,
    space_of_faces,
)
from index.person_records import Gallery, NewPerson, Person, ReferenceFace
from index.rights_records import Kind
from index.rights_rows import drop_rights
from index.schema import CastRow, ErasedRow, PersonRow, ReferenceFaceRow, ScanRow

_log = logging.getLogger(__name__)


class People:
    """Who is protected, by which faces, and who is in the cast of which work.

    Every method is one transaction: what it has returned from is on disk. Nothing is kept in
    memory, so changes of other processes are seen at once.

    Parameters
    ----------
    catalog
        Where they are written down.
    turn
        Lets one process write at a time; raises `IndexBusyError`.
    """

    def __init__(self, catalog: Catalog, turn: Callable[[], AbstractContextManager[None]]) -> None:
        self._catalog = catalog
        self._sessions = sessionmaker(catalog.engine)
        self._turn = turn

    def add(
        self, person: NewPerson, space: str, faces: Sequence[ReferenceFace], cipher: Cipher
    ) -> Person:
        """Protect a person; when this returns, they are on disk and will be found.

        Parameters
        ----------
        person
            What is known of them.
        space
            What the faces were described with.
        faces
            At least one; the same source and time counts once.
        cipher
            What to seal the faces with: the same for all people of an index.

        Raises
        ------
        PersonIdTakenError
            Somebody goes by that id.
        InvalidPersonError
            There is no face to find them by.
        SpaceMismatchError
            Other people's faces were described with another descriptor.
        WrongKeyError
            Other people's faces are sealed with another key.
        IndexBusyError
            Another process is writing.
        """
        with self._turn(), self._sessions.begin() as session:
            keep_key(session, cipher)
            if load_people(session, PersonRow.id == person.id):
                raise PersonIdTakenError(
                    f"id {person.id!r} belongs to another person; give this one their own with "
                    "--id, or remove the other first"
                )
            row = PersonRow(**asdict(person), added_at=datetime.now(UTC))
            session.add(row)
            session.flush()
            add_sealed(session, row.number, space, faces, cipher)
            session.flush()
            return load_person(session, row.number)

    def add_faces(
        self, person_id: str, space: str, faces: Sequence[ReferenceFace], cipher: Cipher
    ) -> Person:
        """Add faces to a person; those of a source and time that are there already are skipped.

        Raises
        ------
        UnknownPersonError
            There is no such person.
        InvalidPersonError, SpaceMismatchError, WrongKeyError, IndexBusyError
            As for `add`.
        """
        with self._turn(), self._sessions.begin() as session:
            keep_key(session, cipher)
            number = load_person(session, person_id).number
            add_sealed(session, number, space, faces, cipher)
            session.flush()
            return load_person(session, number)

    def update(self, person: Person) -> Person:
        """Write down another name, authority, last day or policy; nothing else of them changes.

        Raises
        ------
        UnknownPersonError, IndexBusyError
            There is no such person, or another process is writing.
        """
        return self.update_all([person])[0]

    def update_all(self, people: Sequence[Person]) -> list[Person]:
        """Do as `update` with several people: with all, or with none if one is refused."""
        with self._turn(), self._sessions.begin() as session:
            for person in people:
                row = session.get(PersonRow, person.number)
                if row is None:
                    raise UnknownPersonError(f"person {person.id!r} is not in the index any more")
                row.name, row.authority = person.name, person.authority
                row.retain_until, row.policy = person.retain_until, person.policy
            session.flush()
            return [load_person(session, person.number) for person in people]

    def remove(self, person_id: str) -> Person:
        """Erase a person, their faces, rights and place in casts. Returns who it was.

        Finished scans are forgotten, too, since they may name them; works stay as they are. No key
        is needed. What is kept is the number, the moment, and how to recognise leftovers.

        Raises
        ------
        UnknownPersonError, IndexBusyError
            There is no such person, or another process is writing.
        """
        with self._turn():
            with self._sessions.begin() as session:
                person = load_person(session, person_id)
                nonces = b"".join(load_nonces(session, person.number))
                session.add(
                    ErasedRow(
                        person_number=person.number,
                        erased_at=datetime.now(UTC),
                        nonces=masked(nonces),
                    )
                )
                drop_rights(session, Kind.PERSON, person.number)
                for table in (CastRow, ReferenceFaceRow):
                    session.execute(delete(table).where(table.person_number == person.number))
                session.execute(delete(PersonRow).where(PersonRow.number == person.number))
                session.execute(delete(ScanRow))
                drop_unused_key(session)
            if not self._catalog.scrub():
                _log.warning(
                    "person %r is removed, but another process was reading, so that sealed faces "
                    "are still in a file of the catalogue: run `matchcut index verify --repair` "
                    "when nothing else runs",
                    person.id,
                )
        return person

    def all(self) -> list[Person]:
        """Everybody, in the order they were enrolled."""
        with self._sessions() as session:
            return load_people(session)

    def get(self, id_or_number: str | int) -> Person:
        """One person by id (str) or number (int); `UnknownPersonError` if there is none."""
        with self._sessions() as session:
            return load_person(session, id_or_number)

    def expired(self, today: date) -> list[Person]:
        """Those who may not be matched any more, and should be removed."""
        with self._sessions() as session:
            return load_people(session, PersonRow.retain_until < today)

    # Faces

    def sources(self, person_id: str) -> list[str]:
        """Paths and URLs that a person's faces were read from, each once; no key is needed.

        Raises
        ------
        UnknownPersonError
            There is no such person.
        """
        with self._sessions() as session:
            number = load_person(session, person_id).number
            face = ReferenceFaceRow
            query = select(face.source).where(face.person_number == number).order_by(face.number)
            return list(dict.fromkeys(session.scalars(query)))

    def space(self) -> str | None:
        """What the vectors of all faces were made with; None if there are none."""
        with self._sessions() as session:
            return space_of_faces(session)

    def gallery(self, cipher: Cipher, today: date) -> Gallery:
        """All faces of those who may be matched today.

        Raises
        ------
        WrongKeyError
            They are sealed with another key.
        DamagedFileError
            A vector is not what was sealed; the message names the person's number.
        """
        with self._sessions() as session:
            check_key(session, cipher)
            return load_gallery(session, cipher, today)

    def references(self, person_id: str, cipher: Cipher) -> list[ReferenceFace]:
        """All faces of a person, in the order they were added.

        Raises
        ------
        UnknownPersonError
            There is no such person.
        WrongKeyError, DamagedFileError
            As for `gallery`.
        """
        with self._sessions() as session:
            check_key(session, cipher)
            return load_references(session, cipher, load_person(session, person_id).number)

    def crop(self, person_number: int, face_number: int, cipher: Cipher) -> bytes:
        """Open the picture of one face, as it was given.

        Raises
        ------
        UnknownPersonError
            There is no such person, or they have no face of that number.
        WrongKeyError, DamagedFileError
            As for `gallery`.
        """
        with self._sessions() as session:
            check_key(session, cipher)
            row = session.get(ReferenceFaceRow, (person_number, face_number))
            if row is None:
                person = load_person(session, person_number)
                raise UnknownPersonError(
                    f"person {person.id!r} has no face {face_number}: `matchcut people list` shows "
                    "how many there are"
                )
            key = FaceKey(person_number, face_number, row.space)
            return open_picture(cipher, key, row.sealed_crop)

    # Casts

    def set_cast(self, work_id: str, person_ids: Sequence[str]) -> None:
        """Say who is in the cast of a work, instead of whoever was.

        Raises
        ------
        UnknownWorkError, UnknownPersonError
            There is no such work or person; nothing has changed.
        IndexBusyError
            Another process is writing.
        """
        with self._turn():
            work = self._catalog.work(work_id)
            with self._sessions.begin() as session:
                people = [load_person(session, one) for one in dict.fromkeys(person_ids)]
                session.execute(delete(CastRow).where(CastRow.work_number == work.number))
                session.add_all(
                    CastRow(work_number=work.number, person_number=one.number, position=position)
                    for position, one in enumerate(people)
                )

    def cast(self, work_number: int) -> tuple[str, ...]:
        """Ids of those in the cast of a work, in the order in which they were given."""
        query = (
            select(PersonRow.id)
            .join(CastRow, CastRow.person_number == PersonRow.number)
            .where(CastRow.work_number == work_number)
            .order_by(CastRow.position)
        )
        with self._sessions() as session:
            return tuple(session.scalars(query))

    def works_of(self, person_number: int) -> tuple[int, ...]:
        """Numbers of the works in whose cast a person is."""
        query = select(CastRow.work_number).where(CastRow.person_number == person_number)
        with self._sessions() as session:
            return tuple(session.scalars(query.order_by(CastRow.work_number)))


def masked(nonces: bytes) -> bytes:
    """Turn every bit round, or back."""
    return bytes(byte ^ 0xFF for byte in nonces)
