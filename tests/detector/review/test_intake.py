"""From scans to cases: real clips, through the command line, into a real desk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from click.testing import Result
from fsspec.implementations.memory import MemoryFileSystem
from typer.testing import CliRunner

from detector.cli import app
from detector.commands.intake import CaseOpener
from detector.commands.scanning import Opened
from detector.console import Files
from detector.descriptors import space_of
from detector.inputs import Source, digest_of
from detector.output import from_json
from detector.people import open_faces
from detector.review.desk import Desk
from detector.review.intake import open_case
from detector.review.records import COMMAND_LINE, Case, CaseState, SubjectKind
from detector.samples import SampleSet
from detector.settings import SETTINGS_FILE, load_settings
from detector.types import Channel, ScanResult, Submission, Verdict
from index.records import Policy
from index.reference_index import ReferenceIndex
from index.rights_records import Kind, NewLicence
from tests.detector.review.conftest import ScannedDesk


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def cases(home: Path) -> list[Case]:
    """Return all cases of a workspace, in the order they were opened."""
    with Desk.open(load_settings(home=home)) as desk:
        return [
            desk.cases.get(number) for number in sorted(one.id for one in desk.cases.find().items)
        ]


def upload(samples: SampleSet, stem: str) -> Path:
    return next(one.path for one in samples.uploads if one.path.stem == stem)


@pytest.fixture(scope="module")
def enrolled(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace in which one film is to be blocked and the other reviewed."""
    home = tmp_path_factory.mktemp("enrolled")
    (home / SETTINGS_FILE).write_text("copy_size = 224\n")
    for film, policy in zip(samples.films, ("block", "review"), strict=True):
        added = run("works", "add", film, "--policy", policy, "--channels", "copy", "--home", home)
        assert added.exit_code == 0, added.stderr
    return home


@pytest.fixture
def home(enrolled: Path, tmp_path: Path) -> Path:
    """Return a workspace of its own, with the same films."""
    return Path(shutil.copytree(enrolled, tmp_path / "home"))


