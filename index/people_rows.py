"""What the tables about people hold, read and written within somebody else's transaction.

A face's vector and picture are sealed as what belongs to its `FaceKey`: put into another person's
row, or another face's, or exchanged with each other, they do not open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, LargeBinary, func, select
from sqlalchemy.orm import Session

from index.cipher import NONCE_BYTES, Cipher
from index.errors import (
    DamagedFileError,
    InvalidPersonError,
    SpaceMismatchError,
    UnknownPersonError,
    WrongKeyError,
)
from index.person_records import Gallery, Person, ReferenceFace
from index.schema import CastRow, MetaRow, PersonRow, ReferenceFaceRow

_KEY = "people_key"  # in the meta table: which key the faces are sealed with
_VECTOR = np.dtype("<f4")
VECTOR, PICTURE = "vector", "picture"  # what is sealed of a face

_PERSON = (
    PersonRow.id,
    PersonRow.name,
    PersonRow.authority,
    PersonRow.retain_until,
    PersonRow.policy,
    PersonRow.number,
    PersonRow.added_at,
)
_FACTS = tuple(column.key for column in _PERSON)
BY_KEY = (ReferenceFaceRow.person_number, ReferenceFaceRow.number)


def load_people(session: Session, *conditions: ColumnElement[bool]) -> list[Person]:
    """People for whom all conditions hold, in the order they were enrolled."""
    faces = func.count(ReferenceFaceRow.number).label("faces")
    query = (
        select(*_PERSON, faces)
        .outerjoin(ReferenceFaceRow, ReferenceFaceRow.person_number == PersonRow.number)
        .where(*conditions)
        .group_by(PersonRow.number)
        .order_by(PersonRow.number)
    )
    return [Person(**row._mapping) for row in session.execute(query)]


def load_person(session: Session, id_or_number: str | int) -> Person:
    """One person, by id (a string) or number; `UnknownPersonError` if there is none."""
    column = PersonRow.number if isinstance(id_or_number, int) else PersonRow.id
    people = load_people(session, column == id_or_number)
    if not people:
        raise UnknownPersonError(
            f"no person {id_or_number!r} in the index: `matchcut people list` shows who is there"
        )
    return people[0]


def count(session: Session) -> tuple[int, int]:
    """How many people there are, and how many faces."""
    people = session.scalar(select(func.count(PersonRow.number))) or 0
    return people, session.scalar(select(func.count()).select_from(ReferenceFaceRow)) or 0


def space_of_faces(session: Session) -> str | None:
    """What the vectors of all faces were made with; None if there are none."""
    return session.scalar(select(ReferenceFaceRow.space).limit(1))


# The key


def check_key(session: Session, cipher: Cipher) -> None:
    """Make sure that this is the key by which people were enrolled, if any were."""
    known = session.get(MetaRow, _KEY)
    if known is not None and known.value != cipher.fingerprint:
        raise WrongKeyError(
            f"people in this index are sealed with key {known.value}, not with "
            f"{cipher.fingerprint}: give that key, or, if it is lost, remove the people and add "
            "them again"
        )


def keep_key(session: Session, cipher: Cipher) -> None:
    """Check the key; the first one is written down."""
    check_key(session, cipher)
    if session.get(MetaRow, _KEY) is None:
        session.add(MetaRow(key=_KEY, value=cipher.fingerprint))


def drop_unused_key(session: Session) -> None:
    """Let the next person be sealed with any key if nobody is left."""
    known = session.get(MetaRow, _KEY)
    if known is not None and not any(count(session)):
        session.delete(known)


# Faces


class FaceKey(NamedTuple):
    """Which face it is."""

    person_number: int
    number: int  # within the person, from 1
    space: str

    def about(self, what: str) -> str:
        """Say what a sealed value belongs to."""
        return f"the {what} of face {self.number} of person {self.person_number} ({self.space})"


def add_sealed(
    session: Session, person_number: int, space: str, faces: Sequence[ReferenceFace], cipher: Cipher
) -> None:
    """Seal and write down a person's faces, but for those of a source and time that are there.

    Raises
    ------
    InvalidPersonError, SpaceMismatchError
        There is no face, or they cannot be compared with those that are there.
    """
    _check_fit(session, space, faces)
    face = ReferenceFaceRow
    rows = session.execute(
        select(face.number, face.source_digest, face.time).where(
            face.person_number == person_number
        )
    ).all()
    there = {(row.source_digest, row.time) for row in rows}
    number = max((row.number for row in rows), default=0)
    for new in faces:
        if (new.source_digest, new.time) in there:
            continue
        there.add((new.source_digest, new.time))
        number += 1
        key = FaceKey(person_number, number, space)
        session.add(
            ReferenceFaceRow(
                **key._asdict(),
                dim=new.dim,
                source=new.source,
                source_digest=new.source_digest,
                time=new.time,
                sealed_vector=cipher.seal(new.vector.astype(_VECTOR).tobytes(), key.about(VECTOR)),
                sealed_crop=cipher.seal(new.crop, key.about(PICTURE)),
            )
        )


def _check_fit(session: Session, space: str, faces: Sequence[ReferenceFace]) -> None:
    if not space:
        raise InvalidPersonError("the faces do not say what their vectors were made with")
    if not faces:
        raise InvalidPersonError("a person needs at least one face to be found by")
    known = session.execute(select(ReferenceFaceRow.space, ReferenceFaceRow.dim).limit(1)).first()
    if known is not None and known.space != space:
        raise SpaceMismatchError(
            f"the faces of people were described with {known.space}, not with {space}: use "
            "another --home, or set the descriptor back, or remove the people and add them again"
        )
    width = faces[0].dim if known is None else known.dim
    for face in faces:
        if face.dim != width:
            raise SpaceMismatchError(
                f"the others have vectors of {width} dimensions, a face of {face.source} has "
                f"{face.dim}: describe all faces with the same descriptor"
            )


def open_vector(cipher: Cipher, key: FaceKey, dim: int, sealed: bytes) -> NDArray[np.float32]:
    """Open a face's vector, float32 [dim]; to be asked after `check_key`.

    Raises
    ------
    DamagedFileError
        It is not what was sealed for this face.
    """
    content = _open(cipher, key, VECTOR, sealed)
    if len(content) != dim * _VECTOR.itemsize:
        raise _damaged(key, VECTOR)
    return np.frombuffer(content, _VECTOR).astype(np.float32, copy=False)


def open_picture(cipher: Cipher, key: FaceKey, sealed: bytes) -> bytes:
    """Open a face's picture as `open_vector` does the vector."""
    return _open(cipher, key, PICTURE, sealed)


