"""Who appears in an upload, and when: real faces and real footage, by the way a scan goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.assets import ASSETS, fetch
from detector.batch import Batch
from detector.descriptors import space_of
from detector.descriptors.sface import FaceDescriptor
from detector.faces import FaceChannel
from detector.inputs import Source
from detector.matching.likeness import Cohort, Likenesses
from detector.people import describe_reference, open_faces, people_cipher
from detector.pipeline import scan
from detector.samples import (
    Cut,
    Picture,
    TimedPicture,
    footage,
    mirrored,
    resized,
    slide_show,
    write_clip,
)
from detector.settings import Settings, load_settings
from detector.types import Channel, Likeness, ScanResult, Status, Verdict
from index.person_records import NewPerson, ReferenceFace
from index.records import Policy
from index.reference_index import ReferenceIndex
from tests.conftest import load_picture

TODAY = date(2026, 6, 1)
SIZE = (480, 270)
START, END = 1.5, 3.1  # seconds between which the portrait is seen in the vlog


@pytest.fixture(scope="module")
def descriptor() -> FaceDescriptor:
    return FaceDescriptor()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", people_key_file=tmp_path / "people.key")


@pytest.fixture
def index(settings: Settings) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(settings.home) as index:
        yield index


@pytest.fixture(scope="module")
def face(portrait: Path, descriptor: FaceDescriptor) -> ReferenceFace:
    (face,) = describe_reference(Source(str(portrait)), descriptor, load_settings()).faces
    return face


Enrol = Callable[..., FaceChannel | None]


@pytest.fixture
def enrol(index: ReferenceIndex, settings: Settings, face: ReferenceFace) -> Enrol:
    """Return what enrols the astronaut and makes the channel ready, on a day."""

    def enrol(
        until: date = date.max, policy: Policy = Policy.REVIEW, today: date = TODAY
    ) -> FaceChannel | None:
        person = NewPerson(
            id="eileen", name="Eileen", authority="NASA", retain_until=until, policy=policy
        )
        cipher = people_cipher(settings, make=True)
        index.people.add(person, "sface@fb143eea0783", [face], cipher)
        return open_faces(index, settings, today)

    return enrol


def bikes(start: float, end: float) -> Iterator[TimedPicture]:
    return footage(Cut(fetch(ASSETS["bikes"]), start, end, (resized(*SIZE),)))


@pytest.fixture(scope="module")
def vlog(portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of a street, 1.6 s of the camera moving over the portrait, and a street."""
    path = tmp_path_factory.mktemp("vlog") / "vlog.mp4"
    still = load_picture(portrait)

    def pictures() -> Iterator[TimedPicture]:
        yield from bikes(0, START)
        for n in range(40):
            seen = still[n // 2 : n // 2 + 236, n : n + 420]
            yield START + n / 25, resized(*SIZE)(np.ascontiguousarray(seen))
        for time, picture in bikes(3, 4.5):
            yield END + time, picture

    write_clip(path, pictures())
    return path


def looked_at(path: Path, index: ReferenceIndex, settings: Settings, faces: object) -> ScanResult:
    return scan(Source(str(path)), index, {}, settings, faces=faces)


def test_an_enrolled_person_is_found_when_they_are_on_screen(vlog, index, settings, enrol):
    result = looked_at(vlog, index, settings, enrol())
    (flag,) = result.flags
    assert (flag.match.ref_id, flag.match.channel) == ("eileen", Channel.FACE)
    assert (flag.title, flag.owner, flag.verdict) == ("Eileen", "NASA", Verdict.REVIEW)
    (appearance,) = flag.match.appearances
    assert appearance.start == pytest.approx(START, abs=0.5)
    assert appearance.end == pytest.approx(END, abs=0.5)
    assert appearance.likeness is Likeness.LIKELY
    assert appearance.similarity > 0.6
    assert START <= appearance.time <= END
    assert flag.match.segments == ()


def test_the_box_is_where_the_face_is(vlog, index, settings, enrol, descriptor):
    (flag,) = looked_at(vlog, index, settings, enrol()).flags
    (appearance,) = flag.match.appearances
    frames = [frame for frame in footage(Cut(vlog, 0, 4.6)) if frame[0] >= appearance.time - 1e-3]
    (found, *_) = descriptor.find(frames[0][1])
    assert appearance.box.left * SIZE[0] == pytest.approx(found.left, abs=6)
    assert appearance.box.top * SIZE[1] == pytest.approx(found.top, abs=6)
    assert appearance.box.width * SIZE[0] == pytest.approx(found.width, abs=6)


def test_the_counts_tell_what_became_of_every_face(vlog, index, settings, enrol):
    result = looked_at(vlog, index, settings, enrol())
    assert result.channels == (Channel.FACE,)
    assert result.faces is not None
    counts = result.faces
    assert (counts.likely, counts.resembles) == (1, 0)
    assert counts.unknown > 0  # people pass in the street
    assert counts.tracks == counts.likely + counts.unknown
    assert counts.found > counts.unusable


@pytest.mark.parametrize("name", ["bikes", "bigbuckbunny", "carphone_pristine"])
def test_nobody_enrolled_is_found_in_other_footage(name, index, settings, enrol):
    result = looked_at(fetch(ASSETS[name]), index, settings, enrol())
    assert result.status is Status.OK
    assert result.flags == ()
    assert result.faces is not None
    assert (result.faces.likely, result.faces.resembles) == (0, 0)


def test_without_the_channel_nobody_looks_at_faces(vlog, index, settings, enrol):
    enrol()
    result = looked_at(vlog, index, settings, None)
    assert (result.faces, result.flags, result.channels) == (None, (), ())


def test_in_a_slide_show_too(tmp_path, portrait, index, settings, enrol):
    path = tmp_path / "slides.mp4"
    pictures = [load_picture(fetch(ASSETS["rocket"])), load_picture(portrait)]
    write_clip(path, slide_show(pictures, rate=10))
    (flag,) = looked_at(path, index, settings, enrol()).flags
    start = min(one.start for one in flag.match.appearances)
    assert start == pytest.approx(5.5, abs=0.7)  # the second picture comes with a cross-fade
    assert max(one.end for one in flag.match.appearances) == pytest.approx(10, abs=0.6)


def test_two_faces_at_a_time_are_two_appearances_of_which_one_is_known(
    tmp_path, portrait, index, settings, enrol
):
    left = load_picture(portrait)[:300, 60:400]
    man = next(iter(footage(Cut(fetch(ASSETS["carphone_pristine"]), 0, 1))))[1]
    both = np.hstack([left, resized(360, 300)(man)[:, :340]])
    path = tmp_path / "both.mp4"
    write_clip(path, ((n / 10, both) for n in range(20)))
    result = looked_at(path, index, settings, enrol())
    (flag,) = result.flags
    assert flag.match.appearances[0].box.left < 0.5
    assert result.faces is not None
    assert (result.faces.tracks, result.faces.likely, result.faces.unknown) == (2, 1, 1)


# --- what people want, and for how long -------------------------------------------------------


@pytest.mark.parametrize("policy", [Policy.REVIEW, Policy.MONITOR, Policy.ALLOW])
def test_the_verdict_is_what_the_person_wants(policy, vlog, index, settings, enrol):
    result = looked_at(vlog, index, settings, enrol(policy=policy))
    assert result.verdict.value == policy.value


def test_who_was_removed_or_has_expired_is_not_matched(vlog, index, settings, enrol):
    faces = enrol(until=TODAY)
    assert looked_at(vlog, index, settings, faces).flags
    assert open_faces(index, settings, TODAY + timedelta(days=1)) is None
    index.people.remove("eileen")
    assert open_faces(index, settings, TODAY) is None


def test_after_one_is_removed_the_others_are_still_found(
    vlog, index, settings, enrol, descriptor, tmp_path
):
    enrol()
    man = describe_reference(
        Source(str(fetch(ASSETS["carphone_pristine"]))), descriptor, settings, "largest"
    )
    other = NewPerson(
        id="man", name="A man", authority="test", retain_until=date.max, policy=Policy.REVIEW
    )
    index.people.add(other, space_of(descriptor), man.faces, people_cipher(settings))
    index.people.remove("eileen")
    faces = open_faces(index, settings, TODAY)
    assert looked_at(vlog, index, settings, faces).flags == ()
    call = Cut(fetch(ASSETS["carphone_pristine"]), 0, 4, (mirrored, resized(320, 240)))
    write_clip(tmp_path / "call.mp4", footage(call), crf=30)
    (flag,) = looked_at(tmp_path / "call.mp4", index, settings, faces).flags
    assert flag.match.ref_id == "man"


def test_somebody_enrolled_under_two_names_is_not_likely_either(
    vlog, index, settings, enrol, face, descriptor
):
    enrol()
    twin = NewPerson(
        id="twin", name="Twin", authority="test", retain_until=date.max, policy=Policy.REVIEW
    )
    index.people.add(twin, space_of(descriptor), [face], people_cipher(settings))
    faces = open_faces(index, settings, TODAY)
    result = scan(Source(str(vlog)), index, {}, settings, faces=faces, min_score=0.0)
    assert result.faces is not None
    assert (result.faces.likely, result.faces.resembles) == (0, 1)
    assert {flag.verdict for flag in result.flags} == {Verdict.CLEAR}
    assert looked_at(vlog, index, settings, faces).flags == ()  # it is not above the threshold


# --- many uploads -----------------------------------------------------------------------------


def test_a_batch_goes_on_where_it_stopped_unless_who_is_enrolled_has_changed(
    vlog, tmp_path, index, settings, enrol, face, descriptor
):
    def again(faces: FaceChannel | None) -> ScanResult:
        (result,) = Batch(index, {}, settings, faces=faces, resume=True).run([Source(str(vlog))])
        return result

    faces = enrol()
    first = again(faces)
    assert first.flags
    assert again(faces) == first  # with its timings: it was not scanned again
    without = again(None)
    assert (without.faces, without.flags) == (None, ())
    other = NewPerson(
        id="other", name="Other", authority="test", retain_until=date.max, policy=Policy.REVIEW
    )
    moved = np.roll(face.vector, 5)
    someone = ReferenceFace(moved, face.crop, "other.png", "0" * 64)
    index.people.add(other, space_of(descriptor), [someone], people_cipher(settings))
    later = again(open_faces(index, settings, TODAY))
    assert later.flags
    assert later.timings != first.timings


def test_uploads_side_by_side_are_told_as_one_after_the_other(vlog, index, settings, enrol):
    faces = enrol()
    sources = [Source(str(vlog)), Source(str(fetch(ASSETS["carphone_pristine"])))]
    one = list(Batch(index, {}, settings, faces=faces).run(sources))
    both = list(Batch(index, {}, settings, faces=faces, workers=2).run(sources))
    assert [(r.flags, r.faces) for r in both] == [(r.flags, r.faces) for r in one]


# --- what the finder makes of a crowd ---------------------------------------------------------


def test_each_of_many_faces_is_found_once(portrait, descriptor):
    """Copies of a face in rows, at sizes for which several scales find it."""
    head = load_picture(portrait)[20:230, 130:330]
    for side in (60, 120, 240):
        one = np.asarray(cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        crowd: Picture = np.tile(one, (2, 4, 1))
        found = descriptor.find(crowd)
        places = sorted(
            (int((f.top + f.height / 2) // side), int((f.left + f.width / 2) // side))
            for f in found
        )
        assert places == [(row, column) for row in range(2) for column in range(4)]
        overlaps = [a.overlap(b) for n, a in enumerate(found) for b in found[:n]]
        assert max(overlaps) < 0.6


def test_of_a_crowd_only_the_largest_faces_are_followed(tmp_path, portrait, index, settings, enrol):
    head = load_picture(portrait)[20:230, 130:330]
    small = np.asarray(cv2.resize(head, (80, 80), interpolation=cv2.INTER_AREA), np.uint8)
    path = tmp_path / "crowd.mp4"
    write_clip(path, ((n / 10, np.tile(small, (5, 8, 1))) for n in range(2)), crf=12)
    result = looked_at(path, index, settings, enrol())
    counts, most = result.faces, 24 * result.frames.sampled
    assert counts is not None
    assert counts.found == 40 * result.frames.sampled
    assert counts.unusable >= counts.found - most
    assert 0 < counts.tracks <= most


def test_a_cohort_of_no_one_in_particular_serves_until_many_are_enrolled(
    vlog, index, settings, enrol, descriptor
):
    """As with a model for which no cohort ships."""
    faces = enrol()
    assert faces is not None
    plain = Likenesses(faces.likenesses.gallery, Cohort.unknown(descriptor.dim))
    result = looked_at(vlog, index, settings, FaceChannel(descriptor, plain))
    assert [flag.match.ref_id for flag in result.flags] == ["eileen"]
