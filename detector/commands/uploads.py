"""`matchcut uploads`: what was seen in scanned uploads, and works matched back to that."""

from __future__ import annotations

import sys
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.commands.common import (
    FLAGGED,
    UNREADABLE,
    Channels,
    Format,
    Home,
    ListFormat,
    errors,
    fail,
    open_index,
    settings_of,
)

if TYPE_CHECKING:
    from detector.settings import Settings
    from detector.tally import Tally
    from index.records import Work
    from index.reference_index import ReferenceIndex

app = typer.Typer(
    help="What was seen in scanned uploads: list, match works back to it, forget.",
    no_args_is_help=True,
)


@app.command("list")
def uploads_list(home: Home = None, output_format: ListFormat = Format.TABLE) -> None:
    """List the uploads of which is kept what was seen in them (faces never are)."""
    with errors():
        from detector.listing import write_rows

        with open_index(settings_of(home)) as index:
            rows = [
                {
                    "source": upload.source,
                    "kept_at": upload.kept_at.isoformat(timespec="seconds"),
                    "duration": round(upload.facts["duration"], 3),
                    "bytes": upload.size,
                }
                for upload in index.uploads.all()
            ]
        write_rows(output_format, rows, sys.stdout, none="no upload is kept: `matchcut scan PATH`")


@app.command("match-back")
def uploads_match_back(
    work_ids: Annotated[list[str], typer.Argument(metavar="ID...", show_default=False)],
    home: Home = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="table, jsonl (all evidence) or csv.")
    ] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option(help="Write results to this file.", show_default="stdout")
    ] = None,
    channels: Channels = None,
    cases: Annotated[
        bool, typer.Option("--cases", help="Open a case at the desk for what is to be reviewed.")
    ] = False,
) -> None:
    """Find works in uploads that were scanned before they were protected.

    What was seen in all these uploads is compared with the works. Those that may
    show one are scanned again, for all that is protected; of others no file is
    read. Scans keep what they see for 30 days (setting keep_days).

    matchcut uploads match-back heat --cases

    Exit code 1 if something was flagged, 3 if some uploads could not be read.
    """
    with errors():
        settings = settings_of(home, channels=channels)
        with open_index(settings) as index:
            works = [index.work(work_id) for work_id in work_ids]
            tally = match_back(works, index, settings, output_format, output, cases=cases)
    if tally.unreadable:
        raise typer.Exit(UNREADABLE)
    raise typer.Exit(FLAGGED if tally.flagged else 0)


def match_back(
    works: Collection[Work],
    index: ReferenceIndex,
    settings: Settings,
    output_format: Format = Format.TABLE,
    output: Path | None = None,
    *,
    cases: bool = False,
) -> Tally:
    """Scan the kept uploads that may show one of these works; write what is found."""
    from detector.batch import Batch, usual_workers
    from detector.commands.intake import CaseOpener, desk_for
    from detector.commands.scanning import open_for_scan, stream_to, told
    from detector.console import counting, say
    from detector.inputs import Source
    from detector.lookback import look_back
    from detector.output import open_writer, submission_from
    from detector.tally import Tally

    opened = open_for_scan(index, settings)
    with counting("looking back") as on_progress:
        back = look_back(works, index, opened.descriptors, settings, on_progress)
    for reason in back.unclear:
        say(reason)
    say(f"{len(back.deserving)} of {back.seen} uploads scanned before may show these works")
    came_in = {one.source: submission_from(one.facts["submission"]) for one in back.deserving}
    tally = Tally()
    with desk_for(cases, settings) as desk, stream_to(output) as stream:
        writer = open_writer(output_format, stream)
        opener = None if desk is None else CaseOpener(desk, index, opened, settings)
        batch = Batch(
            index,
            opened.descriptors,
            settings,
            faces=opened.faces,
            submissions=lambda source: came_in[source.name],
            workers=usual_workers(),
            resume=True,
        )
        sources = [Source(upload.source) for upload in back.deserving]
        for result in told(batch, sources, opener):
            writer.write(result)
            tally.add(result)
        writer.close()
        if opener is not None:
            say(opener.summary())
    return tally


@app.command("forget")
def uploads_forget(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE...]", help="As `uploads list` shows.", show_default=False),
    ] = None,
    home: Home = None,
    older_than: Annotated[
        float | None,
        typer.Option(min=0, metavar="DAYS", help="All that were scanned so long ago; 0: all."),
    ] = None,
) -> None:
    """Forget what was seen in uploads, before its time is over.

    Their results, and cases at the desk, stay.
    """
    with errors():
        if (not sources) == (older_than is None):
            fail("name uploads, or give --older-than DAYS")
        with open_index(settings_of(home)) as index:
            if older_than is None:
                forgotten = index.uploads.forget([_absolute(source) for source in sources or ()])
            else:
                before = datetime.now(UTC) - timedelta(days=older_than)
                forgotten = index.uploads.forget_before(before)
        typer.echo(f"forgot {forgotten}")


def _absolute(source: str) -> str:
    from detector.inputs import Source

    return Source(source).address
