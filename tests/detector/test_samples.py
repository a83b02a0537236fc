from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from detector.samples import (
    Cut,
    SampleSet,
    TimedPicture,
    footage,
    letterboxed,
    mirrored,
    transcode,
    whole,
    write_clip,
)

UNEVEN = [0.0, 0.04, 0.11, 0.5, 0.533, 1.7, 1.71]


def pictures(times: list[float], height: int = 90, width: int = 160) -> list[TimedPicture]:
    """Give every time a picture with gradients of its own."""
    x = np.linspace(0, 200, width, dtype=np.uint8)
    row = np.stack([x, x[::-1], np.full_like(x, 90)], axis=-1)
    picture = np.repeat(row[None], height, axis=0)
    return [(time, np.roll(picture, 9 * n, axis=1)) for n, time in enumerate(times)]


def times_of(path: Path) -> list[float]:
    with av.open(path) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def duration_of(path: Path) -> float:
    with av.open(path) as container:
        assert container.duration is not None
        return container.duration / 1_000_000


def test_every_upload_decodes_for_as_long_as_promised(samples: SampleSet) -> None:
    for upload in samples.uploads:
        times = times_of(upload.path)
        assert times[0] == 0
        assert times == sorted(times)
        assert duration_of(upload.path) == pytest.approx(upload.duration, abs=0.01), upload.path
        assert times[-1] < upload.duration < times[-1] + 0.05


def test_planted_copies_lie_inside_the_upload_and_the_film(samples: SampleSet) -> None:
    lengths = {film.stem: duration_of(film) for film in samples.films}
    copies = [(upload, copy) for upload in samples.uploads for copy in upload.copies]
    assert {copy.ref_id for _, copy in copies} == set(lengths)
    for upload, copy in copies:
        assert 0 <= copy.query_start < copy.query_end <= upload.duration + 1e-6
        assert 0 <= copy.ref_start < copy.ref_end <= lengths[copy.ref_id] + 1e-6
        assert copy.edit
    assert sum(not upload.copies for upload in samples.uploads) == 3
    assert max(len(upload.copies) for upload in samples.uploads) == 2


def test_a_planted_copy_shows_the_film_at_the_stated_times(samples: SampleSet) -> None:
    """Compare the splice, picture by picture, with the film scaled in the same way."""
    upload = next(u for u in samples.uploads if u.path.stem == "holiday-vlog-with-bikes")
    (copy,) = upload.copies
    film = next(film for film in samples.films if film.stem == copy.ref_id)
    shown = dict(footage(whole(upload.path)))
    errors = [
        np.abs(shown[at].astype(float) - picture).mean()
        for time, picture in footage(whole(film, letterboxed(640, 360)))
        if copy.ref_start <= time < copy.ref_end
        for at in shown
        if abs(at - (time - copy.ref_start + copy.query_start)) < 1e-4
    ]
    assert len(errors) == 100  # 4 s of 25 frames
    assert max(errors) < 6  # of 255: only what compression does


def test_building_again_gives_the_same_bytes(samples: SampleSet, tmp_path: Path) -> None:
    film = next(film for film in samples.films if film.stem == "bikes")
    for name in ("one.mp4", "two.mp4"):
        transcode(tmp_path / name, [Cut(film, 1.0, 3.0, (mirrored,), speed=1.25)])
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("time_offset", [0.0, 1.5])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_write_clip_keeps_uneven_times(
    tmp_path: Path, suffix: str, time_offset: float, b_frames: int
) -> None:
    path = tmp_path / f"clip{suffix}"
    write_clip(path, pictures(UNEVEN), b_frames=b_frames, time_offset=time_offset)
    tolerance = 1 / 90_000 if suffix == ".mp4" else 0.001
    expected = [time + time_offset for time in UNEVEN]
    assert times_of(path) == pytest.approx(expected, abs=tolerance)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_write_clip_holds_the_last_frame_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, pictures(UNEVEN), end=3.0)
    assert duration_of(path) == pytest.approx(3.0, abs=1e-3)


def test_write_clip_sets_the_distance_of_keyframes(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, pictures([n / 25 for n in range(20)]), gop=5)
    with av.open(path) as container:
        keys = [n for n, frame in enumerate(container.decode(video=0)) if frame.key_frame]
    assert keys == [0, 5, 10, 15]


def test_write_clip_makes_even_sides_and_takes_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "still.mp4"
    write_clip(path, pictures([0.0], height=91, width=161))
    with av.open(path) as container:
        (frame,) = container.decode(video=0)
    assert (frame.width, frame.height, frame.format.name) == (160, 90, "yuv420p")


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        ([], "no frames"),
        (pictures([0.0, 0.5, 0.4]), "do not rise"),
        (pictures([0.0]) + pictures([0.1], height=80), "shape"),
    ],
)
def test_write_clip_refuses_and_leaves_nothing(
    tmp_path: Path, frames: list[TimedPicture], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        write_clip(tmp_path / "clip.mp4", frames)
    assert not list(tmp_path.iterdir())
