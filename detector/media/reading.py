"""Files to frames, from outside: every file is read by a child process, within limits.

A crash, a hang or a bomb costs the one file it is in. Children are kept for the next file, so that
starting one (half a second) is rare.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from detector.decoding.records import Frame, Limits, MediaInfo, UnreadableMediaError
from detector.decoding.wire import (
    BrokenWireError,
    Message,
    Picture,
    Receiver,
    SilentError,
    send,
    send_block,
)
from detector.remote import Media, RemoteFile, UnreachableError
from detector.types import Fault

_log = logging.getLogger(__name__)

_SAMPLES_OF_SHORT_CLIP = 60
_MAX_RATE = 8.0
_STILL_CONTAINERS = frozenset(
    {"png_pipe", "jpeg_pipe", "bmp_pipe", "tiff_pipe", "webp_pipe", "image2"}
)
_REQUESTS_OF_A_CHILD = 500  # then it is replaced, lest small leaks add up
_PIPE_BYTES = 1 << 20
# What a child is to know of the environment, besides what Python itself goes by.
_HARMLESS = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ"})
_DEFAULTS = Limits()


def rate_for(duration: float | None, base_rate: float) -> float:
    """Samples per second for a file: `base_rate`, and more for short clips.

    A clip of a few seconds has too few frames at 2 per second to be aligned, so at least
    60 samples are aimed at (4 per second for 15 seconds), with at most 8 per second.
    """
    if not duration or duration <= 0:
        return base_rate
    return max(base_rate, min(_SAMPLES_OF_SHORT_CLIP / duration, _MAX_RATE))


def is_still(media: Media) -> bool:
    """Whether a file holds a single picture; `UnreadableMediaError` as for `probe`."""
    return probe(media).container in _STILL_CONTAINERS


def probe(media: Media, limits: Limits = _DEFAULTS) -> MediaInfo:
    """Read a file's headers, its first packets and its first frame.

    Raises
    ------
    UnreadableMediaError
        When the file is no media, has no video, or its pictures are too large.
    """
    with closing(_ask("probe", media, limits)) as answers:
        ((values, _),) = answers
    return MediaInfo(**values)


def grab(
    media: Media, times: Sequence[float], short_side: int = 360, limits: Limits = _DEFAULTS
) -> list[Picture]:
    """Return what is on screen at each of `times` (seconds), as [height, width, 3] RGB.

    Raises
    ------
    UnreadableMediaError
        When the file cannot be read, or has no frame at or before one of the times.
    """
    return _grabbed(media, times, short_side, limits, run=False)


def grab_run(
    media: Media, times: Sequence[float], short_side: int = 360, limits: Limits = _DEFAULTS
) -> list[Picture]:
    """Return the same for rising times that lie close together, for which to seek once is faster.

    Raises
    ------
    UnreadableMediaError
        When the file cannot be read, or has no frame at or before the first time.
    """
    return _grabbed(media, times, short_side, limits, run=True)


def first_frame(media: Media, short_side: int, limits: Limits = _DEFAULTS) -> Picture:
    """Return the first frame of a file, or the picture that it is: [height, width, 3] RGB.

    Raises
    ------
    UnreadableMediaError
        When there is none.
    """
    (frame,) = Sampler(media, 1.0, short_side, replace(limits, frames=1))
    return frame.image


def _grabbed(
    media: Media, times: Sequence[float], short_side: int, limits: Limits, *, run: bool
) -> list[Picture]:
    if not times:
        return []
    with closing(
        _ask("grab", media, limits, times=list(times), short_side=short_side, run=run)
    ) as (answers):
        return [picture for _, picture in answers if picture is not None]


class Sampler:
    """Streams the frames of one file; after the iteration it tells what was lost.

    Parameters
    ----------
    media
        A local file, or one on a server.
    rate
        Samples per second.
    short_side
        Frames are scaled down to this short side, in pixels; smaller ones are left as they are.
    windows
        Stretches of time, (from, to) in seconds, that frames are wanted of: rising, and apart from
        each other. None: of all. What lies between them is not decoded.

    Attributes
    ----------
    error, fault
        Why reading stopped before the end of the file, if it did: in words, and by name where it
        has one (see `UnreadableMediaError`).
    end
        End of the last decoded frame, seconds.
    undecodable
        Packets that the decoder refused.

    Raises
    ------
    UnreadableMediaError
        While iterating, when the file gives no frame at all, or its server fails: what came before
        says nothing of the file then.
    """

    def __init__(
        self,
        media: Media,
        rate: float,
        short_side: int = 288,
        limits: Limits = _DEFAULTS,
        windows: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        self._media = media
        self._rate = rate
        self._short_side = short_side
        self._limits = limits
        self._windows = windows
        self.undecodable = 0
        self.end: float | None = None
        self.error: str | None = None
        self.fault: Fault | None = None

    def __iter__(self) -> Iterator[Frame]:
        answers = _ask(
            "sample",
            self._media,
            self._limits,
            rate=self._rate,
            short_side=self._short_side,
            windows=self._windows,
        )
        with closing(answers):
            try:
                for message, picture in answers:
                    if picture is not None:
                        self.end = message["time"]
                        yield Frame(message["time"], picture)
                    else:
                        self.end = message["end"]
                        self.undecodable = message["undecodable"]
                        self.error = message["error"]
                        self.fault = _fault_in(message)
            except UnreadableMediaError as error:
                if self.end is None or isinstance(error, UnreachableError):
                    raise
                self.error, self.fault = str(error), error.fault


def is_playable(media: Media, limits: Limits = _DEFAULTS) -> bool:
    """Whether all current browsers play a file as it is.

    Raises
    ------
    UnreadableMediaError
        It is no video.
    """
    with closing(_ask("is_playable", media, limits)) as answers:
        ((values, _),) = answers
    return bool(values["playable"])


def write_playable(media: Media, copy: Path, limits: Limits = _DEFAULTS) -> Iterator[float]:
    """Write a copy that all current browsers play; gives the seconds that were written so far.

    Of a damaged file the copy has what can be read.

    Raises
    ------
    UnreadableMediaError
        The file gives no frame, or there is no encoder.
    OSError
        The copy cannot be written.
    """
    target = str(copy.absolute())
    with closing(_ask("write_playable", media, limits, copy=target)) as answers:
        for values, _ in answers:
            yield float(values["seconds"])


Answers = Generator[tuple[Message, Picture | None]]


class _ChildFailedError(Exception):
    """A child could not finish; the text says why."""

    def __init__(self, text: str, fault: Fault) -> None:
        super().__init__(text)
        self.fault = fault


def _fault_in(message: Message) -> Fault | None:
    """Return the fault that a child names; what it says else, being taken over, counts as none."""
    return next((fault for fault in Fault if fault == message.get("fault")), None)


def _harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a child needs of the environment: above all no key of any server."""
    return {
        name: value
        for name, value in environment.items()
        if name in _HARMLESS or name.startswith(("LC_", "PYTHON"))
    }


