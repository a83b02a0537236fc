"""What a table of works, people or licences would change: told as a whole before anything is done.

Every line is checked, so that a table with a wrong one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import TypeVar

from detector.inputs import PROTOCOLS, InputError, Source, check_protocol, expand
from detector.people import id_of
from detector.rights_csv import LicenceLine, PersonLine, TableError, WorkLine
from index.errors import CatalogError
from index.person_records import NewPerson, Person
from index.records import Policy, Work, check_id
from index.rights_records import Kind, Licence, NewLicence

_Line = TypeVar("_Line", WorkLine, PersonLine, LicenceLine)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Film:
    """A film that is to be enrolled, and what is known of it; see `detector.pipeline.enroll`."""

    source: Source
    id: str | None = None
    title: str | None = None
    owner: str | None = None
    policy: Policy = Policy.REVIEW


@dataclass(frozen=True, slots=True)
class WorkChanges:
    """What a table of works would change.

    Attributes
    ----------
    updates
        Enrolled works as they are to be, without those that are so already.
    unchanged
        How many of these there are.
    films
        To be enrolled.
    """

    updates: tuple[Work, ...]
    unchanged: int
    films: tuple[Film, ...]


@dataclass(frozen=True, slots=True)
class Photographed:
    """Somebody who is to be enrolled, and the photos and clips that show them."""

    person: NewPerson
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class PeopleChanges:
    """What a table of people would change.

    Attributes
    ----------
    updates
        Enrolled people as they are to be, without those who are so already.
    unchanged
        How many of these there are.
    new
        To be enrolled.
    unread
        Files of enrolled people that none of their faces is from, by the person's id: of these
        nothing is read.
    """

    updates: tuple[Person, ...]
    unchanged: int
    new: tuple[Photographed, ...]
    unread: Mapping[str, tuple[str, ...]]


def plan_works(
    lines: Iterable[WorkLine],
    enrolled: Iterable[Work],
    protocols: Collection[str] = PROTOCOLS,
) -> WorkChanges:
    """Compare a table with the works that are enrolled.

    A line whose id is enrolled changes what it says of the work. Any other is a film to be enrolled
    from its path.

    Parameters
    ----------
    protocols
        Those that addresses of films may have.

    Raises
    ------
    TableError
        Some lines cannot be carried out: an id that is not possible or is there twice, a film that
        is not there.
    """
    known = {work.id: work for work in enrolled}
    ids, paths = _Once("id"), _Once("path")

    def change_of(line: WorkLine) -> Work | Film | None:
        source = Source(line.path)
        work_id = line.id or source.stem
        ids.add(work_id, line.line)
        if work_id in known:
            work = known[work_id]
            changed = replace(
                work,
                title=line.title or work.title,
                owner=work.owner if line.owner is None else line.owner or None,
                policy=line.policy or work.policy,
            )
            return None if changed == work else changed
        check_id(work_id)
        _check_film(work_id, line.path, protocols)
        paths.add(source.address, line.line)
        policy = line.policy or Policy.REVIEW
        return Film(source, work_id, line.title or None, line.owner or None, policy)

    changes = _of_each(lines, change_of)
    return WorkChanges(
        updates=tuple(one for one in changes if isinstance(one, Work)),
        unchanged=changes.count(None),
        films=tuple(one for one in changes if isinstance(one, Film)),
    )


def plan_people(
    lines: Iterable[PersonLine],
    enrolled: Iterable[Person],
    sources_of: Callable[[str], Sequence[str]],
    today: date,
    protocols: Collection[str] = PROTOCOLS,
) -> PeopleChanges:
    """Compare a table with the people who are enrolled.

    A line whose id is enrolled changes what it says of the person; files are read of new people
    only.

    Parameters
    ----------
    sources_of
        Tells by id which files an enrolled person's faces were read from.
    protocols
        Those that addresses of files may have.
    today
        A last day before it is refused, unless that is what is written down already.

    Raises
    ------
    TableError
        Some lines cannot be carried out: what somebody new needs is missing, a day is over, an id
        is there twice.
    """
    known = {person.id: person for person in enrolled}
    ids = _Once("id")
    unread: dict[str, tuple[str, ...]] = {}

    def change_of(line: PersonLine) -> Person | Photographed | None:
        person_id = line.id or id_of(line.name)
        if not person_id:
            raise ValueError(f"no id can be made of the name {line.name!r}: give one")
        ids.add(person_id, line.line)
        if person_id not in known:
            return _photographed(line, person_id, today, protocols)
        person = known[person_id]
        changed = replace(
            person,
            name=line.name or person.name,
            authority=line.authority or person.authority,
            retain_until=line.retain_until or person.retain_until,
            policy=line.policy or person.policy,
        )
        if changed.retain_until != person.retain_until:
            check_last_day(changed.retain_until, today)
        read = set(sources_of(person_id))
        left = tuple(file for file in line.files if Source(file).address not in read)
        if left:
            unread[person_id] = left
        return None if changed == person else changed

    changes = _of_each(lines, change_of)
    return PeopleChanges(
        updates=tuple(one for one in changes if isinstance(one, Person)),
        unchanged=changes.count(None),
        new=tuple(one for one in changes if isinstance(one, Photographed)),
        unread=unread,
    )


def plan_licences(
    lines: Iterable[LicenceLine],
    works: Iterable[Work],
    people: Iterable[Person],
    licences: Iterable[Licence],
) -> list[NewLicence]:
    """Return the licences of a table that are not written down yet, each once.

    Raises
    ------
    TableError
        Some lines are of works or people who are not enrolled.
    """
    ids = {
        Kind.WORK: {work.id for work in works},
        Kind.PERSON: {person.id for person in people},
    }

    def licence_of(line: LicenceLine) -> NewLicence:
        licence = line.licence
        if licence.ref_id not in ids[licence.kind]:
            raise ValueError(f"no {licence.kind} {licence.ref_id!r} is enrolled")
        return licence

    known = {as_new(licence) for licence in licences}
    return [one for one in dict.fromkeys(_of_each(lines, licence_of)) if one not in known]


def as_new(licence: Licence) -> NewLicence:
    """Return a licence without what the index has added to it."""
    return NewLicence(**{one.name: getattr(licence, one.name) for one in fields(NewLicence)})


def check_last_day(day: date, today: date) -> None:
    """Refuse a last day that is over: what is to end at once is removed.

    Raises
    ------
    ValueError
        It is.
    """
    if day < today:
        raise ValueError(
            f"the last day {day} is over: give today or a day to come, or erase the person with "
            "`matchcut people remove`"
        )


def _photographed(
    line: PersonLine, person_id: str, today: date, protocols: Collection[str]
) -> Photographed:
    until = line.retain_until
    if until is None or not (line.name and line.authority and line.files):
        lacking = [
            what
            for what, value in (
                ("name", line.name),
                ("authority (who allows that the face is processed)", line.authority),
                ("retain_until (the last day on which they may be matched)", until),
                ("files (photos or clips of them)", line.files),
            )
            if not value
        ]
        raise ValueError(f"{person_id!r} is not enrolled, and would need {', '.join(lacking)}")
    check_last_day(until, today)
    person = NewPerson(
        id=person_id,
        name=line.name,
        authority=line.authority,
        retain_until=until,
        policy=line.policy or Policy.REVIEW,
    )
    for file in line.files:
        if "://" not in file and not Path(file).exists():
            raise ValueError(f"{file}: no such file")
    sources = expand(line.files, protocols, pictures=True)
    if not sources:
        raise ValueError(f"no photo or video in {', '.join(line.files)}")
    return Photographed(person, tuple(sources))


def _check_film(work_id: str, path: str, protocols: Collection[str]) -> None:
    if not path:
        raise ValueError(f"{work_id!r} is not enrolled, and there is no path to enrol it from")
    if "://" in path:
        check_protocol(path, protocols)
    elif not Path(path).is_file():
        what = "is a folder; give each film a line" if Path(path).is_dir() else "no such file"
        raise ValueError(f"{path}: {what}")


class _Once:
    """What may be in one line only."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lines: dict[str, int] = {}

    def add(self, value: str, line: int) -> None:
        first = self._lines.setdefault(value, line)
        if first != line:
            raise ValueError(f"{self._what} {value!r} is in line {first} already")


def _of_each(lines: Iterable[_Line], take: Callable[[_Line], _Result]) -> list[_Result]:
    """Take every line, so that all that is wrong is told at once."""
    taken: list[_Result] = []
    problems: dict[int, str] = {}
    for line in lines:
        try:
            taken.append(take(line))
        except (ValueError, CatalogError, InputError) as error:
            problems[line.line] = str(error)
    if problems:
        raise TableError(problems)
    return taken
