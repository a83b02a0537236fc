"""The demo's media: two protected films, uploads that copy from them, uploads that do not.

Everything is made from the fetched sample media (see NOTICE) by real decoding and re-encoding, in
ways copies are edited in practice, and every copied interval is known exactly.

An upload is a sequence of *cuts*, each an interval of some footage with its edits: functions from
one RGB picture to another. `write_clip` makes a clip out of any timed pictures, and is of use for
tests too. On one machine the same sources give the same bytes.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.codec.context import Flags as CodecContextFlags
from av.video.stream import VideoStream
from numpy.typing import NDArray

from detector import assets
from detector.logs import say
from detector.media import probe

Picture = NDArray[np.uint8]
"""One RGB picture, [height, width, 3]."""

TimedPicture = tuple[float, Picture]
"""A picture and its presentation time in seconds."""

Edit = Callable[[Picture], Picture]


@dataclass(frozen=True, slots=True)
class PlantedCopy:
    """An interval of an upload that was taken from a film, in seconds of either."""

    ref_id: str  # the film's file stem
    query_start: float
    query_end: float
    ref_start: float
    ref_end: float
    edit: str  # what was done to it, in words


@dataclass(frozen=True, slots=True)
class Sample:
    """One upload and what is known of it."""

    path: Path
    duration: float  # seconds
    copies: tuple[PlantedCopy, ...] = ()  # in order of upload time; none: it is innocent


@dataclass(frozen=True, slots=True)
class SampleSet:
    """The demo's films and uploads."""

    films: tuple[Path, ...]  # to enrol
    uploads: tuple[Sample, ...]  # to scan


@dataclass(frozen=True, slots=True)
class Cut:
    """An interval of footage, as it goes into an upload."""

    source: Path
    start: float  # seconds of the source
    end: float
    edits: tuple[Edit, ...] = ()
    speed: float = 1.0
    copied: str | None = None  # what was done to protected footage, in words; None: innocent

    @property
    def duration(self) -> float:
        """Seconds that it takes up in the upload."""
        return (self.end - self.start) / self.speed


# --- the demo ---------------------------------------------------------------------------------

_PICTURES = ("coffee", "rocket", "chelsea", "astronaut")


def build_samples(folder: Path, progress: assets.Progress = say) -> SampleSet:
    """Make the demo's media in ``folder``: ``films/`` and ``uploads/``, with the ground truth.

    Raises
    ------
    AssetError
        if the media they are made from cannot be had.
    """
    names = ("bigbuckbunny", "bikes", "carphone_pristine", "carphone_distorted", *_PICTURES)
    media = assets.fetch_all((assets.ASSETS[name] for name in names), progress=progress)
    films, uploads = folder / "films", folder / "uploads"
    films.mkdir(parents=True, exist_ok=True)
    uploads.mkdir(parents=True, exist_ok=True)

    bunny = Path(shutil.copyfile(media["bigbuckbunny"], films / "bigbuckbunny.mp4"))
    bikes = Path(shutil.copyfile(media["bikes"], films / "bikes.mp4"))
    phone, bad_line = media["carphone_pristine"], media["carphone_distorted"]

    def innocent(start: float, end: float) -> Cut:
        return Cut(phone, start, end, (_square_pixels, letterboxed(640, 360)))

    def copied(film: Path, start: float, end: float, note: str) -> Cut:
        return Cut(film, start, end, (letterboxed(640, 360),), copied=note)

    clips: dict[str, list[Cut]] = {
        "bunny-low-quality": [
            whole(bunny, resized(320, 180), copied="320x180 at a very low bit rate")
        ],
        "bikes-cropped": [
            whole(bikes, cropped(0.75), resized(640, 272), copied="cropped to 75 %, scaled back")
        ],
        "bikes-mirrored": [
            whole(bikes, mirrored, graded(1.25, 18), copied="mirrored, brighter, more contrast")
        ],
        "bunny-vertical": [
            whole(bunny, letterboxed(360, 640), copied="9:16 with black bars above and below")
        ],
        "bikes-sped-up": [whole(bikes, speed=1.25, copied="1.25 times as fast")],
        "holiday-vlog-with-bikes": [
            innocent(0, 2),
            copied(bikes, 3.0, 7.0, "spliced into other footage, scaled"),
            innocent(2, 4),
        ],
        "best-scenes-compilation": [
            innocent(0, 1.6),
            copied(bunny, 1.0, 4.0, "one scene of a compilation, scaled"),
            innocent(1.6, 3.2),
            copied(bikes, 4.6, 9.0, "one scene of a compilation, letterboxed"),
            innocent(3.2, 4),
        ],
        "phone-call": [whole(phone, _square_pixels, resized(384, 288))],
    }

    def make(name: str) -> Sample:
        path = uploads / f"{name}.mp4"
        progress(f"making {path.name} ...")
        if name == "holiday-slides":
            write_clip(path, slide_show([_load(media[picture]) for picture in _PICTURES]))
            return Sample(path, SLIDE_SHOW_SECONDS)
        if name == "phone-call-bad-line":
            shutil.copyfile(bad_line, path)
            return Sample(path, whole(bad_line).duration)
        cuts = clips[name]
        transcode(path, cuts, bit_rate=60_000 if name == "bunny-low-quality" else None)
        return Sample(path, sum(cut.duration for cut in cuts), _truth(cuts))

    # Each clip is encoded in one thread, to be the same every time; clips side by side save time.
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        made = tuple(pool.map(make, [*clips, "phone-call-bad-line", "holiday-slides"]))
    return SampleSet((bunny, bikes), made)


