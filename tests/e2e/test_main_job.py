"""The main job on real clips, through the real command: enrol films, scan uploads, flag copies."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MATCHCUT = Path(sys.executable).parent / "matchcut"


def matchcut(*arguments, home):
    """Run the command as a user does."""
    return subprocess.run(
        [MATCHCUT, *map(str, arguments)],
        env={"MATCHCUT_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo after it has run: the finished process, and its folder."""
    folder = tmp_path_factory.mktemp("demo")
    return matchcut("demo", "--output", folder, home=folder / "home"), folder


@pytest.fixture(scope="module")
def home(demo):
    """A workspace with the two films enrolled."""
    return demo[1] / "home"


@pytest.fixture(scope="module")
def scan(samples, home):
    """A scan of all uploads, which the demo has scanned before: the process, and its rows."""
    uploads = samples.uploads[0].path.parent
    done = matchcut("scan", uploads, "--format", "csv", "--resume", home=home)
    return done, list(csv.DictReader(io.StringIO(done.stdout)))


def test_the_demo_finds_all_it_planted(demo):
    done, folder = demo
    assert done.returncode == 0, done.stdout + done.stderr
    assert "missed" not in done.stdout
    assert done.stdout.count("yes: silent") == 3
    report = (folder / "report.html").read_text()
    assert report.count("data:image/jpeg") >= 2 * 8


def test_every_planted_copy_is_found_within_a_second(samples, scan):
    done, rows = scan
    assert done.returncode == 1, done.stderr
    for upload in samples.uploads:
        found = [row for row in rows if row["query_id"] == upload.path.stem]
        for copy in upload.copies:
            row = next(row for row in found if row["ref_id"] == copy.ref_id)
            assert row["verdict"] == "review"
            for name in ("query_start", "query_end", "ref_start", "ref_end"):
                assert float(row[name]) == pytest.approx(getattr(copy, name), abs=1.0), (
                    f"{name} of {copy.ref_id} in {upload.path.name}"
                )


def test_nothing_else_is_found(samples, scan):
    _, rows = scan
    planted = {
        (upload.path.stem, copy.ref_id) for upload in samples.uploads for copy in upload.copies
    }
    assert {(row["query_id"], row["ref_id"]) for row in rows} == planted


def test_copies_that_are_hard_to_see_are_found_and_explained(hidden_copies, home):
    paths = [copy.path for copy in hidden_copies.values()]
    done = matchcut("scan", *paths, "--format", "jsonl", home=home)
    assert done.returncode == 1, done.stderr
    for line, (name, hidden) in zip(done.stdout.splitlines(), hidden_copies.items(), strict=True):
        upload = json.loads(line)
        (planted,) = hidden.copies
        (match,) = upload["matches"]
        (segment,) = match["segments"]
        assert (upload["verdict"], match["work_id"]) == ("review", planted.ref_id), name
        for at in ("query_start", "query_end", "ref_start", "ref_end"):
            assert segment[at] == pytest.approx(getattr(planted, at), abs=1.0), f"{at}: {name}"
        what = name.split()[-1]  # "inset" or "inverted"
        assert any(what in edit for edit in segment["edits"]), segment["edits"]


def test_innocent_clips_alone_end_with_exit_code_0(samples, home):
    innocent = [upload.path for upload in samples.uploads if not upload.copies]
    done = matchcut("scan", *innocent, "--format", "csv", home=home)
    assert done.returncode == 0, done.stderr
    assert len(innocent) == 3
    assert len(done.stdout.splitlines()) == 1  # the header


def test_a_broken_upload_is_reported_and_the_others_are_done(samples, home, tmp_path):
    (tmp_path / "notes.mp4").write_text("no video at all")
    copy = next(upload for upload in samples.uploads if upload.copies)
    done = matchcut("scan", tmp_path, copy.path, "--format", "jsonl", home=home)
    assert done.returncode == 3
    broken, good = map(json.loads, done.stdout.splitlines())
    assert (broken["query_id"], broken["status"]) == ("notes", "unreadable")
    assert "not a video" in broken["reason"]
    assert (good["status"], good["verdict"]) == ("ok", "review")
    assert "unreadable: not a video" in done.stderr


def test_a_removed_film_is_not_matched_any_more(samples, tmp_path):
    both = next(u.path for u in samples.uploads if u.path.stem == "best-scenes-compilation")
    added = matchcut("works", "add", samples.films[0].parent, "--channels", "copy", home=tmp_path)
    assert (added.returncode, added.stdout.split()) == (0, ["bigbuckbunny", "bikes"])
    assert matchcut("works", "remove", "bikes", home=tmp_path).returncode == 0
    done = matchcut("scan", both, "--min-score", "0", "--format", "csv", home=tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["ref_id"] for row in rows} == {"bigbuckbunny"}
    assert matchcut("index", "verify", home=tmp_path).stdout == "sound\n"


def test_a_scan_that_was_stopped_goes_on_to_the_same_results(samples, home, tmp_path):
    names = ("bunny-low-quality", "phone-call", "phone-call-bad-line")
    paths = [upload.path for upload in samples.uploads if upload.path.stem in names]
    uploads = [Path(shutil.copy(path, tmp_path)) for path in paths]
    matchcut("scan", uploads[0], home=home)
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    matchcut("scan", *uploads, "--format", "csv", "--output", resumed, "--resume", home=home)
    matchcut("scan", *uploads, "--format", "csv", "--output", whole, home=home)
    assert len(whole.read_text().splitlines()) == 2
    assert resumed.read_text() == whole.read_text()
