"""`matchcut background`: footage that is ordinary to the user."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.adding import each_file, with_problem
from detector.commands.common import (
    UNREADABLE,
    Format,
    Home,
    ListFormat,
    Paths,
    errors,
    fail,
    open_index,
    settings_of,
)

if TYPE_CHECKING:
    from detector.describe import OnProgress
    from detector.inputs import Source

app = typer.Typer(
    help="Footage that is ordinary to you, and proves nothing: add, list, remove.",
    no_args_is_help=True,
)


@app.command("add")
def background_add(paths: Paths, home: Home = None) -> None:
    """Say what is ordinary to you: idents, rating cards, credits, logos, test footage.

    Frames like these then count less in matching. Clips and pictures; the same file again is
    recognised by its content and adds nothing.
    """
    with errors():
        from detector.background import add_background
        from detector.descriptors import open_channels
        from detector.inputs import expand
        from detector.types import Channel

        settings = settings_of(home, channels="copy")
        sources = expand(paths, settings.protocols, pictures=True)
        if not sources:
            fail(f"no video or picture in {', '.join(paths)}")
        descriptors, _ = open_channels(settings)
        with open_index(settings) as index:

            def add(source: Source, on_progress: OnProgress) -> str:
                added = add_background(
                    source, index, descriptors[Channel.COPY], settings, on_progress
                )
                number, count = added.source.number, added.source.count
                typer.echo(number)
                outcome = f"added as {number} ({count} frames)"
                if not added.is_new:
                    outcome = f"is in the background already, as {number}"
                return with_problem(outcome, added.problem)

            failed = each_file(sources, add)
    if failed:
        raise typer.Exit(UNREADABLE)


@app.command("list")
def background_list(
    home: Home = None,
    output_format: ListFormat = Format.TABLE,
) -> None:
    """List what you added, and whether it is used: not if the works have another descriptor."""
    with errors():
        from detector.listing import background_values, write_rows

        with open_index(settings_of(home)) as index:
            rows = [
                background_values(source, index.space(source.channel))
                for source in index.background.all()
            ]
        none = "nothing of yours yet: `matchcut background add PATH`"
        write_rows(output_format, rows, sys.stdout, none=none)


@app.command("remove")
def background_remove(
    numbers: Annotated[list[int], typer.Argument(metavar="ID...", show_default=False)],
    home: Home = None,
) -> None:
    """Remove footage from the background, by the numbers that `background list` shows."""
    with errors(), open_index(settings_of(home)) as index:
        for source in [index.background.get(number) for number in numbers]:
            index.background.remove(source.number)
            typer.echo(f"removed {source.number}")
