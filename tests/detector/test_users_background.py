"""What a user calls ordinary counts less, and is added, listed and removed as works are."""

from __future__ import annotations

import csv
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from detector.background import add_background, background_of, distinct
from detector.batch import Batch
from detector.cli import app
from detector.descriptors import space_of
from detector.descriptors.sscd import SscdDescriptor
from detector.evaluation.generated import credits_roll, title_card
from detector.inputs import InputError, Source, expand
from detector.matching import shipped
from detector.media import UnreadableMediaError
from detector.pipeline import enroll, scan
from detector.samples import write_clip
from detector.settings import Settings
from detector.types import Channel
from index.errors import SpaceMismatchError
from index.reference_index import ReferenceIndex

SETTINGS = Settings()


@pytest.fixture(scope="module")
def descriptor() -> SscdDescriptor:
    return SscdDescriptor()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(tmp_path / "home") as index:
        yield index


def rolling(folder: Path, seed: int, seconds: float = 10.0) -> Source:
    """Credits of a film that was never made."""
    path = folder / f"credits-{seed}.mp4"
    write_clip(path, credits_roll(random.Random(seed), seconds, size=(320, 180), rate=5))
    return Source(str(path))


def rating_card(folder: Path, name: str = "card.png") -> Source:
    ((_, picture),) = title_card(random.Random(1), 0.1, size=(320, 180), rate=10)
    picture = np.ascontiguousarray(picture)
    cv2.putText(picture, "PG-13", (90, 110), cv2.FONT_HERSHEY_DUPLEX, 1.5, (230, 40, 40), 3)
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name), picture)
    return Source(str(folder / name))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_credits_match_other_credits_less_once_such_are_ordinary(
    index: ReferenceIndex, descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    descriptors = {Channel.COPY: descriptor}
    enroll(rolling(tmp_path, 2), index, descriptors, SETTINGS)
    upload = rolling(tmp_path, 3)

    def score() -> float:
        result = scan(upload, index, descriptors, SETTINGS, min_score=0)
        return max((flag.match.score for flag in result.flags), default=0.0)

    before = score()
    for seed in (4, 5, 6):
        add_background(rolling(tmp_path, seed, 20.0), index, descriptor, SETTINGS)
    assert score() < before
    for source in index.background.all():
        index.background.remove(source.number)
    assert score() == pytest.approx(before)


def test_a_batch_scans_again_when_the_background_has_changed(
    index: ReferenceIndex, descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    descriptors = {Channel.COPY: descriptor}
    enroll(rolling(tmp_path, 2), index, descriptors, SETTINGS)
    upload = rolling(tmp_path, 3)
    keeping_nothing = SETTINGS.model_copy(update={"keep_days": 0})  # else it need not be read

    def looked_at() -> bool:
        seen = []
        batch = Batch(index, descriptors, keeping_nothing, resume=True)
        list(batch.run([upload], lambda _: lambda seconds, _: seen.append(seconds)))
        return bool(seen)

    assert [looked_at(), looked_at()] == [True, False]
    add_background(rating_card(tmp_path), index, descriptor, SETTINGS)
    assert [looked_at(), looked_at()] == [True, False]


def test_the_users_frames_join_those_that_ship(
    index: ReferenceIndex, descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    space = space_of(descriptor)
    bank = shipped(space)
    assert bank is not None
    assert background_of(index, Channel.COPY, space) is bank
    count = add_background(rolling(tmp_path, 1), index, descriptor, SETTINGS).source.count
    joined = background_of(index, Channel.COPY, space)
    assert joined is not None
    assert len(joined) == len(bank) + count


def test_where_none_ships_the_users_frames_are_the_bank(
    index: ReferenceIndex, tmp_path: Path
) -> None:
    small = SscdDescriptor(size=224)
    assert background_of(index, Channel.COPY, space_of(small)) is None
    add_background(rating_card(tmp_path), index, small, SETTINGS)
    bank = background_of(index, Channel.COPY, space_of(small))
    assert bank is not None
    assert len(bank) == 1
    assert background_of(index, Channel.SEMANTIC, space_of(small)) is None


def test_the_same_file_again_adds_nothing(
    index: ReferenceIndex, descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    first = add_background(rating_card(tmp_path), index, descriptor, SETTINGS)
    again = add_background(rating_card(tmp_path, "copy.png"), index, descriptor, SETTINGS)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.source == first.source


def test_a_picture_is_one_frame_and_a_still_shot_is_no_more(
    index: ReferenceIndex, descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    for name in ("card.png", "card.jpg"):
        card = rating_card(tmp_path, name)
        assert add_background(card, index, descriptor, SETTINGS).source.count == 1
    picture = cv2.imread(card.name)
    write_clip(tmp_path / "card.mp4", ((n / 5, np.asarray(picture, np.uint8)) for n in range(25)))
    clip = Source(str(tmp_path / "card.mp4"))
    assert add_background(clip, index, descriptor, SETTINGS).source.count == 1


def test_what_shows_nothing_or_cannot_be_read_is_refused(
    index: ReferenceIndex, descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    black = np.zeros((90, 160, 3), np.uint8)
    write_clip(tmp_path / "black.mp4", ((n / 5, black) for n in range(10)))
    with pytest.raises(UnreadableMediaError, match="uniform"):
        add_background(Source(str(tmp_path / "black.mp4")), index, descriptor, SETTINGS)
    with pytest.raises(InputError, match="no such file"):
        add_background(Source(str(tmp_path / "none.mp4")), index, descriptor, SETTINGS)
    assert index.background.all() == []


def test_another_descriptor_than_that_of_the_works_is_refused(
    index: ReferenceIndex, descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    enroll(rolling(tmp_path, 1), index, {Channel.COPY: descriptor}, SETTINGS)
    with pytest.raises(SpaceMismatchError):
        add_background(rating_card(tmp_path), index, SscdDescriptor(size=224), SETTINGS)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_name_that_is_no_text_is_written_out(
    index: ReferenceIndex, descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    Path(name).write_bytes(Path(rating_card(tmp_path).name).read_bytes())
    added = add_background(Source(name), index, descriptor, SETTINGS)
    assert added.source.source.endswith("caf\\udce9.png")


def test_near_duplicates_are_dropped_and_of_too_many_some_are_taken_evenly() -> None:
    directions = np.eye(10, dtype=np.float32)
    alike = directions + 0.1 * np.roll(directions, 1, axis=1)
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    frames = np.stack([directions, alike], axis=1).reshape(20, 10)
    assert distinct(frames).tolist() == list(range(0, 20, 2))
    assert distinct(frames, most=3).tolist() == [0, 8, 18]
    assert distinct(frames[:0]).tolist() == []


def test_pictures_in_folders_are_taken_only_where_they_are_wanted(tmp_path: Path) -> None:
    card, text = rating_card(tmp_path / "cards"), tmp_path / "cards" / "notes.txt"
    text.write_text("ask for the new ident")
    assert expand([str(tmp_path)]) == []
    assert expand([str(tmp_path)], pictures=True) == [card]


def test_background_is_added_listed_and_removed_on_the_command_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "background add" in run("background", "list", "--home", home).stdout
    rating_card(tmp_path / "cards")
    clip = rolling(tmp_path, 1)
    added = run("background", "add", tmp_path / "cards", clip.name, "--home", home)
    assert added.exit_code == 0, added.stderr
    assert added.stdout == "1\n2\n"
    assert "added as 1 (1 frames)" in added.stderr
    again = run("background", "add", clip.name, "--home", home)
    assert (again.exit_code, again.stdout) == (0, "2\n")
    assert "is in the background already, as 2" in again.stderr

    listed = run("background", "list", "--home", home, "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(listed)))
    assert [(row["id"], row["used"]) for row in rows] == [("1", "yes"), ("2", "yes")]
    assert rows[1]["source"] == clip.name

    assert run("background", "remove", 1, 7, "--home", home).exit_code == 2  # all or none
    removed = run("background", "remove", 1, 2, "--home", home)
    assert (removed.exit_code, removed.stdout) == (0, "removed 1\nremoved 2\n")
    assert list((home / "background").iterdir()) == []
    assert run("index", "verify", "--home", home).stdout == "sound\n"


def test_a_list_tells_what_another_descriptor_makes_useless(
    descriptor: SscdDescriptor, tmp_path: Path
) -> None:
    with ReferenceIndex.open(tmp_path / "home") as index:
        add_background(rating_card(tmp_path), index, SscdDescriptor(size=224), SETTINGS)
        enroll(rolling(tmp_path, 1), index, {Channel.COPY: descriptor}, SETTINGS)
    listed = run("background", "list", "--home", tmp_path / "home", "--format", "csv").stdout
    (row,) = csv.DictReader(io.StringIO(listed))
    assert row["used"] == "no"


def test_what_cannot_be_added_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("INT. OFFICE - NIGHT\n" * 30)
    card = rating_card(tmp_path)
    result = run("background", "add", broken, card.name, "--home", tmp_path / "home")
    assert (result.exit_code, result.stdout) == (3, "1\n")
    assert "not added" in result.stderr
    (tmp_path / "empty").mkdir()
    nothing = run("background", "add", tmp_path / "empty", "--home", tmp_path / "home")
    assert nothing.exit_code == 2
    assert "no video or picture in" in nothing.stderr