def _truth(cuts: Sequence[Cut]) -> tuple[PlantedCopy, ...]:
    times = itertools.pairwise(itertools.accumulate((cut.duration for cut in cuts), initial=0.0))
    return tuple(
        PlantedCopy(cut.source.stem, start, end, cut.start, cut.end, cut.copied)
        for (start, end), cut in zip(times, cuts, strict=True)
        if cut.copied is not None
    )


# --- edits: from one picture to another -------------------------------------------------------


def resized(width: int, height: int) -> Edit:
    """Scale to a size, whatever that does to the shape."""

    def edit(picture: Picture) -> Picture:
        shrinks = width * height < picture.shape[0] * picture.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)

    return edit


def cropped(fraction: float) -> Edit:
    """Keep the middle ``fraction`` of the width and of the height."""

    def edit(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        top, left = round(height * (1 - fraction) / 2), round(width * (1 - fraction) / 2)
        return picture[top : height - top, left : width - left]

    return edit


def mirrored(picture: Picture) -> Picture:
    """Swap left and right."""
    return picture[:, ::-1]


def graded(contrast: float, brightness: float) -> Edit:
    """Multiply the distance from mid-grey by ``contrast`` and add ``brightness`` (of 255)."""
    levels = (np.arange(256) - 128) * contrast + 128 + brightness
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return lambda picture: np.asarray(cv2.LUT(picture, table), np.uint8)


def letterboxed(width: int, height: int) -> Edit:
    """Scale to fit within a size, keeping the shape, and fill up with black."""

    def edit(picture: Picture) -> Picture:
        scale = min(width / picture.shape[1], height / picture.shape[0])
        w, h = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
        left, top = (width - w) // 2, (height - h) // 2
        canvas = np.zeros((height, width, 3), np.uint8)
        canvas[top : top + h, left : left + w] = resized(w, h)(picture)
        return canvas

    return edit


def _square_pixels(picture: Picture) -> Picture:
    """Undo the pixel shape of the `carphone` clips, 128:117."""
    height, width = picture.shape[:2]
    return resized(round(width * 128 / 117), height)(picture)


# --- from footage to a clip -------------------------------------------------------------------


def whole(source: Path, *edits: Edit, speed: float = 1.0, copied: str | None = None) -> Cut:
    """Cut all of a file's footage."""
    duration = probe(source).duration
    if duration is None:
        raise ValueError(f"{source} does not say how long it is")
    return Cut(source, 0.0, duration, edits, speed, copied)


def footage(cut: Cut) -> Iterator[TimedPicture]:
    """Decode a cut, edited and sped up; times count from its start."""
    with av.open(cut.source) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            if frame.time is None or frame.time < cut.start - 1e-6:
                continue
            if frame.time >= cut.end - 1e-6:
                break
            picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for edit in cut.edits:
                picture = edit(picture)
            yield (frame.time - cut.start) / cut.speed, picture


def transcode(
    path: Path, cuts: Sequence[Cut], *, crf: int = 23, bit_rate: int | None = None
) -> None:
    """Write cuts one after another; every frame keeps the time its own footage gives it."""

    def pictures() -> Iterator[TimedPicture]:
        at = 0.0
        for cut in cuts:
            for time, picture in footage(cut):
                yield at + time, picture
            at += cut.duration

    end = sum(cut.duration for cut in cuts)
    write_clip(path, pictures(), end=end, crf=crf, bit_rate=bit_rate, b_frames=2)


def write_clip(
    path: Path,
    frames: Iterable[TimedPicture],
    *,
    codec: str = "libx264",
    crf: int = 23,
    bit_rate: int | None = None,
    gop: int | None = None,
    b_frames: int = 0,
    time_offset: float = 0.0,
    end: float | None = None,
    time_base: Fraction = Fraction(1, 90_000),
    threads: int = 1,
) -> None:
    """Encode timed pictures into a clip without sound, in yuv420p.

    Parameters
    ----------
    path
        the file to write; its ending names the container. It appears once it is whole.
    frames
        times in seconds, rising, at any spacing; pictures of one size (an odd last row or column is
        left out). They are taken one by one, so that a long clip needs little memory.
    codec
        the encoder, as FFmpeg calls it.
    crf
        constant quality, lower is better, for the encoders that know it.
    bit_rate
        bits per second, instead of ``crf``.
    gop
        frames from one keyframe to the next, whatever they show; None: as the encoder likes.
    b_frames
        at most so many B-frames in a row. With any, FFmpeg states too short a duration in an MP4
        whose frames are very unevenly spaced, though it keeps their times.
    time_offset
        seconds added to every time: a clip that does not start at zero.
    end
        when the last frame goes, before the offset; None: it stays as long as the one before.
    time_base
        the unit that times are rounded to. MP4 keeps it; Matroska has milliseconds only, and the
        `mpeg4` encoder wants a denominator of at most 65535.
    threads
        of the encoder; another number makes other bytes.

    Raises
    ------
    ValueError
        if there are no frames, or their times do not rise, or their sizes differ.
    """
    options = {"threads": str(threads), "bf": str(b_frames)}
    if codec in ("libx264", "libx265"):
        options["preset"] = "veryfast"
    if codec == "libx265":
        options["x265-params"] = "log-level=error"
    if bit_rate is None:
        options["crf"] = str(crf)
    if gop is not None:
        options |= {"g": str(gop), "sc_threshold": "0"}

    timed = _with_durations(frames, time_offset, end, time_base)
    first = next(timed, None)
    if first is None:
        raise ValueError(f"no frames to write to {path}")
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        with av.open(part, "w") as container:
            # Only a hint to the rate control: the frames' own times are kept.
            rate = Fraction(1 / (first[1] * time_base)).limit_denominator(1001)
            stream = cast(VideoStream, container.add_stream(codec, rate=rate, options=options))
            # Without it the last frame's duration is guessed from the one before.
            stream.codec_context.flags |= CodecContextFlags.frame_duration
            height, width = (side - side % 2 for side in first[2].shape[:2])
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.time_base = stream.codec_context.time_base = time_base
            if bit_rate is not None:
                stream.bit_rate = bit_rate
            for pts, duration, picture in itertools.chain([first], timed):
                if picture.shape != first[2].shape:
                    raise ValueError(f"a frame of {path} has the shape {picture.shape}")
                even = np.ascontiguousarray(picture[:height, :width])
                frame = av.VideoFrame.from_ndarray(even, format="rgb24")
                frame.pts, frame.duration, frame.time_base = pts, duration, time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _with_durations(
    frames: Iterable[TimedPicture], offset: float, end: float | None, time_base: Fraction
) -> Iterator[tuple[int, int, Picture]]:
    """Turn times into pts and durations, both in units of the time base."""

    def units(seconds: float) -> int:
        return round((seconds + offset) / time_base)

    previous: tuple[int, Picture] | None = None
    duration = round(Fraction(1, 25) / time_base)  # that of a picture that is the only one
    for time, picture in frames:
        pts = units(time)
        if previous is not None:
            duration = pts - previous[0]
            if duration <= 0:
                raise ValueError(f"the times of the frames do not rise at {time} s")
            yield previous[0], duration, previous[1]
        previous = pts, picture
    if previous is not None:
        if end is not None:
            duration = max(1, units(end) - previous[0])
        yield previous[0], duration, previous[1]


# --- the slide show ---------------------------------------------------------------------------

SLIDE_SHOW_SECONDS = 10.0


def slide_show(
    pictures: Sequence[Picture],
    *,
    width: int = 640,
    height: int = 360,
    rate: int = 25,
    lead_in: float = 1.0,
    fade: float = 0.4,
) -> Iterator[TimedPicture]:
    """Pan and zoom slowly over pictures, with a black lead-in and short cross-fades."""
    stay = (SLIDE_SHOW_SECONDS - lead_in) / len(pictures)
    black = np.zeros((height, width, 3), np.uint8)

    def view(index: int, time: float) -> Picture:
        if index < 0:
            return black
        progress = (time - lead_in - index * stay + fade) / (stay + fade)  # in [0, 1]
        return _ken_burns(pictures[index], progress, index % 2 == 1, width, height)

    for number in range(round(SLIDE_SHOW_SECONDS * rate)):
        time = number / rate
        index = min(int((time - lead_in) // stay), len(pictures) - 1)
        shown = view(index, time)
        left = lead_in + (index + 1) * stay - time  # until the next picture has taken over
        if left < fade and index + 1 < len(pictures):
            weight = 1 - left / fade
            mixed = cv2.addWeighted(view(index + 1, time), weight, shown, 1 - weight, 0)
            shown = np.asarray(mixed, np.uint8)
        yield time, shown


def _ken_burns(picture: Picture, progress: float, out: bool, width: int, height: int) -> Picture:
    """Show the part of a picture that a slow camera sees at ``progress`` in [0, 1]."""
    if out:
        progress = 1 - progress
    full = min(picture.shape[1] / width, picture.shape[0] / height)
    scale = full * (1 - 0.25 * progress)  # picture pixels per pixel shown
    # Down and to the right, keeping to the upper part, where heads are.
    x = (picture.shape[1] - scale * width) * (0.2 + 0.3 * progress)
    y = (picture.shape[0] - scale * height) * 0.3 * progress
    matrix = np.array([[scale, 0, x], [0, scale, y]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view = cv2.warpAffine(
        picture, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(view, np.uint8)


def _load(path: Path) -> Picture:
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} is not a picture")
    return np.asarray(picture[:, :, ::-1], np.uint8)
