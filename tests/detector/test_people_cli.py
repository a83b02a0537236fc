"""People on the command line: from a photo to a flag, and to erasure."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from detector.cli import app
from detector.descriptors import space_of
from detector.descriptors.sface import FaceDescriptor
from detector.inputs import Source
from detector.people import describe_reference, people_cipher
from detector.samples import SampleSet
from detector.settings import load_settings
from index.person_records import NewPerson
from index.records import Policy
from index.reference_index import ReferenceIndex

TODAY = datetime.now(UTC).date()
NEXT_YEAR = (TODAY + timedelta(days=365)).isoformat()
AGREED = ("--authority", "consent of 2026-03-01", "--retain-until", NEXT_YEAR)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def listed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def enrolled(home: Path, photo: Path, person_id: str, until: date) -> None:
    """Enrol somebody whose time may be over, which the command line refuses."""
    settings = load_settings(home=home)
    descriptor = FaceDescriptor()
    faces = describe_reference(Source(str(photo)), descriptor, settings).faces
    person = NewPerson(
        id=person_id, name="Eileen", authority="NASA", retain_until=until, policy=Policy.REVIEW
    )
    with ReferenceIndex.open(home) as index:
        index.people.add(person, space_of(descriptor), faces, people_cipher(settings, make=True))


@pytest.fixture(scope="module")
def people_home(tmp_path_factory: pytest.TempPathFactory, portrait: Path) -> Path:
    """Return a workspace with one person and no works; do not write to it."""
    home = tmp_path_factory.mktemp("people-home")
    result = run("people", "add", "Eileen Collins", portrait, *AGREED, "--home", home)
    assert result.exit_code == 0, result.stderr
    return home


@pytest.fixture
def home(people_home: Path, tmp_path: Path) -> Path:
    """Return a copy of that workspace, to do with as one likes."""
    return Path(shutil.copytree(people_home, tmp_path / "home"))


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a key file that is not there yet."""
    path = tmp_path / "keys" / "people.key"
    monkeypatch.setenv("MATCHCUT_PEOPLE_KEY_FILE", str(path))
    return path


# --- adding -----------------------------------------------------------------------------------


def test_a_person_is_added_by_a_photo_and_the_key_is_made(
    portrait: Path, tmp_path: Path, key_file: Path
) -> None:
    result = run("people", "add", "Eileen Collins", portrait, *AGREED, "--home", tmp_path / "w")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "eileen_collins\n"
    assert f"was made in {key_file}" in result.stderr
    assert "back it up, apart from the workspace" in result.stderr
    assert key_file.stat().st_mode & 0o077 == 0
    again = run("people", "add", "Another Name", portrait, *AGREED, "--home", tmp_path / "w")
    assert again.exit_code == 0
    assert "was made" not in again.stderr


def test_what_is_known_of_people_is_listed_and_shown(people_home: Path, portrait: Path) -> None:
    (row,) = listed(run("people", "list", "--format", "csv", "--home", people_home).stdout)
    assert row.pop("added_at").startswith("20")
    assert row == {
        "id": "eileen_collins",
        "name": "Eileen Collins",
        "faces": "1",
        "policy": "review",
        "authority": "consent of 2026-03-01",
        "retain_until": NEXT_YEAR,
        "expired": "no",
    }
    shown = run("people", "show", "eileen_collins", "--home", people_home)
    assert "authority        consent of 2026-03-01" in shown.stdout
    assert f"face of          {portrait}" in shown.stdout
    assert "people    1 with 1 faces" in run("index", "stats", "--home", people_home).stdout


def test_more_faces_are_added_from_a_clip_and_each_once(home: Path, portrait_clip: Path) -> None:
    more = ("people", "add", "Eileen Collins", portrait_clip, "--more", "--home", home)
    result = run(*more)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "eileen_collins\n"
    count = listed(run("people", "list", "--format", "csv", "--home", home).stdout)[0]["faces"]
    assert int(count) > 1
    assert run(*more).exit_code == 0
    again = listed(run("people", "list", "--format", "csv", "--home", home).stdout)[0]["faces"]
    assert again == count


def test_files_that_cannot_be_used_do_not_stop_the_others(
    portrait: Path, samples: SampleSet, tmp_path: Path
) -> None:
    files = (samples.films[1], portrait, tmp_path / "missing.jpg")
    result = run("people", "add", "Eileen Collins", *files, *AGREED, "--home", tmp_path)
    assert result.exit_code == 3
    assert result.stdout == "eileen_collins\n"
    assert "bikes.mp4: not used: 2 people" in result.stderr
    assert "say which with --face NUMBER" in result.stderr
    assert "missing.jpg: not used: no such file" in result.stderr