def _named(media: Media) -> Message:
    """Say to a child what a request is about; of a file on a server not where it lies."""
    if isinstance(media, RemoteFile):
        return {"size": media.size, "suffix": media.suffix}
    return {"path": str(media.absolute())}


def _name_of(media: Media) -> str:
    return media.name if isinstance(media, RemoteFile) else str(media)


def _part(media: Media, wanted: object) -> bytes:
    """Read what a child asks for: it may be taken over, and gets of this one file what there is."""
    match wanted:
        case [int(start), int(length)] if (
            isinstance(media, RemoteFile) and 0 <= start < media.size and length > 0
        ):
            return media.read(start, length)
    raise BrokenWireError("a child asks for what is not there")


class _Child:
    """One process that reads files, and the pipes to it."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        # One thread of the decoder's is all that is wanted; these libraries would start more.
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        request_end, answer_end = os.pipe(), os.pipe()  # each to read from, to write to
        self._process = subprocess.Popen(
            [sys.executable, "-m", "detector.decoding.child"],
            stdin=request_end[0],
            stdout=answer_end[1],
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**_harmless(os.environ), **one_thread, "PYTHONPATH": path},
        )
        os.close(request_end[0])
        os.close(answer_end[1])
        self._in = os.fdopen(request_end[1], "wb")
        self._out = answer_end[0]
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # a frame at a time, not 64 KiB; where the system can
            with suppress(OSError):
                fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._receiver = Receiver(self._out)
        self.requests = 0

    def ask(self, media: Media, request: Message, limits: Limits) -> Answers:
        """Give all answers to a request; what the child asks of a file on a server, it is sent.

        Raises
        ------
        UnreadableMediaError
            The child says that the file is; `UnreachableError`, after which the child is of no
            more use: the file's server fails.
        _ChildFailedError
            The child is of no more use; `close` it.
        """
        self.requests += 1
        left = limits.silence  # without the time that a server takes
        try:
            send(self._in, {**request, **_named(media), "limits": asdict(limits)})
            while True:
                begun = time.monotonic()
                message, picture = self._receiver.receive(left)
                if "read" in message:
                    left -= time.monotonic() - begun
                    send_block(self._in, _part(media, message["read"]))
                    continue
                left = limits.silence
                if message.get("done"):
                    return
                if "unreadable" in message:
                    raise UnreadableMediaError(message["unreadable"], _fault_in(message))
                if "failed" in message:
                    _log.warning("%s: %s", _name_of(media), message["trace"])
                    raise UnreadableMediaError(f"the decoder failed: {message['failed']}")
                if "os_error" in message:
                    raise OSError(*message["os_error"])
                yield message, picture
        except SilentError as error:
            text = f"reading it stood still for {limits.silence:.0f} s"
            raise _ChildFailedError(text, Fault.HANG) from error
        except (BrokenWireError, BrokenPipeError) as error:
            raise _ChildFailedError(*self._how_it_ended(limits)) from error

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def _how_it_ended(self, limits: Limits) -> tuple[str, Fault]:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "the decoder sent what makes no sense", Fault.CRASH
        if code == -signal.SIGXCPU:
            return (
                f"reading it took more processor time than a file may use ({limits.cpu_seconds:.0f}"
                f" s and {limits.cpu_per_frame:.0f} s for each frame)",
                Fault.CPU,
            )
        if code == -signal.SIGKILL:
            return "the decoder was killed, perhaps for want of memory", Fault.MEMORY
        if code < 0:
            return f"the decoder crashed ({signal.Signals(-code).name})", Fault.CRASH
        return f"the decoder ended by itself (exit code {code})", Fault.CRASH

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._receiver.close()
        with suppress(BrokenPipeError):
            self._in.close()
        os.close(self._out)


class _Pool:
    """Children that have nothing to do."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._lock = threading.Lock()

    def take(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive:
                    return child
                child.close()
        return _Child()

    def give_back(self, child: _Child) -> None:
        with self._lock:
            if child.requests < _REQUESTS_OF_A_CHILD and len(self._idle) < (os.cpu_count() or 1):
                self._idle.append(child)
                return
        child.close()

    def forget(self) -> None:
        """Leave the children to the process that started them: this one was forked from it."""
        self._idle = []
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().close()


_pool = _Pool()
atexit.register(_pool.close)
os.register_at_fork(after_in_child=_pool.forget)


def _ask(operation: str, media: Media, limits: Limits, **details: Any) -> Answers:
    """Have a child answer; one that failed, or that was not heard to the end, is not used again."""
    child = _pool.take()
    sound = False
    try:
        yield from child.ask(media, {"do": operation, **details}, limits)
        sound = True
    except UnreachableError:  # the child waits for what will not come
        raise
    except (UnreadableMediaError, OSError):
        sound = True
        raise
    except _ChildFailedError as error:
        raise UnreadableMediaError(str(error), error.fault) from error
    finally:
        if sound:
            _pool.give_back(child)
        else:
            child.close()
