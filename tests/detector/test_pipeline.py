from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.batch import Batch
from detector.describe import OnProgress
from detector.descriptors import Descriptor, space_of
from detector.descriptors.sscd import SscdDescriptor
from detector.inputs import InputError, Source
from detector.media import Limits, UnreadableMediaError
from detector.pipeline import Enrolled, NothingToMatchError, enroll, scan
from detector.samples import (
    Sample,
    SampleSet,
    TimedPicture,
    footage,
    resized,
    write_clip,
)
from detector.samples import whole as whole_of
from detector.settings import Settings
from detector.types import Channel, Fault, ScanResult, Status, Verdict
from index.errors import IdTakenError, SpaceMismatchError
from index.records import Policy
from index.reference_index import ReferenceIndex

Descriptors = dict[Channel, Descriptor]
SMALL = ("bunny-low-quality", "phone-call", "phone-call-bad-line")  # quick to decode


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
    """Return a workspace in which the demo's films are enrolled; do not write to it."""
    home = tmp_path_factory.mktemp("home")
    with ReferenceIndex.open(home) as index:
        for film in samples.films:
            enroll(Source(str(film)), index, descriptors, settings, policy=Policy.BLOCK)
    return home


@pytest.fixture
def index(enrolled_home: Path, tmp_path: Path) -> Iterator[ReferenceIndex]:
    """Open a copy of that workspace, to do with as one likes."""
    home = Path(shutil.copytree(enrolled_home, tmp_path / "home"))
    with ReferenceIndex.open(home) as index:
        yield index


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ReferenceIndex]:
    with ReferenceIndex.open(tmp_path / "empty") as index:
        yield index


def upload(samples: SampleSet, name: str) -> Source:
    (path,) = (sample.path for sample in samples.uploads if sample.path.stem == name)
    return Source(str(path))


def film(samples: SampleSet, name: str) -> Source:
    (path,) = (path for path in samples.films if path.stem == name)
    return Source(str(path))


def found(result: ScanResult) -> set[str]:
    return {flag.match.ref_id for flag in result.flags}


def black_clip(path: Path) -> Source:
    black = np.zeros((90, 160, 3), np.uint8)
    write_clip(path, ((n / 10, black) for n in range(30)))
    return Source(str(path))


# --- enrolling --------------------------------------------------------------------------------


