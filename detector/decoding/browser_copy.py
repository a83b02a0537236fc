"""What browsers play, and copies that all of them do.

Times stay true: second t of what is played is second t of the scan, which counts from the start of
the file (`detector.decoding.sample`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from detector.decoding.probe import open_video, probe, read_packets
from detector.decoding.ranges import AnyFile, head_of, size_of
from detector.decoding.records import UnreadableMediaError
from detector.decoding.sample import Sampler, to_rgb

SHORT_SIDE = 720  # pixels, of a copy that is made

_MP4, _WEBM = "video/mp4", "video/webm"
_PLAYABLE = {
    _MP4: ({"h264"}, {"aac", "mp3", "mp3float"}),
    _WEBM: ({"vp8", "vp9", "av1", "libdav1d"}, {"opus", "libopus", "vorbis"}),
}
_PIXEL_FORMATS = {"yuv420p", "yuvj420p"}  # 8 bits, 4:2:0
_LARGEST = 4096 * 2304  # pixels that decoders in graphics cards take
_FROM_START = 0.02  # seconds; a file that starts later is played from elsewhere by some browsers

_CLOCK = 16_000  # units of a second in which a copy's frames are timed
_LONGEST_GAP = 24 * 3600  # seconds between two frames, more than which is no time but damage
_KEYFRAME_EVERY = 48  # frames, so that a reviewer's jumps are quick
_ENCODER: Final = "libx264"
# Without B-frames what is shown is timed as it is stored: no edit list has to be understood.
_OPTIONS = {"preset": "veryfast", "crf": "22", "bf": "0", "g": str(_KEYFRAME_EVERY)}
_FILE_OPTIONS = {"movflags": "+faststart"}  # its index comes first
_RATE, _FRAME = 48_000, 1024  # samples per second, and of an AAC frame
_JUMP = 0.1  # seconds by which sound may be off its time before it is put right

Samples = npt.NDArray[np.float32]


def is_playable(file: AnyFile) -> bool:
    """Whether all current browsers play a file as it is; `UnreadableMediaError` for no video."""
    with open_video(file) as (container, stream):
        if "mp4" in container.format.name.split(","):
            kind = _MP4
        elif is_webm(file):
            kind = _WEBM
        else:
            return False
        starts_late = abs(container.start_time or 0) > _FROM_START * av.time_base
        return not starts_late and _fits(container, stream, kind, file)


def write_playable(file: AnyFile, copy: Path) -> Iterator[float]:
    """Write a copy that all current browsers play; gives the seconds that were written so far.

    What is coded as browsers need it is only put into another container, which takes seconds.
    Of a damaged file the copy has what can be read.

    Raises
    ------
    UnreadableMediaError
        The file gives no frame, or there is no encoder.
    OSError
        The copy cannot be written.
    """
    if not _rewrap(file, copy):
        yield from _transcode(file, copy)


def _fits(container: InputContainer, stream: VideoStream, kind: str, file: AnyFile) -> bool:
    """Whether a browser plays what is in a file, if it is in a container of this kind."""
    pictures, sounds = _PLAYABLE[kind]
    context = stream.codec_context
    films = [
        one for one in container.streams.video if not one.disposition & Disposition.attached_pic
    ]
    return (
        len(films) == 1  # else a browser may choose another one than we do
        and context.name in pictures
        and context.pix_fmt in _PIXEL_FORMATS
        and 0 < context.width * context.height <= _LARGEST
        and all(_codec_of(one) in sounds for one in container.streams.audio)
        and _is_whole(stream, file)
    )


def _codec_of(stream: AudioStream) -> str | None:
    # PyAV's types do not say so, but a codec that FFmpeg does not know has no context.
    context = getattr(stream, "codec_context", None)
    return None if context is None else str(context.name)


def _is_whole(stream: VideoStream, file: AnyFile) -> bool:
    """Whether all that the file's index names is in it."""
    size = size_of(file)
    entries = stream.index_entries
    last = entries[len(entries) - 1] if len(entries) else None
    return last is None or last.pos + last.size <= size


def is_webm(file: AnyFile) -> bool:
    """Whether a file says that it is WebM, not Matroska at large."""
    return b"webm" in head_of(file, 64)


# --- copies -----------------------------------------------------------------------------------


def _rewrap(file: AnyFile, copy: Path) -> bool:
    """Write what a browser plays, but for its container or its start, as it is into an MP4.

    Returns
    -------
    bool
        False if it is nothing of the kind, or too irregular for that: it has to be coded again.
    """
    try:
        with open_video(file) as (container, stream):
            if not _fits(container, stream, _MP4, file):
                return False
            start = Fraction(container.start_time or 0, av.time_base)
            with av.open(str(copy), "w", "mp4", options=_FILE_OPTIONS) as out:
                streams = [stream, *container.streams.audio[:1]]
                tracks = {one.index: out.add_stream_from_template(one) for one in streams}
                for packet in container.demux(streams):
                    if packet.size == 0:
                        continue  # PyAV ends with an empty packet
                    if packet.pts is None or packet.dts is None:
                        return False
                    shift = round(start / packet.time_base)
                    packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                    packet.stream = tracks[packet.stream.index]
                    out.mux(packet)
        return is_playable(copy)
    except (av.error.FFmpegError, IndexError, UnreadableMediaError):
        return False


