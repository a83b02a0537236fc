"""The library: what is protected, as the desk shows and changes it; every change is in the audit.

Who may do what: reviewers add and edit works, their casts, licences, rules and exclusions. What
takes the protection from a whole work, and all that concerns people, whose faces are biometric
data, needs an approver.

The index and the desk are two databases. A change is written into the index first and then into the
audit, so that what the audit tells has happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from detector.descriptors import space_of
from detector.inputs import Source
from detector.people import cipher_to_enrol, enroll_person, id_of
from detector.pipeline import enroll
from detector.report_pictures import why_missing
from detector.review.accounts import demand
from detector.review.enrolling import describe_photos, nobody_asks, reading
from detector.review.errors import ConflictError
from detector.review.evidence import REFERENCE
from detector.review.jobs import Report
from detector.review.library_part import Page, line, page_of, reason, refusals, to_come, today
from detector.review.library_rights import LibraryRights
from detector.review.records import Actor, Role
from detector.review.uploads import LIBRARY, Upload, discard, keep, lies_in
from index.errors import UnknownWorkError
from index.person_records import NewPerson, Person
from index.records import Policy, Work, check_id
from index.rights_records import Kind, Rights

ENROL = "enrol"  # kind of the jobs that add something
MOST_PHOTOS = 20  # of a person at a time


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What a channel sees in a work."""

    name: str
    frames: int  # that have a vector
    space: str  # descriptor's name and digest of its weights


@dataclass(frozen=True, slots=True)
class WorkEntry:
    """A work, with the state of its enrolment and all that is said of it."""

    work: Work
    channels: tuple[ChannelState, ...]
    missing: str | None  # why its film cannot be shown, in words; None if the file is there
    cast: tuple[Person, ...]
    rights: Rights


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """A person, with all that is said of them."""

    person: Person
    is_expired: bool  # and so not matched any more
    works: tuple[Work, ...]  # in whose cast they are
    rights: Rights


@dataclass(frozen=True, slots=True)
class NewFilm:
    """What is said of a film that is to be protected.

    Attributes
    ----------
    id, title
        Made of the file's name if they are empty.
    owner
        May be empty.
    """

    id: str = ""
    title: str = ""
    owner: str = ""
    policy: Policy = Policy.REVIEW


@dataclass(frozen=True, slots=True)
class AddedWork:
    """What became of a film that was to be protected."""

    work: Work
    channels: tuple[str, ...]  # that are new of it
    problem: str | None  # what could not be read of it


@dataclass(frozen=True, slots=True)
class AddedFaces:
    """What became of photos of a person."""

    person: Person
    warnings: tuple[str, ...]  # which were not used, or look like somebody else; a sentence each


