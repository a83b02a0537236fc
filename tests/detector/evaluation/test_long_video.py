from __future__ import annotations

import itertools
from pathlib import Path

import av
import numpy as np
import pytest

from detector.evaluation.long_video import HEIGHT, RATE, WIDTH, make_long_video
from detector.media import probe
from detector.samples import write_clip


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a minute of two clips of a second: one that gets brighter, and a dark one."""
    folder = tmp_path_factory.mktemp("long")
    for name, levels in (("bright", range(100, 200, 10)), ("dark", [20] * 10)):
        frames = (np.full((36, 64, 3), level, np.uint8) for level in levels)
        write_clip(folder / f"{name}.mp4", ((n / 10, one) for n, one in enumerate(frames)))
    return make_long_video([folder / "bright.mp4", folder / "dark.mp4"], 1, folder)


def test_it_is_as_long_and_large_as_was_asked_for(long_video):
    info = probe(long_video)
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    assert info.duration == pytest.approx(60, abs=0.2)


def test_its_frames_come_at_a_constant_rate(long_video):
    with av.open(str(long_video)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
    times = np.sort([float(packet.pts * packet.time_base) for packet in packets])
    assert len(times) == 60 * RATE
    np.testing.assert_allclose(np.diff(times), 1 / RATE, atol=1e-3)


@pytest.mark.parametrize("start", [0, 48])  # a fifth is encoded, and repeated
def test_it_shows_the_clips_in_turn(long_video, start):
    with av.open(str(long_video)) as container:
        container.seek(start * av.time_base)
        frames = itertools.islice(container.decode(video=0), 40)
        levels = np.array([frame.to_ndarray(format="gray8").mean() for frame in frames])
    is_bright = (levels > 60).tolist()
    assert is_bright == ([True] * 10 + [False] * 10) * 2
