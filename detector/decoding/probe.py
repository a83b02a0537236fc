"""What a media file is, from its headers and its first packets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from typing import Any

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from detector.decoding.ranges import AnyFile, Ranges, size_of
from detector.decoding.records import MediaInfo, UnreadableMediaError
from detector.types import Fault

# Containers that hold their media themselves. Playlists (HLS, DASH, concat scripts) are not among
# them: they name other files and addresses, and an upload must not choose what we open. Neither are
# raw streams (.h264), which do not say when a frame is shown.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,"
    "mxf,gxf,rm,dv,ivf,wtv,nut,gif,apng,webp,webp_pipe,png_pipe,jpeg_pipe,bmp_pipe,tiff_pipe,"
    "image2,mp3,wav,flac,aac"
)
MAX_PIXELS = 8192 * 8192
_PACKETS_LOOKED_AT = 300
# Titles in another encoding than UTF-8 are no reason to refuse a file; PyAV 19 needs no telling.
_LENIENT_METADATA: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


def probe(file: AnyFile) -> MediaInfo:
    """Read a file's headers, its first packets and its first frame.

    Raises
    ------
    UnreadableMediaError
        When the file is no media, has no video, or its pictures exceed `MAX_PIXELS`.
    """
    with open_video(file) as (container, stream):
        times = []
        rotation = None
        for packet in _first_packets(container, stream):
            if packet.pts is not None and packet.time_base is not None:
                times.append(float(packet.pts * packet.time_base))
            if rotation is None:
                try:
                    for frame in stream.codec_context.decode(packet):
                        rotation = -frame.rotation % 360
                        break
                except MemoryError:
                    raise
                except av.error.FFmpegError:
                    continue  # a later packet may decode; whether any does is `sample`'s to say
        width, height = display_size(
            stream.codec_context.width, stream.codec_context.height, pixel_aspect_of(stream)
        )
        rotation = rotation or 0
        if rotation in (90, 270):
            width, height = height, width
        return MediaInfo(
            width=width,
            height=height,
            rotation=rotation,
            frame_rate=float(stream.average_rate) if stream.average_rate else None,
            is_variable_rate=_is_variable(times),
            duration=_duration(container, stream),
            codec=stream.codec_context.name,
            container=container.format.name,
        )


@contextmanager
def open_video(file: AnyFile, threads: int = 1) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and choose its video stream; every reader of media goes through here.

    Parameters
    ----------
    threads
        Of the decoder. One decodes a frame for a fifth less work than two, which have to wait for
        each other.
    """
    is_far = isinstance(file, Ranges)
    try:
        container = av.open(
            # "10:30.mp4" alone would be taken for an address
            file.open() if isinstance(file, Ranges) else str(file.absolute()),
            **_LENIENT_METADATA,
            container_options={
                "protocol_whitelist": "" if is_far else "file",
                "format_whitelist": FORMATS,
            },
        )
    except MemoryError:  # FFmpeg's is one of its errors, too
        raise
    except av.error.FFmpegError as error:
        raise UnreadableMediaError(_why_not_opened(file, error)) from error
    except OSError as error:
        raise UnreadableMediaError(error.strerror or str(error)) from error
    with container:
        # A song's cover picture is stored as a video stream of one frame; it is not footage.
        streams = [
            stream
            for stream in container.streams.video
            if not stream.disposition & Disposition.attached_pic
        ]
        if not streams:
            raise UnreadableMediaError("no video stream")
        # PyAV's types do not say so, but a codec that FFmpeg does not know has no context.
        streams = [stream for stream in streams if getattr(stream, "codec_context", None)]
        if not streams:
            raise UnreadableMediaError("the video is in a codec that is not known")
        stream = max(streams, key=lambda s: s.codec_context.width * s.codec_context.height)
        context = stream.codec_context
        if context.width * context.height > MAX_PIXELS:
            raise UnreadableMediaError(
                f"pictures of {context.width}x{context.height} are larger than is decoded",
                Fault.SIZE,
            )
        # A stream can also grow on the way; then single frames are refused.
        context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.thread_type = "AUTO" if threads > 1 else "SLICE"
        context.thread_count = threads
        yield container, stream


def read_packets(
    container: InputContainer, stream: VideoStream | AudioStream
) -> Iterator[Packet[Any]]:
    """Yield the packets of a stream up to the end of the file.

    Raises
    ------
    UnreadableMediaError
        Where the file is too damaged to go on.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except MemoryError:
            raise
        # PyAV raises IndexError when a damaged file turns out to have one more stream.
        except (av.error.FFmpegError, IndexError) as error:
            raise UnreadableMediaError(f"reading stopped: {error}") from error
        if packet is None or (packet.dts is None and packet.size == 0):
            return  # PyAV ends with an empty packet
        yield packet


def _first_packets(container: InputContainer, stream: VideoStream) -> list[Packet[Any]]:
    packets = []
    try:
        for packet in islice(read_packets(container, stream), _PACKETS_LOOKED_AT):
            packets.append(packet)
    except UnreadableMediaError:
        return packets  # whether these are enough is for `Sampler` to say
    return packets


def pixel_aspect_of(stream: VideoStream) -> Fraction | None:
    """Width of a stored pixel over its height; None where the file does not say."""
    ratio = stream.sample_aspect_ratio
    return Fraction(ratio.numerator, ratio.denominator) if ratio else None


def display_size(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Width and height in square pixels of a stored picture, before rotation."""
    if pixel_aspect and 0.1 <= pixel_aspect <= 10:
        return round(width * pixel_aspect), height
    return width, height


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        end = (stream.start_time or 0) + stream.duration
        return float(end * stream.time_base) - (container.start_time or 0) / av.time_base
    if container.duration:
        # Matroska's duration counts from 0 to the end, also where the first frame comes later.
        late = (container.start_time or 0) if "matroska" in container.format.name else 0
        return (container.duration - late) / av.time_base
    return None


def _is_variable(times: list[float]) -> bool:
    """Whether frame durations differ by more than the rounding of a coarse time base."""
    durations = np.diff(np.sort(times))
    durations = durations[durations > 0]
    if durations.size < 2:
        return False
    median = float(np.median(durations))
    return bool(np.abs(durations - median).max() > max(0.25 * median, 0.002))


def _why_not_opened(file: AnyFile, error: av.error.FFmpegError) -> str:
    if isinstance(error, av.error.InvalidDataError):
        if size_of(file) == 0:
            return "the file is empty"
        return "not a video, or damaged beyond its headers"
    if isinstance(error, av.error.ArgumentError):
        return "a playlist, or another format that is not read"
    return error.strerror or str(error)
