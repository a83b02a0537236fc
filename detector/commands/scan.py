"""`matchcut scan`: uploads in, verdicts out; once, or for ever."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.common import (
    FLAGGED,
    UNREADABLE,
    Channels,
    Describers,
    Format,
    Home,
    On,
    Paths,
    errors,
    fail,
    open_index,
    settings_of,
)
from detector.types import Mode

if TYPE_CHECKING:
    from detector.inputs import Source
    from detector.settings import Settings
    from detector.submissions import Submissions
    from detector.types import ScanResult


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
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Uploads scanned at the same time; each takes some 200 MB.",
            show_default="one for each core, here at most 8",
        ),
    ] = None,
    on: On = None,
    describers: Describers = None,
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
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Go on: scan what comes to these folders, until Ctrl-C or SIGTERM.",
        ),
    ] = False,
    every: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="With --watch: seconds between two looks at the folders. A file that has not "
            "changed from one to the next is taken to be complete.",
        ),
    ] = 10.0,
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

    matchcut scan incoming/ --watch --cases --resume --format jsonl --output flags.jsonl

    matchcut scan s3://uploads/ --on ray://head:10001 --resume --format jsonl

    Licences go by who submitted an upload and where it is shown. With --cases
    every upload that is to be reviewed or blocked is a case at the takedown
    desk as soon as it is scanned; the same file again is the same case. With
    --watch the CSV of --submissions is read again for what comes. With --on all
    nodes must find workspace and uploads under the same paths, or at URLs.

    Exit code 1 if something was flagged, 3 if some inputs could not be read.
    """
    with errors():
        from detector.batch import Batch, usual_workers
        from detector.cluster import ClusterBatch
        from detector.commands.intake import CaseOpener, desk_for, known_submissions
        from detector.commands.scanning import (
            forget_old,
            metered,
            on_cluster,
            open_for_scan,
            stream_to,
            told,
        )
        from detector.console import say
        from detector.inputs import expand
        from detector.logs import is_json
        from detector.output import open_writer, print_table
        from detector.tally import Tally

        if watch and (report is not None or output_format is Format.TABLE):
            fail("--watch has no end to write at: use --format jsonl or csv, without --report")
        settings = settings_of(home, channels=channels, rate=rate, mode=mode)
        sources = [] if watch else expand(paths, settings.protocols)
        if not watch and not sources:
            fail(f"no video in {', '.join(paths)}")
        how = (submissions, uploader, territory)
        known = known_submissions(*how, None if watch else sources)
        started = time.perf_counter()
        tally = Tally()
        shown: list[ScanResult] = []  # for the report
        failed = 0
        with (
            metered(metrics, metrics_port) as counted,
            open_index(settings) as index,
            desk_for(cases, settings) as desk,
            on_cluster(on, workers, describers) as size,
        ):
            opened = open_for_scan(index, settings)
            forget_old(index, settings)
            with stream_to(output) as stream, _until_told(watch) as over:
                writer = open_writer(output_format, stream)
                for some in _arriving(paths, every, over, settings) if watch else [sources]:
                    if watch:  # what changed since the last files, or since the start
                        opened = open_for_scan(index, settings)
                        forget_old(index, settings)
                        known = _known_by_now(how, known)
                    opener = None if desk is None else CaseOpener(desk, index, opened, settings)
                    make: Callable[..., Batch | ClusterBatch] = (
                        partial(Batch, workers=workers or usual_workers())
                        if size is None
                        else partial(ClusterBatch, size=size)
                    )
                    batch = make(
                        index,
                        opened.descriptors,
                        settings,
                        faces=opened.faces,
                        min_score=min_score,
                        submissions=known.of,
                        resume=resume,
                    )
                    for result in told(batch, some, opener, counted, over):
                        writer.write(result)
                        tally.add(result)
                        if report is not None:
                            shown.append(result)
                    if opener is not None:
                        failed += opener.failed
                        say(opener.summary())
                writer.close()
            if tally.uploads > 1 and not is_json():
                print_table(tally.table(), sys.stderr)
            say(tally.summary(time.perf_counter() - started))
            if report is not None:
                from detector.report import report_scan

                say(f"writing {report}")
                report_scan(report, shown, index, opened.cipher, settings.protocols)
    if failed or tally.unreadable:
        raise typer.Exit(UNREADABLE)
    raise typer.Exit(FLAGGED if tally.flagged else 0)


def _known_by_now(
    how: tuple[Path | None, str | None, str | None], before: Submissions
) -> Submissions:
    """Read again how uploads came in; while the CSV is wrong, or half written, go on as before."""
    from detector.commands.intake import known_submissions
    from detector.console import say
    from detector.submissions import SubmissionsError

    try:
        return known_submissions(*how, None)
    except SubmissionsError as error:
        say(f"{error}. Going on with what was said before", level=logging.WARNING)
        return before


@contextmanager
def _until_told(watch: bool) -> Iterator[threading.Event]:
    """Give an event that is set when a watching process is told to end.

    What was begun is then finished; told twice, the process ends at once, as others do.
    """
    over = threading.Event()
    if not watch:
        yield over
        return

    def end(number: int, frame: FrameType | None) -> None:
        if over.is_set():
            raise KeyboardInterrupt
        over.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _arriving(
    paths: Sequence[str], every: float, over: threading.Event, settings: Settings
) -> Iterator[Sequence[Source]]:
    """Give the files that are there, then those that come or change, each once it is complete."""
    from detector.inputs import expand

    given: dict[str, str] = {}  # state of each file
    last: dict[str, str] = {}  # and as of the last look
    while not over.is_set():
        sources = expand(paths, settings.protocols)
        states = ((one.name, one.state_if_there(settings.protocols)) for one in sources)
        now = {name: state for name, state in states if state is not None}
        ready = [
            source
            for source in sources
            if (state := now.get(source.name)) is not None
            and state == last.get(source.name)
            and state != given.get(source.name)
        ]
        last = now
        given |= {source.name: now[source.name] for source in ready}
        if ready:
            yield ready
        over.wait(every)
