"""Works and people are edited, exported and imported on the command line."""

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
from detector.samples import SampleSet

TODAY = datetime.now(UTC).date()
NEXT_YEAR = TODAY + timedelta(days=365)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def listed(what: str, home: Path) -> list[dict[str, str]]:
    text = run(what, "list", "--format", "csv", "--home", home).stdout
    return list(csv.DictReader(io.StringIO(text)))


def film(samples: SampleSet, name: str) -> Path:
    (path,) = (path for path in samples.films if path.stem == name)
    return path


@pytest.fixture(scope="module")
def enrolled_home(
    tmp_path_factory: pytest.TempPathFactory, samples: SampleSet, portrait: Path
) -> Path:
    """Return a workspace with the film `bikes` and a person; do not write to it."""
    home = tmp_path_factory.mktemp("import-home")
    add = ("works", "add", film(samples, "bikes"), "--channels", "copy", "--owner", "Studio A")
    assert run(*add, "--home", home).exit_code == 0
    agreed = ("--authority", "consent", "--retain-until", NEXT_YEAR)
    added = run("people", "add", "Eileen Collins", portrait, *agreed, "--home", home)
    assert added.exit_code == 0, added.stderr
    return home


@pytest.fixture
def home(enrolled_home: Path, tmp_path: Path) -> Path:
    """Return a copy of that workspace, to do with as one likes."""
    return Path(shutil.copytree(enrolled_home, tmp_path / "home"))


# --- works ------------------------------------------------------------------------------------


def test_a_work_is_edited_and_what_is_not_given_stays(home: Path) -> None:
    edit = ("works", "edit", "bikes", "--home", home)
    result = run(*edit, "--title", "Bikes (2003)", "--policy", "block")
    assert (result.exit_code, result.stdout) == (0, "changed bikes\n")
    (row,) = listed("works", home)
    assert (row["title"], row["owner"], row["policy"]) == ("Bikes (2003)", "Studio A", "block")
    run(*edit, "--owner", "")
    assert listed("works", home)[0]["owner"] == ""
    for options, sentence in (
        ((), "say what is to change"),
        (("--title", " "), "a work needs a title"),
    ):
        refused = run(*edit, *options)
        assert refused.exit_code == 2
        assert sentence in refused.stderr
    assert "no work 'heat'" in run("works", "edit", "heat", "--owner", "x", "--home", home).stderr


def test_an_export_of_works_is_imported_without_a_change(
    home: Path, samples: SampleSet, tmp_path: Path
) -> None:
    table = tmp_path / "works.csv"
    assert run("works", "export", table, "--home", home).exit_code == 0
    assert table.read_text() == (
        f"path,id,title,owner,policy\n{film(samples, 'bikes')},bikes,bikes,Studio A,review\n"
    )
    assert run("works", "export", "--home", home).stdout == table.read_text()
    before = listed("works", home)
    result = run("works", "import", table, "--home", home)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 changed, 1 as they were, 0 added, 0 not added" in result.stderr
    assert listed("works", home) == before


def test_a_table_of_works_changes_some_and_enrols_others(
    home: Path, samples: SampleSet, tmp_path: Path
) -> None:
    broken, table = tmp_path / "broken.mp4", tmp_path / "works.csv"
    broken.write_text("no film")
    table.write_text(
        "id,path,title,owner,policy\n"
        "bikes,,Bikes,,block\n"
        f"bunny,{film(samples, 'bigbuckbunny')},Big Buck Bunny,Blender,monitor\n"
        f",{broken},,,\n"
    )
    result = run("works", "import", table, "--channels", "copy", "--home", home)
    assert result.exit_code == 3
    assert result.stdout == "bikes\nbunny\n"
    assert "broken.mp4: not added: not a video" in result.stderr
    assert "1 changed, 0 as they were, 1 added, 1 not added" in result.stderr
    assert [
        (row["id"], row["title"], row["owner"], row["policy"]) for row in listed("works", home)
    ] == [
        ("bikes", "Bikes", "", "block"),
        ("bunny", "Big Buck Bunny", "Blender", "monitor"),
    ]


def test_of_a_table_of_works_with_a_wrong_line_nothing_is_done(home: Path, tmp_path: Path) -> None:
    table, before = tmp_path / "works.csv", listed("works", home)
    for rows, sentence in (
        ("bikes,,block\nheat,films/heat.mp4,block\n", "line 3: films/heat.mp4: no such file"),
        ("bikes,,block\nheat,,never\n", "line 3: policy 'never' is none of"),
    ):
        table.write_text(f"id,path,policy\n{rows}")
        result = run("works", "import", table, "--home", home)
        assert result.exit_code == 2
        assert f"{table}, {sentence}" in result.stderr
        assert result.stderr.endswith("Nothing is changed\n")
        assert listed("works", home) == before