@pytest.fixture
def folder(samples: SampleSet, tmp_path: Path) -> Path:
    """Return a folder of uploads: a copy of each film."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for stem in ("bikes-sped-up", "bunny-vertical"):
        shutil.copy(upload(samples, stem), folder)
    return folder


# --- which cases there are ----------------------------------------------------------------------


def test_each_upload_that_people_have_to_look_at_is_a_case(
    home: Path, folder: Path, samples: SampleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions = tmp_path / "submissions.csv"
    submissions.write_text(
        "file,uploader,territory,url,submitted_at\n"
        "bikes-sped-up.mp4,wheels,FR,https://tube.example/1,2026-03-01T12:00:00\n"
        "gone.mp4,nobody,,,\n"
    )
    shutil.copy(upload(samples, "phone-call"), folder)  # nothing of either
    monkeypatch.chdir(tmp_path)  # the desk will be served from elsewhere
    options = ("--cases", "--submissions", submissions, "--uploader", "anna", "--territory", "de")
    result = run("scan", "uploads", *options, "--format", "csv", "--home", home)

    assert result.exit_code == 1, result.stderr
    assert "1 of 2 rows of" in result.stderr
    assert "name no upload of this scan: gone.mp4" in result.stderr
    assert "2 cases at the desk: `matchcut review serve` shows them" in result.stderr
    bikes, bunny = cases(home)
    assert [bikes.name, bunny.name] == ["bikes-sped-up.mp4", "bunny-vertical.mp4"]
    assert [bikes.verdict, bunny.verdict] == [Verdict.REVIEW, Verdict.BLOCK]
    assert [one.subjects[0].ref_id for one in (bikes, bunny)] == ["bikes", "bigbuckbunny"]
    assert bikes.source == bikes.result["source"] == str(folder / "bikes-sped-up.mp4")
    assert bikes.digest == digest_of(folder / "bikes-sped-up.mp4")
    assert bikes.submission == Submission(
        "wheels", "FR", "https://tube.example/1", datetime(2026, 3, 1, 12, tzinfo=UTC)
    )
    assert bunny.submission == Submission("anna", "DE")
    assert f"bikes-sped-up.mp4: review; bikes {bikes.score:.2f}; case {bikes.id}\n" in result.stderr


def test_a_case_tells_what_it_was_made_with(home: Path, folder: Path, samples: SampleSet) -> None:
    assert run("scan", folder / "bikes-sped-up.mp4", "--cases", "--home", home).exit_code == 1
    (case,) = cases(home)
    with ReferenceIndex.open(home) as index:
        fingerprint, space = index.fingerprint(), index.space("copy")
    rate = min(60 / (case.duration or 0), 8)
    assert case.versions == {
        "matchcut": version("matchcut"),
        "index": fingerprint,
        "copy": space,
        "sampling": f"{rate:.3g} frames/s, 224 px",
        "work:bikes": digest_of(samples.films[1]),
    }
    with Desk.open(load_settings(home=home)) as desk:
        (event,) = desk.audit.events(subject=f"case:{case.id}")
    assert (event.action, event.actor) == ("case.opened", "command line")
    assert event.evidence == {"upload": case.digest, "work:bikes": digest_of(samples.films[1])}
    assert event.versions.keys() == {"matchcut", "index", "copy", "sampling"}


def test_the_same_upload_again_is_the_same_case(home: Path, folder: Path) -> None:
    scan = ("scan", folder, "--cases", "--home", home)
    assert run(*scan).exit_code == 1
    first = cases(home)
    (folder / "bunny-vertical.mp4").rename(folder / "renamed.mp4")
    again = run(*scan, "--resume", "--workers", "2")  # knows one result, and scans the other
    assert again.exit_code == 1
    assert "2 cases at the desk" in again.stderr
    second = cases(home)
    assert [case.id for case in second] == [case.id for case in first]
    assert [case.versions for case in second] == [case.versions for case in first]
    assert second[0].result == first[0].result
    assert second[1].source == str(folder / "renamed.mp4")  # where it is now


def test_a_licensed_upload_is_no_case(home: Path, folder: Path) -> None:
    with ReferenceIndex.open(home) as index:
        licence = NewLicence(kind=Kind.WORK, ref_id="bikes", licensee="wheels", document="no. 17")
        index.rights.add_licences([licence])
    scan = ("scan", folder / "bikes-sped-up.mp4", "--cases", "--format", "csv", "--home", home)
    licensed = run(*scan, "--uploader", "wheels")
    assert (licensed.exit_code, cases(home)) == (0, [])
    assert licensed.stdout.splitlines()[1].endswith(",copy,allow")
    assert "0 cases at the desk\n" in licensed.stderr
    assert run(*scan, "--uploader", "anna").exit_code == 1
    (case,) = cases(home)
    assert case.submission.uploader == "anna"


def test_what_is_only_monitored_is_flagged_and_no_case(home: Path, folder: Path) -> None:
    with ReferenceIndex.open(home) as index:
        index.update(replace(index.work("bikes"), policy=Policy.MONITOR))
    result = run("scan", folder / "bikes-sped-up.mp4", "--cases", "--home", home)
    assert (result.exit_code, cases(home)) == (1, [])


def test_without_being_asked_for_no_desk_is_made(home: Path, folder: Path) -> None:
    result = run("scan", folder / "bikes-sped-up.mp4", "--home", home)
    assert result.exit_code == 1
    assert "case" not in result.stderr
    assert not (home / "review.sqlite").exists()


# --- what may go wrong --------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to be out of space on")
def test_a_scan_that_is_cut_off_has_opened_its_cases(home: Path, folder: Path) -> None:
    full = ("--format", "jsonl", "--output", "/dev/full")
    result = run("scan", folder, "--cases", *full, "--home", home)
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert [case.name for case in cases(home)] == ["bikes-sped-up.mp4"]  # the first


def test_an_upload_in_a_bucket_keeps_its_address(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHCUT_PROTOCOLS", "file,memory")
    memory = fsspec.filesystem("memory")
    memory.put(str(folder / "bunny-vertical.mp4"), "/intake/clip.mp4")
    try:
        result = run("scan", "memory://intake", "--cases", "--home", home)
    finally:
        memory.rm("/intake", recursive=True)
    assert result.exit_code == 1, result.stderr
    (case,) = cases(home)
    assert (case.source, case.name) == ("memory:///intake/clip.mp4", "clip.mp4")
    assert case.digest == digest_of(folder / "bunny-vertical.mp4")


def test_a_name_that_is_no_text_is_written_out(home: Path, folder: Path) -> None:
    hostile = (folder / "bunny-vertical.mp4").rename(folder / "b\udcff.mp4")  # one byte, 0xFF
    result = run("scan", hostile, "--cases", "--home", home)
    assert result.exit_code == 1, result.stderr
    assert [case.name for case in cases(home)] == [r"b\udcff.mp4"]


class OnceOnly(MemoryFileSystem):  # type: ignore[misc]  # fsspec is not typed
    """A bucket from which a file can be opened once: then its permissions change, say."""

    protocol = "once"
    read: ClassVar[set[str]] = set()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("once://")))

    def open(self, remote: str, mode: str = "rb", **options: object) -> object:
        if mode == "rb":
            if remote in self.read:
                raise PermissionError("permission denied")
            self.read.add(remote)
        return super().open(remote, mode, **options)


def test_an_upload_that_cannot_be_hashed_does_not_stop_the_others(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHCUT_PROTOCOLS", "file,once")
    fsspec.register_implementation("once", OnceOnly)
    bucket = OnceOnly()
    bucket.put(str(folder / "bunny-vertical.mp4"), "/once.mp4")
    try:
        uploads = ("once://once.mp4", folder / "bunny-vertical.mp4")
        result = run("scan", *uploads, "--cases", "--home", home)
    finally:
        bucket.rm("/once.mp4")
    assert result.exit_code == 3, result.stderr
    assert "once.mp4: block; bigbuckbunny" in result.stderr
    assert "no case: permission denied" in result.stderr
    assert "1 case at the desk, 1 could not be opened" in result.stderr
    assert [case.name for case in cases(home)] == ["bunny-vertical.mp4"]


def test_what_was_said_of_submissions_is_checked_before_anything_is_scanned(
    home: Path, folder: Path, tmp_path: Path
) -> None:
    submissions = tmp_path / "submissions.csv"
    submissions.write_text("file,territory\nbikes-sped-up.mp4,UK\n")
    for options, sentence in [
        (("--submissions", submissions), "submissions.csv, line 2: 'UK' is no country"),
        (("--territory", "EU"), "'EU' is no country"),
        (("--submissions", tmp_path / "none.csv"), "none.csv cannot be read"),
    ]:
        result = run("scan", folder, "--cases", *options, "--home", home)
        assert result.exit_code == 2
        assert sentence in result.stderr
        assert "bikes-sped-up" not in result.stderr.replace("bikes-sped-up.mp4,", "")


def test_where_the_desk_is_not_installed_the_remedy_is_told(home: Path, folder: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['argon2'] = None\n"  # as if it were not there
        "from detector.cli import app\n"
        "app(sys.argv[1:])\n"
    )
    path = str(folder / "bunny-vertical.mp4")
    command = [sys.executable, "-c", code, "scan", path, "--home", str(home)]
    done = subprocess.run([*command, "--cases"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        done.stderr == "matchcut: the takedown desk needs argon2: `pip install matchcut[review]`\n"
    )
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


# --- one result ---------------------------------------------------------------------------------


@pytest.fixture
def index(scanned_desk: ScannedDesk) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(scanned_desk.home) as index:
        yield index


def scanned(by: ScannedDesk, stem: str) -> tuple[Source, ScanResult]:
    result = from_json(dict(by.cases[stem].result))
    return Source(result.source), result


def test_a_person_in_an_upload_is_a_case_with_the_model_of_faces(
    desk: Desk, index: ReferenceIndex, scanned_desk: ScannedDesk, portrait_clip: Path
) -> None:
    settings = scanned_desk.settings
    faces = open_faces(index, settings, date(2026, 6, 1))
    assert faces is not None
    _, result = scanned(scanned_desk, "interview")
    opened = open_case(desk, result, portrait_clip, index, {}, faces, settings, COMMAND_LINE)
    assert opened is not None
    case = desk.cases.get(opened.id)
    assert case.state is CaseState.OPEN
    assert [(one.kind, one.ref_id) for one in case.subjects] == [(SubjectKind.PERSON, "eileen")]
    assert case.versions["face"] == space_of(faces.descriptor)
    assert not any(name.startswith("work:") for name in case.versions)


def test_a_compilation_names_all_films_in_it_but_not_those_removed_since(
    desk: Desk, index: ReferenceIndex, scanned_desk: ScannedDesk, tmp_path: Path
) -> None:
    source, result = scanned(scanned_desk, "best-scenes-compilation")
    path = Path(source.name)
    opened_with = (scanned_desk.descriptors, None, scanned_desk.settings, COMMAND_LINE)
    case = open_case(desk, result, path, index, *opened_with)
    assert case is not None
    of_works = {f"work:{work.id}": work.digest for work in index.works()}
    assert len(of_works) == 2
    assert of_works.items() <= desk.cases.get(case.id).versions.items()
    with ReferenceIndex.open(tmp_path / "without works") as without:
        assert open_case(desk, result, path, without, *opened_with) is not None
    assert not of_works.keys() & desk.cases.get(case.id).versions.keys()


def test_a_file_that_has_changed_since_its_scan_is_no_case(
    desk: Desk, index: ReferenceIndex, scanned_desk: ScannedDesk, tmp_path: Path
) -> None:
    _, result = scanned(scanned_desk, "bikes-sped-up")
    path = Path(shutil.copy(result.source, tmp_path / "upload.mp4"))
    source = Source(str(path))
    opened = Opened({Channel.COPY: scanned_desk.descriptors[Channel.COPY]}, None, None)
    opener = CaseOpener(desk, index, opened, scanned_desk.settings)
    with Files("scanning", 1) as files:
        opener.watching(files.watch)(source)  # as when its scan begins
    with path.open("ab") as file:
        file.write(b"the rest of what was still being uploaded")
    assert "the file has changed since it was scanned" in opener.open(source, result)
    path.unlink()
    assert opener.open(source, result) == "no case: no such file"
    assert (opener.failed, desk.cases.find().total) == (2, 0)
    assert opener.summary() == "0 cases at the desk, 2 could not be opened"


def test_a_case_tells_the_index_as_it_was_when_the_scan_began(
    desk: Desk, scanned_desk: ScannedDesk, home: Path
) -> None:
    source, result = scanned(scanned_desk, "bikes-sped-up")
    with ReferenceIndex.open(home) as index, Files("scanning", 1) as files:
        began = index.fingerprint()
        opener = CaseOpener(desk, index, Opened({}, None, None), scanned_desk.settings)
        opener.watching(files.watch)(source)
        index.update(replace(index.work("bikes"), title="Bicycles"))
        assert index.fingerprint() != began
        opener.open(source, result)
    (number,) = opener.cases
    assert desk.cases.get(number).versions["index"] == began