def test_a_film_is_enrolled_under_its_name_with_what_is_known_of_it(
    empty: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    source = film(samples, "bigbuckbunny")
    enrolled = enroll(source, empty, descriptors, settings, title="Big Buck Bunny", owner="BBI")
    work = enrolled.work
    assert (work.id, work.title, work.owner) == ("bigbuckbunny", "Big Buck Bunny", "BBI")
    assert work.policy is Policy.REVIEW
    assert work.duration == pytest.approx(5.28, abs=0.1)
    assert work.frames_sampled > 30
    assert enrolled.added == (Channel.COPY,)
    assert enrolled.problem is None
    embeddings = empty.embeddings(work.number, Channel.COPY)
    assert len(embeddings) == work.frames_sampled - work.frames_uniform
    assert empty.space(Channel.COPY) == space_of(descriptors[Channel.COPY])


def test_the_same_file_again_is_recognised(
    index: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    before = index.works()
    again = Path(shutil.copyfile(samples.films[0], tmp_path / "under-another-name.mp4"))
    enrolled = enroll(Source(str(again)), index, descriptors, settings)
    assert enrolled == Enrolled(before[0], (), None)
    assert index.works() == before


def test_another_film_of_the_same_name_is_refused(
    index: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    other = Path(
        shutil.copyfile(upload(samples, "phone-call").name, tmp_path / samples.films[0].name)
    )
    with pytest.raises(IdTakenError, match="--id"):
        enroll(Source(str(other)), index, descriptors, settings)
    assert enroll(Source(str(other)), index, descriptors, settings, work_id="other").added


def test_a_film_that_is_all_black_cannot_be_protected(
    empty: ReferenceIndex, descriptors: Descriptors, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(NothingToMatchError, match="uniform"):
        enroll(black_clip(tmp_path / "black.mp4"), empty, descriptors, settings)
    assert empty.works() == []


def test_what_is_no_film_cannot_be_protected(
    empty: ReferenceIndex, descriptors: Descriptors, settings: Settings, tmp_path: Path
) -> None:
    text = tmp_path / "script.mp4"
    text.write_text("INT. OFFICE - NIGHT\n" * 30)
    with pytest.raises(UnreadableMediaError):
        enroll(Source(str(text)), empty, descriptors, settings)
    with pytest.raises(InputError):
        enroll(Source(str(tmp_path / "gone.mp4")), empty, descriptors, settings)
    assert empty.works() == []


def test_another_descriptor_cannot_add_to_the_same_space(
    index: ReferenceIndex, samples: SampleSet, settings: Settings
) -> None:
    other: Descriptors = {Channel.COPY: SscdDescriptor(size=288)}
    before = index.works()
    with pytest.raises(SpaceMismatchError, match="sscd-distilled-288"):
        enroll(Source(str(samples.uploads[0].path)), index, other, settings)
    assert index.works() == before


def test_a_film_added_before_a_channel_was_on_gets_the_new_channel(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    both = {**descriptors, Channel.SEMANTIC: SscdDescriptor(size=96)}
    enrolled = enroll(Source(str(samples.films[0])), index, both, settings)
    assert enrolled.added == (Channel.SEMANTIC,)
    assert index.channels(enrolled.work.number) == {Channel.COPY, Channel.SEMANTIC}
    assert len(index.works()) == len(samples.films)


# --- scanning ---------------------------------------------------------------------------------


def test_a_copy_is_found_at_the_planted_times(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    (sample,) = (s for s in samples.uploads if s.path.stem == "holiday-vlog-with-bikes")
    (planted,) = sample.copies
    result = scan(Source(str(sample.path)), index, descriptors, settings)
    assert result.status is Status.OK
    assert result.duration == pytest.approx(sample.duration, abs=0.1)
    assert result.verdict is Verdict.BLOCK
    (flag,) = result.flags
    (segment,) = flag.match.segments
    assert flag.match.ref_id == planted.ref_id
    times = (segment.query_start, segment.query_end, segment.ref_start, segment.ref_end)
    expected = (planted.query_start, planted.query_end, planted.ref_start, planted.ref_end)
    assert times == pytest.approx(expected, abs=0.6)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("inset", "inset at the lower right"),
        ("brief inset", "inset at the lower right"),
        ("inverted", "colours inverted"),
    ],
)
def test_a_hidden_copy_is_found_and_said_how_it_was_hidden(
    name: str,
    words: str,
    index: ReferenceIndex,
    hidden_copies: dict[str, Sample],
    descriptors: Descriptors,
    settings: Settings,
) -> None:
    sample = hidden_copies[name]
    (planted,) = sample.copies
    result = scan(Source(str(sample.path)), index, descriptors, settings)
    assert result.verdict is Verdict.BLOCK
    assert found(result) == {"bikes"}
    (segment,) = result.flags[0].match.segments
    times = (segment.query_start, segment.query_end, segment.ref_start, segment.ref_end)
    expected = (planted.query_start, planted.query_end, planted.ref_start, planted.ref_end)
    assert times == pytest.approx(expected, abs=0.6)
    assert segment.evidence.confirmed is not None
    assert any(edit.startswith(words) for edit in segment.edits), segment.edits


def test_a_negative_that_fades_in_is_found(
    index: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    """Which of the dark frames show nothing must not depend on why the upload is read."""
    path = tmp_path / "fading.mp4"

    def faded() -> Iterator[TimedPicture]:
        for time, picture in footage(whole_of(samples.films[0], resized(480, 270))):
            yield time, np.rint(time / 16 * (255.0 - picture)).astype(np.uint8)

    write_clip(path, faded())
    assert found(scan(Source(str(path)), index, descriptors, settings)) == {"bigbuckbunny"}


def test_a_copy_is_confirmed_by_its_pictures(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    result = scan(upload(samples, "bikes-mirrored"), index, descriptors, settings)
    ((segment,),) = (flag.match.segments for flag in result.flags)
    assert segment.evidence.confirmed == pytest.approx(1.0, abs=0.1)
    assert "mirrored" in segment.edits
    assert result.timings["verify"] > 0


def test_without_the_film_a_copy_is_found_but_not_confirmed(
    empty: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    """The film itself is not needed to protect it; it may lie elsewhere by now."""
    moved = Path(shutil.copyfile(film(samples, "bigbuckbunny").name, tmp_path / "film.mp4"))
    enroll(Source(str(moved)), empty, descriptors, settings)
    moved.unlink()
    result = scan(upload(samples, "bunny-low-quality"), empty, descriptors, settings)
    ((segment,),) = (flag.match.segments for flag in result.flags)
    assert segment.evidence.confirmed is None
    assert segment.edits == ()


def test_an_innocent_upload_is_clear(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    result = scan(upload(samples, "phone-call"), index, descriptors, settings)
    assert (result.status, result.flags) == (Status.OK, ())
    assert result.verdict is Verdict.CLEAR


def test_against_an_empty_index_all_is_clear(
    empty: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    result = scan(upload(samples, "bunny-low-quality"), empty, descriptors, settings)
    assert (result.status, result.flags) == (Status.OK, ())
    assert result.frames.sampled > 0


def test_a_removed_work_is_no_longer_matched(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    source = upload(samples, "bunny-low-quality")
    assert found(scan(source, index, descriptors, settings)) == {"bigbuckbunny"}
    index.remove("bigbuckbunny")
    assert scan(source, index, descriptors, settings).flags == ()


def test_a_file_that_cannot_be_read_is_a_result_with_a_reason(
    index: ReferenceIndex, descriptors: Descriptors, settings: Settings, tmp_path: Path
) -> None:
    text = tmp_path / "broken.mp4"
    text.write_text("not a film\n" * 50)
    result = scan(Source(str(text)), index, descriptors, settings)
    assert (result.status, result.query_id) == (Status.UNREADABLE, "broken")
    assert "not a video" in (result.reason or "")


def test_a_missing_file_is_a_result_with_a_reason(
    index: ReferenceIndex, descriptors: Descriptors, settings: Settings, tmp_path: Path
) -> None:
    result = scan(Source(str(tmp_path / "gone.mp4")), index, descriptors, settings)
    assert result.status is Status.UNREADABLE
    assert "no such file" in (result.reason or "").lower()


def test_a_truncated_upload_is_read_in_part_and_still_matched(
    index: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    whole = tmp_path / "whole.mkv"
    write_clip(whole, footage(whole_of(samples.films[1], resized(480, 200))), gop=25)
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = scan(Source(str(path)), index, descriptors, settings)
    assert result.status is Status.PARTIAL
    assert result.reason
    assert found(result) == {"bikes"}


@pytest.mark.parametrize(
    ("limits", "status", "fault"),
    [
        (Limits(frames=4), Status.PARTIAL, Fault.SIZE),
        (Limits(silence=0), Status.UNREADABLE, Fault.HANG),
    ],
)
def test_a_limit_that_an_upload_ran_into_is_named(
    index: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    limits: Limits,
    status: Status,
    fault: Fault,
) -> None:
    limited = settings.model_copy(update={"limits": limits})
    result = scan(upload(samples, "phone-call"), index, descriptors, limited)
    assert (result.status, result.fault) == (status, fault)


def test_an_upload_that_shows_nothing_is_clear_and_says_so(
    index: ReferenceIndex, descriptors: Descriptors, settings: Settings, tmp_path: Path
) -> None:
    result = scan(black_clip(tmp_path / "black.mp4"), index, descriptors, settings)
    assert (result.status, result.flags) == (Status.OK, ())
    assert result.frames.uniform == result.frames.sampled > 0


def test_matches_below_the_least_score_are_left_out_and_with_0_all_are_given(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    source = upload(samples, "bunny-low-quality")
    every = scan(source, index, descriptors, settings, min_score=0.0)
    scores = sorted(segment.score for flag in every.flags for segment in flag.match.segments)
    result = scan(source, index, descriptors, settings, min_score=scores[-1])
    kept = [segment.score for flag in result.flags for segment in flag.match.segments]
    assert kept == scores[-1:]
    assert scan(source, index, descriptors, settings, min_score=1.0).flags == ()


def test_the_strongest_flag_comes_first(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    result = scan(upload(samples, "best-scenes-compilation"), index, descriptors, settings)
    assert found(result) == {"bigbuckbunny", "bikes"}
    scores = [flag.match.score for flag in result.flags]
    assert scores == sorted(scores, reverse=True)


# --- many uploads -----------------------------------------------------------------------------


def without_timings(result: ScanResult) -> ScanResult:
    return replace(result, timings={})


def test_results_come_in_the_order_of_the_uploads(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    some = [upload(samples, name) for name in SMALL]
    sources = [some[0], Source("gone.mp4"), *some[1:], Source("gone too.mp4")]
    one = list(Batch(index, descriptors, settings).run(sources))
    three = list(Batch(index, descriptors, settings, workers=3).run(sources))
    assert [result.source for result in three] == [source.name for source in sources]
    assert [without_timings(r) for r in three] == [without_timings(r) for r in one]


def test_a_batch_goes_on_where_it_stopped(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> None:
    sources = [upload(samples, name) for name in SMALL]
    half = Batch(index, descriptors, settings).run(sources)
    first = next(half)
    half.close()
    resumed = list(Batch(index, descriptors, settings, resume=True).run(sources))
    assert resumed[0] == first  # with its timings: it was not scanned again
    assert len(resumed) == 3


@pytest.fixture
def scanned(
    index: ReferenceIndex, samples: SampleSet, descriptors: Descriptors, settings: Settings
) -> tuple[Source, ScanResult]:
    """Scan an upload; a result with the same timings is remembered, not scanned anew."""
    source = upload(samples, "phone-call")
    (result,) = Batch(index, descriptors, settings).run([source])
    return source, result


def rescan(
    source: Source,
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
    **options: object,
) -> ScanResult:
    (result,) = Batch(index, descriptors, settings, **options).run([source])
    return result


def test_what_was_scanned_is_not_decoded_again(
    scanned: tuple[Source, ScanResult],
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
) -> None:
    source, result = scanned
    assert rescan(source, index, descriptors, settings, resume=True) == result
    assert rescan(source, index, descriptors, settings).timings != result.timings


def test_the_same_content_under_another_name_is_known(
    scanned: tuple[Source, ScanResult],
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    source, result = scanned
    again = Source(shutil.copyfile(source.name, str(tmp_path / "again.mp4")))
    expected = replace(result, source=again.name, query_id="again")
    assert rescan(again, index, descriptors, settings, resume=True) == expected


def test_other_content_of_the_same_name_size_and_time_is_scanned_anew(
    index: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    path = tmp_path / "upload.mp4"
    shutil.copyfile(upload(samples, "bunny-low-quality").name, path)
    source = Source(str(path))
    assert found(rescan(source, index, descriptors, settings)) == {"bigbuckbunny"}
    stat = path.stat()
    path.write_bytes(b"\xff" * stat.st_size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    result = rescan(source, index, descriptors, settings, resume=True)
    assert result.status is Status.UNREADABLE


def test_an_upload_that_changes_while_it_is_read_is_told_and_not_remembered(
    index: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    path = tmp_path / "upload.mp4"
    shutil.copyfile(upload(samples, "phone-call").name, path)
    source = Source(str(path))

    def growing(_: Source) -> OnProgress:
        return lambda *_: os.utime(path, ns=(0, 0))

    (result,) = Batch(index, descriptors, settings).run([source], growing)
    assert (result.status, result.reason) == (
        Status.PARTIAL,
        "the file changed while it was scanned",
    )
    assert rescan(source, index, descriptors, settings, resume=True).status is Status.OK


def test_with_other_settings_or_another_least_score_all_is_scanned_anew(
    scanned: tuple[Source, ScanResult],
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
) -> None:
    source, result = scanned
    finer = settings.model_copy(update={"rate": 3.0})
    for other in (
        rescan(source, index, descriptors, finer, resume=True),
        rescan(source, index, descriptors, settings, resume=True, min_score=0.1),
    ):
        assert other.timings != result.timings


def test_after_a_work_was_added_or_removed_all_is_scanned_anew(
    scanned: tuple[Source, ScanResult],
    index: ReferenceIndex,
    descriptors: Descriptors,
    settings: Settings,
) -> None:
    source, result = scanned
    index.remove("bikes")
    assert rescan(source, index, descriptors, settings, resume=True).timings != result.timings


def test_what_could_not_be_read_is_tried_again(
    index: ReferenceIndex,
    samples: SampleSet,
    descriptors: Descriptors,
    settings: Settings,
    tmp_path: Path,
) -> None:
    """As on a share that was not mounted."""
    path = tmp_path / "upload.mp4"
    result = rescan(Source(str(path)), index, descriptors, settings, resume=True)
    assert result.status is Status.UNREADABLE
    shutil.copyfile(upload(samples, "bunny-low-quality").name, path)
    result = rescan(Source(str(path)), index, descriptors, settings, resume=True)
    assert found(result) == {"bigbuckbunny"}


def test_an_upload_cannot_be_scanned_against_the_vectors_of_another_descriptor(
    index: ReferenceIndex, samples: SampleSet, settings: Settings
) -> None:
    """Their similarities would mean nothing: that must be said, not answered with `clear`."""
    other: Descriptors = {Channel.COPY: SscdDescriptor(size=288)}
    with pytest.raises(SpaceMismatchError):
        scan(upload(samples, "bunny-low-quality"), index, other, settings)
