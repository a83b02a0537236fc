"""Questions by phrase, still or clip, about works and about uploads that were scanned."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from picture_clips import SHOT_S, write_pictures, write_still
from typer.testing import CliRunner, Result

from detector.batch import Batch
from detector.cli import app
from detector.descriptors import Descriptor, DescriptorUnavailableError, space_of
from detector.descriptors.clip import ClipDescriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.inputs import Source, digest_of
from detector.moments import Moment, Where, key_frame
from detector.pipeline import enroll
from detector.query import Questions, Wanted
from detector.settings import Settings, load_settings
from detector.types import Channel
from detector.upload_shots import UploadShots
from index.reference_index import ReferenceIndex

# By name of the file: the pictures that a clip shows one after another.
WORKS = {"breakfast": ("coffee", "rocket"), "pets": ("chelsea", "astronaut")}
UPLOADS = {"launch": ("rocket", "astronaut"), "cat": ("chelsea", "coffee", "chelsea")}
AT = SHOT_S / 2


@dataclass(frozen=True)
class Place:
    """A workspace with works, and uploads that were scanned with CLIP."""

    folder: Path  # with the clips
    home: Path
    descriptors: Mapping[Channel, Descriptor]
    settings: Settings

    def clip(self, name: str) -> Path:
        return self.folder / f"{name}.mp4"


@pytest.fixture(scope="module")
def place(tiny_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("query")
    home = folder / "home"
    home.mkdir()
    model = json.dumps(f"local-dir:{tiny_clip}")
    (home / "matchcut.toml").write_text(f"copy_size = 224\nsemantic_model = {model}\n")
    settings = load_settings(home=home)
    descriptors: dict[Channel, Descriptor] = {
        Channel.COPY: SscdDescriptor(size=224),
        Channel.SEMANTIC: ClipDescriptor(f"local-dir:{tiny_clip}"),
    }
    place = Place(folder, home, descriptors, settings)
    for name, pictures in (WORKS | UPLOADS).items():
        write_pictures(place.clip(name), pictures)
    with ReferenceIndex.open(home) as index:
        for name in WORKS:
            enroll(Source(str(place.clip(name))), index, descriptors, settings)
        sources = [Source(str(place.clip(name))) for name in UPLOADS]
        for result in Batch(index, descriptors, settings).run(sources):
            assert result.duration
    return place


@pytest.fixture
def index(place: Place) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(place.home) as index:
        yield index


@pytest.fixture
def questions(place: Place, index: ReferenceIndex) -> Questions:
    return Questions(index, place.descriptors, place.settings)


def of(moments: tuple[Moment, ...], channel: Channel = Channel.SEMANTIC) -> list[Moment]:
    return [one for one in moments if one.channel is channel]


# --- stills


def test_the_shots_of_a_still_come_first_in_works_and_in_uploads(
    questions: Questions, place: Place, tmp_path: Path
) -> None:
    answer = questions.ask_file(str(write_still(tmp_path / "still.png", "rocket")))
    work, upload = (of(answer.moments_in(where))[0] for where in Where)
    assert (work.id, work.title, work.source) == (
        "breakfast",
        "breakfast",
        str(place.clip("breakfast")),
    )
    assert (upload.id, upload.title, upload.source) == (
        "launch",
        "launch.mp4",
        str(place.clip("launch")),
    )
    assert upload.digest == digest_of(place.clip("launch"))
    for moment, start in ((work, SHOT_S), (upload, 0.0)):
        assert moment.similarity > 0.99
        assert (moment.start, moment.end) == pytest.approx((start, start + SHOT_S), abs=0.3)
        assert moment.start <= moment.time <= moment.end
        assert moment.clip_time is None
    assert answer.result is None


def test_the_copy_channel_names_one_frame_of_each_work(
    questions: Questions, tmp_path: Path
) -> None:
    answer = questions.ask_file(str(write_still(tmp_path / "still.png", "rocket")))
    frames = of(answer.moments, Channel.COPY)
    assert [one.id for one in frames] == ["breakfast", "pets"]
    assert frames[0].similarity > 0.9
    assert frames[0].time == frames[0].start == frames[0].end
    assert all(one.where is Where.WORK for one in frames)


def test_of_each_there_are_so_many_shots_as_are_wanted_and_the_best_comes_first(
    questions: Questions, tmp_path: Path
) -> None:
    still = str(write_still(tmp_path / "still.png", "chelsea"))
    cats = of(questions.ask_file(still, Wanted(works=False, shots=2)).moments)
    assert [one.id for one in cats] == ["cat", "cat", "launch", "launch"]
    assert sorted(one.start for one in cats[:2]) == pytest.approx([0, 2 * SHOT_S], abs=0.3)
    assert [one.similarity for one in cats] == sorted(
        (one.similarity for one in cats), reverse=True
    )
    (only,) = of(questions.ask_file(still, Wanted(works=False, limit=1, shots=1)).moments)
    assert only.id == "cat"


def test_only_works_or_only_uploads_are_asked(questions: Questions, tmp_path: Path) -> None:
    still = str(write_still(tmp_path / "still.png", "coffee"))
    works = questions.ask_file(still, Wanted(uploads=False)).moments
    assert {one.where for one in works} == {Where.WORK}
    uploads = questions.ask_file(still, Wanted(works=False)).moments
    assert {one.where for one in uploads} == {Where.UPLOAD}


# --- phrases


def test_a_phrase_finds_what_comparing_all_shots_finds(
    questions: Questions, place: Place, index: ReferenceIndex
) -> None:
    clip = place.descriptors[Channel.SEMANTIC]
    assert isinstance(clip, ClipDescriptor)
    phrase = "a rocket that waits"
    (vector,) = clip.describe_text([phrase])
    seen = {one.id: index.embeddings(one.number, "semantic") for one in index.works()}
    expected = {name: float((shots.vectors @ vector).max()) for name, shots in seen.items()}
    answer = questions.ask_phrase(phrase, Wanted(shots=1))
    found = {one.id: one.similarity for one in answer.moments_in(Where.WORK)}
    assert found == pytest.approx(expected, abs=1e-4)
    assert list(found) == sorted(found, key=lambda name: -found[name])
    assert {one.id for one in answer.moments_in(Where.UPLOAD)} == {"launch", "cat"}


class PicturesAlone:
    """A descriptor without a text tower."""

    def __init__(self, clip: Descriptor) -> None:
        self.name, self.version, self.dim = clip.name, clip.version, clip.dim
        self.is_on_gpu = False
        self.describe = clip.describe


def test_a_model_that_knows_no_text_says_so(place: Place, index: ReferenceIndex) -> None:
    silent = {Channel.SEMANTIC: PicturesAlone(place.descriptors[Channel.SEMANTIC])}
    with pytest.raises(DescriptorUnavailableError, match=r"no text.*a still or a clip"):
        Questions(index, silent, place.settings).ask_phrase("a cat")


def test_without_the_semantic_channel_there_is_no_phrase_and_no_upload(
    place: Place, index: ReferenceIndex, tmp_path: Path
) -> None:
    copy = {Channel.COPY: place.descriptors[Channel.COPY]}
    questions = Questions(index, copy, place.settings)
    with pytest.raises(DescriptorUnavailableError, match="which is off"):
        questions.ask_phrase("a cat")
    answer = questions.ask_file(str(write_still(tmp_path / "still.png", "coffee")))
    assert answer.moments_in(Where.WORK)
    assert not answer.moments_in(Where.UPLOAD)


# --- clips


def test_a_clip_that_was_scanned_is_its_own_best_upload(questions: Questions, place: Place) -> None:
    answer = questions.ask_file(str(place.clip("launch")), Wanted(limit=1))
    assert answer.result is not None
    assert {flag.match.ref_id for flag in answer.result.flags} >= {"breakfast"}
    assert [one.id for one in answer.moments] == ["launch", "launch"]
    for moment in answer.moments:
        assert moment.similarity > 0.99
        assert moment.clip_time == pytest.approx(moment.time, abs=0.1)


def test_uploads_are_ranked_by_all_shots_of_the_clip(
    place: Place, questions: Questions, index: ReferenceIndex, tmp_path: Path
) -> None:
    clip = write_pictures(tmp_path / "clip.mp4", ("coffee", "chelsea"))
    answer = questions.ask_file(str(clip), Wanted(works=False, shots=1))
    assert answer.result is None
    asked = {Channel.SEMANTIC: place.descriptors[Channel.SEMANTIC]}
    uploads = UploadShots(index, space_of(asked[Channel.SEMANTIC]))
    uploads.refresh()
    assert [one.id for one in answer.moments] == ["cat", "launch"]
    best = answer.moments[0]
    assert best.similarity > 0.99
    in_clip, in_upload = ("coffee", "chelsea"), UPLOADS["cat"]
    assert best.clip_time is not None
    assert in_clip[int(best.clip_time / SHOT_S)] == in_upload[int(best.time / SHOT_S)]


def test_what_another_model_saw_is_counted(place: Place, other_clip: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(place.home, tmp_path / "home"))
    other = {Channel.SEMANTIC: ClipDescriptor(f"local-dir:{other_clip}")}
    with ReferenceIndex.open(home) as index:
        for work in list(index.works()):
            index.remove(work.id)
        enroll(Source(str(place.clip("pets"))), index, other, place.settings)
        answer = Questions(index, other, place.settings).ask_phrase("a cat")
    assert (answer.left_out, answer.moments_in(Where.UPLOAD)) == (len(UPLOADS), ())


# --- pictures of moments


def test_the_key_frame_shows_the_shot(questions: Questions, place: Place, tmp_path: Path) -> None:
    still = write_still(tmp_path / "still.png", "rocket")
    for moment in of(questions.ask_file(str(still), Wanted(limit=1, shots=1)).moments):
        jpeg, why = key_frame(moment, 240)
        assert jpeg is not None, why
        shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        expected = cv2.resize(cv2.imread(str(still)), shown.shape[1::-1])
        assert np.abs(shown.astype(int) - expected).mean() < 8


def test_where_the_file_is_gone_the_other_source_of_the_upload_is_looked_at(
    questions: Questions, place: Place
) -> None:
    moment = questions.ask_phrase("a cat", Wanted(works=False)).moments[0]
    gone = replace(moment, source="/gone/cat.mp4")
    assert key_frame(gone, 64) == (None, "The upload is no longer at /gone/cat.mp4")
    jpeg, _ = key_frame(replace(gone, more_sources=(moment.source,)), 64)
    assert jpeg is not None


# --- the command


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_answers_for_a_phrase_a_still_and_a_clip(place: Place, tmp_path: Path) -> None:
    home = ("--home", place.home)
    phrase = run("query", "--text", "a cat", *home)
    assert phrase.exit_code == 0, phrase.stderr
    for name in (*WORKS, *UPLOADS):
        assert name in phrase.stdout
    assert "0:00.0 - 0:02.9" in phrase.stdout

    still = write_still(tmp_path / "still.png", "rocket")
    asked = run("query", still, *home, "--format", "jsonl", "--frames", tmp_path / "frames")
    assert asked.exit_code == 0, asked.stderr
    rows = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    best = next(row for row in rows if row["in"] == "upload")
    assert (best["id"], best["channel"]) == ("launch", "semantic")
    assert best["file"] == str(place.clip("launch"))
    written = {path.name for path in (tmp_path / "frames").iterdir()}
    assert written == {f"{row['rank']:02}-{row['id']}-{row['time']:.3f}.jpg" for row in rows}
    assert str(tmp_path / "frames") in asked.stderr

    clip = run("query", place.clip("launch"), *home, "--format", "csv", "--limit", "1")
    assert clip.exit_code == 1, clip.stderr
    found = list(csv.DictReader(io.StringIO(clip.stdout)))
    assert {row["in"] for row in found} == {"work", "upload"}
    assert all(row["verdict"] for row in found if row["in"] == "work")
    assert [row["id"] for row in found if row["in"] == "upload"] == ["launch", "launch"]
    table = run("query", place.clip("launch"), *home).stdout
    assert "upload time" in table
    assert "clip at" in table


def test_the_command_asks_uploads_alone(place: Place) -> None:
    asked = run("query", place.clip("cat"), "--in", "uploads", "--home", place.home)
    assert asked.exit_code == 0, asked.stderr
    assert "cat" in asked.stdout
    assert "pets" not in asked.stdout


def test_where_the_channel_is_off_the_command_says_so_and_goes_on(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHCUT_SEMANTIC_MODEL", f"local-dir:{tiny_clip}")
    home = tmp_path / "home"
    work = place.clip("breakfast")
    assert run("works", "add", work, "--home", home, "--channels", "copy").exit_code == 0
    still = write_still(tmp_path / "still.png", "rocket")
    asked = run("query", still, "--home", home)
    assert asked.exit_code == 0, asked.stderr
    assert "breakfast" in asked.stdout
    (line,) = asked.stderr.splitlines()
    assert line.startswith("channel semantic is off: ")
    for arguments in (("--text", "a rocket"), (still, "--in", "uploads")):
        refused = run("query", *arguments, "--home", home)
        assert refused.exit_code == 2
        assert "no work has vectors in channel semantic: add the films again" in refused.stderr


def test_a_frame_that_cannot_be_had_is_told(place: Place, tmp_path: Path) -> None:
    home = Path(shutil.copytree(place.home, tmp_path / "home"))
    moved = Path(shutil.copy(place.clip("cat"), tmp_path / "moved.mp4"))
    with ReferenceIndex.open(home) as index:
        (_,) = Batch(index, place.descriptors, place.settings).run([Source(str(moved))])
        index.uploads.forget([str(place.clip(name)) for name in UPLOADS])
    moved.unlink()
    arguments = (
        "--text",
        "a cat",
        "--in",
        "uploads",
        "--shots",
        "1",
        "--frames",
        tmp_path / "seen",
    )
    asked = run("query", *arguments, "--home", home)
    assert asked.exit_code == 0, asked.stderr
    assert f"no picture of rank 1: The upload is no longer at {moved}" in asked.stderr
    assert list((tmp_path / "seen").iterdir()) == []
