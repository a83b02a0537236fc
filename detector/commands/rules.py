"""`matchcut rules`: what is wanted done, and when."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from detector.commands.common import Format, Home, ListFormat, errors, open_index, settings_of
from detector.commands.rights_options import IsPerson, Numbers, WorkOrPerson, kind_of
from detector.commands.works import PolicyChoice

app = typer.Typer(
    help="What owners want done where some conditions hold: add, list, remove rules.",
    no_args_is_help=True,
)


@app.command("add")
def rules_add(
    ref_id: WorkOrPerson,
    policy: Annotated[
        PolicyChoice,
        typer.Option(help="What is to happen; block is neither for people nor for look-alikes."),
    ],
    channel: Annotated[
        str | None,
        typer.Option(
            metavar="copy|semantic|face", help="Only for matches in it.", show_default="any"
        ),
    ] = None,
    min_seconds: Annotated[
        float | None, typer.Option(help="Only if so many seconds of the upload match.")
    ] = None,
    min_share_upload: Annotated[
        float | None, typer.Option(help="Only if this share of the upload matches: 0 to 1.")
    ] = None,
    min_share_reference: Annotated[
        float | None, typer.Option(help="Only if this share of the work matches: 0 to 1.")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Only if the match is as sure: 0 to 1.")
    ] = None,
    person: IsPerson = False,
    home: Home = None,
) -> None:
    """Say what is wanted done with a work's or a person's matches under some conditions.

    All conditions that are given must hold. Rules are tried in the order they
    were added, and the first that holds decides; if none does, the policy of the
    work or the person. Licences come before all rules. A likeness or a
    look-alike is never blocked without a person's review.

    matchcut rules add heat --policy block --channel copy --min-seconds 30

    matchcut rules add heat --policy allow --channel semantic

    matchcut rules add anna_magnani --person --policy monitor --min-seconds 2

    Prints the rule's number.
    """
    with errors(), open_index(settings_of(home)) as index:
        from index.records import Policy
        from index.rights_records import NewRule

        rule = NewRule(
            kind=kind_of(index, ref_id, person),
            ref_id=ref_id,
            policy=Policy(policy.value),
            channel=channel,
            min_seconds=min_seconds,
            min_share_upload=min_share_upload,
            min_share_reference=min_share_reference,
            min_score=min_score,
        )
        typer.echo(index.rights.add_rule(rule).number)


@app.command("list")
def rules_list(home: Home = None, output_format: ListFormat = Format.TABLE) -> None:
    """List all rules, in the order in which those of a work or a person are tried."""
    with errors():
        from detector.listing import rule_values, write_rows

        with open_index(settings_of(home)) as index:
            rows = [rule_values(rule) for rule in index.rights.rules()]
        none = "no rules yet: `matchcut rules add ID --policy POLICY`"
        write_rows(output_format, rows, sys.stdout, none=none)


@app.command("remove")
def rules_remove(numbers: Numbers, home: Home = None) -> None:
    """Forget rules, by the numbers that `rules list` shows: all, or none if one is not there.

    matchcut rules remove 2
    """
    with errors(), open_index(settings_of(home)) as index:
        for rule in index.rights.remove_rules(numbers):
            typer.echo(f"removed {rule.number}")
