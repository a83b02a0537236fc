"""`matchcut works`: the protected films, and who plays in them."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from detector.commands.common import (
    UNREADABLE,
    Channels,
    Format,
    Home,
    ListFormat,
    Paths,
    errors,
    fail,
    open_index,
    settings_of,
)

app = typer.Typer(help="The protected works: add, list, show, cast, remove.", no_args_is_help=True)


class PolicyChoice(StrEnum):
    BLOCK = "block"
    REVIEW = "review"
    MONITOR = "monitor"
    ALLOW = "allow"


WorkId = Annotated[str, typer.Argument(metavar="ID", help="As `works list` shows it.")]


@app.command("add")
def works_add(
    paths: Paths,
    home: Home = None,
    work_id: Annotated[
        str | None, typer.Option("--id", help="For a single file; by default its stem.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="By default the file's stem.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who owns the rights.")] = None,
    policy: Annotated[
        PolicyChoice, typer.Option(help="What is to happen to copies.")
    ] = PolicyChoice.REVIEW,
    channels: Channels = None,
) -> None:
    """Protect films: describe their frames and put them into the index.

    The same file again is recognised by its content and adds nothing.
    """
    with errors():
        from detector.console import Files, say
        from detector.descriptors import open_channels
        from detector.inputs import InputError, expand
        from detector.media import UnreadableMediaError
        from detector.pipeline import NothingToMatchError, enroll
        from index.errors import IdTakenError, InvalidWorkError
        from index.records import Policy

        sources = expand(paths)
        if not sources:
            fail(f"no video in {', '.join(paths)}")
        if work_id is not None and len(sources) > 1:
            fail(f"--id is for a single file; these are {len(sources)}")
        settings = settings_of(home, channels=channels)
        descriptors, notes = open_channels(settings)
        for note in notes:
            say(note)
        if not descriptors:
            fail("works are added in the channels copy and semantic, people by `matchcut people`")
        failed = 0
        with open_index(settings) as index, Files("adding", len(sources)) as files:
            for source in sources:
                try:
                    enrolled = enroll(
                        source,
                        index,
                        descriptors,
                        settings,
                        work_id=work_id,
                        title=title,
                        owner=owner,
                        policy=Policy(policy.value),
                        on_progress=files.watch(source),
                    )
                except (
                    InputError,
                    UnreadableMediaError,
                    NothingToMatchError,
                    IdTakenError,
                    InvalidWorkError,
                ) as error:
                    failed += 1
                    files.done(source, f"not added: {error}")
                    continue
                work = enrolled.work
                if enrolled.added:
                    outcome = f"added as {work.id} ({', '.join(enrolled.added)})"
                else:
                    outcome = f"is in the index already, as {work.id}"
                if enrolled.problem:
                    outcome += f"; read in part: {enrolled.problem}"
                files.done(source, outcome)
                typer.echo(work.id)
    if failed:
        raise typer.Exit(UNREADABLE)


@app.command("list")
def works_list(
    home: Home = None,
    output_format: ListFormat = Format.TABLE,
) -> None:
    """List the protected works."""
    with errors():
        from detector.listing import work_values, write_rows

        with open_index(settings_of(home)) as index:
            rows = [work_values(work) for work in index.works()]
        write_rows(output_format, rows, sys.stdout, none="no works yet: `matchcut works add PATH`")


@app.command("show")
def works_show(work_id: WorkId, home: Home = None) -> None:
    """Show all that is known of a work."""
    with errors():
        from detector.listing import work_values

        with open_index(settings_of(home)) as index:
            work = index.work(work_id)
            channels = ", ".join(sorted(index.channels(work.number)))
            cast = ", ".join(index.people.cast(work.number))
        for name, value in {**work_values(work), "channels": channels, "cast": cast}.items():
            typer.echo(f"{name:16} {'' if value is None else value}")


@app.command("cast")
def works_cast(
    work_id: WorkId,
    person_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PERSON...]", help="As `people list` shows.", show_default=False),
    ] = None,
    home: Home = None,
    none: Annotated[bool, typer.Option("--none", help="Say that nobody is.")] = False,
) -> None:
    """Say which enrolled people play in a work, instead of whoever did.

    matchcut works cast heat al_pacino robert_de_niro     (sets the cast)

    matchcut works cast heat     (shows it: an id a line)

    matchcut works cast heat --none     (empties it)
    """
    with errors():
        if person_ids and none:
            fail("give people or --none, not both")
        with open_index(settings_of(home)) as index:
            if person_ids or none:
                index.people.set_cast(work_id, person_ids or [])
            cast = index.people.cast(index.work(work_id).number)
        for person_id in cast:
            typer.echo(person_id)


@app.command("remove")
def works_remove(
    work_ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False)],
    home: Home = None,
) -> None:
    """Remove works: nothing of them is left to be matched."""
    with errors(), open_index(settings_of(home)) as index:
        for work in [index.work(work_id) for work_id in work_ids]:
            index.remove(work.number)
            typer.echo(f"removed {work.id}")
