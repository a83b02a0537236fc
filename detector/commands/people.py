"""`matchcut people`: who has a protected likeness."""

from __future__ import annotations

import sys
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.common import (
    UNREADABLE,
    USAGE,
    Format,
    Home,
    ListFormat,
    errors,
    fail,
    open_index,
    settings_of,
    today,
)

if TYPE_CHECKING:
    from detector.descriptors.sface import FaceDescriptor
    from detector.inputs import Source
    from detector.settings import Settings
    from index.person_records import NewPerson, ReferenceFace
    from index.reference_index import ReferenceIndex

app = typer.Typer(
    help="People whose likeness is protected: add, list, show, remove.", no_args_is_help=True
)


class LikenessPolicy(StrEnum):
    REVIEW = "review"
    MONITOR = "monitor"
    ALLOW = "allow"


PersonId = Annotated[str, typer.Argument(metavar="ID", help="As `people list` shows it.")]


@app.command("add")
def people_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people to read.")],
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...",
            help="Photos, clips, or folders of them, that show this person's face.",
            show_default=False,
        ),
    ],
    authority: Annotated[
        str | None,
        typer.Option(help="Who allows that this face is processed: a consent, a contract."),
    ] = None,
    retain_until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="The last day on which the person may be matched.",
        ),
    ] = None,
    home: Home = None,
    person_id: Annotated[
        str | None, typer.Option("--id", help="By default made of the name: anna_magnani.")
    ] = None,
    policy: Annotated[
        LikenessPolicy | None,
        typer.Option(
            help="What is to happen to uploads that show the person.", show_default="review"
        ),
    ] = None,
    face: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|largest",
            help="Which face, where a file shows several; from the left, in a clip by appearance.",
        ),
    ] = None,
    more: Annotated[
        bool, typer.Option("--more", help="Add faces to a person who is enrolled.")
    ] = False,
) -> None:
    """Protect a person's likeness: uploads that show their face are found.

    A face is biometric data, so it must be said who allows this (--authority)
    and for how long (--retain-until). What is kept of the files is sealed with
    a key that is made when the first person is enrolled. Several photos from
    different days find more than one does.

    matchcut people add "Anna Magnani" anna/ --authority "contract 17" --retain-until 2027-03-01

    matchcut people add "Anna Magnani" new.jpg --more     (adds a face)

    matchcut people add "Anna Magnani" party.jpg --more --face 2     (second from the left)

    Exit code 3 if some files could not be used, 2 if none could: then nothing
    is stored.
    """
    with errors():
        from detector.console import say
        from detector.descriptors.sface import FaceDescriptor
        from detector.inputs import expand
        from detector.people import LARGEST, enroll_person, id_of, people_cipher

        if face is not None and face != LARGEST and not (face.isdecimal() and int(face) > 0):
            fail(f"--face {face} is neither a number from 1 on nor `{LARGEST}`")
        person_id = person_id or id_of(name)
        if not person_id:
            fail(f"no id can be made of the name {name!r}: give one with --id")
        sources = expand(paths, pictures=True)
        if not sources:
            fail(f"no photo or video in {', '.join(paths)}")
        settings = settings_of(home)
        with open_index(settings) as index:
            if more:
                if authority is not None or retain_until is not None or policy is not None:
                    fail("--more adds faces only: leave out --authority, --retain-until, --policy")
                person: NewPerson = index.people.get(person_id)
            else:
                until = None if retain_until is None else retain_until.date()
                person = _new_person(index, person_id, name, authority, until, policy)
            is_first = not index.people.all()
            # A key made beside faces that are sealed with another would only be in the way.
            cipher = None if is_first else people_cipher(settings)
            descriptor = FaceDescriptor(settings.face_model)
            faces, rejected = _describe(sources, descriptor, settings, face)
            if not faces:
                typer.echo(f"matchcut: nothing is stored of {person.name}", err=True)
                raise typer.Exit(USAGE)
            if cipher is None:
                had_key = settings.people_key is not None or settings.people_key_file.exists()
                cipher = people_cipher(settings, make=True)
                if not had_key:
                    say(
                        f"the key of the enrolled faces was made in {settings.people_key_file}: "
                        "without it they cannot be read, so back it up, apart from the workspace"
                    )
            done = enroll_person(index.people, person, descriptor, faces, cipher, more=more)
        for warning in done.warnings:
            say(f"warning: {warning}")
        count = done.person.faces
        say(f"{person.name} is found by {count} face{'s' if count != 1 else ''}")
        typer.echo(done.person.id)
    if rejected:
        raise typer.Exit(UNREADABLE)


