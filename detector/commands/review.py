"""`matchcut review`: the takedown desk, and who may work at it."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from detector.review.records import Account

app = typer.Typer(
    help="The takedown desk: serve it, its accounts, API tokens and webhooks.",
    no_args_is_help=True,
)
accounts = typer.Typer(help="Who may sign in at the desk.", no_args_is_help=True)
token = typer.Typer(help="Programs that may use the desk's API.", no_args_is_help=True)
webhooks = typer.Typer(help="Addresses that are told of cases and decisions.", no_args_is_help=True)
app.add_typer(accounts, name="accounts")
app.add_typer(token, name="token")
app.add_typer(webhooks, name="webhooks")


class RoleChoice(StrEnum):
    VIEWER = "viewer"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    ADMIN = "admin"


Name = Annotated[str, typer.Argument(metavar="NAME", help="As `review accounts list` shows it.")]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input: its first line."),
]


@app.command("serve")
def review_serve(
    home: Home = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="Certificate chain, for https.", show_default=False),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM", help="Its private key, if not in the same file.", show_default=False
        ),
    ] = None,
    allow_plain: Annotated[
        bool,
        typer.Option(
            "--allow-plain",
            help="Listen beyond this machine without https: behind a proxy that has it.",
        ),
    ] = False,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            help="What browsers call the desk, if not HOST; for each name.",
            metavar="NAME",
        ),
    ] = None,
) -> None:
    """Serve the desk to browsers, and its API to programs, until it is interrupted.

    Make an account first. Beyond this machine it needs https: a certificate
    with its key, or a proxy in front that has them.

    matchcut review serve

    matchcut review serve --host 0.0.0.0 --certificate desk.pem --key desk.key

    matchcut review serve --name desk.example.org     (behind a proxy on this machine)
    """
    with errors():
        from detector.review.web.serving import serve

        serve(
            settings_of(home),
            host,
            port,
            certificate=certificate,
            key=key,
            allow_plain=allow_plain,
            names=names or (),
        )


@app.command("stats")
def review_stats(home: Home = None) -> None:
    """Show how many cases are open, escalated, waiting for approval and decided."""
    with errors():
        with open_desk(settings_of(home)) as desk:
            counts = desk.cases.counts()
        for state, count in counts.items():
            typer.echo(f"{state:11} {count}")


# --- accounts -----------------------------------------------------------------------------------


@accounts.command("add")
def accounts_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="To sign in with.")],
    full_name: Annotated[str, typer.Option(help="As it is to stand under a notice.")],
    role: Annotated[RoleChoice, typer.Option(help="What they may do.")],
    home: Home = None,
    password_stdin: PasswordStdin = False,
) -> None:
    """Let somebody sign in at the desk. The first admin is made so, too.

    Viewers look; reviewers decide and sign notices; approvers approve what
    others decided; admins make accounts. The password is asked for twice.

    matchcut review accounts add anna --full-name "Anna Magnani" --role admin
    """
    with errors():
        from detector.review.records import COMMAND_LINE, Role

        password = _password(password_stdin)
        with open_desk(settings_of(home), make=True) as desk:
            made = desk.accounts.add(name, full_name, Role(role), password, COMMAND_LINE)
        typer.echo(made.name)


@accounts.command("list")
def accounts_list(home: Home = None, output_format: ListFormat = Format.TABLE) -> None:
    """List the accounts with what they may do."""
    with errors():
        from detector.listing import write_rows

        with open_desk(settings_of(home)) as desk:
            rows = [_account_values(one) for one in desk.accounts.all()]
        none = "nobody yet: `matchcut review accounts add NAME --full-name ... --role admin`"
        write_rows(output_format, rows, sys.stdout, none=none)


@accounts.command("deactivate")
def accounts_deactivate(name: Name, home: Home = None) -> None:
    """Let somebody sign in no more: sessions and API tokens end, what they did stays."""
    with errors():
        from detector.review.records import COMMAND_LINE

        with open_desk(settings_of(home)) as desk:
            desk.accounts.deactivate(desk.accounts.by_name(name).id, COMMAND_LINE)
        typer.echo(f"deactivated {name}")


@accounts.command("activate")
def accounts_activate(name: Name, home: Home = None) -> None:
    """Let somebody sign in again who was deactivated. Their API tokens do not come back."""
    with errors():
        from detector.review.records import COMMAND_LINE

        with open_desk(settings_of(home)) as desk:
            desk.accounts.activate(desk.accounts.by_name(name).id, COMMAND_LINE)
        typer.echo(f"activated {name}")


@accounts.command("password")
def accounts_password(name: Name, home: Home = None, password_stdin: PasswordStdin = False) -> None:
    """Set somebody's password, which is asked for twice. Their sessions end."""
    with errors():
        from detector.review.records import COMMAND_LINE

        with open_desk(settings_of(home)) as desk:
            account = desk.accounts.by_name(name)
            desk.accounts.set_password(account.id, _password(password_stdin), COMMAND_LINE)
        typer.echo(f"set the password of {name}")


