"""The desk's commands: accounts, tokens, webhooks, and what they refuse."""

from __future__ import annotations

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest
from click.testing import Result
from desk_examples import PASSWORD
from typer.testing import CliRunner

from detector.cli import app
from detector.review.desk import Desk
from detector.review.records import Role
from detector.settings import load_settings


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def listed(*arguments: object) -> list[dict[str, str]]:
    result = run(*arguments, "--format", "csv")
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def unwrapped(text: str) -> str:
    """Return what stands in a box, in one line."""
    return " ".join(text.replace("│", " ").split())


def add(home: Path, name: str, role: str, password: str = PASSWORD) -> Result:
    names = (name, "--full-name", name.title(), "--role", role, "--password-stdin")
    return run("review", "accounts", "add", *names, "--home", home, stdin=f"{password}\n")


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace whose desk has an admin, a reviewer and a viewer; do not change it."""
    home = tmp_path_factory.mktemp("staffed")
    for name, role in [("dora", "admin"), ("anna", "reviewer"), ("vera", "viewer")]:
        assert add(home, name, role).exit_code == 0
    return home


@pytest.fixture
def home(staffed: Path, tmp_path: Path) -> Path:
    """Return a workspace of its own, with the same accounts."""
    return Path(shutil.copytree(staffed, tmp_path / "home"))


def can_sign_in(home: Path, name: str, password: str = PASSWORD) -> bool:
    with Desk.open(load_settings(home=home)) as desk:
        account = desk.accounts.by_name(name)
        return account.is_active and desk.accounts.check_password(account.id, password)


# --- accounts -----------------------------------------------------------------------------------


def test_the_first_admin_is_made_on_the_command_line(tmp_path: Path) -> None:
    result = add(tmp_path / "home", "dora", "admin")
    assert (result.exit_code, result.stdout) == (0, "dora\n")
    assert can_sign_in(tmp_path / "home", "dora")
    (row,) = listed("review", "accounts", "list", "--home", tmp_path / "home")
    assert (row["name"], row["full_name"], row["role"], row["active"]) == (
        "dora",
        "Dora",
        "admin",
        "yes",
    )


def test_a_role_and_a_password_are_changed_and_an_account_is_put_to_rest(home: Path) -> None:
    assert run("review", "accounts", "role", "vera", "approver", "--home", home).exit_code == 0
    changed = run(
        *("review", "accounts", "password", "vera", "--password-stdin", "--home", home),
        stdin="another long password\r\n",
    )
    assert changed.exit_code == 0, changed.stderr
    assert can_sign_in(home, "vera", "another long password")
    assert run("review", "accounts", "deactivate", "vera", "--home", home).exit_code == 0
    rows = {row["name"]: row for row in listed("review", "accounts", "list", "--home", home)}
    assert (rows["vera"]["role"], rows["vera"]["active"]) == ("approver", "no")
    assert not can_sign_in(home, "vera", "another long password")
    assert run("review", "accounts", "activate", "vera", "--home", home).exit_code == 0
    assert can_sign_in(home, "vera", "another long password")
    with Desk.open(load_settings(home=home)) as desk:
        done = [event.action for event in desk.audit.events(subject="account:vera")]
        assert {event.actor for event in desk.audit.events()} == {"command line"}
    assert done == [
        "account.activated",
        "account.deactivated",
        "account.password",
        "account.role",
        "account.added",
    ]


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        (("accounts", "add", "dora", "--full-name", "D", "--role", "admin"), PASSWORD, "already"),
        (("accounts", "add", "D D", "--full-name", "D", "--role", "admin"), PASSWORD, "a-z, 0-9"),
        (("accounts", "add", "d", "--full-name", "D", "--role", "viewer"), "short", "characters"),
        (("accounts", "add", "d", "--full-name", "D", "--role", "viewer"), "", "characters"),
        (("accounts", "password", "nobody"), PASSWORD, "no account goes by the name 'nobody'"),
    ],
)
def test_what_the_desk_refuses_is_one_sentence(
    home: Path, arguments: tuple[str, ...], stdin: str, sentence: str
) -> None:
    result = run("review", *arguments, "--password-stdin", "--home", home, stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("matchcut: ")
    assert result.stderr.count("\n") == 1
    assert sentence in result.stderr


def test_the_last_admin_stays(home: Path) -> None:
    for command in (("deactivate", "dora"), ("role", "dora", "viewer")):
        result = run("review", "accounts", *command, "--home", home)
        assert result.exit_code == 2
        assert "last admin" in result.stderr


def test_a_role_that_does_not_exist_is_refused(home: Path) -> None:
    result = run("review", "accounts", "role", "vera", "king", "--home", home)
    assert result.exit_code == 2
    assert "'viewer', 'reviewer', 'approver', 'admin'" in unwrapped(result.stderr)


def test_without_a_terminal_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    names = ("dora", "--full-name", "Dora", "--role", "admin")
    result = run("review", "accounts", "add", *names, "--home", tmp_path, stdin=f"{PASSWORD}\n" * 2)
    assert result.exit_code == 2
    assert "--password-stdin" in result.stderr
    assert not (tmp_path / "review.sqlite").exists()


def test_on_a_terminal_the_password_is_asked_for_twice_and_never_shown(tmp_path: Path) -> None:
    command = ["review", "accounts", "add", "dora", "--full-name", "Dora", "--role", "admin"]
    # Typed wrongly the second time: then both are asked for again.
    typed = [PASSWORD, "something else altogether", PASSWORD, PASSWORD]
    shown = on_a_terminal([*command, "--home", str(tmp_path)], typed)
    assert shown.count("Password:") == 2
    assert shown.count("The same again:") == 2
    assert "correct" not in shown
    assert "something" not in shown
    assert can_sign_in(tmp_path, "dora")


def on_a_terminal(arguments: list[str], lines: list[str]) -> str:
    """Run a command on a terminal, answer each of its questions; return what was to be seen."""
    ours, theirs = os.openpty()
    code = "from detector.cli import app; app()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown, asked = b"", 0
        try:
            while True:
                try:
                    piece = os.read(ours, 1024)
                except OSError:  # the other end is closed: it is over
                    break
                if not piece:
                    break
                shown += piece
                questions = shown.count(b"Password: ") + shown.count(b"again: ")
                while asked < min(questions, len(lines)):
                    os.write(ours, f"{lines[asked]}\n".encode())
                    asked += 1
        finally:
            os.close(ours)
    assert process.returncode == 0, shown
    return shown.decode()


# --- tokens -------------------------------------------------------------------------------------


def test_a_token_is_shown_once_works_and_is_revoked(home: Path) -> None:
    made = run("review", "token", "add", "anna", "--label", "nightly job", "--home", home)
    assert made.exit_code == 0
    assert "shown this once" in made.stderr
    secret = made.stdout.strip()
    with Desk.open(load_settings(home=home)) as desk:
        found = desk.accounts.by_token(secret)
        assert found is not None
        assert (found.name, found.role) == ("anna", Role.REVIEWER)
    (row,) = listed("review", "token", "list", "--account", "anna", "--home", home)
    assert (row["account"], row["label"], row["revoked_at"]) == ("anna", "nightly job", "")
    assert secret not in run("review", "token", "list", "--home", home).stdout
    assert listed("review", "token", "list", "--account", "dora", "--home", home) == []
    assert run("review", "token", "revoke", row["id"], "--home", home).exit_code == 0
    (row,) = listed("review", "token", "list", "--home", home)
    assert row["revoked_at"]
    with Desk.open(load_settings(home=home)) as desk:
        assert desk.accounts.by_token(secret) is None


# --- webhooks -----------------------------------------------------------------------------------


def test_an_address_is_told_of_all_events_or_some_until_it_is_removed(home: Path) -> None:
    all_of_them = run("review", "webhooks", "add", "https://a.example/hook", "--home", home)
    assert all_of_them.exit_code == 0, all_of_them.stderr
    assert len(all_of_them.stdout.strip()) > 30
    wanted = ("--events", "case.opened, case.decided")
    some = run("review", "webhooks", "add", "http://127.0.0.1:9/", *wanted, "--home", home)
    assert some.exit_code == 0, some.stderr
    first, second = listed("review", "webhooks", "list", "--home", home)
    assert "notice.sent" in first["events"].split(",")
    assert second["events"] == "case.decided,case.opened"
    assert run("review", "webhooks", "remove", first["id"], "--home", home).exit_code == 0
    assert listed("review", "webhooks", "list", "--home", home) == [second]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "http://a.example/"), "give an https address"),
        (("add", "https://a.example/", "--events", "case.eaten"), "give events of case.opened"),
        (("remove", "7"), "there is no webhook 7"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(
    home: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run("review", "webhooks", *arguments, "--home", home)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_all_events_stand_in_the_help() -> None:
    from detector.review.webhooks import EVENTS

    shown = unwrapped(run("review", "webhooks", "add", "--help").stdout)
    assert f"Of {', '.join(EVENTS)}." in shown


# --- the desk as a whole ------------------------------------------------------------------------


def test_cases_are_counted_by_state(home: Path) -> None:
    result = run("review", "stats", "--home", home)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "open        0",
        "escalated   0",
        "to approve  0",
        "decided     0",
    ]


@pytest.mark.parametrize(
    "command",
    [("accounts", "list"), ("token", "list"), ("webhooks", "list"), ("stats",)],
    ids=" ".join,
)
def test_a_workspace_without_a_desk_is_told_from_an_empty_desk(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    result = run("review", *command, "--home", tmp_path)
    assert result.exit_code == 2
    assert f"there is no desk in {tmp_path} yet" in result.stderr
    assert not (tmp_path / "review.sqlite").exists()


def test_the_desk_is_served_until_it_is_interrupted(home: Path) -> None:
    code = "from detector.cli import app; app()"
    serve = ["review", "serve", "--port", "0", "--name", "desk.example", "--home", str(home)]
    with subprocess.Popen(
        [sys.executable, "-c", code, *serve], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        address = first.partition(" at ")[2].split()[0]
        for name in (address.removeprefix("http://"), "desk.example"):
            answer = httpx.get(f"{address}/", headers={"Host": name}, follow_redirects=True)
            assert answer.status_code == 200
            assert "password" in answer.text
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert "Traceback" not in rest
    assert process.returncode in (0, 130)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--key", "desk.key"), "give --certificate too"),
        (("--host", "192.0.2.1"), "insist with --allow-plain"),
    ],
    ids=["key alone", "no TLS"],
)
def test_what_would_not_be_safe_is_not_served(
    home: Path, options: tuple[str, ...], sentence: str
) -> None:
    result = run("review", "serve", *options, "--home", home)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_desk_without_accounts_is_not_served(tmp_path: Path) -> None:
    result = run("review", "serve", "--home", tmp_path)
    assert result.exit_code == 2
    assert "matchcut review accounts add" in result.stderr


def test_help_loads_none_of_what_the_desk_needs() -> None:
    code = (
        "import sys\n"
        "from detector.cli import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'alembic', 'argon2', 'c2pa', 'fastapi', 'numpy', 'sqlalchemy', 'starlette',\n"
        "         'uvicorn', 'weasyprint'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
    )
    for command in ([], ["review"], ["review", "serve"], ["audit", "verify"], ["scan"]):
        arguments = [sys.executable, "-c", code, *command, "--help"]
        subprocess.run(arguments, check=True, capture_output=True)
