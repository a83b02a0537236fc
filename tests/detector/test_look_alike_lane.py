"""Scenes that look like a work's, by the way a scan goes.

The copy descriptor stands in the place of CLIP, whose weights are not at hand: it knows a scene
again, too, where that is not drawn anew too freely.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from detector.assets import ASSETS, fetch
from detector.batch import Batch
from detector.describe import Described
from detector.descriptors import Descriptor
from detector.descriptors.sface import FaceDescriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.evaluation.edits import Strength
from detector.evaluation.rerender import RENDERINGS
from detector.inputs import Source
from detector.kept import pack, unpack
from detector.lookback import look_back
from detector.output import from_json, to_json
from detector.people import describe_reference, open_faces, people_cipher
from detector.pipeline import enroll, scan
from detector.samples import Cut, SampleSet, resized, transcode
from detector.settings import Settings
from detector.types import Channel, Flag, Mode, ScanResult, Verdict
from index.person_records import NewPerson
from index.records import Policy
from index.reference_index import ReferenceIndex
from index.rights_records import NewExclusion

Descriptors = dict[Channel, Descriptor]

LANE = Settings().semantic_channel.model_copy(update={"usual": 0.1})


@pytest.fixture(scope="module")
def descriptors() -> Descriptors:
    return {Channel.COPY: SscdDescriptor(size=224), Channel.SEMANTIC: SscdDescriptor(size=224)}


@pytest.fixture(scope="module")
def shots_alone(descriptors: Descriptors) -> Descriptors:
    return {Channel.SEMANTIC: descriptors[Channel.SEMANTIC]}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path / "home",
        copy_size=224,
        semantic_channel=LANE,
        people_key_file=tmp_path / "people.key",
    )


@pytest.fixture
def index(
    settings: Settings, samples: SampleSet, descriptors: Descriptors
) -> Iterator[ReferenceIndex]:
    """Return an index that protects two films."""
    with ReferenceIndex.open(settings.home) as index:
        for film in samples.films:
            enroll(Source(str(film)), index, descriptors, settings, policy=Policy.BLOCK)
        yield index


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return `bikes`, painted, after two seconds of other footage."""
    path = tmp_path_factory.mktemp("painted") / "painted.mp4"
    style = RENDERINGS["painting"](Strength.LIGHT, random.Random(1), lambda: iter(()))
    size = resized(480, 270)
    phone = Cut(fetch(ASSETS["carphone_pristine"]), 0.0, 2.0, (size,))
    bikes = Cut(fetch(ASSETS["bikes"]), 0.0, 10.0, (size, *style.edits))
    transcode(path, [phone, bikes])
    return path


def look_alikes(result: ScanResult) -> list[Flag]:
    return [one for one in result.flags if one.match.channel is Channel.SEMANTIC]


def test_a_scene_drawn_anew_is_for_people_to_look_at(
    index: ReferenceIndex, settings: Settings, shots_alone: Descriptors, painted: Path
) -> None:
    result = scan(Source(str(painted)), index, shots_alone, settings)
    (flag,) = result.flags
    assert flag.match.ref_id == "bikes"
    assert flag.match.score >= LANE.min_score
    assert flag.verdict is Verdict.REVIEW  # the owner wants copies blocked
    assert "only reviewed" in flag.reason
    assert "look like shots of it" in flag.match.notes[0]
    assert len(flag.match.segments) >= 2
    for one in flag.match.segments:
        (pair,) = one.pairs
        assert one.query_start <= pair.query_time <= one.query_end
        assert one.ref_start <= pair.ref_time <= one.ref_end
        # It was painted two seconds later.
        assert one.ref_start - 0.6 <= pair.query_time - 2.0 <= one.ref_end + 0.6
    assert from_json(to_json(result)) == result


def test_of_what_is_copied_the_lane_says_nothing(
    index: ReferenceIndex, settings: Settings, descriptors: Descriptors, samples: SampleSet
) -> None:
    copies = [one.path for one in samples.uploads if one.path.stem == "bikes-mirrored"]
    both = scan(Source(str(copies[0])), index, descriptors, settings)
    assert [flag.match.channel for flag in both.flags] == [Channel.COPY]


