"""The log on the command line: whatever was altered is found."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import Result
from desk_examples import CHEAP, PASSWORD
from typer.testing import CliRunner

from detector.cli import app
from detector.review.database import review_url
from detector.review.desk import Desk
from detector.review.records import COMMAND_LINE, Actor, NewEvent, Role, Via
from detector.settings import load_settings


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def act(home: Path, times: int) -> None:
    """Have somebody look at a person a few times, which is written down."""
    with Desk.open(load_settings(home=home)) as desk:
        vera = Actor(7, "vera", Role.VIEWER, Via.WEB)
        for _ in range(times):
            desk.audit.record(vera, NewEvent("person.viewed", "case:3", why="to compare faces"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a workspace with 4 entries in the desk's log."""
    with Desk.at(review_url(load_settings(home=tmp_path)), CHEAP) as desk:
        desk.accounts.add("vera", "Vera Vogt", Role.VIEWER, PASSWORD, COMMAND_LINE)
    act(tmp_path, 3)
    return tmp_path


@pytest.fixture
def export(home: Path, tmp_path: Path) -> Path:
    """Return an export of that log."""
    path = tmp_path / "audit.jsonl"
    assert run("audit", "export", "--output", path, "--home", home).exit_code == 0
    return path


def replace_in(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


# --- list ---------------------------------------------------------------------------------------


def test_entries_are_listed_newest_first_by_subject_and_actor(home: Path) -> None:
    everything = run("audit", "list", "--format", "jsonl", "--home", home).stdout
    numbers = [json.loads(line)["number"] for line in everything.splitlines()]
    assert numbers == [4, 3, 2, 1]
    of_vera = run("audit", "list", "--actor", "vera", "--limit", "2", "--home", home).stdout
    assert of_vera.count("person.viewed") == 2
    of_account = ("audit", "list", "--subject", "account:vera", "--format", "jsonl", "--home", home)
    (line,) = run(*of_account).stdout.splitlines()
    values = json.loads(line)
    assert (values["action"], values["actor"]) == ("account.added", "command line")
    assert values["after"] == {"role": "viewer"}
    assert "nothing of the kind" in run("audit", "list", "--actor", "x", "--home", home).stdout


# --- verify -------------------------------------------------------------------------------------


def test_a_log_that_nobody_touched_is_sound(home: Path) -> None:
    result = run("audit", "verify", "--home", home)
    assert result.exit_code == 0
    assert result.stdout.startswith("sound: 4 entries, the last has the digest ")


def test_a_byte_altered_in_the_database_is_found(home: Path) -> None:
    act(home, 1)  # an entry of its own words
    database = home / "review.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = database.read_bytes()
    places = [n for n in range(len(content)) if content.startswith(b"to compare faces", n)]
    assert len(places) == 4
    for number, place in zip((5, 4, 3, 2), places, strict=True):  # written from the page's end
        database.write_bytes(content[:place] + b"T" + content[place + 1 :])
        result = run("audit", "verify", "--home", home)
        assert (result.exit_code, result.stdout) == (1, f"entry {number} was altered\n")
    database.write_bytes(content)
    assert run("audit", "verify", "--home", home).exit_code == 0


def test_a_workspace_without_a_desk_is_not_sound(tmp_path: Path) -> None:
    for command in ("verify", "list", "export"):
        result = run("audit", command, "--home", tmp_path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is no desk" in result.stderr


def test_a_file_that_is_no_database_is_told(home: Path) -> None:
    (home / "review.sqlite").write_bytes(b"not at all a database" * 100)
    result = run("audit", "verify", "--home", home)
    assert result.exit_code == 2
    assert result.stderr.startswith("matchcut: cannot open the desk's database")


def test_a_database_with_a_table_missing_is_one_sentence(home: Path) -> None:
    with sqlite3.connect(home / "review.sqlite") as connection:
        connection.execute("DROP TABLE review_events")
    connection.close()
    result = run("audit", "list", "--home", home)
    assert result.exit_code == 2
    assert result.stderr == (
        "matchcut: a database of the workspace cannot be used: no such table: review_events\n"
    )
    assert run("audit", "verify", "--home", home).exit_code == 1


# --- export -------------------------------------------------------------------------------------


def test_an_export_is_written_whole_and_is_what_stdout_gets(home: Path, export: Path) -> None:
    lines = export.read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3, 4]
    assert run("audit", "export", "--home", home).stdout == export.read_text()
    export.write_text("an older one")
    written = run("audit", "export", "--output", export, "--home", home)
    assert "wrote 4 entries to" in written.stderr
    assert export.read_text().splitlines() == lines
    assert not list(export.parent.glob("*.tmp"))


def test_an_export_is_checked_without_a_desk(export: Path, tmp_path: Path) -> None:
    result = run("audit", "verify", "--export", export, "--home", tmp_path / "elsewhere")
    assert result.exit_code == 0
    assert result.stdout.startswith("sound: 4 entries")


@pytest.mark.parametrize("flipped", [0x01, 0x20, 0x80])
def test_any_byte_altered_in_an_export_is_found(export: Path, flipped: int) -> None:
    content = export.read_bytes()
    for place in [*range(0, len(content), 97), content.index(b"\n"), len(content) - 1]:
        altered = bytes([content[place] ^ flipped])
        export.write_bytes(content[:place] + altered + content[place + 1 :])
        result = run("audit", "verify", "--export", export)
        assert result.exit_code == 1, place
        assert result.stdout.startswith(f"{export}: entry ")


def test_the_end_of_a_line_is_no_other_byte(export: Path) -> None:
    content = export.read_bytes()
    export.write_bytes(content.replace(b"\n", b"\r", 1))
    assert run("audit", "verify", "--export", export).exit_code == 1
    export.write_bytes(content.replace(b"\n", b"\r\n", 1))
    assert run("audit", "verify", "--export", export).exit_code == 1


def test_a_missing_line_is_found(export: Path) -> None:
    lines = export.read_text().splitlines(keepends=True)
    export.write_text("".join(lines[:1] + lines[2:]))
    result = run("audit", "verify", "--export", export)
    assert result.exit_code == 1
    assert "entry 2 is missing" in result.stdout


# --- against an earlier export ------------------------------------------------------------------


def test_a_log_that_goes_on_from_an_earlier_export_is_sound(home: Path, export: Path) -> None:
    verify = ("audit", "verify", "--against", export, "--home", home)
    assert run(*verify).exit_code == 0
    act(home, 2)
    result = run(*verify)
    assert result.exit_code == 0
    assert result.stdout.startswith("sound: 6 entries")


def test_a_whole_new_log_in_its_place_is_found(export: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    act(other, 6)
    assert run("audit", "verify", "--home", other).exit_code == 0
    result = run("audit", "verify", "--against", export, "--home", other)
    assert result.exit_code == 1
    assert f"the log does not go on from {export}" in result.stdout


def test_a_log_that_was_set_back_is_found(home: Path, tmp_path: Path) -> None:
    shorter = tmp_path / "shorter"
    act(shorter, 1)
    earlier = tmp_path / "earlier.jsonl"
    assert run("audit", "export", "--output", earlier, "--home", home).exit_code == 0
    assert run("audit", "verify", "--against", earlier, "--home", shorter).exit_code == 1


def test_one_thing_is_checked_at_a_time(home: Path, export: Path) -> None:
    both = ("--export", export, "--against", export)
    result = run("audit", "verify", *both, "--home", home)
    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_an_earlier_export_that_was_altered_is_told(home: Path, export: Path) -> None:
    replace_in(export, b'"number":2', b'"number":5')
    result = run("audit", "verify", "--against", export, "--home", home)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{export}: entry 2 is missing")