def test_a_table_that_only_edits_loads_no_descriptor(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHCUT_CHANNELS", "smell")  # would be refused
    table = tmp_path / "works.csv"
    table.write_text("id,policy\nbikes,allow\n")
    result = run("works", "import", table, "--home", home)
    assert (result.exit_code, result.stdout) == (0, "bikes\n"), result.stderr


# --- people -----------------------------------------------------------------------------------


def test_a_person_is_edited_and_what_is_not_given_stays(home: Path) -> None:
    edit = ("people", "edit", "eileen_collins", "--home", home)
    result = run(*edit, "--name", "Col. Collins", "--policy", "monitor")
    assert (result.exit_code, result.stdout) == (0, "changed eileen_collins\n")
    run(*edit, "--authority", "contract 18", "--retain-until", TODAY)
    (row,) = listed("people", home)
    assert (row["id"], row["name"], row["policy"]) == ("eileen_collins", "Col. Collins", "monitor")
    assert (row["authority"], row["retain_until"]) == ("contract 18", str(TODAY))
    assert (row["faces"], row["expired"]) == ("1", "no")
    for options, sentence in (
        ((), "say what is to change"),
        (("--name", " "), "needs a name"),
        (("--authority", ""), "needs an authority"),
        (("--retain-until", TODAY - timedelta(days=1)), "is over: give today or a day to come"),
        (("--policy", "block"), "'block' is not one of"),
    ):
        refused = run(*edit, *options)
        assert refused.exit_code == 2
        assert sentence in " ".join(refused.stderr.replace("│", " ").split())
    assert listed("people", home) == [row]


def test_an_export_of_people_holds_no_face_and_is_imported_without_a_change(
    home: Path, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHCUT_PEOPLE_KEY_FILE", str(tmp_path / "missing.key"))
    table = tmp_path / "people.csv"
    assert run("people", "export", table, "--home", home).exit_code == 0
    assert table.read_text() == (
        "name,id,authority,retain_until,policy,files\n"
        f"Eileen Collins,eileen_collins,consent,{NEXT_YEAR},review,{portrait}\n"
    )
    before = listed("people", home)
    result = run("people", "import", table, "--home", home)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    assert "0 changed, 1 as they were, 0 enrolled, 0 not enrolled" in result.stderr
    assert "nothing was read" not in result.stderr
    assert listed("people", home) == before


def test_a_table_of_people_changes_some_and_enrols_others(
    home: Path, portrait_clip: Path, portrait: Path, tmp_path: Path
) -> None:
    faceless, table = tmp_path / "faceless.jpg", tmp_path / "people.csv"
    shutil.copyfile(portrait, tmp_path / "another.png")
    faceless.write_bytes(b"no photo")
    table.write_text(
        "name,id,authority,retain_until,policy,files\n"
        f"E. Collins,eileen_collins,,,monitor,{tmp_path / 'another.png'}\n"
        f"Her Double,,consent,{NEXT_YEAR},,{portrait_clip}; {faceless}\n"
        f"Nobody,,consent,{NEXT_YEAR},,{faceless}\n"
    )
    result = run("people", "import", table, "--home", home)
    assert result.exit_code == 3, result.stderr
    assert result.stdout == "eileen_collins\nher_double\n"
    assert "eileen_collins is enrolled, so nothing was read of" in result.stderr
    assert "nothing is stored of Nobody" in result.stderr
    assert "1 changed, 0 as they were, 1 enrolled, 1 not enrolled" in result.stderr
    collins, double = listed("people", home)
    assert (collins["name"], collins["policy"], collins["faces"]) == ("E. Collins", "monitor", "1")
    assert (double["id"], double["authority"], double["policy"]) == (
        "her_double",
        "consent",
        "review",
    )
    assert int(double["faces"]) >= 1


def test_the_first_person_may_come_of_a_table(
    portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file = tmp_path / "keys" / "people.key"
    monkeypatch.setenv("MATCHCUT_PEOPLE_KEY_FILE", str(key_file))
    table = tmp_path / "people.csv"
    row = f"Eileen Collins,consent,{NEXT_YEAR},{portrait}"
    table.write_text(f"name,authority,retain_until,files\n{row}\n")
    result = run("people", "import", table, "--home", tmp_path / "new")
    assert (result.exit_code, result.stdout) == (0, "eileen_collins\n"), result.stderr
    assert f"was made in {key_file}" in result.stderr


def test_of_a_table_of_people_with_a_wrong_line_nothing_is_done(
    home: Path, portrait: Path, tmp_path: Path
) -> None:
    table, before = tmp_path / "people.csv", listed("people", home)
    table.write_text(
        "name,id,authority,retain_until,policy,files\n"
        "E. Collins,eileen_collins,,,,\n"
        f"Her Double,,,{NEXT_YEAR},,{portrait}\n"
    )
    result = run("people", "import", table, "--home", home)
    assert result.exit_code == 2
    assert f"{table}, line 3: 'her_double' is not enrolled, and would need authority" in (
        result.stderr
    )
    assert listed("people", home) == before


def test_without_the_key_nobody_is_enrolled_and_nothing_is_done(
    home: Path, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHCUT_PEOPLE_KEY_FILE", str(tmp_path / "missing.key"))
    table, before = tmp_path / "people.csv", listed("people", home)
    table.write_text(
        "name,id,authority,retain_until,policy,files\n"
        "E. Collins,eileen_collins,,,,\n"
        f"Her Double,,consent,{NEXT_YEAR},,{portrait}\n"
    )
    result = run("people", "import", table, "--home", home)
    assert result.exit_code == 2
    assert "there is no key for the enrolled faces" in result.stderr
    assert listed("people", home) == before