def test_where_no_file_can_be_used_nothing_is_stored_and_no_key_is_made(
    samples: SampleSet, tmp_path: Path, key_file: Path
) -> None:
    result = run("people", "add", "Nobody", samples.films[1], *AGREED, "--home", tmp_path / "w")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "nothing is stored of Nobody" in result.stderr
    assert run("people", "list", "--home", tmp_path / "w").stdout.startswith("nobody yet")
    assert not key_file.exists()


def test_a_second_person_is_not_sealed_with_another_key(
    home: Path, portrait: Path, key_file: Path
) -> None:
    result = run("people", "add", "Somebody Else", portrait, *AGREED, "--home", home)
    assert result.exit_code == 2
    assert f"there is no key for the enrolled faces in {key_file}" in result.stderr
    assert not key_file.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "say with --authority who allows"),
        (("--authority", "consent"), "say with --retain-until YYYY-MM-DD"),
        (("--authority", " ", "--retain-until", NEXT_YEAR), "needs an authority"),
        (("--authority", "x", "--retain-until", "2020-02-29"), "--retain-until 2020-02-29 is over"),
        ((*AGREED, "--face", "left"), "--face left is neither a number"),
        ((*AGREED, "--face", "0"), "--face 0 is neither a number"),
        ((*AGREED, "--id", "eileen_collins"), "is enrolled already, as Eileen Collins"),
        (("--more", *AGREED, "--id", "eileen_collins"), "--more adds faces only"),
        (("--more",), "matchcut people list"),
        ((*AGREED, "--policy", "block"), "'block' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_before_a_file_is_read(
    people_home: Path, portrait: Path, options: tuple[str, ...], sentence: str
) -> None:
    result = run("people", "add", "New Name", portrait, *options, "--home", people_home)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert "astronaut" not in result.stderr
    assert len(listed(run("people", "list", "--format", "csv", "--home", people_home).stdout)) == 1


def test_a_name_without_latin_letters_needs_an_id(portrait: Path, tmp_path: Path) -> None:
    result = run("people", "add", "三船敏郎", portrait, *AGREED, "--home", tmp_path)
    assert result.exit_code == 2
    assert "give one with --id" in result.stderr


# --- scanning ---------------------------------------------------------------------------------


def test_an_index_with_people_and_no_works_is_scanned(
    people_home: Path, portrait_clip: Path, samples: SampleSet
) -> None:
    stranger = next(one.path for one in samples.uploads if one.path.stem == "phone-call")
    result = run("scan", portrait_clip, stranger, "--format", "csv", "--home", people_home)
    assert result.exit_code == 1, result.stderr
    (row,) = listed(result.stdout)
    assert (row["query_id"], row["ref_id"], row["channel"], row["verdict"]) == (
        "interview",
        "eileen_collins",
        "face",
        "review",
    )
    assert float(row["query_start"]) == pytest.approx(1.0, abs=0.3)
    assert float(row["query_end"]) == pytest.approx(3.0, abs=0.3)
    assert (row["ref_start"], row["ref_end"]) == ("", "")
    assert 0.9 < float(row["score"]) <= 1
    assert "no works are enrolled, so only people are looked for" in result.stderr


def test_the_json_of_a_scan_tells_faces_and_appearances(
    people_home: Path, portrait_clip: Path
) -> None:
    result = run(
        "scan", portrait_clip, "--channels", "face", "--format", "jsonl", "--home", people_home
    )
    assert result.exit_code == 1, result.stderr
    (values,) = map(json.loads, result.stdout.splitlines())
    assert values["channels"] == ["face"]
    assert values["faces"]["likely"] == 1
    (match,) = values["matches"]
    assert (match["person_id"], match["name"]) == ("eileen_collins", "Eileen Collins")
    (appearance,) = match["appearances"]
    assert appearance["likeness"] == "likely"
    assert appearance["margin"] is None  # nobody else is enrolled
    assert appearance["reference"] == 1


