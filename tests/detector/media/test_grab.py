from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from detector.media import UnreadableMediaError, grab, grab_run
from detector.samples import Picture, write_clip

BITS = 8
UNEVEN = np.cumsum([0, *np.random.default_rng(2).uniform(0.02, 0.4, 79)]).round(3).tolist()


def numbered(number: int) -> Picture:
    """Draw a number as a row of dark and bright blocks."""
    blocks = np.uint8([[215 if number >> bit & 1 else 40 for bit in range(BITS)]])
    return np.repeat(np.kron(blocks, np.ones((32, 32), np.uint8))[..., None], 3, axis=2)


def number_in(picture: np.ndarray) -> int:
    levels = picture.mean(axis=2).reshape(32, BITS, 32).mean(axis=(0, 2))
    return sum(int(level > 128) << bit for bit, level in enumerate(levels))


def clip(path: Path, times: list[float], **options: object) -> Path:
    write_clip(path, ((time, numbered(n)) for n, time in enumerate(times)), crf=18, **options)
    return path


def on_screen(path: Path, times: list[float]) -> list[int]:
    """Decode everything and look up the last frame that is not later."""
    with av.open(path) as container:
        start = (container.start_time or 0) / av.time_base
        frames = [
            (
                float(frame.pts * frame.time_base) - start,
                number_in(frame.to_ndarray(format="rgb24")),
            )
            for frame in container.decode(video=0)
        ]
    return [[number for at, number in frames if at <= time + 1e-3][-1] for time in times]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("gop", [5, 250])
@pytest.mark.parametrize("offset", [0.0, 2.2])
def test_what_is_on_screen_is_grabbed_in_any_order_of_times(
    tmp_path: Path, suffix: str, gop: int, offset: float
) -> None:
    path = clip(tmp_path / f"clip.{suffix}", UNEVEN, gop=gop, b_frames=2, time_offset=offset)
    times = np.random.default_rng(3).uniform(0, UNEVEN[-1], 12).tolist()
    assert [number_in(image) for image in grab(path, times)] == on_screen(path, times)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("gop", "offset"), [(5, 0.0), (250, 2.2)])
@pytest.mark.parametrize("first", [0.0, 7.3])
def test_frames_grabbed_in_a_run_are_the_same(
    tmp_path: Path, suffix: str, gop: int, offset: float, first: float
) -> None:
    path = clip(tmp_path / f"clip.{suffix}", UNEVEN, gop=gop, b_frames=2, time_offset=offset)
    times = sorted(np.random.default_rng(3).uniform(first, UNEVEN[-1], 40).tolist())
    assert [number_in(image) for image in grab_run(path, times)] == on_screen(path, times)
    after = [*times, UNEVEN[-1] + 1, UNEVEN[-1] + 2]  # the last frame stays
    assert [number_in(image) for image in grab_run(path, after)[-3:]][1:] == [79, 79]


def test_a_run_of_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(UnreadableMediaError, match="not a video"):
        grab_run(tmp_path / "notes.mp4", [0.0])


def test_a_frame_is_grabbed_at_exactly_its_own_time(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", UNEVEN, gop=12, b_frames=2)
    assert [number_in(image) for image in grab(path, UNEVEN[::9])] == list(range(0, 80, 9))


def test_the_first_and_the_last_frame_can_be_grabbed(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", UNEVEN, gop=12)
    assert [number_in(image) for image in grab(path, [UNEVEN[-1], 0.0])] == [79, 0]


def test_after_the_end_the_last_frame_is_grabbed(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", UNEVEN, gop=12)
    assert [number_in(image) for image in grab(path, [UNEVEN[-1] + 0.3])] == [79]


def test_pictures_are_scaled_down_to_the_short_side(tmp_path: Path) -> None:
    (image,) = grab(clip(tmp_path / "clip.mp4", UNEVEN), [1.0], short_side=16)
    assert image.shape == (16, 128, 3)


def test_no_times_give_no_pictures(tmp_path: Path) -> None:
    assert grab(clip(tmp_path / "clip.mp4", UNEVEN), []) == []


def test_what_is_no_video_cannot_be_grabbed_from(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no film at all\n" * 40)
    with pytest.raises(UnreadableMediaError, match="not a video"):
        grab(path, [0.0])


def test_frames_that_cannot_be_decoded_are_a_reason_not_a_crash(tmp_path: Path) -> None:
    whole, path = clip(tmp_path / "clip.mkv", UNEVEN, gop=12), tmp_path / "spoilt.mkv"
    with av.open(whole) as source, av.open(path, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                spoilt = av.Packet(b"\xff" * packet.size)
                spoilt.pts, spoilt.dts, spoilt.time_base = packet.pts, packet.dts, packet.time_base
                spoilt.is_keyframe, spoilt.stream = packet.is_keyframe, stream
                target.mux(spoilt)
    with pytest.raises(UnreadableMediaError):
        grab(path, [3.0])
