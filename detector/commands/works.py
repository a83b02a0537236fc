"""`matchcut works`: the protected films, and who plays in them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.adding import each_file, taking, with_problem, write_table
from detector.commands.common import (
    FLAGGED,
    UNREADABLE,
    Channels,
    Describers,
    Format,
    Home,
    ListFormat,
    On,
    Paths,
    errors,
    fail,
    open_index,
    settings_of,
    today,
)
from detector.commands.rights_options import Numbers

if TYPE_CHECKING:
    from detector.cluster import Size
    from detector.describe import OnProgress
    from detector.descriptors import Descriptor
    from detector.importing import Film
    from detector.inputs import Source
    from detector.settings import Settings
    from detector.types import Channel
    from index.records import Work
    from index.reference_index import ReferenceIndex

app = typer.Typer(
    help="The protected works: add, list, show, edit, cast, exclude, remove, import, export.",
    no_args_is_help=True,
)


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
    match_back: Annotated[
        bool,
        typer.Option(
            "--match-back",
            help="Then look for them in uploads that were scanned before, as `uploads match-back` "
            "does.",
        ),
    ] = False,
    cases: Annotated[
        bool, typer.Option("--cases", help="With --match-back: open cases at the desk.")
    ] = False,
    on: On = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --on: films at the same time.", show_default="one for each core"
        ),
    ] = None,
    describers: Describers = None,
) -> None:
    """Protect films: describe their frames and put them into the index.

    The same file again is recognised by its content and adds nothing.

    matchcut works add heat.mp4 --policy block --match-back --cases

    Exit code 3 if a film could not be read; with --match-back 1 if an upload is
    flagged.
    """
    with errors():
        from detector.commands.scanning import on_cluster
        from detector.importing import Film
        from detector.inputs import expand
        from index.records import Policy

        settings = settings_of(home, channels=channels)
        if workers is not None and on is None:
            fail("--workers is for a cluster: give --on as well")
        sources = expand(paths, settings.protocols)
        if not sources:
            fail(f"no video in {', '.join(paths)}")
        if cases and not match_back:
            fail("--cases is for what --match-back finds")
        if work_id is not None and len(sources) > 1:
            fail(f"--id is for a single file; these are {len(sources)}")
        wanted = Policy(policy.value)
        films = [Film(source, work_id, title, owner, wanted) for source in sources]
        descriptors = _open_channels(settings)
        flagged = 0
        with open_index(settings) as index, on_cluster(on, workers, describers) as size:
            added, failed = _enroll(films, index, descriptors, settings, size)
            if match_back and added:
                from detector.commands import uploads

                tally = uploads.match_back(added, index, settings, cases=cases)
                flagged, failed = tally.flagged, failed + tally.unreadable
    if failed:
        raise typer.Exit(UNREADABLE)
    raise typer.Exit(FLAGGED if flagged else 0)


def _open_channels(settings: Settings) -> dict[Channel, Descriptor]:
    """Load what describes films; say on stderr which channels are off."""
    from detector.console import say
    from detector.descriptors import open_channels

    descriptors, notes = open_channels(settings)
    for note in notes:
        say(note)
    if not descriptors:
        fail("works are added in the channels copy and semantic, people by `matchcut people`")
    return descriptors


def _enroll(
    films: Sequence[Film],
    index: ReferenceIndex,
    descriptors: dict[Channel, Descriptor],
    settings: Settings,
    size: Size | None = None,
) -> tuple[list[Work], int]:
    """Put films into the index, and print their ids; return new works, and how many failed.

    Parameters
    ----------
    size
        Of the cluster that describes them, if one does.
    """
    from detector.cluster import ClusterFileError, look_at_films
    from detector.pipeline import NothingToMatchError, enroll_seen, look_at_film
    from index.errors import IdTakenError, InvalidWorkError

    film_of = {film.source: film for film in films}
    sources = list(film_of)
    added: list[Work] = []
    watched: dict[Source, OnProgress] = {}  # of films on a cluster, the one whose turn it is

    def far(source: Source) -> OnProgress:
        return lambda done, total: watched[source](done, total) if source in watched else None

    from_cluster = None
    if size is not None:
        from_cluster = look_at_films(sources, descriptors, settings, size, far)

    def add(source: Source, on_progress: OnProgress) -> str:
        film = film_of[source]
        if from_cluster is None:
            seen = look_at_film(source, index, descriptors, settings, on_progress)
        else:
            watched[source] = on_progress
            looked = next(from_cluster)
            if isinstance(looked, Exception):
                raise looked
            seen = looked
        enrolled = enroll_seen(
            source,
            seen,
            index,
            work_id=film.id,
            title=film.title,
            owner=film.owner,
            policy=film.policy,
        )
        work = enrolled.work
        typer.echo(work.id)
        if enrolled.added:
            added.append(work)
            outcome = f"added as {work.id} ({', '.join(enrolled.added)})"
        else:
            outcome = f"is in the index already, as {work.id}"
        return with_problem(outcome, enrolled.problem)

    refused = (NothingToMatchError, IdTakenError, InvalidWorkError, ClusterFileError)
    try:
        failed = each_file(sources, add, refused)
    finally:
        if from_cluster is not None:
            from_cluster.close()
    return added, failed


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
    """Show all that is known of a work: also its cast, licences, rules and exclusions."""
    with errors():
        from detector.listing import rights_in_words, work_values
        from index.rights_records import Kind

        with open_index(settings_of(home)) as index:
            work = index.work(work_id)
            channels = ", ".join(sorted(index.channels(work.number)))
            cast = ", ".join(index.people.cast(work.number))
            rights = index.rights.of(Kind.WORK, work.number)
        values = {**work_values(work), "channels": channels, "cast": cast}
        for name, value in [*values.items(), *rights_in_words(rights, today())]:
            typer.echo(f"{name:16} {'' if value is None else value}")


@app.command("edit")
def works_edit(
    work_id: WorkId,
    home: Home = None,
    title: Annotated[str | None, typer.Option(help="Another title.")] = None,
    owner: Annotated[
        str | None, typer.Option(help="Another owner; an empty one for nobody known.")
    ] = None,
    policy: Annotated[
        PolicyChoice | None, typer.Option(help="What is to happen to copies.", show_default=False)
    ] = None,
) -> None:
    """Change what is said of a work: what is not given stays as it is.

    Its film is not read again. From the next scan on the change counts, with
    --resume, too.

    matchcut works edit heat --owner "Studio B" --policy block
    """
    with errors():
        from index.records import Policy

        if title is None and owner is None and policy is None:
            fail("say what is to change: --title, --owner, --policy")
        if title is not None and not title.strip():
            fail("a work needs a title")
        with open_index(settings_of(home)) as index:
            work = index.work(work_id)
            changed = replace(
                work,
                title=work.title if title is None else title,
                owner=work.owner if owner is None else owner or None,
                policy=work.policy if policy is None else Policy(policy.value),
            )
            index.update(changed)
        typer.echo(f"changed {work.id}")


@app.command("exclude")
def works_exclude(
    work_id: WorkId,
    start: Annotated[
        str, typer.Argument(metavar="START", help="Time in the work: 83.5 or 1:23.5.")
    ],
    end: Annotated[str, typer.Argument(metavar="END", help="The same.")],
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="What the footage is, and whose; shown in results.")
    ],
    home: Home = None,
) -> None:
    """Exclude seconds of a work from matching: what its owner claims nothing for.

    Stock footage, idents, inserts in the public domain. What an upload shows of
    them is cut off its matches, in the channels copy and semantic.

    matchcut works exclude heat 0:00 0:21.5 --why "the studio's ident"

    Prints the exclusion's number, as `works show` does.
    """
    with errors():
        from detector.text import seconds_of
        from index.rights_records import NewExclusion

        try:
            times = seconds_of(start), seconds_of(end)
        except ValueError as error:
            fail(str(error))
        exclusion = NewExclusion(work_id=work_id, start=times[0], end=times[1], why=why)
        with open_index(settings_of(home)) as index:
            typer.echo(index.rights.add_exclusion(exclusion).number)


@app.command("include")
def works_include(numbers: Numbers, home: Home = None) -> None:
    """Undo exclusions, by the numbers that `works show` shows: all, or none if one is not there.

    matchcut works include 3
    """
    with errors(), open_index(settings_of(home)) as index:
        for exclusion in index.rights.remove_exclusions(numbers):
            typer.echo(f"removed {exclusion.number}")


@app.command("import")
def works_import(
    table: Annotated[Path, typer.Argument(metavar="FILE.csv", show_default=False)],
    home: Home = None,
    channels: Channels = None,
) -> None:
    """Add and edit works by a CSV file: a line for each.

    Its first line names the columns, in any order: of path, id, title, owner
    and policy what is needed. Where the id is enrolled, the work's title, owner
    and policy become what the line says; an empty title or policy says nothing,
    an empty owner that nobody is known. Otherwise the film is enrolled from its
    path, under the file's stem if there is no id.

    path,id,title,owner,policy

    films/heat.mp4,heat,Heat,Studio A,block

    If a line is wrong, nothing is changed. Prints the ids of the works that were
    changed or added. Exit code 3 if a film could not be read.
    """
    with errors():
        from detector.console import say
        from detector.importing import plan_works
        from detector.rights_csv import read_works

        settings = settings_of(home, channels=channels)
        with open_index(settings) as index:
            with taking(table):
                changes = plan_works(
                    read_works(table.read_bytes()), index.works(), settings.protocols
                )
            descriptors = _open_channels(settings) if changes.films else {}
            for work in index.update_all(changes.updates):
                typer.echo(work.id)
            failed = 0
            if descriptors:
                _, failed = _enroll(changes.films, index, descriptors, settings)
        say(
            f"{len(changes.updates)} changed, {changes.unchanged} as they were, "
            f"{len(changes.films) - failed} added, {failed} not added"
        )
    if failed:
        raise typer.Exit(UNREADABLE)


@app.command("export")
def works_export(
    table: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", show_default="stdout")
    ] = None,
    home: Home = None,
) -> None:
    """Write all works as CSV, as `works import` reads it.

    Licences have a table of their own: `matchcut licences export`.

    matchcut works export works.csv
    """
    with errors(), open_index(settings_of(home)) as index:
        from detector.rights_csv import write_works

        write_table(write_works(index.works()), table)


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
    """Remove works: nothing of them is left to be matched, nor of their rights."""
    with errors(), open_index(settings_of(home)) as index:
        for work in [index.work(work_id) for work_id in work_ids]:
            index.remove(work.number)
            typer.echo(f"removed {work.id}")
