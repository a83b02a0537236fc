from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.describe import describe
from detector.descriptors import Descriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.matching import rescored
from detector.samples import Cut, SampleSet, cropped, footage, mirrored, resized, write_clip
from detector.settings import ChannelSettings, ScoreWeights, Settings
from detector.types import Channel, Evidence, FramePair, Match, Segment
from detector.verify import verify
from index.embeddings import Embeddings

COPY = ChannelSettings(
    floor=0.30,
    aligned=0.42,
    least_evidence=0.05,
    min_score=0.5,
    score=ScoreWeights(intercept=-3.0, similarity=5.0),
    confirmed_score=ScoreWeights(intercept=-5.0, similarity=5.0, confirmed=6.0),
    most_verified=2,
)
EVIDENCE = Evidence(similarity=0.6, ordinary=0.1, agreement=0.6, change=0.5, seconds=4.0)


@pytest.fixture(scope="module")
def descriptor() -> Descriptor:
    return SscdDescriptor(size=224)


@pytest.fixture(scope="module")
def films(samples: SampleSet) -> dict[str, Path]:
    return {path.stem: path for path in samples.films}


@pytest.fixture(scope="module")
def film(films: dict[str, Path]) -> Path:
    return films["bikes"]


@pytest.fixture(scope="module")
def ref(film: Path, descriptor: Descriptor) -> Embeddings:
    channels = {Channel.COPY: descriptor}
    return describe(film, channels, Settings(copy_size=224)).embeddings(Channel.COPY)


@pytest.fixture(scope="module")
def upload(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take seconds 3 to 7 of the film, mirrored and cropped, with two black seconds after them."""
    path = tmp_path_factory.mktemp("upload") / "upload.mp4"
    frames = list(footage(Cut(film, 3, 7, (cropped(0.7), mirrored, resized(480, 204)))))
    black = np.zeros_like(frames[0][1])
    write_clip(path, [*frames, *((4 + n / 10, black) for n in range(20))])
    return path


def segment_at(
    query_start: float, ref_start: float, score: float = 0.4, seconds: float = 4.0
) -> Segment:
    """Align seconds of an upload with as many of the work."""
    ends = query_start, query_start + seconds, ref_start, ref_start + seconds
    pairs = (FramePair(query_start, ref_start, 0.6),)
    return Segment(*ends, score=score, speed=1.0, evidence=EVIDENCE, pairs=pairs)


def match_of(*segments: Segment) -> Match:
    return Match("bikes", Channel.COPY, max(s.score for s in segments), segments)


@pytest.fixture
def match() -> Match:
    """What alignment found of the upload."""
    return match_of(segment_at(0.0, 3.0))


def test_a_mirrored_crop_is_confirmed_and_named(
    match: Match, upload: Path, film: Path, ref: Embeddings, descriptor: Descriptor
) -> None:
    verified = verify(match, upload, film, ref, descriptor, COPY)
    (segment,) = verified.segments
    assert segment.evidence.confirmed is not None
    assert segment.evidence.confirmed > 0.9
    assert "mirrored" in segment.edits
    assert any(words.startswith("cropped to") for words in segment.edits)
    assert verified.score == segment.score > match.score


def test_nothing_but_score_confirmation_and_edits_is_changed(
    match: Match, upload: Path, film: Path, ref: Embeddings, descriptor: Descriptor
) -> None:
    (before,), (after,) = (
        match.segments,
        verify(match, upload, film, ref, descriptor, COPY).segments,
    )
    evidence = replace(before.evidence, confirmed=after.evidence.confirmed)
    assert after == replace(rescored(replace(before, evidence=evidence), COPY), edits=after.edits)


def test_other_footage_is_not_confirmed(
    match: Match, films: dict[str, Path], ref: Embeddings, descriptor: Descriptor
) -> None:
    """The embeddings were alike; the pictures are not."""
    verified = verify(match, films["bigbuckbunny"], films["bikes"], ref, descriptor, COPY)
    (segment,) = verified.segments
    assert segment.evidence.confirmed is not None
    assert segment.evidence.confirmed < 0.1
    assert segment.edits == ()
    assert verified.score < match.score


def test_another_moment_of_the_film_is_not_confirmed(
    film: Path, ref: Embeddings, descriptor: Descriptor
) -> None:
    match = match_of(segment_at(0.0, 5.0))
    (segment,) = verify(match, film, film, ref, descriptor, COPY).segments
    assert segment.evidence.confirmed is not None
    assert segment.evidence.confirmed < 0.5


def test_a_film_whose_file_holds_other_footage_by_now_says_nothing(
    upload: Path, films: dict[str, Path], ref: Embeddings, descriptor: Descriptor
) -> None:
    """It would say that the upload is no copy; or, of a copy of the other footage, that it is."""
    other = films["bigbuckbunny"]
    fits = match_of(segment_at(0.0, 1.0))
    for path in (upload, other):
        assert verify(fits, path, other, ref, descriptor, COPY) == fits


def test_a_film_whose_file_is_gone_says_nothing(
    match: Match, upload: Path, ref: Embeddings, descriptor: Descriptor, tmp_path: Path
) -> None:
    assert verify(match, upload, tmp_path / "gone.mp4", ref, descriptor, COPY) == match
    assert verify(match, upload, tmp_path, ref, descriptor, COPY) == match


def test_a_film_whose_file_cannot_be_read_any_more_says_nothing(
    match: Match, upload: Path, film: Path, ref: Embeddings, descriptor: Descriptor, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.read_bytes()[:5000])
    assert verify(match, upload, broken, ref, descriptor, COPY) == match


def test_frames_that_show_nothing_say_nothing(
    upload: Path, film: Path, ref: Embeddings, descriptor: Descriptor
) -> None:
    match = match_of(segment_at(4.2, 3.0, seconds=1.5))
    assert verify(match, upload, film, ref, descriptor, COPY) == match


@pytest.mark.parametrize(
    ("scores", "expected"),
    [((0.3, 0.5, 0.4), [False, True, True]), ((0.6, 0.97, 0.3), [False, True, False])],
)
def test_only_the_surest_segments_are_looked_at(
    scores: tuple[float, ...],
    expected: list[bool],
    upload: Path,
    film: Path,
    ref: Embeddings,
    descriptor: Descriptor,
) -> None:
    """Two of them; of a match that is nearly certain, one."""
    match = match_of(*(segment_at(0.0, 3.0, score) for score in scores))
    verified = verify(match, upload, film, ref, descriptor, COPY)
    looked_at = [segment.evidence.confirmed is not None for segment in verified.segments]
    assert looked_at == expected
    assert verified.segments[0] == match.segments[0]
    assert verified.score == max(segment.score for segment in verified.segments)