def _open(cipher: Cipher, key: FaceKey, what: str, sealed: bytes) -> bytes:
    try:
        return cipher.open(sealed, key.about(what))
    except WrongKeyError as error:
        raise _damaged(key, what) from error


def _damaged(key: FaceKey, what: str) -> DamagedFileError:
    return DamagedFileError(
        f"{key.about(what)} is damaged, or was moved there from elsewhere: restore a backup of "
        "the catalogue, or remove the person and add them again (`matchcut people list` shows who)"
    )


def load_gallery(session: Session, cipher: Cipher, today: date) -> Gallery:
    """Open the vectors of all who may be matched today."""
    face = ReferenceFaceRow
    query = (
        select(*_PERSON, face.number, face.space, face.dim, face.sealed_vector)
        .join(face, face.person_number == PersonRow.number)
        .where(PersonRow.retain_until >= today)
        .order_by(*BY_KEY)
    )
    people: list[Person] = []
    vectors: list[NDArray[np.float32]] = []
    rows: list[int] = []
    numbers: list[int] = []
    space = None
    by_person = groupby(session.execute(query), key=lambda row: tuple(row[: len(_PERSON)]))
    for columns, faces in by_person:
        known = dict(zip(_FACTS, columns, strict=True))
        before = len(rows)
        for *_, number, space, dim, sealed in faces:
            key = FaceKey(known["number"], number, space)
            vectors.append(open_vector(cipher, key, dim, sealed))
            rows.append(len(people))
            numbers.append(number)
        people.append(Person(**known, faces=len(rows) - before))
    return Gallery(
        space,
        tuple(people),
        np.stack(vectors) if vectors else np.empty((0, 0), np.float32),
        np.array(rows, np.int64),
        np.array(numbers, np.int64),
    )


def load_references(session: Session, cipher: Cipher, person_number: int) -> list[ReferenceFace]:
    """Open all of a person's faces, in the order they were added."""
    query = (
        select(ReferenceFaceRow)
        .where(ReferenceFaceRow.person_number == person_number)
        .order_by(ReferenceFaceRow.number)
    )
    faces = []
    for row in session.scalars(query):
        key = FaceKey(person_number, row.number, row.space)
        faces.append(
            ReferenceFace(
                open_vector(cipher, key, row.dim, row.sealed_vector),
                open_picture(cipher, key, row.sealed_crop),
                row.source,
                row.source_digest,
                row.time,
            )
        )
    return faces


def load_nonces(session: Session, person_number: int | None = None) -> list[bytes]:
    """Nonces of all that is sealed, of one person or of all, by person and face."""
    begin = [
        func.substr(column, 1, NONCE_BYTES, type_=LargeBinary)
        for column in (ReferenceFaceRow.sealed_vector, ReferenceFaceRow.sealed_crop)
    ]
    query = select(*begin).order_by(*BY_KEY)
    if person_number is not None:
        query = query.where(ReferenceFaceRow.person_number == person_number)
    return [bytes(nonce) for row in session.execute(query) for nonce in row]


def facts(session: Session, today: date) -> Iterator[dict[str, object]]:
    """Tell all that decides whose faces a scan finds, and in whose works; nothing if nobody."""
    for person in load_people(session):
        yield asdict(person) | {"expired": person.is_expired(today)}
    nonces = load_nonces(session)
    if nonces:  # what is sealed anew has new ones
        yield {"faces": hashlib.sha256(b"".join(nonces)).hexdigest()}
    casts = select(CastRow.work_number, CastRow.position, CastRow.person_number)
    for row in session.execute(casts.order_by(CastRow.work_number, CastRow.position)):
        yield {"cast": list(row)}
