from __future__ import annotations

import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from detector.media import UnreadableMediaError, grab, is_playable, probe
from detector.review.playback import media_type, playable
from detector.samples import Picture, write_clip

BITS = 6
SIDE = 32
EVEN = [n / 10 for n in range(30)]
UNEVEN = [0.0, 0.1, 0.5, 0.54, 1.7, 1.8, 2.9, 3.0]
SOUND = 48_000


def numbered(number: int) -> Picture:
    """Draw a number as a row of dark and bright blocks, higher than wide to the left."""
    blocks = np.uint8([[215 if number >> bit & 1 else 40 for bit in range(BITS)]])
    return np.repeat(np.kron(blocks, np.ones((SIDE, SIDE), np.uint8))[..., None], 3, axis=2)


def number_in(picture: Picture) -> int:
    levels = picture.mean(axis=2).reshape(SIDE, BITS, SIDE).mean(axis=(0, 2))
    return sum(int(level > 128) << bit for bit, level in enumerate(levels))


def clip(path: Path, times: Sequence[float] = EVEN, **options: object) -> Path:
    pictures = ((time, numbered(n)) for n, time in enumerate(times))
    write_clip(path, pictures, **options)  # type: ignore[arg-type]
    return path


def frames_of(path: Path) -> list[tuple[float, int]]:
    """Decode everything: (seconds from the start of the file, number that is shown)."""
    with av.open(path) as container:
        start = (container.start_time or 0) / av.time_base
        return [
            (frame.time - start, number_in(frame.to_ndarray(format="rgb24")))
            for frame in container.decode(video=0)
        ]


MPEG4 = {"codec": "mpeg4", "bit_rate": 800_000, "time_base": Fraction(1, 10)}
VP8 = {"codec": "libvpx", "bit_rate": 500_000, "time_base": Fraction(1, 1000)}


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("clip.mp4", {}, "video/mp4"),
        ("clip.mov", {"b_frames": 2}, "video/mp4"),
        ("clip.webm", VP8, "video/webm"),
    ],
)
def test_what_browsers_play_is_played_as_it_is(
    tmp_path: Path, name: str, options: dict[str, object], told: str
) -> None:
    path = clip(tmp_path / name, **options)
    assert is_playable(path)
    assert playable(path, tmp_path / "cache") == path
    assert media_type(path) == told
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("h264.mkv", {}),
        ("with-b-frames.mkv", {"b_frames": 2}),
        ("late.mp4", {"time_offset": 4.2}),
        ("late.ts", {"time_offset": 2.2}),
        ("mpeg4.avi", MPEG4),
        ("mpeg4.mp4", MPEG4),
        ("vp8.mkv", VP8),
        ("mpeg2.ts", {"codec": "mpeg2video", "bit_rate": 800_000, "time_base": Fraction(1, 25)}),
    ],
)
def test_of_everything_else_a_copy_shows_the_same_at_the_same_times(
    tmp_path: Path, name: str, options: dict[str, object]
) -> None:
    times = [n / 25 for n in range(40)] if "mpeg2" in name else EVEN
    path = clip(tmp_path / name, times, **options)
    assert not is_playable(path)
    copy = playable(path, tmp_path / "cache")
    assert copy.parent == tmp_path / "cache"
    assert is_playable(copy)
    assert media_type(copy) == "video/mp4"
    told, shown = frames_of(path), frames_of(copy)
    assert [number for _, number in shown] == [number for _, number in told]
    assert [at for at, _ in shown] == pytest.approx([at for at, _ in told], abs=0.002)
    assert copy.read_bytes().find(b"moov") < copy.read_bytes().find(b"mdat")


def test_what_is_coded_for_browsers_is_not_coded_again(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mkv", b_frames=2)
    copy = playable(path, tmp_path / "cache")
    with av.open(path) as ours, av.open(copy) as theirs:
        for one, other in zip(ours.decode(video=0), theirs.decode(video=0), strict=True):
            assert np.array_equal(one.to_ndarray(), other.to_ndarray())


def test_frames_at_uneven_times_keep_these(tmp_path: Path) -> None:
    path = clip(tmp_path / "uneven.mkv", UNEVEN, **{**VP8, "codec": "libvpx-vp9"})
    told = playable(path, tmp_path / "cache")
    assert [at for at, _ in frames_of(told)] == pytest.approx(UNEVEN, abs=0.002)


def test_colours_that_browsers_do_not_decode_are_made_ordinary(tmp_path: Path) -> None:
    path = tmp_path / "444.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", 10, width=BITS * SIDE, height=SIDE, pix_fmt="yuv444p")
        for n in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(n), "rgb24")))
        out.mux(stream.encode(None))
    assert not is_playable(path)
    copy = playable(path, tmp_path / "cache")
    assert is_playable(copy)
    assert [number for _, number in frames_of(copy)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_film_is_upright_in_the_copy(tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", 10, width=BITS * SIDE, height=SIDE, pix_fmt="yuv420p")
        stream.set_display_rotation(degrees)
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(11), "rgb24")))
        out.mux(stream.encode(None))
    copy = playable(path, tmp_path / "cache")
    (upright,), (shown,) = grab(path, [0.2]), grab(copy, [0.2])
    assert (upright.shape[0] > upright.shape[1]) == (degrees != 180)
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(float) - upright).mean() < 10
    assert probe(copy).rotation == 0