def test_what_shows_nothing_of_the_works_looks_like_none(
    index: ReferenceIndex, settings: Settings, shots_alone: Descriptors, samples: SampleSet
) -> None:
    for name in ("phone-call", "holiday-slides"):
        (path,) = (one.path for one in samples.uploads if one.path.stem == name)
        assert scan(Source(str(path)), index, shots_alone, settings).flags == ()


def test_shots_that_the_owner_claims_nothing_for_do_not_count(
    index: ReferenceIndex, settings: Settings, shots_alone: Descriptors, painted: Path
) -> None:
    index.rights.add_exclusion(
        NewExclusion(work_id="bikes", start=0.0, end=10.0, why="stock footage")
    )
    assert scan(Source(str(painted)), index, shots_alone, settings, min_score=0.0).flags == ()


def test_fast_mode_sees_shots_at_a_glance(
    index: ReferenceIndex, settings: Settings, descriptors: Descriptors, painted: Path
) -> None:
    seen: list[Described] = []
    fast = settings.model_copy(update={"mode": Mode.FAST})
    scan(Source(str(painted)), index, descriptors, fast, on_described=seen.append)
    shots = seen[0].shots
    assert shots is not None
    assert shots.stretches[-1, 1] == pytest.approx(12.0, abs=0.5)
    assert len(shots) <= 9  # frames of a glance


def test_shots_are_kept_with_the_upload(
    index: ReferenceIndex, settings: Settings, descriptors: Descriptors, painted: Path
) -> None:
    seen: list[Described] = []
    scan(Source(str(painted)), index, descriptors, settings, on_described=seen.append)
    shots, again = seen[0].shots, unpack(*pack(seen[0])).shots
    assert shots is not None
    assert again is not None
    assert again.stretches.tolist() == shots.stretches.tolist()
    assert again.times.tolist() == shots.times.tolist()
    assert np.einsum("ij,ij->i", again.vectors, shots.vectors).min() > 0.9999


def test_a_work_that_is_protected_later_is_found_in_what_looks_like_it(
    settings: Settings, samples: SampleSet, shots_alone: Descriptors, painted: Path
) -> None:
    bunny, bikes = (Source(str(film)) for film in samples.films)
    other = next(one.path for one in samples.uploads if one.path.stem == "phone-call")
    with ReferenceIndex.open(settings.home) as index:
        enroll(bunny, index, shots_alone, settings)
        sources = [Source(str(painted)), Source(str(other))]
        results = list(Batch(index, shots_alone, settings).run(sources))
        assert [result.verdict for result in results] == [Verdict.CLEAR, Verdict.CLEAR]
        work = enroll(bikes, index, shots_alone, settings).work
        found = look_back([work], index, shots_alone, settings)
        assert [upload.source for upload in found.deserving] == [str(painted)]
        assert (found.seen, found.unclear) == (2, ())


def test_somebody_of_the_cast_raises_what_looks_like_the_work(
    index: ReferenceIndex,
    settings: Settings,
    shots_alone: Descriptors,
    portrait: Path,
    portrait_clip: Path,
) -> None:
    film = enroll(Source(str(portrait_clip)), index, shots_alone, settings, work_id="launch").work
    (face,) = describe_reference(Source(str(portrait)), FaceDescriptor(), settings).faces
    who = NewPerson(
        id="eileen", name="Eileen", authority="NASA", retain_until=date.max, policy=Policy.REVIEW
    )
    index.people.add(who, "sface@fb143eea0783", [face], people_cipher(settings, make=True))
    faces = open_faces(index, settings, date(2026, 6, 1))

    def launch() -> Flag:
        source = Source(str(portrait_clip))
        result = scan(source, index, shots_alone, settings, faces=faces, min_score=0.0)
        (flag,) = (one for one in look_alikes(result) if one.match.ref_id == "launch")
        return flag

    alone = launch()
    index.people.set_cast(film.id, ["eileen"])
    joined = launch()
    assert alone.match.cast == ()
    assert joined.match.cast == ("eileen",)
    assert joined.match.score > alone.match.score
    assert any(
        note.startswith("Eileen, of its cast, is seen as well (") for note in joined.match.notes
    )
    assert joined.verdict is Verdict.REVIEW
