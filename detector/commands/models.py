"""`matchcut models`: what describes the pictures, and how to get it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from detector.commands.common import Format, errors, settings_of

app = typer.Typer(help="The models: what is here, and fetch them.", no_args_is_help=True)


@app.command("list")
def models_list() -> None:
    """List the models with their channel, licence, and whether they are on this machine."""
    with errors():
        from detector.listing import write_rows
        from detector.models import model_rows

        write_rows(Format.TABLE, model_rows(settings_of(None)), sys.stdout)


@app.command("pull")
def models_pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="As `models list` shows.", show_default=False),
    ] = None,
) -> None:
    """Fetch models and verify them; without a name the one that the copy channel needs.

    matchcut models pull yunet sface     (find and describe faces)

    matchcut models pull clip     (the semantic channel)
    """
    with errors():
        from detector.models import pull

        settings = settings_of(None)
        for name in names or [settings.copy_model]:
            typer.echo(f"{name} {pull(name, settings)}")
