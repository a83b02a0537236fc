"""A glance finds where to look; what it finds is then looked at as in a thorough scan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from detector.descriptors import Descriptor
from detector.descriptors.sscd import SscdDescriptor
from detector.inputs import Source
from detector.passes import _joined
from detector.pipeline import enroll, scan
from detector.samples import Cut, SampleSet, resized, transcode, whole
from detector.settings import Settings
from detector.types import Channel, Mode, ScanResult
from index.reference_index import ReferenceIndex

Scans = tuple[ScanResult, ScanResult]
seconds = st.floats(-10, 100, allow_nan=False)
stretches = st.lists(st.tuples(seconds, seconds).map(sorted).map(tuple), max_size=12)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, samples: SampleSet) -> Iterator[ReferenceIndex]:
    """Open a workspace in which the first of the demo's films is enrolled."""
    with ReferenceIndex.open(tmp_path_factory.mktemp("home")) as opened:
        enroll(Source(str(samples.films[0])), opened, descriptors(), settings(Mode.THOROUGH))
        yield opened


def descriptors() -> dict[Channel, Descriptor]:
    return {Channel.COPY: SscdDescriptor(size=224)}


def settings(mode: Mode) -> Settings:
    return Settings(copy_size=224, mode=mode)


def both(upload: Path, index: ReferenceIndex) -> Scans:
    """Scan an upload thoroughly and fast."""
    source = Source(str(upload))
    thorough, fast = (scan(source, index, descriptors(), settings(mode)) for mode in Mode)
    return thorough, fast


@pytest.fixture(scope="module")
def half_copied(tmp_path_factory: pytest.TempPathFactory, samples: SampleSet) -> Path:
    """Make an upload of other footage with four seconds of the film in it."""
    film, other = samples.films[:2]
    path = tmp_path_factory.mktemp("uploads") / "half.mp4"
    small = resized(320, 180)
    around = whole(other, small)
    transcode(path, [around, Cut(film, 0.5, 4.5, (small,)), around])
    return path


def test_a_copy_is_found_where_a_thorough_scan_finds_it(
    half_copied: Path, index: ReferenceIndex
) -> None:
    thorough, fast = both(half_copied, index)
    (segment,) = fast.flags[0].match.segments
    (expected,) = thorough.flags[0].match.segments
    assert segment.query_start == pytest.approx(expected.query_start, abs=0.3)
    assert segment.query_end == pytest.approx(expected.query_end, abs=0.3)
    assert fast.flags[0].verdict is thorough.flags[0].verdict
    assert fast.duration == pytest.approx(thorough.duration)


def test_innocent_footage_is_only_glanced_at(samples: SampleSet, index: ReferenceIndex) -> None:
    thorough, fast = both(samples.films[1], index)
    assert not fast.flags
    assert fast.frames.sampled == pytest.approx(thorough.frames.sampled / 4, abs=2)
    assert fast.reason is None


@hypothesis_settings(deadline=None)
@given(windows=stretches, duration=st.floats(1, 90))
def test_joined_stretches_are_the_union_in_order(
    windows: list[tuple[float, float]], duration: float
) -> None:
    joined = _joined(windows, duration)
    ends = [end for window in joined for end in window]
    assert ends == sorted(ends)
    assert all(0 <= end <= duration for end in ends)
    for n in range(200):
        time = min(duration * n / 199, duration)
        inside = any(start <= time <= end for start, end in windows)
        assert inside == any(start <= time <= end for start, end in joined)
