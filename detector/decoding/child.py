"""The child process that reads media: one request after another, each within its limits.

A file that crashes the decoder, hangs it or swells takes the child with it and nothing else; the
parent starts another.
"""

from __future__ import annotations

import os
import resource
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO

from detector.decoding.browser_copy import is_playable, write_playable
from detector.decoding.grab import grab, grab_run
from detector.decoding.probe import probe
from detector.decoding.ranges import AnyFile, Ranges
from detector.decoding.records import Limits, UnreadableMediaError
from detector.decoding.sample import Sampler
from detector.decoding.wire import BrokenWireError, Message, Picture, Receiver, send
from detector.types import Fault

Answers = Iterator[tuple[Message, Picture | None]]


def main() -> None:
    """Serve requests from stdin until it is closed."""
    receiver = Receiver(sys.stdin.fileno())
    # What libraries print must not come between the messages.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while True:
        try:
            request, _ = receiver.receive()
        except BrokenWireError:
            return
        try:
            limits = Limits(**request.pop("limits"))
            budget = _limit(limits)
            answer = _OPERATIONS[request.pop("do")]
            file = _file_of(request, out, receiver)
            for message, picture in answer(file, limits=limits, budget=budget, **request):
                send(out, message, picture)
            send(out, {"done": True})
        except UnreadableMediaError as error:
            send(out, {"unreadable": str(error), "fault": error.fault})
        except MemoryError:
            send(out, {"unreadable": _too_large(limits), "fault": Fault.MEMORY})
        except (BrokenPipeError, BrokenWireError):
            return  # nobody wants the rest
        except OSError as error:
            send(out, {"os_error": [error.errno, error.strerror]})
        except Exception as error:  # noqa: BLE001 - PyAV raises anything on damaged files
            send(out, {"failed": f"{type(error).__name__}: {error}", "trace": _trace()})


def _file_of(request: Message, out: IO[bytes], receiver: Receiver) -> AnyFile:
    """Take what a request is about out of it: a local file, or one that the parent reads."""

    def ask(start: int, length: int) -> bytes:
        send(out, {"read": [start, length]})
        return receiver.receive_block(length)

    path = request.pop("path", None)
    if path is not None:
        return Path(path)
    return Ranges(request.pop("size"), request.pop("suffix"), ask)


def _trace() -> str:
    return traceback.format_exc()[-4000:]


def _too_large(limits: Limits) -> str:
    return f"reading it takes more than the {limits.memory / (1 << 30):.3g} GiB that a file may use"


def _limit(limits: Limits) -> _Budget:
    _set(resource.RLIMIT_AS, limits.memory)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_FSIZE, 0)
    return _Budget(limits)


def _set(which: int, limit: int) -> None:
    """Set a limit for the next request, or the one that this process is under if that is lower."""
    _, most = resource.getrlimit(which)
    if most != resource.RLIM_INFINITY:
        limit = most if limit == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(which, (limit, most))


class _Budget:
    """Processor time for one request; the system kills the process that uses more."""

    def __init__(self, limits: Limits) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._begun = used.ru_utime + used.ru_stime
        self._limits = limits
        self.allow(0)

    def allow(self, frames: float) -> None:
        """Allow what so many frames may take in all."""
        seconds = self._limits.cpu_seconds + self._limits.cpu_per_frame * frames
        limit = int(min(self._begun + seconds, _MOST_SECONDS)) + 1
        _set(resource.RLIMIT_CPU, limit)


_MOST_SECONDS = 1 << 30  # of processor time, that the system can count


def _probe(file: AnyFile, limits: Limits, budget: _Budget) -> Answers:
    yield asdict(probe(file)), None


def _sample(
    file: AnyFile,
    limits: Limits,
    budget: _Budget,
    rate: float,
    short_side: int,
    windows: list[tuple[float, float]] | None,
) -> Answers:
    sampler = Sampler(file, rate, short_side, limits.threads, windows)
    error = fault = None
    for number, frame in enumerate(sampler):
        if number == limits.frames:
            error = f"it goes on after {limits.frames} frames, the most that are read of a file"
            fault = Fault.SIZE
            break
        budget.allow(number + 1)
        yield {"time": frame.time}, frame.image
    end, error = sampler.end, error or sampler.error
    last = {"end": end, "undecodable": sampler.undecodable, "error": error, "fault": fault}
    yield last, None


def _grab(
    file: AnyFile, limits: Limits, budget: _Budget, times: list[float], short_side: int, run: bool
) -> Answers:
    budget.allow(max(times))  # seconds that lie before the last one may have to be decoded
    fetch = grab_run if run else grab
    for picture in fetch(file, times, short_side):
        yield {}, picture


def _is_playable(file: AnyFile, limits: Limits, budget: _Budget) -> Answers:
    yield {"playable": is_playable(file)}, None


def _write_playable(file: AnyFile, limits: Limits, budget: _Budget, copy: str) -> Answers:
    # The one operation that writes, and more than it reads if the file is coded well.
    _set(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    allowed = 0
    for seconds in write_playable(file, Path(copy)):
        if seconds >= allowed:
            allowed += 1
            budget.allow(allowed)
            yield {"seconds": seconds}, None


_OPERATIONS: dict[str, Callable[..., Answers]] = {
    "probe": _probe,
    "sample": _sample,
    "grab": _grab,
    "is_playable": _is_playable,
    "write_playable": _write_playable,
}


if __name__ == "__main__":
    main()