def _new_person(
    index: ReferenceIndex,
    person_id: str,
    name: str,
    authority: str | None,
    until: date | None,
    policy: LikenessPolicy | None,
) -> NewPerson:
    """Refuse what cannot be enrolled before any file is read."""
    from index.person_records import NewPerson
    from index.records import Policy

    if authority is None:
        fail("say with --authority who allows that this person's face is processed")
    if until is None:
        fail("say with --retain-until YYYY-MM-DD the last day on which the person may be matched")
    if until < today():
        fail(f"--retain-until {until} is over: give today or a day to come")
    for other in index.people.all():
        if other.id == person_id:
            fail(
                f"{person_id!r} is enrolled already, as {other.name}: add faces with --more, or "
                "tell another person apart with --id"
            )
    return NewPerson(
        id=person_id,
        name=name,
        authority=authority,
        retain_until=until,
        policy=Policy.REVIEW if policy is None else Policy(policy.value),
    )


def _describe(
    sources: list[Source], descriptor: FaceDescriptor, settings: Settings, which: str | None
) -> tuple[list[ReferenceFace], int]:
    """Return the faces of all files that can be used, and how many cannot."""
    from detector.console import Files
    from detector.inputs import InputError
    from detector.media import UnreadableMediaError
    from detector.people import NoFaceError, describe_reference
    from index.errors import InvalidPersonError

    faces: list[ReferenceFace] = []
    rejected = 0
    with Files("reading", len(sources)) as files:
        for source in sources:
            try:
                described = describe_reference(
                    source, descriptor, settings, which, files.watch(source)
                )
            except (InputError, UnreadableMediaError, NoFaceError, InvalidPersonError) as error:
                rejected += 1
                files.done(source, f"not used: {error}")
                continue
            faces += described.faces
            count = len(described.faces)
            outcome = f"{count} face{'s' if count != 1 else ''}"
            if described.problem:
                outcome += f"; read in part: {described.problem}"
            files.done(source, outcome)
    return faces, rejected


@app.command("list")
def people_list(home: Home = None, output_format: ListFormat = Format.TABLE) -> None:
    """List the people enrolled: who allows it, until when, and whether that time is over."""
    with errors():
        from detector.listing import person_values, write_rows

        with open_index(settings_of(home)) as index:
            rows = [person_values(person, today()) for person in index.people.all()]
        none = "nobody yet: `matchcut people add NAME PHOTO`"
        write_rows(output_format, rows, sys.stdout, none=none)


@app.command("show")
def people_show(person_id: PersonId, home: Home = None) -> None:
    """Show all that is known of a person.

    Where the key of the enrolled faces is at hand, also what each was taken from.
    """
    with errors():
        from detector.console import say
        from detector.listing import person_values
        from detector.people import people_cipher
        from detector.text import clock
        from index.errors import WrongKeyError

        settings = settings_of(home)
        with open_index(settings) as index:
            person = index.people.get(person_id)
            for name, value in person_values(person, today()).items():
                typer.echo(f"{name:16} {value}")
            try:
                references = index.people.references(person_id, people_cipher(settings))
            except WrongKeyError as error:
                say(f"the faces were not opened: {error}")
                return
        for face in references:
            at = "" if face.time is None else f" at {clock(face.time)}"
            typer.echo(f"{'face of':16} {face.source}{at}")


@app.command("remove")
def people_remove(
    person_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID...]", help="As `people list` shows.", show_default=False),
    ] = None,
    home: Home = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="All whose time is over, see --retain-until.")
    ] = False,
) -> None:
    """Erase people: nothing of their faces is left in the workspace. No key is needed.

    `matchcut index verify` proves it. Reports and results that were written
    before are your files, and stay.

    matchcut people remove anna_magnani

    matchcut people remove --expired     (all whose time is over)
    """
    with errors():
        from detector.console import say

        if bool(person_ids) == expired:
            fail("say who: give ids, as `matchcut people list` shows, or --expired")
        with open_index(settings_of(home)) as index:
            if expired:
                people = index.people.expired(today())
            else:
                people = [index.people.get(one) for one in dict.fromkeys(person_ids or ())]
            for person in people:
                index.people.remove(person.id)
                typer.echo(f"removed {person.id}")
        if not people:
            say("nobody has expired")
