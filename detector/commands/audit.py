"""`matchcut audit`: what was done at the desk, and whether the log of it is whole."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from detector.commands.common import (
    Format,
    Home,
    ListFormat,
    errors,
    fail,
    open_desk,
    settings_of,
)

if TYPE_CHECKING:
    from detector.review.audit import Audit, AuditReport
    from detector.review.records import Event

ALTERED = 1  # exit code

app = typer.Typer(
    help="The log of what was done at the takedown desk: list, verify, export.",
    no_args_is_help=True,
)


@app.command("list")
def audit_list(
    home: Home = None,
    subject: Annotated[
        str | None, typer.Option(help="What was acted on: case:17, notice:3, account:anna.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="Who did it: an account, or 'command line'.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most entries to list.")] = 50,
    output_format: ListFormat = Format.TABLE,
) -> None:
    """List what was done, newest first; as jsonl with everything that was written down."""
    with errors():
        from detector.listing import write_rows

        with open_desk(settings_of(home)) as desk:
            found = desk.audit.events(subject=subject, actor=actor, limit=limit)
        values = _all_values if output_format is Format.JSONL else _short_values
        none = "nothing of the kind was done"
        write_rows(output_format, [values(one) for one in found], sys.stdout, none=none)


@app.command("verify")
def audit_verify(
    home: Home = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Check this export instead of the desk.", show_default=False
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also check that the log goes on from this earlier export.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Find whatever was altered, removed, added or moved in the log.

    Each entry holds the digest of the one before it, so no byte can change
    unseen. Who can write to the database could make a whole new log: against
    that, keep an export elsewhere and compare with it.

    matchcut audit verify --against /mnt/elsewhere/audit-2026-03.jsonl

    Exit code 1 if something was altered, 2 if there is nothing to check.
    """
    with errors():
        if export is not None and against is not None:
            fail("give --export to check a file, or --against to check the desk, not both")
        if export is not None:
            report, problems = _of_export(export)
        else:
            earlier, problems = (None, []) if against is None else _of_export(against)
            with open_desk(settings_of(home)) as desk:
                report = desk.audit.verify()
                problems += report.problems
                if earlier is not None and not problems and not _goes_on(desk.audit, earlier):
                    problems.append(
                        f"the log does not go on from {against}: it was replaced or cut short, or "
                        "is another desk's"
                    )
        for problem in problems:
            typer.echo(problem)
        if not problems:
            entries = f"{report.count} entr{'y' if report.count == 1 else 'ies'}"
            typer.echo(f"sound: {entries}, the last has the digest {report.head}")
    if problems:
        raise typer.Exit(ALTERED)


@app.command("export")
def audit_export(
    home: Home = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this file.", show_default="stdout"),
    ] = None,
) -> None:
    """Write the whole log as JSON lines, oldest first, as `audit verify --export` reads them."""
    with errors():
        from detector.console import say
        from index.files import write_atomically

        with open_desk(settings_of(home)) as desk:
            if output is None:
                desk.audit.export(sys.stdout)
                return

            count = 0

            def write(file: BinaryIO) -> None:
                nonlocal count
                text = io.TextIOWrapper(file, encoding="ascii", newline="\n")
                count = desk.audit.export(text)
                text.flush()
                text.detach()

            digest = write_atomically(output, write)
        say(f"wrote {count} entries to {output}, SHA-256 {digest}")


def _of_export(path: Path) -> tuple[AuditReport, list[str]]:
    """Check an export; what is wrong is told with the file's name."""
    from detector.review.audit import verify_export

    # No byte may be taken for another: neither one that is no text, nor an end of line.
    with path.open(encoding="ascii", errors="replace", newline="\n") as lines:
        report = verify_export(lines)
    return report, [f"{path}: {problem}" for problem in report.problems]


def _goes_on(audit: Audit, earlier: AuditReport) -> bool:
    """Whether a sound log has the last entry of an earlier one at the same place."""
    if earlier.count == 0:
        return True
    found = audit.events(limit=1, before=earlier.count + 1)
    return any((one.number, one.digest) == (earlier.count, earlier.head) for one in found)


def _short_values(event: Event) -> dict[str, Any]:
    return {
        "number": event.number,
        "at": event.at.isoformat(timespec="seconds"),
        "actor": event.actor,
        "via": event.via.value,
        "action": event.action,
        "subject": event.subject,
        "why": event.why,
    }


def _all_values(event: Event) -> dict[str, Any]:
    return {
        **_short_values(event),
        "at": event.at.isoformat(),
        "before": event.before,
        "after": event.after,
        "versions": event.versions,
        "evidence": event.evidence,
        "previous": event.previous,
        "digest": event.digest,
    }