def test_large_pictures_are_scaled_down_to_even_sides(tmp_path: Path) -> None:
    path = tmp_path / "large.avi"
    rows = np.linspace(0, 255, 1082, dtype=np.uint8)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to(rows, (1082, 1926, 3)))
    write_clip(path, [(0.0, picture), (0.1, picture)], **MPEG4)  # type: ignore[arg-type]
    info = probe(playable(path, tmp_path / "cache"))
    assert info.height == 720
    assert info.width == pytest.approx(720 * 1926 / 1082, abs=1)
    assert info.width % 2 == 0


def with_beep(path: Path, codec: str, at: float, start: float = 0.0) -> Path:
    """Write three seconds of film whose sound begins at `start` and beeps for 0.2 s."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", 10, width=BITS * SIDE, height=SIDE, pix_fmt="yuv420p")
        audio = out.add_stream(codec, SOUND, layout="mono")
        for n in range(30):
            out.mux(video.encode(av.VideoFrame.from_ndarray(numbered(n), "rgb24")))
        seconds = np.arange(round(start * SOUND), 3 * SOUND) / SOUND
        wave = 0.5 * np.sin(2 * np.pi * 440 * seconds) * ((seconds >= at) & (seconds < at + 0.2))
        samples = (32767 * wave).astype(np.int16)
        for first in range(0, len(samples), 1152):
            frame = av.AudioFrame.from_ndarray(samples[None, first : first + 1152], "s16", "mono")
            frame.sample_rate = SOUND
            frame.pts, frame.time_base = round(start * SOUND) + first, Fraction(1, SOUND)
            out.mux(audio.encode(frame))
        for stream in (video, audio):
            out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "start"),
    [("a.avi", "pcm_s16le", 0.0), ("a.mkv", "libmp3lame", 0.0), ("late.mkv", "pcm_s16le", 0.75)],
)
def test_sound_stays_in_step(tmp_path: Path, name: str, codec: str, start: float) -> None:
    path = with_beep(tmp_path / name, codec, at=1.5, start=start)
    copy = playable(path, tmp_path / "cache")
    loud = []
    with av.open(copy) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        for frame in container.decode(audio=0):
            level = np.abs(frame.to_ndarray()).mean(axis=0)
            loud += (frame.time + np.flatnonzero(level > 0.1) / frame.sample_rate).tolist()
    assert loud[0] == pytest.approx(1.5, abs=0.03)
    assert loud[-1] == pytest.approx(1.7, abs=0.03)
    assert [number for _, number in frames_of(copy)] == list(range(30))


def test_of_a_film_that_breaks_off_the_copy_has_what_can_be_read(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.mkv", gop=5)
    indexed_first = playable(whole, tmp_path / "cache").read_bytes()
    broken = tmp_path / "broken.mp4"
    frames = indexed_first.find(b"mdat")
    broken.write_bytes(indexed_first[: frames + (len(indexed_first) - frames) * 2 // 3])
    assert not is_playable(broken)
    copy = playable(broken, tmp_path / "cache")
    assert is_playable(copy)
    shown = [number for _, number in frames_of(copy)]
    assert 10 <= len(shown) < 30
    assert shown[:10] == list(range(10))


def test_what_is_no_video_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no video at all")
    with pytest.raises(UnreadableMediaError, match="not a video"):
        playable(path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_copy_is_made_once_for_a_file_as_it_is(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.avi", **MPEG4)
    seen: list[float] = []
    copy = playable(path, tmp_path / "cache", lambda time, _: seen.append(time))
    assert seen == [0, 1, 2]  # once for each second of the video
    assert playable(path, tmp_path / "cache", lambda time, _: seen.append(time)) == copy
    assert len(seen) == 3
    clip(path, EVEN[:5], **MPEG4)
    other = playable(path, tmp_path / "cache")
    assert other != copy
    assert len(frames_of(other)) == 5


def test_who_is_stopped_half_way_leaves_no_copy(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.avi", **MPEG4)

    def stop(time: float, duration: float | None) -> None:
        if time > 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        playable(path, tmp_path / "cache", stop)
    assert {file.suffix for file in (tmp_path / "cache").iterdir()} <= {".lock"}
    assert len(frames_of(playable(path, tmp_path / "cache"))) == len(EVEN)


def test_two_who_ask_at_once_share_one_copy(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.avi", **MPEG4)
    makers: set[int] = set()
    copies: list[Path] = []
    together = threading.Barrier(4)

    def ask() -> None:
        together.wait()
        copies.append(
            playable(path, tmp_path / "cache", lambda *_: makers.add(threading.get_ident()))
        )

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(copies) == 4
    assert len(set(copies)) == 1
    assert len(makers) == 1