class Library(LibraryRights):
    """What can be done with what is protected.

    Everything that cannot be done raises an error of the desk (`detector.review.errors`), also
    where it is the index that refuses: `NotAllowedError`, `NotFoundError`, `ConflictError` or
    `InvalidError`. What describes films and photos (`add_work`, `add_person`, `add_faces`) takes
    long, is for `Jobs`, and raises what these expect.

    Parameters
    ----------
    engine, desk
        Stay open as long as the library is used.
    """

    # Works

    def works(self, search: str = "", limit: int = 50, offset: int = 0) -> Page[Work]:
        """List works by title: those whose id, title or owner contains a text."""
        items, total = self._index.find_works(search, limit, offset)
        return Page(tuple(items), total)

    def work(self, work_id: str) -> WorkEntry:
        """One work; `NotFoundError` if there is none."""
        with refusals():
            work = self._index.work(work_id)
        people = {person.id: person for person in self._index.people.all()}
        cast = self._index.people.cast(work.number)
        return WorkEntry(
            work=work,
            channels=tuple(
                ChannelState(file.channel, file.count, file.space)
                for file in self._index.files(work.number)
            ),
            missing=why_missing(REFERENCE, work.source, self._engine.settings.protocols),
            cast=tuple(people[one] for one in cast if one in people),
            rights=self._index.rights.of(Kind.WORK, work.number),
        )

    def new_film(
        self, film: Upload, work_id: str, title: str, owner: str, policy: Policy, actor: Actor
    ) -> NewFilm:
        """Check what is said of a film before it is described, which takes long.

        Parameters
        ----------
        work_id, title, owner
            May be empty, see `NewFilm`.
        """
        demand(actor, Role.REVIEWER)
        with refusals():
            new = NewFilm(
                id=work_id.strip() or film.stem.strip(),
                title=line(title or film.stem, "title"),
                owner=line(owner, "owner", needed=False),
                policy=policy,
            )
            check_id(new.id)
            known = self._index.find_digest(film.digest)
            if known is None and self._is_taken(new.id):
                raise ConflictError(
                    f"another film goes by the id {new.id!r}: give this one its own"
                )
        return new

    def add_work(
        self, film: Upload, new: NewFilm, actor: Actor, report: Report | None = None
    ) -> AddedWork:
        """Protect a film: it is kept in the workspace, described and enrolled.

        The film of a work that is enrolled adds the channels that it does not have yet.

        Raises
        ------
        ConflictError
            It is enrolled in all channels that can run, or another goes by its id.
        """
        demand(actor, Role.REVIEWER)
        descriptors = self._engine.describing()
        kept = keep(film, self._home, LIBRARY).path
        try:
            with refusals():
                done = enroll(
                    Source(str(kept)),
                    self._index,
                    descriptors,
                    self._engine.settings,
                    work_id=new.id,
                    title=new.title,
                    owner=new.owner or None,
                    policy=new.policy,
                    on_progress=None if report is None else reading(report, "describing"),
                )
                self._index.flush()
        finally:
            film.path.unlink(missing_ok=True)
            self._discard_unless_used(kept)
        if not done.added:
            raise ConflictError(f"this film is enrolled already, as work {done.work.id!r}")
        files = [one for one in self._index.files(done.work.number) if one.channel in done.added]
        is_new = len(files) == len(self._index.files(done.work.number))
        self._tell(
            actor,
            "work.added" if is_new else "work.described",
            f"work:{done.work.id}",
            after=_facts_of_work(done.work) if is_new else {"channels": list(done.added)},
            versions={file.channel: file.space for file in files},
            evidence={"film": done.work.digest},
        )
        return AddedWork(done.work, tuple(map(str, done.added)), done.problem)

    def edit_work(
        self,
        work_id: str,
        actor: Actor,
        *,
        title: str | None = None,
        owner: str | None = None,
        policy: Policy | None = None,
    ) -> Work:
        """Change what is said of a work: what is given; an empty owner is none."""
        demand(actor, Role.REVIEWER)
        with refusals():
            before = self._index.work(work_id)
            wanted = replace(
                before,
                title=before.title if title is None else line(title, "title"),
                owner=before.owner if owner is None else line(owner, "owner", needed=False) or None,
                policy=before.policy if policy is None else policy,
            )
            if wanted == before:
                return before
            after = self._index.update(wanted)
        self._tell(
            actor,
            "work.edited",
            f"work:{after.id}",
            _facts_of_work(before),
            _facts_of_work(after),
            evidence={"film": after.digest},
        )
        return after

    def remove_work(self, work_id: str, actor: Actor, why: str = "") -> Work:
        """Forget a work with its rights; a film that was uploaded for it is deleted."""
        demand(actor, Role.APPROVER)
        why = reason(why)
        with refusals():
            removed = self._index.remove(work_id)
            self._index.flush()
        self._discard_unless_used(Path(removed.source))
        self._tell(
            actor,
            "work.removed",
            f"work:{removed.id}",
            before=_facts_of_work(removed),
            why=why,
            evidence={"film": removed.digest},
        )
        return removed

    def set_cast(self, work_id: str, person_ids: Sequence[str], actor: Actor) -> tuple[str, ...]:
        """Say who is in the cast of a work, instead of whoever was."""
        demand(actor, Role.REVIEWER)
        with refusals():
            work = self._index.work(work_id)
            before = self._index.people.cast(work.number)
            self._index.people.set_cast(work_id, person_ids)
            after = self._index.people.cast(work.number)
        if after != before:
            self._tell(
                actor,
                "work.cast",
                f"work:{work.id}",
                {"cast": list(before)},
                {"cast": list(after)},
            )
        return after

    # People

    def people(self, search: str = "", limit: int = 50, offset: int = 0) -> Page[Person]:
        """List people by name: those whose id, name or authority contains a text."""
        people = sorted(self._index.people.all(), key=lambda one: (one.name.casefold(), one.number))
        return page_of(people, search, limit, offset, lambda one: (one.id, one.name, one.authority))

    def person(self, person_id: str) -> PersonEntry:
        """One person; `NotFoundError` if there is none."""
        with refusals():
            person = self._index.people.get(person_id)
        return PersonEntry(
            person=person,
            is_expired=person.is_expired(today()),
            works=tuple(map(self._index.work, self._index.people.works_of(person.number))),
            rights=self._index.rights.of(Kind.PERSON, person.number),
        )

    def new_person(
        self,
        person_id: str,
        name: str,
        authority: str,
        retain_until: date,
        policy: Policy,
        actor: Actor,
    ) -> NewPerson:
        """Check what is said of a person before any photo is looked at.

        Parameters
        ----------
        person_id
            Made of the name if it is empty.
        """
        demand(actor, Role.APPROVER)
        name = line(name, "name")
        with refusals():
            new = NewPerson(
                id=person_id.strip() or id_of(name),
                name=name,
                authority=line(authority, "authority"),
                retain_until=to_come(retain_until),
                policy=policy,
            )
            if any(person.id == new.id for person in self._index.people.all()):
                raise ConflictError(
                    f"{new.id!r} is enrolled already: add photos on their page, or tell another "
                    "person apart by another id"
                )
        return new

    def add_person(
        self,
        photos: Sequence[Upload],
        new: NewPerson,
        actor: Actor,
        face: str | None = None,
        report: Report | None = None,
    ) -> AddedFaces:
        """Protect a person's likeness. Whatever comes of it, the photos and clips are deleted.

        Parameters
        ----------
        face
            Which, where a file shows several; see `detector.people.describe_reference`.
        """
        return self._enroll_faces(photos, new, actor, face, report, more=False)

    def add_faces(
        self,
        person_id: str,
        photos: Sequence[Upload],
        actor: Actor,
        face: str | None = None,
        report: Report | None = None,
    ) -> AddedFaces:
        """Add faces to a person, as `add_person` does the first ones."""
        with refusals():
            person = self._index.people.get(person_id)
        return self._enroll_faces(photos, person, actor, face, report, more=True)

    def _enroll_faces(
        self,
        photos: Sequence[Upload],
        person: NewPerson,
        actor: Actor,
        which: str | None,
        report: Report | None,
        *,
        more: bool,
    ) -> AddedFaces:
        demand(actor, Role.APPROVER)
        settings = self._engine.settings
        try:
            descriptor = self._engine.face_descriptor()
            with refusals():
                found = describe_photos(photos, descriptor, settings, which, report or nobody_asks)
                cipher, told = cipher_to_enrol(self._index, settings)
                done = enroll_person(
                    self._index.people, person, descriptor, found.faces, cipher, more=more
                )
        finally:
            for photo in photos:
                photo.path.unlink(missing_ok=True)
        before = {"faces": person.faces} if isinstance(person, Person) else None
        after = {"faces": done.person.faces} if more else _facts_of_person(done.person)
        used = dict.fromkeys(face.source_digest for face in found.faces)
        self._tell(
            actor,
            "person.faces" if more else "person.added",
            f"person:{done.person.id}",
            before,
            after,
            versions={"face": space_of(descriptor)},
            evidence={f"photo {n}": digest for n, digest in enumerate(used, 1)},
        )
        warnings = (*found.not_used, *done.warnings, *([told] if told else []))
        return AddedFaces(done.person, warnings)

    def edit_person(
        self,
        person_id: str,
        actor: Actor,
        *,
        name: str | None = None,
        authority: str | None = None,
        retain_until: date | None = None,
        policy: Policy | None = None,
    ) -> Person:
        """Change what is said of a person: what is given."""
        demand(actor, Role.APPROVER)
        with refusals():
            before = self._index.people.get(person_id)
            until = before.retain_until
            wanted = replace(
                before,
                name=before.name if name is None else line(name, "name"),
                authority=before.authority if authority is None else line(authority, "authority"),
                retain_until=until if retain_until in {None, until} else to_come(retain_until),
                policy=before.policy if policy is None else policy,
            )
            if wanted == before:
                return before
            after = self._index.people.update(wanted)
        self._tell(
            actor,
            "person.edited",
            f"person:{after.id}",
            _facts_of_person(before),
            _facts_of_person(after),
        )
        return after

    def remove_person(self, person_id: str, actor: Actor, why: str = "") -> Person:
        """Erase a person: nothing is left of their faces. The audit keeps that they were there."""
        demand(actor, Role.APPROVER)
        why = reason(why)
        with refusals():
            removed = self._index.people.remove(person_id)
        self._engine.faces()  # which lets go of theirs
        self._tell(
            actor,
            "person.removed",
            f"person:{removed.id}",
            before=_facts_of_person(removed),
            why=why,
        )
        return removed

    def _is_taken(self, work_id: str) -> bool:
        try:
            self._index.work(work_id)
        except UnknownWorkError:
            return False
        return True

    def _discard_unless_used(self, film: Path) -> None:
        """Delete a film that was uploaded, unless it is that of a work."""
        if lies_in(film, self._home, LIBRARY):
            work = self._index.find_digest(film.parent.name)
            if work is None or work.source != str(film.absolute()):
                discard(film)


def _facts_of_work(work: Work) -> dict[str, Any]:
    return {"title": work.title, "owner": work.owner, "policy": work.policy}


def _facts_of_person(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "authority": person.authority,
        "retain_until": person.retain_until,
        "policy": person.policy,
        "faces": person.faces,
    }