def _transcode(file: AnyFile, copy: Path) -> Iterator[float]:
    if _ENCODER not in av.codecs_available:
        raise UnreadableMediaError(
            f"browsers do not play it, and PyAV here has no {_ENCODER} to make a copy that they "
            "do: install PyAV's own wheel (pip install --force-reinstall --only-binary av av)"
        )
    info = probe(file)
    scale = min(1.0, SHORT_SIDE / min(info.width, info.height))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (info.width, info.height))
    with closing(_pictures(file, width, height)) as pictures, closing(_sounds(file)) as sounds:
        try:
            with av.open(str(copy), "w", "mp4", options=_FILE_OPTIONS) as out:
                rate = Fraction(info.frame_rate or 25).limit_denominator(1001)
                video = out.add_stream(_ENCODER, rate, _OPTIONS, width=width, height=height)
                video.codec_context.time_base = Fraction(1, _CLOCK)
                heard = list(islice(sounds, 1))  # a track without a sound confuses players
                audio = out.add_stream("aac", _RATE, layout="stereo") if heard else None
                for time, one in merge(pictures, chain(heard, sounds), key=itemgetter(0)):
                    if isinstance(one, VideoFrame):
                        out.mux(video.encode(one))
                        yield time
                    elif isinstance(one, AudioFrame) and audio is not None:
                        out.mux(audio.encode(one))
                out.mux(video.encode(None))
                if audio is not None:
                    out.mux(audio.encode(None))
        except av.error.FFmpegError as error:
            raise UnreadableMediaError(f"a copy for browsers cannot be made: {error}") from error


def _pictures(file: AnyFile, width: int, height: int) -> Generator[tuple[float, VideoFrame]]:
    """Decode, turn and scale the frames; timed as in a scan."""
    sampler = Sampler(file, rate=1.0)
    latest: int | None = None  # in units of the clock
    for time, frame in sampler.every_frame():
        # What is on screen before the first frame is not known; it takes the first one's place.
        clock = 0 if latest is None else round(time * _CLOCK)
        if latest is not None and clock <= latest:
            continue
        if clock - (latest or 0) > _LONGEST_GAP * _CLOCK:
            return
        shown = frame
        if frame.rotation:
            shown = VideoFrame.from_ndarray(to_rgb(frame, SHORT_SIDE, None), "rgb24")
        shown = shown.reformat(width, height, "yuv420p", interpolation="AREA", threads=1)
        shown.pts, shown.time_base = clock, Fraction(1, _CLOCK)
        shown.pict_type = PictureType.NONE  # else the encoder takes over where keyframes are
        yield clock / _CLOCK, shown
        latest = clock
    if latest is None:
        raise UnreadableMediaError(sampler.error or "no frame could be decoded")


def _sounds(file: AnyFile) -> Generator[tuple[float, AudioFrame]]:
    """Decode the sound, timed as the frames are; gaps in it stay."""
    with open_video(file) as (container, _):
        streams = [one for one in container.streams.audio if _codec_of(one) is not None]
        if not streams:
            return
        start = (container.start_time or 0) / av.time_base
        pending: Samples = np.empty((2, 0), np.float32)
        position = 0  # sample that the pending ones begin with
        for time, samples in _samples(container, streams[0]):
            reached = position + pending.shape[1]
            # Where it goes back (joined recordings, overlaps) it goes on, as the picture does.
            ahead = 0 if time is None else round((time - start) * _RATE) - reached
            if ahead > _LONGEST_GAP * _RATE:
                break
            if ahead > _JUMP * _RATE:
                yield from _sound(pending, position)
                pending, position = samples, reached + ahead
            else:
                pending = np.concatenate([pending, samples], axis=1)
            whole = pending.shape[1] // _FRAME * _FRAME
            yield from _sound(pending[:, :whole], position)
            pending, position = pending[:, whole:], position + whole
        yield from _sound(pending, position)


def _samples(
    container: InputContainer, stream: AudioStream
) -> Generator[tuple[float | None, Samples]]:
    """Decode what can be, as stereo, float32 [2, n], with its time in the file."""
    made_for, resampler = None, None
    try:
        for packet in read_packets(container, stream):
            try:
                frames = stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                continue
            for frame in frames:
                form = (frame.format.name, frame.layout.name, frame.sample_rate)
                if resampler is None or form != made_for:
                    resampler, made_for = AudioResampler("fltp", "stereo", _RATE), form
                samples = [one.to_ndarray() for one in resampler.resample(frame)]
                if samples:
                    yield frame.time, np.concatenate(samples, axis=1).astype(np.float32)
    except UnreadableMediaError:
        return  # what was read is what there is


def _sound(samples: Samples, position: int) -> Iterator[tuple[float, AudioFrame]]:
    """Cut samples to frames of one size, the last filled up with silence."""
    for first in range(0, samples.shape[1], _FRAME):
        part = samples[:, first : first + _FRAME]
        part = np.pad(part, ((0, 0), (0, _FRAME - part.shape[1])))
        frame = AudioFrame.from_ndarray(part, "fltp", "stereo")
        frame.sample_rate = _RATE
        frame.pts, frame.time_base = position + first, Fraction(1, _RATE)
        yield (position + first) / _RATE, frame
