"""Log lines for people and for programs, whatever files are called."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.cli import app
from detector.console import Files
from detector.inputs import Source
from detector.logs import (
    FILE_VARIABLE,
    FORMAT_VARIABLE,
    LogFormat,
    configure,
    say,
    scan_event,
)
from detector.types import Channel, Flag, Match, ScanResult, Status, Verdict

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
HOSTILE = "a\nb\x1b[31m\u202e\udcff.mp4"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    configure()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_for_people_or_an_object_with_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    say("3 of 4 done", done=3)
    assert capsys.readouterr().err == "3 of 4 done\n"
    configure(LogFormat.JSON)
    say("3 of 4 done", done=3)
    (event,) = events(capsys.readouterr().err)
    at = datetime.fromisoformat(str(event.pop("time")))
    assert at.utcoffset() == timedelta(0)
    assert event == {"level": "info", "logger": "matchcut", "message": "3 of 4 done", "done": 3}


def test_what_is_said_before_anything_is_set_up_is_said() -> None:
    code = "from detector.logs import say; say('hello', who='you')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "hello\n")


def test_a_hostile_name_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    for log_format in LogFormat:
        configure(log_format)
        with Files("scanning", 1) as files:
            files.done(Source(HOSTILE), "clear")
    first, second = capsys.readouterr().err.splitlines()
    assert first == r"[1/1] a\nb\x1b[31m\u202e\udcff.mp4: clear"
    assert second.isascii()
    assert second.isprintable()
    assert json.loads(second)["source"] == "a\nb\x1b[31m\u202e\\udcff.mp4"


def test_an_address_is_logged_without_what_may_be_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(LogFormat.JSON)
    say(
        "cannot read https://ann:pass@videos.example/a.mp4?sig=hush#t=1 at all",
        source="s3://key:hush@bucket/b.mp4?token=hush",
    )
    (event,) = events(capsys.readouterr().err)
    assert event["message"] == "cannot read https://videos.example/a.mp4 at all"
    assert event["source"] == "s3://bucket/b.mp4"


def test_an_error_of_any_module_is_one_line_with_its_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(LogFormat.JSON)
    try:
        raise KeyError(HOSTILE)
    except KeyError:
        logging.getLogger("uvicorn.error").exception("a request failed: %s", HOSTILE)
    logging.getLogger("another.package").info("nobody needs to know")
    (event,) = events(capsys.readouterr().err)
    assert (event["level"], event["logger"]) == ("error", "uvicorn.error")
    assert str(event["exception"]).startswith("Traceback")


def test_options_and_variables_are_documented() -> None:
    for words in ("--log-format json", "--log-file FILE", FORMAT_VARIABLE, FILE_VARIABLE):
        assert f"`{words}`" in DOCUMENT


def test_an_event_tells_of_works_and_only_counts_people() -> None:
    def flag(ref_id: str, channel: Channel, verdict: Verdict) -> Flag:
        return Flag(Match(ref_id, channel, 0.9), verdict, "", ref_id, None)

    flags = (
        flag("bikes", Channel.COPY, Verdict.BLOCK),
        flag("ann", Channel.FACE, Verdict.REVIEW),
        flag("slides", Channel.COPY, Verdict.CLEAR),
    )
    (example,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    result = ScanResult(
        "a.mp4", "a", Status.PARTIAL, "cut off", 9.5, flags=flags, timings={"decode": 1.25}
    )
    assert scan_event(result, "case 3") == {
        "message": "scanned",
        "level": logging.WARNING,
        "status": "partial",
        "reason": "cut off",
        "verdict": "block",
        "duration": 9.5,
        "seconds": 1.25,
        "works": ["bikes"],
        "people": 1,
        "case": "case 3",
    }
    fields = {"time", "logger", "source", "number", "total", *scan_event(result)}
    assert json.loads(example).keys() == fields


def test_a_scan_of_the_night_logs_events_and_errors(samples, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MATCHCUT_HOME", str(tmp_path / "home"))
    run("works", "add", samples.films[1], "--channels", "copy")
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    monkeypatch.setenv("MATCHCUT_LOG_FORMAT", "json")
    upload = next(one.path for one in samples.uploads if one.path.stem == "bikes-cropped")
    scanned = run("scan", upload, broken, "--format", "csv")
    assert scanned.exit_code == 3
    first, second, summary = events(scanned.stderr)[-3:]
    assert first["source"] == str(upload)
    assert (first["status"], first["verdict"], first["works"]) == ("ok", "review", ["bikes"])
    assert float(str(first["seconds"])) > 0
    assert (second["level"], second["status"]) == ("warning", "unreadable")
    assert "1 unreadable" in str(summary["message"])
    (tmp_path / "empty").mkdir()
    (error,) = events(run("scan", tmp_path / "empty").stderr)
    assert (error["level"], error["message"]) == ("error", f"no video in {tmp_path / 'empty'}")


def test_a_file_gets_all_lines_as_json_and_may_be_moved_away(tmp_path: Path) -> None:
    log = tmp_path / "matchcut.log"
    result = run("--log-file", log, "works", "show", "nobody", "--home", tmp_path / "home")
    assert result.stderr.startswith("matchcut: no work 'nobody'")
    (event,) = events(log.read_text())
    assert str(event["message"]).startswith("no work 'nobody'")
    log.rename(tmp_path / "yesterday.log")
    say("a new day")
    assert [event["message"] for event in events(log.read_text())] == ["a new day"]


def test_a_file_that_cannot_be_written_is_an_error_at_first_and_later_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    result = run("--log-file", folder / "log", "index", "stats")
    assert result.exit_code == 2
    assert f"the log file {folder / 'log'} cannot be written" in result.stderr
    folder.mkdir()
    configure(file=folder / "log")
    (folder / "log").unlink()
    folder.rmdir()
    say("one")
    say("two")
    warning, *lines = sorted(capsys.readouterr().err.splitlines(), key=len, reverse=True)
    assert warning.startswith("the log file cannot be written")
    assert sorted(lines) == ["one", "two"]


def test_what_ends_the_program_is_in_the_log() -> None:
    code = (
        "from detector.logs import LogFormat, configure\n"
        "configure(LogFormat.JSON)\n"
        "import threading, warnings\n"
        "thread = threading.Thread(target=lambda: 1 / 0)\n"
        "thread.start(); thread.join()\n"
        "warnings.warn('old')\n"
        "raise RuntimeError('away')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    thread, warning, end = events(done.stderr)
    assert str(thread["exception"]).endswith("ZeroDivisionError: division by zero")
    assert warning["logger"] == "py.warnings"
    assert (end["level"], end["message"]) == ("critical", "ended by an unexpected error")
