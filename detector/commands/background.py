"""`matchcut background`: footage that is ordinary to the user."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

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
        from detector.console import Files
        from detector.descriptors import open_channels
        from detector.inputs import InputError, expand
        from detector.media import UnreadableMediaError
        from detector.types import Channel

        sources = expand(paths, pictures=True)
        if not sources:
            fail(f"no video or picture in {', '.join(paths)}")
        settings = settings_of(home, channels="copy")
        descriptors, _ = open_channels(settings)
        failed = 0
        with open_index(settings) as index, Files("adding", len(sources)) as files:
            for source in sources:
                try:
                    added = add_background(
                        source, index, descriptors[Channel.COPY], settings, files.watch(source)
                    )
                except (InputError, UnreadableMediaError) as error:
                    failed += 1
                    files.done(source, f"not added: {error}")
                    continue
                number, count = added.source.number, added.source.count
                outcome = f"added as {number} ({count} frames)"
                if not added.is_new:
                    outcome = f"is in the background already, as {number}"
                if added.problem:
                    outcome += f"; read in part: {added.problem}"
                files.done(source, outcome)
                typer.echo(number)
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
                for source in index.background_sources()
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
        for source in [index.background_source(number) for number in numbers]:
            index.remove_background(source.number)
            typer.echo(f"removed {source.number}")