@accounts.command("role")
def accounts_role(
    name: Name,
    role: Annotated[RoleChoice, typer.Argument(metavar="ROLE", show_default=False)],
    home: Home = None,
) -> None:
    """Give somebody another role: viewer, reviewer, approver or admin."""
    with errors():
        from detector.review.records import COMMAND_LINE, Role

        with open_desk(settings_of(home)) as desk:
            account = desk.accounts.by_name(name)
            desk.accounts.set_role(account.id, Role(role), COMMAND_LINE)
        typer.echo(f"{name} is {role}")


def _password(from_stdin: bool) -> str:
    """Take a password from standard input, or ask for it twice without showing it."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        fail("the password is asked for on a terminal: elsewhere give it with --password-stdin")
    return str(
        typer.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
    )


def _account_values(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "full_name": account.full_name,
        "role": account.role.value,
        "active": "yes" if account.is_active else "no",
        "created_at": account.created_at.isoformat(timespec="seconds"),
    }


# --- tokens -------------------------------------------------------------------------------------


@token.command("add")
def token_add(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="Whose name the program acts in.")
    ],
    label: Annotated[str, typer.Option(help="What it is for.")],
    home: Home = None,
) -> None:
    """Make a token with which a program uses the API as an account.

    It is shown this once: only its digest is kept. Send it as `Authorization:
    Bearer TOKEN`.
    """
    with errors():
        from detector.console import say
        from detector.review.records import COMMAND_LINE

        with open_desk(settings_of(home)) as desk:
            owner = desk.accounts.by_name(account)
            made, secret = desk.accounts.add_token(owner.id, label, COMMAND_LINE)
        say(f"token {made.id} of {owner.name}, shown this once:")
        typer.echo(secret)


@token.command("list")
def token_list(
    home: Home = None,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    output_format: ListFormat = Format.TABLE,
) -> None:
    """List the tokens: whose, what for, last used, and whether they were revoked."""
    with errors():
        from detector.listing import write_rows

        with open_desk(settings_of(home)) as desk:
            names = {one.id: one.name for one in desk.accounts.all()}
            only = None if account is None else desk.accounts.by_name(account).id
            rows = [
                {
                    "id": one.id,
                    "account": names[one.account_id],
                    "label": one.label,
                    "created_at": one.created_at.isoformat(timespec="seconds"),
                    "last_used_at": _time(one.last_used_at),
                    "revoked_at": _time(one.revoked_at),
                }
                for one in desk.accounts.tokens(only)
            ]
        none = "no tokens yet: `matchcut review token add ACCOUNT --label ...`"
        write_rows(output_format, rows, sys.stdout, none=none)


@token.command("revoke")
def token_revoke(
    number: Annotated[int, typer.Argument(metavar="ID", help="As `review token list` shows it.")],
    home: Home = None,
) -> None:
    """End a token: the program that has it may not use the API any more."""
    with errors():
        from detector.review.records import COMMAND_LINE

        with open_desk(settings_of(home)) as desk:
            desk.accounts.revoke_token(number, COMMAND_LINE)
        typer.echo(f"revoked {number}")


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")


# --- webhooks -----------------------------------------------------------------------------------


@webhooks.command("add")
def webhooks_add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https, or http to this machine.")],
    events: Annotated[
        str | None,
        typer.Option(
            metavar="EVENT,...",
            help="Of case.opened, case.reopened, case.decided, case.undone, notice.sent.",
            show_default="all of them",
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Tell an address of events, while the desk is served.

    The secret that messages are signed with (HMAC-SHA256) is shown this once.
    """
    with errors():
        from detector.console import say
        from detector.review.records import COMMAND_LINE
        from detector.review.webhooks import EVENTS

        wanted = EVENTS if events is None else [one.strip() for one in events.split(",")]
        with open_desk(settings_of(home)) as desk:
            made, secret = desk.webhooks.add(url, wanted, COMMAND_LINE)
        say(f"webhook {made.id}; messages are signed with this secret, shown this once:")
        typer.echo(secret)


@webhooks.command("list")
def webhooks_list(home: Home = None, output_format: ListFormat = Format.TABLE) -> None:
    """List the addresses, and what each is told of."""
    with errors():
        from detector.listing import write_rows

        with open_desk(settings_of(home)) as desk:
            rows = [
                {
                    "id": one.id,
                    "url": one.url,
                    "events": ",".join(one.events),
                    "created_at": _time(one.created_at),
                }
                for one in desk.webhooks.all()
            ]
        none = "no webhooks yet: `matchcut review webhooks add URL`"
        write_rows(output_format, rows, sys.stdout, none=none)


@webhooks.command("remove")
def webhooks_remove(
    number: Annotated[
        int, typer.Argument(metavar="ID", help="As `review webhooks list` shows it.")
    ],
    home: Home = None,
) -> None:
    """Tell an address nothing any more, not even what is due."""
    with errors():
        from detector.review.records import COMMAND_LINE

        with open_desk(settings_of(home)) as desk:
            desk.webhooks.remove(number, COMMAND_LINE)
        typer.echo(f"removed {number}")
