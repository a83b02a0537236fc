"""`matchcut index`: how much there is, and whether it is sound."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.commands.common import USAGE, Home, errors, open_index, settings_of

app = typer.Typer(help="The index: its size, its health.", no_args_is_help=True)


@app.command("stats")
def index_stats(home: Home = None) -> None:
    """Show how much is in the index."""
    with errors():
        with open_index(settings_of(home)) as index:
            stats = index.stats()
            uploads = index.uploads.all()
            moving = {name: index.restaging.staged(name) for name in stats.channels}
        typer.echo(f"works     {stats.works}")
        typer.echo(f"footage   {stats.seconds:.1f} s")
        for name, channel in stats.channels.items():
            typer.echo(
                f"channel   {name}: {channel.vectors} vectors of {channel.works} works, "
                f"{channel.structure}, {channel.bytes / 1e6:.1f} MB, {channel.space}"
            )
        for name, staged in moving.items():
            if staged is not None:
                typer.echo(
                    f"moving    {name}: {staged.works} works described with {staged.space}, not "
                    "searched before `matchcut reembed` is done"
                )
        if stats.people:
            typer.echo(f"people    {stats.people} with {stats.faces} faces")
        if uploads:
            size = sum({upload.file: upload.size for upload in uploads}.values())
            typer.echo(f"uploads   {len(uploads)} seen and kept, {size / 1e6:.1f} MB")


@app.command("verify")
def index_verify(
    home: Home = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild what is derived, sweep what is left over.")
    ] = False,
) -> None:
    """Check that the files of the index agree and open, and that nothing is left of the erased.

    Catalogue, embeddings and vector index are compared. Each enrolled face is
    opened where their key is at hand. All files of the workspace are searched
    for faces of people who were removed. Exit code 2 if something is wrong.
    """
    with errors():
        from detector.console import say
        from detector.people import people_cipher

        settings = settings_of(home)
        with open_index(settings) as index:
            cipher = None
            if index.people.all():
                if settings.people_key is not None or settings.people_key_file.exists():
                    cipher = people_cipher(settings)
                else:
                    say(f"the faces were not opened: there is no key in {settings.people_key_file}")
            problems = index.verify(repair=repair, cipher=cipher)
            left = index.verify(cipher=cipher) if repair and problems else problems
        for problem in problems:
            typer.echo(problem)
        if not problems:
            typer.echo("sound")
        elif not left:
            typer.echo("repaired")
    if left:
        raise typer.Exit(USAGE)


@app.command("compact")
def index_compact(home: Home = None) -> None:
    """Build the vector index anew from the embeddings, and free what nothing uses."""
    with errors():
        with open_index(settings_of(home)) as index:
            done = index.compact()
        typer.echo(f"rebuilt {', '.join(done.rebuilt) or 'nothing'}, freed {done.freed} bytes")
