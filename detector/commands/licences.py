"""`matchcut licences`: what owners and people allow whom."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from detector.commands.adding import taking, write_table
from detector.commands.common import (
    Format,
    Home,
    ListFormat,
    errors,
    open_index,
    settings_of,
    today,
)
from detector.commands.rights_options import IsPerson, Numbers, WorkOrPerson, kind_of

app = typer.Typer(
    help="Who may show a work or a person: add, list, remove, import, export licences.",
    no_args_is_help=True,
)


@app.command("add")
def licences_add(
    ref_id: WorkOrPerson,
    document: Annotated[
        str, typer.Option(metavar="REF", help="Where it is written: contract, letter, file.")
    ],
    licensee: Annotated[
        str | None,
        typer.Option(
            metavar="UPLOADER",
            help="Account name of the uploader who may, as the platform writes it.",
            show_default="anybody",
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="copy,semantic",
            help="What is allowed of a work: copies (copy), look-alikes (semantic).",
            show_default="both; of a person, face",
        ),
    ] = None,
    territories: Annotated[
        str | None,
        typer.Option(
            metavar="DE,FR", help="Countries where it is allowed.", show_default="everywhere"
        ),
    ] = None,
    starts: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First day."),
    ] = None,
    ends: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last day."),
    ] = None,
    person: IsPerson = False,
    home: Home = None,
) -> None:
    """Write down a licence: what it covers is found and recorded, but not flagged.

    It covers an upload if all holds: the uploader, the channel, the territory and
    the day of the scan (in UTC, first and last day included). Where just one is
    lacking, the flag says so. `scan` is told with --submissions, --uploader and
    --territory how uploads came in; what is not known is not licensed.

    matchcut licences add heat --document "contract 17" --licensee studio_a

    matchcut licences add heat --document 18.pdf --territories DE,FR --until 2027-03-01

    matchcut licences add anna_magnani --person --document "letter of 2026-03-01"

    Prints the licence's number.
    """
    with errors(), open_index(settings_of(home)) as index:
        from index.rights_records import NewLicence

        licence = NewLicence(
            kind=kind_of(index, ref_id, person),
            ref_id=ref_id,
            document=document,
            licensee=licensee,
            channels=_words(channels),
            territories=_words(territories),
            starts=_day(starts),
            ends=_day(ends),
        )
        (added,) = index.rights.add_licences([licence])
        typer.echo(added.number)


@app.command("list")
def licences_list(home: Home = None, output_format: ListFormat = Format.TABLE) -> None:
    """List all licences, and whether they are in force today (in UTC)."""
    with errors():
        from detector.listing import licence_values, write_rows

        with open_index(settings_of(home)) as index:
            rows = [licence_values(licence, today()) for licence in index.rights.licences()]
        none = "no licences yet: `matchcut licences add ID --document REF`"
        write_rows(output_format, rows, sys.stdout, none=none)


@app.command("remove")
def licences_remove(numbers: Numbers, home: Home = None) -> None:
    """Forget licences, by the numbers that `licences list` shows: all, or none if one is not there.

    What they covered is flagged from the next scan on, with --resume, too.

    matchcut licences remove 3 4
    """
    with errors(), open_index(settings_of(home)) as index:
        for licence in index.rights.remove_licences(numbers):
            typer.echo(f"removed {licence.number}")


@app.command("import")
def licences_import(
    table: Annotated[Path, typer.Argument(metavar="FILE.csv", show_default=False)],
    home: Home = None,
) -> None:
    """Write down the licences of a CSV file: all, or none if a line is wrong.

    Its first line names the columns, in any order: id and document, and of these
    what is needed: kind (work or person), licensee, channels, territories, from,
    until. What is there already is not added again.

    id,licensee,territories,until,document

    heat,studio_a,"DE,FR",2027-03-01,contract 17

    Prints the numbers of those that are new.
    """
    with errors(), open_index(settings_of(home)) as index, taking(table):
        from detector.console import say
        from detector.importing import plan_licences
        from detector.rights_csv import read_licences

        lines = read_licences(table.read_bytes())
        new = plan_licences(lines, index.works(), index.people.all(), index.rights.licences())
        for licence in index.rights.add_licences(new):
            typer.echo(licence.number)
        say(f"{len(new)} added, {len(lines) - len(new)} there already")


@app.command("export")
def licences_export(
    table: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", show_default="stdout")
    ] = None,
    home: Home = None,
) -> None:
    """Write all licences as CSV, as `licences import` reads it.

    matchcut licences export licences.csv
    """
    with errors(), open_index(settings_of(home)) as index:
        from detector.rights_csv import write_licences

        write_table(write_licences(index.rights.licences()), table)


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.date()
