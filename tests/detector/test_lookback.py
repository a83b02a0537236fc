"""A work that is protected later is found in uploads that were scanned before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.batch import Batch
from detector.cli import app
from detector.describe import Described
from detector.descriptors import Descriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.inputs import Source
from detector.kept import pack, unpack
from detector.lookback import LookedBack, look_back
from detector.pipeline import enroll, scan
from detector.samples import Sample, SampleSet
from detector.settings import Settings
from detector.types import Channel, Mode, ScanResult
from index.reference_index import ReferenceIndex

Descriptors = dict[Channel, Descriptor]


@pytest.fixture(scope="module")
def descriptors() -> Descriptors:
    return {Channel.COPY: SscdDescriptor(size=224)}


def settings(mode: Mode = Mode.THOROUGH) -> Settings:
    return Settings(copy_size=224, mode=mode)


@pytest.fixture(scope="module")
def uploads(samples: SampleSet, hidden_copies: dict[str, Sample]) -> dict[str, Path]:
    """Return copies of `bikes`, open and hidden, and what shows nothing of it."""
    shown = {sample.path.stem: sample.path for sample in samples.uploads}
    names = ("bikes-mirrored", "phone-call")
    return {name: shown[name] for name in names} | {
        name: sample.path for name, sample in hidden_copies.items()
    }


OF_BIKES = {"bikes-mirrored", "inset", "brief inset", "inverted"}


@pytest.fixture(scope="module", params=list(Mode))
def scanned_home(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    samples: SampleSet,
    uploads: dict[str, Path],
    descriptors: Descriptors,
) -> tuple[Path, Mode]:
    """Return where all uploads were scanned when only the other film was protected."""
    home = tmp_path_factory.mktemp("home")
    with ReferenceIndex.open(home) as index:
        (bunny,) = (film for film in samples.films if film.stem == "bigbuckbunny")
        enroll(Source(str(bunny)), index, descriptors, settings())
        batch = Batch(index, descriptors, settings(request.param))
        for _ in batch.run([Source(str(path)) for path in uploads.values()]):
            pass
    return home, request.param


@pytest.fixture
def index(
    scanned_home: tuple[Path, Mode], samples: SampleSet, descriptors: Descriptors, tmp_path: Path
) -> Iterator[ReferenceIndex]:
    """Open it after `bikes` has been added."""
    home = Path(shutil.copytree(scanned_home[0], tmp_path / "home"))
    (bikes,) = (film for film in samples.films if film.stem == "bikes")
    with ReferenceIndex.open(home) as index:
        enroll(Source(str(bikes)), index, descriptors, settings())
        yield index


def looked_back(index: ReferenceIndex, descriptors: Descriptors, mode: Mode) -> LookedBack:
    return look_back([index.work("bikes")], index, descriptors, settings(mode))


def test_every_copy_deserves_a_scan_and_nothing_else_does(
    index: ReferenceIndex,
    scanned_home: tuple[Path, Mode],
    uploads: dict[str, Path],
    descriptors: Descriptors,
) -> None:
    back = looked_back(index, descriptors, scanned_home[1])
    names = {str(path): name for name, path in uploads.items()}
    assert {names[upload.source] for upload in back.deserving} == OF_BIKES
    assert (back.seen, back.unclear) == (len(uploads), ())


def test_a_scan_of_what_was_seen_finds_what_a_scan_of_the_file_finds(
    index: ReferenceIndex,
    scanned_home: tuple[Path, Mode],
    uploads: dict[str, Path],
    descriptors: Descriptors,
) -> None:
    how = settings(scanned_home[1])
    copy, innocent = (Source(str(uploads[name])) for name in ("bikes-mirrored", "phone-call"))
    result, clear = Batch(index, descriptors, how, resume=True).run([copy, innocent])
    anew = scan(copy, index, descriptors, how)
    assert matches(result) == [
        (name, pytest.approx(score, abs=0.01), pytest.approx(times, abs=0.02))
        for name, score, times in matches(anew)
    ]
    assert result.duration == pytest.approx(anew.duration)
    assert clear.timings["decode"] == 0


def matches(result: ScanResult) -> list[tuple[str, float, list[float]]]:
    return [
        (flag.match.ref_id, flag.match.score, [s.query_start for s in flag.match.segments])
        for flag in result.flags
    ]


def test_what_is_kept_is_what_was_seen(
    uploads: dict[str, Path], index: ReferenceIndex, descriptors: Descriptors
) -> None:
    seen: list[Described] = []
    scan(Source(str(uploads["inset"])), index, descriptors, settings(), on_described=seen.append)
    (described,) = seen
    facts, arrays = pack(described)
    back = unpack(json.loads(json.dumps(facts)), arrays)
    assert back.frames == described.frames
    assert (back.duration, back.interval) == (described.duration, described.interval)
    before, after = described.views[Channel.COPY], back.views[Channel.COPY]
    assert np.array_equal(before.times, after.times)
    assert np.array_equal(before.frames, after.frames)
    assert np.einsum("ij,ij->i", before.vectors, after.vectors).min() > 0.9999
    assert described.glances is not None
    assert back.glances is not None
    assert np.array_equal(described.glances.limits, back.glances.limits)
    assert {name.partition(".")[0] for name in arrays} == {"copy", "glances"}


def test_what_another_model_saw_is_told_and_not_compared(
    index: ReferenceIndex, uploads: dict[str, Path], descriptors: Descriptors
) -> None:
    for upload in index.uploads.all():
        facts = {**upload.facts, "spaces": {"copy": "sscd@another"}}
        path = index.home / upload.file
        with index._catalog.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE uploads SET facts = ? WHERE file = ?", (json.dumps(facts), upload.file)
            )
        assert path.exists()
    back = looked_back(index, descriptors, Mode.THOROUGH)
    assert back.deserving == ()
    assert len(back.unclear) == len(uploads)
    assert all("other models" in reason for reason in back.unclear)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code in (0, 1), result.stderr
    return result.stdout


def test_works_are_matched_back_as_they_are_added(
    samples: SampleSet, uploads: dict[str, Path], tmp_path: Path
) -> None:
    home = ("--home", tmp_path / "home")
    (bunny,) = (film for film in samples.films if film.stem == "bigbuckbunny")
    (bikes,) = (film for film in samples.films if film.stem == "bikes")
    run("works", "add", bunny, *home)
    scanned = [uploads[name] for name in ("bikes-mirrored", "phone-call")]
    output = tmp_path / "flags.jsonl"
    run("scan", *scanned, *home, "--uploader", "mallory", "--format", "jsonl", "--output", output)
    listed = run("uploads", "list", "--format", "jsonl", *home)
    assert {json.loads(line)["source"] for line in listed.splitlines()} == {*map(str, scanned)}

    shown = run("works", "add", bikes, "--match-back", *home)
    assert "bikes-mirrored" in shown
    assert "phone-call" not in shown

    again = run("uploads", "match-back", "bikes", "--format", "jsonl", *home)
    (line,) = map(json.loads, again.splitlines())
    assert (line["source"], line["matches"][0]["work_id"]) == (str(scanned[0]), "bikes")
    assert line["submission"]["uploader"] == "mallory"

    assert run("uploads", "forget", scanned[1], *home) == "forgot 1\n"
    assert run("uploads", "forget", "--older-than", 0, *home) == "forgot 1\n"
    assert run("uploads", "match-back", "bikes", "--format", "jsonl", *home) == ""


def test_nothing_is_kept_if_that_is_not_wanted(
    samples: SampleSet, uploads: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = ("--home", tmp_path / "home")
    run("works", "add", samples.films[0], *home)
    run("scan", uploads["phone-call"], *home)
    assert len(list((tmp_path / "home" / "kept").iterdir())) == 1
    monkeypatch.setenv("MATCHCUT_KEEP_DAYS", "0")
    run("scan", uploads["phone-call"], *home)
    assert list((tmp_path / "home" / "kept").iterdir()) == []
