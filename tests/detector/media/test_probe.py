from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from detector.media import MediaInfo, Sampler, UnreadableMediaError, probe
from detector.samples import TimedPicture, write_clip

RED, GREEN, BLUE = (210, 40, 40), (40, 180, 40), (40, 40, 210)


def corners(height: int = 64, width: int = 160) -> np.ndarray:
    """Return a picture that tells which way up it is."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = RED
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, width // 2 :] = BLUE
    return picture


def still(times: list[float]) -> Iterator[TimedPicture]:
    return ((time, corners()) for time in times)


def clip(path: Path, times: list[float], **options: object) -> Path:
    write_clip(path, still(times), **options)
    return path


def even(rate: float, seconds: float) -> list[float]:
    return [n / rate for n in range(round(rate * seconds))]


def encode(
    path: Path, *, rotation: int = 0, pixel_aspect: Fraction | None = None, codec: str = "libx264"
) -> Path:
    """Write a second of `corners` with what only the container or the codec's header says."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 64, "yuv420p"
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        stream.set_display_rotation(rotation)  # counter-clockwise
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def song(path: Path, *, cover: bool) -> Path:
    """Write half a second of a tone, with or without a cover picture."""
    with av.open(path, "w") as container:
        sound = container.add_stream("libmp3lame", rate=44_100, layout="mono")
        picture = None
        if cover:
            picture = container.add_stream("png")
            picture.width, picture.height, picture.pix_fmt = 160, 64, "rgb24"
            picture.disposition = Disposition.attached_pic
            container.start_encoding()
            container.mux(picture.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
            container.mux(picture.encode(None))
        tone = (8000 * np.sin(np.arange(22_050) / 10)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate = 44_100
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def first_picture(path: Path) -> np.ndarray:
    return next(iter(Sampler(path, rate=1))).image


def test_a_clip_is_described_by_its_headers(tmp_path: Path) -> None:
    info = probe(clip(tmp_path / "clip.mp4", even(25, 2)))
    assert info == MediaInfo(
        width=160,
        height=64,
        rotation=0,
        frame_rate=25.0,
        is_variable_rate=False,
        duration=pytest.approx(2.0, abs=0.001),
        codec="h264",
        container="mov,mp4,m4a,3gp,3g2,mj2",
    )


def test_another_codec_in_another_container_is_named(tmp_path: Path) -> None:
    info = probe(clip(tmp_path / "clip.webm", even(10, 1), codec="libvpx-vp9"))
    assert (info.codec, info.container) == ("vp9", "matroska,webm")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_clip_that_starts_late_is_no_longer_for_that(tmp_path: Path, suffix: str) -> None:
    info = probe(clip(tmp_path / f"clip.{suffix}", even(25, 2), time_offset=3.0))
    assert info.duration == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_uneven_times_are_a_variable_rate(tmp_path: Path, suffix: str) -> None:
    times = [0.0, 0.04, 0.11, 0.5, 0.533, 1.7, 1.74]
    assert probe(clip(tmp_path / f"clip.{suffix}", times)).is_variable_rate


@pytest.mark.parametrize("rate", [24_000 / 1001, 25, 30_000 / 1001, 50])
def test_milliseconds_of_rounding_are_no_variable_rate(tmp_path: Path, rate: float) -> None:
    path = clip(tmp_path / "clip.mkv", even(rate, 2), b_frames=2)
    assert not probe(path).is_variable_rate


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_a_turned_clip_is_seen_as_a_player_shows_it(tmp_path: Path, quarter_turns: int) -> None:
    path = encode(tmp_path / "clip.mp4", rotation=90 * quarter_turns)
    upright = np.rot90(corners(), quarter_turns)
    info = probe(path)
    assert info.rotation == -90 * quarter_turns % 360  # which is clockwise
    assert (info.height, info.width) == upright.shape[:2]
    picture = first_picture(path)
    assert picture.shape == upright.shape
    assert np.abs(picture.astype(int) - upright).mean() < 8


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", pixel_aspect=Fraction(3, 2))
    info = probe(path)
    assert (info.width, info.height) == (240, 64)
    assert first_picture(path).shape == (64, 240, 3)


def test_a_turned_clip_of_long_pixels_is_long_the_other_way(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", rotation=90, pixel_aspect=Fraction(3, 2))
    info = probe(path)
    assert (info.width, info.height) == (64, 240)
    assert first_picture(path).shape == (240, 64, 3)


def test_sound_beside_a_video_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(path, "w") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 160, 64, "yuv420p"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
        for _ in range(10):
            container.mux(video.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
        container.mux(video.encode(None))
    assert probe(path).codec == "h264"


# --- what is no video -------------------------------------------------------------------------


def test_text_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("Dear diary, today I uploaded a film.\n" * 40)
    with pytest.raises(UnreadableMediaError, match="not a video"):
        probe(path)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "nothing.mp4"
    path.touch()
    with pytest.raises(UnreadableMediaError, match="empty"):
        probe(path)


@pytest.mark.parametrize("cover", [False, True], ids=["alone", "with a cover"])
def test_a_song_is_no_video(tmp_path: Path, cover: bool) -> None:
    path = song(tmp_path / "song.mp3", cover=cover)
    with av.open(path) as container:
        assert len(container.streams.video) == cover
    with pytest.raises(UnreadableMediaError, match="no video stream"):
        probe(path)


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="directory"):
        probe(tmp_path)


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError, match="No such file"):
        probe(tmp_path / "gone.mp4")


def playlists(clip: Path) -> dict[str, str]:
    """Return files of several kinds that name a clip instead of holding one."""
    return {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{clip}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile {clip.name}\n",
    }


@pytest.mark.parametrize("kind", ["list.m3u8", "list.ffconcat"])
def test_a_playlist_does_not_open_what_it_names(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    path.write_text(playlists(clip(tmp_path / "clip.ts", even(25, 2)))[kind])
    with av.open(path, options={"safe": "0", "allowed_extensions": "ALL"}) as container:
        assert len(container.streams.video) == 1  # a careless reader does open it
    with pytest.raises(UnreadableMediaError):
        probe(path)


@pytest.mark.parametrize("kind", ["list.m3u8", "list.ffconcat"])
def test_a_playlist_is_refused_in_words_for_a_user(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    path.write_text(playlists(clip(tmp_path / "clip.ts", even(25, 2)))[kind])
    with pytest.raises(UnreadableMediaError, match=r"playlist|format|not a video"):
        probe(path)


# --- files made or named to do harm -----------------------------------------------------------


def test_a_codec_that_nobody_knows_is_a_reason_not_a_crash(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", even(25, 1))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1"))
    with pytest.raises(UnreadableMediaError, match="codec"):
        probe(path)


@pytest.mark.parametrize("name", ["10:30.mp4", "file:clip.mp4", "-i.mp4", "50%d.mp4", "a\nb.mp4"])
def test_a_name_is_taken_for_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    clip(tmp_path / "clip.mp4", even(25, 1)).rename(tmp_path / name)
    assert probe(Path(name)).codec == "h264"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
def test_damage_anywhere_is_a_reason_not_a_crash(tmp_path: Path, suffix: str) -> None:
    """Overwrite a few bytes at many places; whatever is left is read, or refused by name."""
    path = clip(tmp_path / f"clip.{suffix}", even(25, 1), gop=12)
    whole = path.read_bytes()
    random = np.random.default_rng(7)
    for _ in range(60):
        damaged = bytearray(whole)
        for at in random.integers(0, len(whole) - 8, size=random.integers(1, 30)):
            damaged[at : at + 6] = random.bytes(6)
        path.write_bytes(damaged)
        try:
            assert probe(path).codec
        except UnreadableMediaError as error:
            assert str(error)  # noqa: PT017
