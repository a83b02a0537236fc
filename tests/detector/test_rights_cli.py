"""Licences, rules and exclusions on the command line."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from detector.cli import app
from detector.commands.adding import each_file, with_problem
from detector.inputs import InputError, Source
from detector.samples import SampleSet
from index.errors import IdTakenError

TODAY = datetime.now(UTC).date()
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def listed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def words(result: Result) -> str:
    """Return what was said on stderr, without the box that typer may draw around it."""
    return " ".join(result.stderr.replace("│", " ").split())


@pytest.fixture(scope="module")
def enrolled_home(
    tmp_path_factory: pytest.TempPathFactory, samples: SampleSet, portrait: Path
) -> Path:
    """Return a workspace with the film `bikes` and a person; do not write to it."""
    home = tmp_path_factory.mktemp("rights-home")
    (bikes,) = (path for path in samples.films if path.stem == "bikes")
    works = run("works", "add", bikes, "--title", "Bikes", "--channels", "copy", "--home", home)
    assert works.exit_code == 0, works.stderr
    agreed = ("--authority", "consent", "--retain-until", TOMORROW)
    people = run("people", "add", "Eileen Collins", portrait, *agreed, "--home", home)
    assert people.exit_code == 0, people.stderr
    return home


@pytest.fixture
def home(enrolled_home: Path, tmp_path: Path) -> Path:
    """Return a copy of that workspace, to do with as one likes."""
    return Path(shutil.copytree(enrolled_home, tmp_path / "home"))


def licences_in(home: Path) -> list[dict[str, str]]:
    return listed(run("licences", "list", "--format", "csv", "--home", home).stdout)


# --- licences ---------------------------------------------------------------------------------


def test_a_licence_is_added_listed_shown_and_removed(home: Path) -> None:
    added = run(
        *("licences", "add", "bikes", "--document", "contract 17", "--licensee", "studio_a"),
        *("--channels", "copy", "--territories", "fr,DE", "--home", home),
        *("--from", YESTERDAY, "--until", TODAY),
    )
    assert (added.exit_code, added.stdout) == (0, "1\n"), added.stderr
    (row,) = licences_in(home)
    assert row.pop("added_at").startswith(str(TODAY)[:4])
    assert row == {
        "number": "1",
        "kind": "work",
        "id": "bikes",
        "licensee": "studio_a",
        "channels": "copy",
        "territories": "DE,FR",
        "from": str(YESTERDAY),
        "until": str(TODAY),
        "state": "in force",
        "document": "contract 17",
    }
    assert (
        f"licence 1        studio_a, for copies, in DE, FR, from {YESTERDAY}, until {TODAY} "
        "(contract 17)\n"
    ) in run("works", "show", "bikes", "--home", home).stdout
    removed = run("licences", "remove", 1, "--home", home)
    assert (removed.exit_code, removed.stdout) == (0, "removed 1\n")
    assert run("licences", "list", "--home", home).stdout.startswith("no licences yet")


def test_a_person_is_licensed_and_an_id_is_not_taken_for_anothers(home: Path) -> None:
    licence = ("licences", "add", "eileen_collins", "--document", "a letter", "--home", home)
    mistaken = run(*licence)
    assert mistaken.exit_code == 2
    assert "'eileen_collins' is no work but a person: say so with --person" in mistaken.stderr
    assert run(*licence, "--person").stdout == "1\n"
    (row,) = licences_in(home)
    assert (row["kind"], row["channels"], row["licensee"]) == ("person", "face", "")
    shown = run("people", "show", "eileen_collins", "--home", home)
    assert "licence 1        anybody (a letter)" in shown.stdout
    nobody = run("licences", "add", "bikes", "--person", "--document", "x", "--home", home)
    assert nobody.exit_code == 2
    assert "no person 'bikes'" in nobody.stderr


def test_the_list_tells_which_licences_are_in_force(home: Path) -> None:
    for options in (
        ("--until", YESTERDAY),
        ("--from", TODAY, "--until", TODAY),
        ("--from", TOMORROW),
        (),
    ):
        run("licences", "add", "bikes", "--document", "17", *options, "--home", home)
    states = [row["state"] for row in licences_in(home)]
    assert states == ["ended", "in force", "not begun", "in force"]
    shown = run("works", "show", "bikes", "--home", home).stdout
    assert f"anybody, until {YESTERDAY} (17), ended" in shown
    assert f"anybody, from {TOMORROW} (17), not begun" in shown


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Missing option '--document'"),
        (("--document", " "), "a licence needs a document"),
        (("--document", "17", "--territories", "UK"), "'UK' is no country"),
        (("--document", "17", "--channels", "face"), "a work cannot be licensed for 'face'"),
        (("--document", "17", "--until", "01.03.2027"), "does not match the format"),
        (
            ("--document", "17", "--from", "2027-03-02", "--until", "2027-03-01"),
            "would be over before it begins",
        ),
    ],
)
def test_a_licence_that_cannot_be_is_refused(
    enrolled_home: Path, options: tuple[str, ...], sentence: str
) -> None:
    result = run("licences", "add", "bikes", *options, "--home", enrolled_home)
    assert result.exit_code == 2
    assert sentence in words(result)
    assert licences_in(enrolled_home) == []


def test_of_licences_to_remove_all_are_or_none(home: Path) -> None:
    for _ in range(2):
        run("licences", "add", "bikes", "--document", "17", "--home", home)
    result = run("licences", "remove", 1, 7, "--home", home)
    assert result.exit_code == 2
    assert "there is no licence 7: `matchcut licences list`" in result.stderr
    assert len(licences_in(home)) == 2


def test_what_is_exported_is_imported_elsewhere_and_adds_nothing_twice(
    home: Path, enrolled_home: Path, tmp_path: Path
) -> None:
    run(
        *("licences", "add", "bikes", "--document", "=17", "--licensee", "@studio_a"),
        *("--territories", "DE,FR", "--until", TODAY, "--home", home),
    )
    run("licences", "add", "eileen_collins", "--person", "--document", "b", "--home", home)
    table, elsewhere = tmp_path / "licences.csv", tmp_path / "elsewhere"
    assert run("licences", "export", table, "--home", home).exit_code == 0
    text = run("licences", "export", "--home", home).stdout
    assert table.read_text() == text
    assert "'@studio_a" in text

    again = run("licences", "import", table, "--home", home)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "0 added, 2 there already" in again.stderr
    shutil.copytree(enrolled_home, elsewhere)
    first = run("licences", "import", table, "--home", elsewhere)
    assert (first.exit_code, first.stdout) == (0, "1\n2\n"), first.stderr
    assert run("licences", "export", "--home", elsewhere).stdout == text


def test_of_a_table_of_licences_all_are_added_or_none(home: Path, tmp_path: Path) -> None:
    table = tmp_path / "licences.csv"
    table.write_text("id,document,until\nbikes,17,\nheat,17,\nbikes,18,\nheat,18,tomorrow\n")
    wrong = run("licences", "import", table, "--home", home)
    assert wrong.exit_code == 2
    assert f"{table}, line 5: 'tomorrow' is no day" in wrong.stderr
    table.write_text("id,document\nbikes,17\nheat,17\nbikes,18\nheat,18\n")
    unknown = run("licences", "import", table, "--home", home)
    assert unknown.exit_code == 2
    assert (
        f"{table}, line 3: no work 'heat' is enrolled; line 5: no work 'heat' is enrolled. "
        "Nothing is changed"
    ) in unknown.stderr
    assert licences_in(home) == []
    assert run("licences", "import", tmp_path / "none.csv", "--home", home).exit_code == 2


# --- rules ------------------------------------------------------------------------------------


def test_rules_are_added_listed_shown_and_removed(home: Path) -> None:
    assert (
        run(
            *("rules", "add", "bikes", "--policy", "block", "--channel", "copy"),
            *("--min-seconds", 30, "--min-share-upload", 0.5, "--home", home),
        ).stdout
        == "1\n"
    )
    person = ("rules", "add", "eileen_collins", "--person", "--policy", "monitor")
    assert run(*person, "--home", home).stdout == "2\n"
    block, monitor = listed(run("rules", "list", "--format", "csv", "--home", home).stdout)
    assert (block["id"], block["policy"], block["channel"]) == ("bikes", "block", "copy")
    assert (block["min_seconds"], block["min_share_upload"]) == ("30.0", "0.5")
    assert (block["min_share_reference"], block["min_score"]) == ("", "")
    assert (monitor["kind"], monitor["policy"], monitor["channel"]) == ("person", "monitor", "")
    assert (
        "rule 1           block for copies if at least 30.0 s match and at least 50 % of the "
        "upload match"
    ) in run("works", "show", "bikes", "--home", home).stdout
    assert (
        "rule 2           monitor" in run("people", "show", "eileen_collins", "--home", home).stdout
    )
    assert run("rules", "remove", 1, 3, "--home", home).exit_code == 2
    assert run("rules", "remove", 2, 1, "--home", home).stdout == "removed 1\nremoved 2\n"
    assert run("rules", "list", "--home", home).stdout.startswith("no rules yet")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("bikes",), "Missing option '--policy'"),
        (("bikes", "--policy", "delete"), "'delete' is not one of"),
        (("bikes", "--policy", "block", "--channel", "semantic"), "alone are never blocked"),
        (("eileen_collins", "--person", "--policy", "block"), "never leads to an automatic action"),
        (("bikes", "--policy", "allow", "--min-score", 2), "give a number from 0 to 1"),
        (("eileen_collins", "--policy", "allow"), "say so with --person"),
        (("nothing", "--policy", "allow"), "no work 'nothing'"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(
    enrolled_home: Path, arguments: tuple[object, ...], sentence: str
) -> None:
    result = run("rules", "add", *arguments, "--home", enrolled_home)
    assert result.exit_code == 2
    assert sentence in words(result)
    assert run("rules", "list", "--home", enrolled_home).stdout.startswith("no rules yet")


# --- exclusions -------------------------------------------------------------------------------


def test_seconds_are_excluded_shown_and_included_again(home: Path) -> None:
    exclude = ("works", "exclude", "bikes", "--why", "the studio's ident", "--home", home)
    assert run(*exclude, "0", "0:02.5").stdout == "1\n"
    assert run(*exclude, "4", "5.25").stdout == "2\n"
    shown = run("works", "show", "bikes", "--home", home).stdout
    assert "exclusion 1      0:00.0 to 0:02.5: the studio's ident" in shown
    assert "exclusion 2      0:04.0 to 0:05.2: the studio's ident" in shown
    assert run("works", "include", 1, 9, "--home", home).exit_code == 2
    assert run("works", "include", 1, "--home", home).stdout == "removed 1\n"
    assert "exclusion 1 " not in run("works", "show", "bikes", "--home", home).stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("bikes", "0", "2"), "Missing option '--why'"),
        (("bikes", "0", "2", "--why", ""), "an exclusion needs a reason"),
        (("bikes", "two", "3", "--why", "x"), "'two' is no time: write it as 83.5 or 1:23.5"),
        (("bikes", "3", "2", "--why", "x"), "an end after it"),
        (("bikes", "0", "1:00", "--why", "x"), "'bikes' ends at 10.000 s, before 60.0 s"),
        (("heat", "0", "2", "--why", "x"), "no work 'heat'"),
    ],
)
def test_an_exclusion_that_cannot_be_is_refused(
    enrolled_home: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run("works", "exclude", *arguments, "--home", enrolled_home)
    assert result.exit_code == 2
    assert sentence in words(result)
    assert "exclusion" not in run("works", "show", "bikes", "--home", enrolled_home).stdout


def test_with_a_work_its_rights_are_gone(home: Path) -> None:
    run("licences", "add", "bikes", "--document", "17", "--home", home)
    run("rules", "add", "bikes", "--policy", "allow", "--home", home)
    run("works", "remove", "bikes", "--home", home)
    assert licences_in(home) == []
    assert run("rules", "list", "--home", home).stdout.startswith("no rules yet")


# --- going through files ----------------------------------------------------------------------


def test_files_that_cannot_be_used_are_counted_and_do_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def use(source: Source, _: object) -> str:
        if source.stem == "broken":
            raise InputError("it is broken")
        if source.stem == "taken":
            raise IdTakenError("the id is taken")
        return with_problem(f"used {source.stem}", "the end" if source.stem == "short" else None)

    sources = [Source(name) for name in ("broken.mp4", "fine.mp4", "taken.mp4", "short.mp4")]
    assert each_file(sources, use, (IdTakenError,), verb="using", participle="used") == 2
    assert capsys.readouterr().err.splitlines() == [
        "[1/4] broken.mp4: not used: it is broken",
        "[2/4] fine.mp4: used fine",
        "[3/4] taken.mp4: not used: the id is taken",
        "[4/4] short.mp4: used short; read in part: the end",
    ]
    with pytest.raises(IdTakenError):
        each_file(sources, use)