def test_works_and_people_are_found_in_one_scan(
    home: Path, portrait_clip: Path, samples: SampleSet
) -> None:
    assert (
        run("works", "add", samples.films[1], "--channels", "copy", "--home", home).exit_code == 0
    )
    copy = next(one.path for one in samples.uploads if one.path.stem == "bikes-cropped")
    result = run("scan", portrait_clip, copy, "--format", "jsonl", "--home", home)
    assert result.exit_code == 1, result.stderr
    interview, bikes = map(json.loads, result.stdout.splitlines())
    assert interview["channels"] == bikes["channels"] == ["copy", "face"]
    assert [match.get("person_id") for match in interview["matches"]] == ["eileen_collins"]
    assert [match.get("work_id") for match in bikes["matches"]] == ["bikes"]
    only_works = run("scan", portrait_clip, "--channels", "copy", "--home", home)
    assert only_works.exit_code == 0, only_works.stdout
    assert "channel face" not in only_works.stderr


def test_a_policy_of_allow_flags_nothing(
    portrait: Path, portrait_clip: Path, tmp_path: Path
) -> None:
    added = ("people", "add", "Eileen", portrait, *AGREED, "--policy", "allow", "--id", "eileen")
    assert run(*added, "--home", tmp_path).exit_code == 0
    result = run("scan", portrait_clip, "--format", "csv", "--home", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[1].endswith(",face,allow")


def test_a_finished_scan_is_not_done_again_until_the_people_change(
    home: Path, portrait_clip: Path
) -> None:
    scan = ("scan", portrait_clip, "--resume", "--format", "jsonl", "--home", home)
    first = run(*scan).stdout
    assert run(*scan).stdout == first  # with the same timings: it was remembered
    run("people", "remove", "eileen_collins", "--home", home)
    assert run(*scan).exit_code == 2  # nobody is enrolled any more


def test_people_whose_time_is_over_are_not_matched(
    home: Path, portrait: Path, portrait_clip: Path
) -> None:
    enrolled(home, portrait, "old", TODAY - timedelta(days=1))
    scan = run("scan", portrait_clip, "--format", "csv", "--home", home)
    assert [row["ref_id"] for row in listed(scan.stdout)] == ["eileen_collins"]
    (line,) = [line for line in scan.stderr.splitlines() if "expired" in line]
    assert line.startswith("1 of 2 enrolled people have expired")
    assert "matchcut people remove --expired" in line
    rows = listed(run("people", "list", "--format", "csv", "--home", home).stdout)
    assert [row["expired"] for row in rows] == ["no", "yes"]

    removed = run("people", "remove", "--expired", "--home", home)
    assert (removed.exit_code, removed.stdout) == (0, "removed old\n")
    assert "nobody has expired" in run("people", "remove", "--expired", "--home", home).stderr


def test_where_all_have_expired_the_channel_is_off(
    portrait: Path, portrait_clip: Path, samples: SampleSet, tmp_path: Path
) -> None:
    enrolled(tmp_path, portrait, "old", TODAY - timedelta(days=1))
    run("works", "add", samples.films[1], "--channels", "copy", "--home", tmp_path)
    scan = run("scan", portrait_clip, "--home", tmp_path)
    assert scan.exit_code == 0
    assert "channel face is off: 1 of 1 enrolled people have expired" in scan.stderr
    named = run("scan", portrait_clip, "--channels", "face", "--home", tmp_path)
    assert named.exit_code == 2
    assert "channel face cannot run: 1 of 1" in named.stderr


def test_who_never_enrolled_anybody_hears_nothing_of_faces(
    samples: SampleSet, tmp_path: Path
) -> None:
    run("works", "add", samples.films[1], "--channels", "copy", "--home", tmp_path)
    scan = run("scan", samples.films[1], "--home", tmp_path)
    assert scan.exit_code == 1
    assert "face" not in scan.stderr
    named = run("scan", samples.films[1], "--channels", "copy,face", "--home", tmp_path)
    assert named.exit_code == 2
    assert "nobody is enrolled (`matchcut people add" in named.stderr
    assert "people" not in run("index", "stats", "--home", tmp_path).stdout


def test_without_the_key_the_channel_is_off_and_an_error_where_it_was_asked_for(
    home: Path, portrait_clip: Path, samples: SampleSet, key_file: Path
) -> None:
    run("works", "add", samples.films[1], "--channels", "copy", "--home", home)
    scan = run("scan", portrait_clip, "--home", home)
    assert scan.exit_code == 0
    assert f"channel face is off: there is no key for the enrolled faces in {key_file}" in (
        scan.stderr
    )
    assert run("scan", portrait_clip, "--channels", "face", "--home", home).exit_code == 2
    verify = run("index", "verify", "--home", home)
    assert (verify.exit_code, verify.stdout) == (0, "sound\n")
    assert f"the faces were not opened: there is no key in {key_file}" in verify.stderr
    assert "there is no key" in run("people", "show", "eileen_collins", "--home", home).stderr


def test_works_are_not_added_in_the_face_channel(samples: SampleSet, tmp_path: Path) -> None:
    result = run("works", "add", samples.films[1], "--channels", "face", "--home", tmp_path)
    assert result.exit_code == 2
    assert "people by `matchcut people`" in result.stderr


# --- asking -----------------------------------------------------------------------------------


def test_who_is_in_a_still_is_told(people_home: Path, portrait: Path) -> None:
    result = run("query", portrait, "--home", people_home)
    assert result.exit_code == 0, result.stderr
    row = next(line for line in result.stdout.splitlines() if "eileen_collins" in line)
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[:3] == ["1", "person", "eileen_collins"]
    assert float(cells[3]) > 0.9
    assert cells[4:] == ["face", "likely", "Eileen Collins"]


def test_who_is_in_a_clip_is_told(people_home: Path, portrait_clip: Path) -> None:
    result = run("query", portrait_clip, "--home", people_home)
    assert result.exit_code == 1, result.stderr
    assert "eileen_collins" in result.stdout


def test_a_still_with_nobody_in_it_is_like_nothing(
    people_home: Path, tmp_path: Path, portrait: Path
) -> None:
    import cv2

    picture = cv2.imread(str(portrait))
    cv2.imwrite(str(tmp_path / "shuttle.png"), picture[:300, 300:])
    result = run("query", tmp_path / "shuttle.png", "--home", people_home)
    assert (result.exit_code, result.stdout) == (0, "nothing like it\n")


# --- reports, casts, erasure ------------------------------------------------------------------


def test_the_report_shows_the_face_beside_the_enrolled_one(
    people_home: Path, portrait_clip: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    scan = ("scan", portrait_clip, "--home", people_home, "--report", report)
    assert run(*scan).exit_code == 1
    html = report.read_text()
    assert html.count("data:image/jpeg;base64,") == 2
    assert "Eileen Collins" in html
    assert "1 face followed, 1 likely" in html


def test_the_cast_of_a_work_is_set_shown_and_emptied(home: Path, samples: SampleSet) -> None:
    run("works", "add", samples.films[1], "--channels", "copy", "--home", home)
    cast = ("works", "cast", "bikes", "--home", home)
    assert (run(*cast).exit_code, run(*cast).stdout) == (0, "")
    assert run(*cast, "eileen_collins").stdout == "eileen_collins\n"
    assert run(*cast).stdout == "eileen_collins\n"
    assert "cast             eileen_collins" in run("works", "show", "bikes", "--home", home).stdout
    unknown = run(*cast, "nobody")
    assert unknown.exit_code == 2
    assert "nobody" in unknown.stderr
    assert run(*cast, "eileen_collins", "--none").exit_code == 2
    assert run(*cast).stdout == "eileen_collins\n"
    assert run(*cast, "--none").stdout == ""
    assert run(*cast).stdout == ""
    assert run("works", "cast", "nothing", "--home", home).exit_code == 2


def test_nothing_is_left_of_who_was_removed(home: Path, portrait: Path) -> None:
    unknown = run("people", "remove", "eileen_collins", "nobody", "--home", home)
    assert unknown.exit_code == 2
    assert "removed" not in unknown.stdout
    removed = run("people", "remove", "eileen_collins", "--home", home)
    assert (removed.exit_code, removed.stdout) == (0, "removed eileen_collins\n")
    assert run("people", "list", "--home", home).stdout.startswith("nobody yet")
    assert run("index", "verify", "--home", home).stdout == "sound\n"
    assert run("people", "remove", "--home", home).exit_code == 2
    assert run("people", "remove", "x", "--expired", "--home", home).exit_code == 2


def test_a_copy_of_erased_faces_is_found(home: Path) -> None:
    backup = home / "backup.sqlite"
    shutil.copyfile(home / "catalog.sqlite", backup)
    run("people", "remove", "eileen_collins", "--home", home)
    verify = run("index", "verify", "--home", home)
    assert verify.exit_code == 2
    assert verify.stdout.startswith("backup.sqlite still holds faces of")


def test_a_scan_for_people_alone_loads_no_copy_descriptor(
    people_home: Path, portrait_clip: Path
) -> None:
    code = (
        "import sys\n"
        "from detector.cli import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert end.code == 1, end.code\n"
        "assert 'detector.descriptors.sface' in sys.modules\n"
        "assert 'detector.descriptors.sscd' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, "scan", portrait_clip, "--home", people_home]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
