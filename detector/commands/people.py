"""`matchcut people`: who has a protected likeness."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.adding import taking, write_table
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
    from index.person_records import NewPerson
    from index.reference_index import ReferenceIndex

app = typer.Typer(
    help="People whose likeness is protected: add, list, show, edit, remove, import, export.",
    no_args_is_help=True,
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
        from detector.commands.enrolling import PeopleEnroller
        from detector.inputs import expand
        from detector.people import LARGEST, id_of

        if face is not None and face != LARGEST and not (face.isdecimal() and int(face) > 0):
            fail(f"--face {face} is neither a number from 1 on nor `{LARGEST}`")
        person_id = person_id or id_of(name)
        if not person_id:
            fail(f"no id can be made of the name {name!r}: give one with --id")
        settings = settings_of(home)
        sources = expand(paths, settings.protocols, pictures=True)
        if not sources:
            fail(f"no photo or video in {', '.join(paths)}")
        with open_index(settings) as index:
            if more:
                if authority is not None or retain_until is not None or policy is not None:
                    fail("--more adds faces only: leave out --authority, --retain-until, --policy")
                person: NewPerson = index.people.get(person_id)
            else:
                until = None if retain_until is None else retain_until.date()
                person = _new_person(index, person_id, name, authority, until, policy)
            enroller = PeopleEnroller(index, settings)
            is_stored, rejected = enroller.enroll(person, sources, face, more=more)
    if not is_stored:
        raise typer.Exit(USAGE)
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
    """Show all that is known of a person: also their licences and rules.

    Where the key of the enrolled faces is at hand, also what each was taken from.
    """
    with errors():
        from detector.console import say
        from detector.listing import person_values, rights_in_words
        from detector.people import people_cipher
        from detector.text import clock
        from index.errors import WrongKeyError
        from index.rights_records import Kind

        settings = settings_of(home)
        with open_index(settings) as index:
            person = index.people.get(person_id)
            rights = index.rights.of(Kind.PERSON, person.number)
            known = [*person_values(person, today()).items(), *rights_in_words(rights, today())]
            for name, value in known:
                typer.echo(f"{name:16} {value}")
            try:
                references = index.people.references(person_id, people_cipher(settings))
            except WrongKeyError as error:
                say(f"the faces were not opened: {error}")
                return
        for face in references:
            at = "" if face.time is None else f" at {clock(face.time)}"
            typer.echo(f"{'face of':16} {face.source}{at}")


@app.command("edit")
def people_edit(
    person_id: PersonId,
    home: Home = None,
    name: Annotated[str | None, typer.Option(help="Another name; the id stays.")] = None,
    authority: Annotated[
        str | None, typer.Option(help="Who allows that this face is processed.")
    ] = None,
    retain_until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="The last day on which the person may be matched.",
        ),
    ] = None,
    policy: Annotated[
        LikenessPolicy | None,
        typer.Option(help="What is to happen to uploads that show the person.", show_default=False),
    ] = None,
) -> None:
    """Change what is said of a person: what is not given stays as it is.

    Their faces stay, too; `people add NAME FILES --more` adds some.

    matchcut people edit anna_magnani --authority "contract 18" --retain-until 2028-03-01
    """
    with errors():
        from detector.importing import check_last_day
        from index.records import Policy

        if name is None and authority is None and retain_until is None and policy is None:
            fail("say what is to change: --name, --authority, --retain-until, --policy")
        if retain_until is not None:
            try:
                check_last_day(retain_until.date(), today())
            except ValueError as error:
                fail(str(error))
        with open_index(settings_of(home)) as index:
            person = index.people.get(person_id)
            changed = replace(
                person,
                name=person.name if name is None else name,
                authority=person.authority if authority is None else authority,
                retain_until=person.retain_until if retain_until is None else retain_until.date(),
                policy=person.policy if policy is None else Policy(policy.value),
            )
            index.people.update(changed)
        typer.echo(f"changed {person.id}")


@app.command("import")
def people_import(
    table: Annotated[Path, typer.Argument(metavar="FILE.csv", show_default=False)],
    home: Home = None,
) -> None:
    """Enrol and edit people by a CSV file: a line for each.

    Its first line names the columns, in any order: of name, id, authority,
    retain_until, policy and files what is needed. Where the id is enrolled, the
    person becomes what the line says, and empty cells say nothing; files are not
    read. Anybody else is enrolled from their files: photos, clips, or folders of
    them, with semicolons between. The id is made of the name if there is none.

    name,authority,retain_until,files

    Anna Magnani,contract 17,2027-03-01,anna/1.jpg;anna/2.jpg

    If a line is wrong, nothing is changed. Prints the ids of those who were
    changed or enrolled. Exit code 3 if some files could not be used.
    """
    with errors():
        from detector.commands.enrolling import PeopleEnroller
        from detector.console import say
        from detector.importing import plan_people
        from detector.rights_csv import read_people

        settings = settings_of(home)
        rejected = stored = 0
        with open_index(settings) as index:
            people = index.people
            with taking(table):
                lines = read_people(table.read_bytes())
                changes = plan_people(
                    lines, people.all(), people.sources, today(), settings.protocols
                )
            enroller = PeopleEnroller(index, settings) if changes.new else None
            for person in people.update_all(changes.updates):
                typer.echo(person.id)
            for person_id, files in changes.unread.items():
                say(
                    f"{person_id} is enrolled, so nothing was read of {', '.join(files)}: "
                    "`matchcut people add NAME FILES --more` adds faces"
                )
            if enroller is not None:
                for one in changes.new:
                    is_stored, unusable = enroller.enroll(one.person, one.sources)
                    stored += is_stored
                    rejected += unusable
        say(
            f"{len(changes.updates)} changed, {changes.unchanged} as they were, {stored} enrolled, "
            f"{len(changes.new) - stored} not enrolled"
        )
    if rejected:
        raise typer.Exit(UNREADABLE)


@app.command("export")
def people_export(
    table: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", show_default="stdout")
    ] = None,
    home: Home = None,
) -> None:
    """Write everybody as CSV, as `people import` reads it: names, never faces.

    The files are those that the faces were read from.

    matchcut people export people.csv
    """
    with errors(), open_index(settings_of(home)) as index:
        from detector.rights_csv import write_people

        everybody = [(person, index.people.sources(person.id)) for person in index.people.all()]
        write_table(write_people(everybody), table)


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
    """Erase people: nothing of their faces and rights is left in the workspace, without a key.

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
