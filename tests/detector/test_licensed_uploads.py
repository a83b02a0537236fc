"""Real uploads of real films, with rights: from the scan to what is written of it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.batch import Batch
from detector.cli import app
from detector.descriptors import Descriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.inputs import Source
from detector.output import from_json, open_writer, to_json
from detector.pipeline import enroll, scan
from detector.report import report_scan
from detector.samples import SampleSet
from detector.settings import Settings
from detector.types import Channel, ScanResult, Submission, Verdict
from index.records import Policy
from index.reference_index import ReferenceIndex
from index.rights_records import Kind, NewExclusion, NewLicence, NewRule

TODAY = date(2026, 3, 15)
DAY = timedelta(days=1)
STUDIO_A = Submission(uploader="studio_a", territory="DE")
STUDIO_B = Submission(uploader="studio_b", territory="DE")

Descriptors = dict[Channel, Descriptor]


@pytest.fixture(scope="module")
def descriptors() -> Descriptors:
    return {Channel.COPY: SscdDescriptor(size=224)}


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(copy_size=224)


@pytest.fixture(scope="module")
def enrolled_home(
    tmp_path_factory: pytest.TempPathFactory,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
) -> Path:
    """Return a workspace in which the film is enrolled; do not write to it."""
    home = tmp_path_factory.mktemp("licensed")
    (film,) = (str(path) for path in samples.films if path.stem == "bigbuckbunny")
    with ReferenceIndex.open(home) as index:
        enroll(Source(film), index, descriptors, settings, policy=Policy.BLOCK)
    return home


@pytest.fixture
def index(enrolled_home: Path, tmp_path: Path) -> Iterator[ReferenceIndex]:
    """Open a copy of that workspace, to do with as one likes."""
    home = Path(shutil.copytree(enrolled_home, tmp_path / "home"))
    with ReferenceIndex.open(home) as index:
        yield index


@pytest.fixture
def copy(samples: SampleSet) -> Source:
    """Return an upload that shows a part of the film `bigbuckbunny`."""
    (path,) = (one.path for one in samples.uploads if one.path.stem == "bunny-low-quality")
    return Source(str(path))


def license_bunny(index: ReferenceIndex, **changes: object) -> int:
    facts: dict = {
        "kind": Kind.WORK,
        "ref_id": "bigbuckbunny",
        "document": "contract 17",
        "licensee": "studio_a",
        "territories": ("DE",),
    }
    (licence,) = index.rights.add_licences([NewLicence(**(facts | changes))])
    return licence.number


def scanned(
    copy: Source,
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
    submission: Submission = STUDIO_A,
    today: date = TODAY,
) -> ScanResult:
    return scan(copy, index, descriptors, settings, submission=submission, today=today)


def written(output_format: str, result: ScanResult) -> str:
    stream = io.StringIO()
    writer = open_writer(output_format, stream)
    writer.write(result)
    writer.close()
    return stream.getvalue()


def reported(result: ScanResult, index: ReferenceIndex, folder: Path) -> str:
    report_scan(folder / "report.html", [result], index)
    return (folder / "report.html").read_text()


def test_a_covered_upload_is_allowed_and_the_licence_told_everywhere(
    copy: Source,
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    number = license_bunny(index)
    result = scanned(copy, index, descriptors, settings)
    assert result.verdict is Verdict.ALLOW
    assert result.submission == STUDIO_A
    (flag,) = result.flags
    assert (flag.match.ref_id, flag.licence) == ("bigbuckbunny", "contract 17")
    assert flag.reason == f"covered by licence {number} (contract 17)"

    rows = list(csv.DictReader(io.StringIO(written("csv", result))))
    assert [(row["ref_id"], row["verdict"]) for row in rows] == [("bigbuckbunny", "allow")]
    values = json.loads(written("jsonl", result))
    assert values["verdict"] == values["matches"][0]["verdict"] == "allow"
    assert values["matches"][0]["licence"] == "contract 17"
    assert values["matches"][0]["nearly"] == []
    assert values["submission"]["uploader"] == "studio_a"
    assert from_json(values) == result
    assert "allowed by licence contract 17" in " ".join(written("table", result).split())
    report = reported(result, index, tmp_path)
    assert "0 of 1 upload flagged" in report
    assert f"(covered by licence {number} (contract 17))" in report


def test_the_same_upload_without_the_licence_is_flagged(
    copy: Source,
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    result = scanned(copy, index, descriptors, settings)
    assert result.verdict is Verdict.BLOCK
    (row,) = csv.DictReader(io.StringIO(written("csv", result)))
    assert (row["ref_id"], row["verdict"]) == ("bigbuckbunny", "block")
    (match,) = json.loads(written("jsonl", result))["matches"]
    assert (match["verdict"], match["licence"], match["nearly"]) == ("block", None, [])
    assert "1 of 1 upload flagged" in reported(result, index, tmp_path)


def test_what_nearly_covers_is_shown_beside_the_flag(
    copy: Source,
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    number = license_bunny(index, document="contract <17>")
    result = scanned(copy, index, descriptors, settings, STUDIO_B)
    assert result.verdict is Verdict.BLOCK
    nearly = f"licence {number} (contract <17>) is for studio_a, and the uploader is studio_b"
    values = json.loads(written("jsonl", result))
    assert values["matches"][0]["nearly"] == [nearly]
    assert from_json(values) == from_json(to_json(result)) == result
    html = reported(result, index, tmp_path)
    assert f"Nearly covered: licence {number} (contract &lt;17&gt;) is for studio_a" in html


def test_excluded_footage_is_not_flagged(
    copy: Source,
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    (before,) = scanned(copy, index, descriptors, settings).flags
    (segment,) = before.match.segments
    middle = (segment.ref_start + segment.ref_end) / 2
    index.rights.add_exclusion(
        NewExclusion(work_id="bigbuckbunny", start=middle, end=segment.ref_end, why="a stock shot")
    )
    (half,) = scanned(copy, index, descriptors, settings).flags
    assert half.verdict is Verdict.BLOCK
    assert half.match.segments[0].ref_end == middle
    assert "lie in excluded footage and do not count" in half.reason

    index.rights.add_exclusion(
        NewExclusion(work_id="bigbuckbunny", start=0.0, end=middle, why="the studio's ident")
    )
    result = scanned(copy, index, descriptors, settings)
    assert result.verdict is Verdict.CLEAR
    report = reported(result, index, tmp_path)
    assert "excluded from matching (a stock shot; the studio&#39;s ident)" in report
    assert "Below the operating point" not in report


def test_a_rule_decides_instead_of_the_policy(
    copy: Source, index: ReferenceIndex, descriptors: Descriptors, settings: Settings
) -> None:
    def add(policy: Policy, seconds: float) -> int:
        rule = NewRule(kind=Kind.WORK, ref_id="bigbuckbunny", policy=policy, min_seconds=seconds)
        return index.rights.add_rule(rule).number

    add(Policy.ALLOW, 3600)
    number = add(Policy.MONITOR, 1)
    (flag,) = scanned(copy, index, descriptors, settings).flags
    assert flag.verdict is Verdict.MONITOR
    assert flag.reason.startswith(f"rule {number} of the work: monitor if at least 1.0 s match")


# --- resumed ----------------------------------------------------------------------------------


def test_a_resumed_scan_recalls_nothing_from_before_a_licence_nor_after_its_last_day(
    copy: Source, index: ReferenceIndex, descriptors: Descriptors, settings: Settings
) -> None:
    def resumed(day: date, submission: Submission = STUDIO_A) -> ScanResult:
        batch = Batch(
            index,
            descriptors,
            settings,
            submissions=lambda _: submission,
            today=day,
            resume=True,
        )
        (result,) = batch.run([copy])
        return result

    flagged = resumed(TODAY)
    assert flagged.verdict is Verdict.BLOCK
    assert resumed(TODAY) == flagged  # with the same timings: it was remembered

    number = license_bunny(index, starts=TODAY, ends=TODAY + DAY)
    allowed = resumed(TODAY)
    assert allowed.verdict is Verdict.ALLOW
    assert resumed(TODAY) == resumed(TODAY + DAY) == allowed
    assert resumed(TODAY - DAY).verdict is Verdict.BLOCK
    over = resumed(TODAY + 2 * DAY)
    assert over.verdict is Verdict.BLOCK
    assert over.flags[0].nearly == (f"licence {number} (contract 17) ended on {TODAY + DAY}",)

    # Another's upload of the same file was not licensed.
    assert resumed(TODAY, STUDIO_B).verdict is Verdict.BLOCK
    assert resumed(TODAY) == allowed

    index.rights.remove_licences([number])
    assert resumed(TODAY).verdict is Verdict.BLOCK


# --- on the command line ----------------------------------------------------------------------


def test_a_scan_is_told_who_submitted_an_upload_and_where_it_is_shown(
    copy: Source, index: ReferenceIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHCUT_COPY_SIZE", "224")
    license_bunny(index)
    arguments = ["scan", copy.name, "--home", str(index.home), "--format", "jsonl", "--resume"]

    def verdict(*options: str) -> tuple[int, str, str | None]:
        done = CliRunner().invoke(app, [*arguments, *options])
        (match,) = json.loads(done.stdout)["matches"]
        return done.exit_code, match["verdict"], match["licence"]

    assert verdict() == (1, "block", None)
    assert verdict("--uploader", "studio_a", "--territory", "fr") == (1, "block", None)
    assert verdict("--uploader", "studio_a", "--territory", "de") == (0, "allow", "contract 17")
