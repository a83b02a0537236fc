"""Whether what is kept of people is sound, and whether the erased are gone.

What was sealed cannot be opened without its nonce, not even with the key; and a nonce is in
nothing else. So a file in which no nonce of the erased is found holds no face of theirs.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session, sessionmaker

from index.catalog import CATALOGUE, Catalog
from index.cipher import NONCE_BYTES, Cipher
from index.errors import DamagedFileError
from index.leftovers import find_leftovers
from index.people import masked
from index.people_rows import (
    BY_KEY,
    FaceKey,
    check_key,
    load_people,
    open_picture,
    open_vector,
)
from index.schema import ErasedRow, PersonRow, ReferenceFaceRow
from index.vectors import unit_vectors

_CATALOGUE = {f"{CATALOGUE}{suffix}" for suffix in ("", "-wal", "-shm", "-journal")}
_AT_ONCE = 200  # faces in memory


def check_people(catalog: Catalog, cipher: Cipher | None) -> list[str]:
    """Compare people and faces with each other, and open all faces if there is a key.

    Returns
    -------
    list of str
        Problems in words.

    Raises
    ------
    WrongKeyError
        People are sealed with another key.
    """
    with sessionmaker(catalog.engine)() as session:
        people = load_people(session)
        problems = [
            f"person {person.id!r} has no face to be found by: add one, or remove the person"
            for person in people
            if not person.faces
        ]
        alone = select(ReferenceFaceRow.person_number).where(_no_person())
        for number, faces in sorted(Counter(session.scalars(alone)).items()):
            problems.append(
                f"{faces} faces belong to no person (number {number}): `matchcut index verify "
                "--repair` erases them"
            )
        if cipher is not None:
            check_key(session, cipher)
            ids = {person.number: person.id for person in people}
            problems += _check_faces(session, cipher, ids)
    return problems


def _check_faces(session: Session, cipher: Cipher, ids: dict[int, str]) -> list[str]:
    problems = []
    rows = session.scalars(
        select(ReferenceFaceRow).order_by(*BY_KEY).execution_options(yield_per=_AT_ONCE)
    )
    for row in rows:
        if row.person_number not in ids:
            continue  # named already
        key = FaceKey(row.person_number, row.number, row.space)
        try:
            unit_vectors(open_vector(cipher, key, row.dim, row.sealed_vector)[None], row.dim)
            open_picture(cipher, key, row.sealed_crop)
        except (DamagedFileError, ValueError) as error:
            problems.append(f"person {ids[row.person_number]!r}, face {row.number}: {error}")
    return problems


def _no_person() -> ColumnElement[bool]:
    return ReferenceFaceRow.person_number.not_in(select(PersonRow.number))


def check_erased(home: Path, catalog: Catalog) -> list[str]:
    """Search all files in the home folder for what was sealed for people who were removed.

    Returns
    -------
    list of str
        Problems in words. A catalogue that is elsewhere is not searched.
    """
    owners: list[int] = []
    nonces: list[bytes] = []
    with sessionmaker(catalog.engine)() as session:
        for person, hidden in session.execute(select(ErasedRow.person_number, ErasedRow.nonces)):
            theirs = masked(hidden)
            for begin in range(0, len(theirs), NONCE_BYTES):
                owners.append(person)
                nonces.append(theirs[begin : begin + NONCE_BYTES])
    if not nonces:
        return []
    leftovers = find_leftovers(home, nonces)
    problems = [
        f"{name} cannot be searched for what was erased ({why}): let it be read, or delete it"
        for name, why in leftovers.unreadable.items()
    ]
    for name, found in leftovers.found.items():
        for person, count in Counter(owners[number] for number in found).items():
            remedy = (
                "`matchcut index verify --repair` writes it anew"
                if name in _CATALOGUE
                else "delete this file"
            )
            problems.append(
                f"{name} still holds faces of somebody erased (number {person}; {count} sealed "
                f"values): {remedy}"
            )
    return problems


def erase_leftovers(catalog: Catalog) -> None:
    """Erase faces of nobody, and write the catalogue's own files anew without what was erased."""
    with sessionmaker(catalog.engine).begin() as session:
        session.execute(delete(ReferenceFaceRow).where(_no_person()))
    catalog.scrub(anew=True)
