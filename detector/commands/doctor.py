"""`matchcut doctor`: what is here, what is off, and what is wrong."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from detector.commands.common import USAGE, Home, errors, settings_of


class DoctorFormat(StrEnum):
    TABLE = "table"
    JSONL = "jsonl"


def doctor_command(
    home: Home = None,
    output_format: Annotated[
        DoctorFormat, typer.Option("--format", help="table, or jsonl.")
    ] = DoctorFormat.TABLE,
) -> None:
    """Look at what matchcut needs: packages, models, processor, memory, disk, workspace.

    For each thing: ok, off (all else works without it) or a problem, what was
    found, and what turns it on or mends it. Nothing is changed, and nothing is
    sent over a network. Exit code 2 if there is a problem.
    """
    with errors():
        # Not `detector.listing`, which loads what may be broken.
        from rich.text import Text

        from detector.doctor import State, examine
        from detector.output import empty_table, print_table
        from detector.text import visible

        checks = examine(settings_of(home))
        if output_format is DoctorFormat.JSONL:
            for check in checks:
                typer.echo(json.dumps(asdict(check)))
        else:
            table = empty_table("check", "state", "found", "remedy")
            style = {State.OK: "green", State.OFF: "dim", State.PROBLEM: "bold red"}
            for check in checks:
                state = Text(check.state, style=style[check.state])
                found, remedy = Text(visible(check.found)), Text(visible(check.remedy))
                table.add_row(check.name, state, found, remedy)
            print_table(table, sys.stdout)
    if any(check.state is State.PROBLEM for check in checks):
        raise typer.Exit(USAGE)
