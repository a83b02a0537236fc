"""Files on servers, read piece by piece: what is asked for is fetched, and not much more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeAlias, TypeVar

from detector.decoding.records import UnreadableMediaError

PATIENCE = 60.0  # seconds that a server may say nothing
PAUSES = (0.5, 2.0)  # seconds after which a request that failed is made again

_LEAST, _MOST = 1 << 16, 1 << 22  # bytes fetched at a time
_KEPT = 4  # pieces of a file that are kept: sound and picture may lie apart
_LONG = 10.0  # seconds; so long at most is a piece to take on a slow line

_Result = TypeVar("_Result")


class UnreachableError(UnreadableMediaError):
    """A server did not give what was asked for; the text says why."""


class RandomAccess(Protocol):
    """What fsspec opens."""

    def seek(self, offset: int) -> int: ...

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some bytes of a file."""

    start: int
    content: bytes
    run: int  # bytes that were read one after the other, with these the last of them

    @property
    def end(self) -> int:
        return self.start + len(self.content)


class RemoteFile:
    """A file on a server, open to be read at any place, by several threads.

    Who reads on gets ever larger pieces, who jumps small ones. At most 16 MiB are kept.

    Parameters
    ----------
    file
        What to read from; closed with this.
    name
        Its address.
    size
        In bytes.
    patience
        Seconds that the server may say nothing.
    pauses
        Seconds after which a request that failed is made again, one for each time.
    """

    def __init__(
        self,
        file: RandomAccess,
        name: str,
        size: int,
        patience: float = PATIENCE,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.name = name
        self.size = size
        self._file = file
        self._patience = patience
        self._pauses = pauses
        self._pieces: list[_Piece] = []
        self._most = _MOST
        self._lock = threading.Lock()
        self._failure: str | None = None

    @property
    def suffix(self) -> str:
        """The end of its name, as ``.mp4``."""
        return PurePosixPath(self.name.partition("?")[0]).suffix

    def read(self, start: int, length: int) -> bytes:
        """Return what lies at a place: at least one byte, and at most so many.

        Parameters
        ----------
        start
            Less than the size.

        Raises
        ------
        UnreachableError
            The server does not give it.
        """
        with self._lock:
            piece = next((one for one in self._pieces if one.start <= start < one.end), None)
            if piece is None:
                piece = self._fetched(start, length)
                self._pieces = [*self._pieces[-(_KEPT - 1) :], piece]
        return piece.content[start - piece.start : start - piece.start + length]

    def close(self) -> None:
        self._file.close()

    def _fetched(self, start: int, length: int) -> _Piece:
        run = next((one.run for one in self._pieces if one.end == start), 0)
        wanted = min(max(length, _LEAST, min(run, self._most)), _MOST, self.size - start)
        begun = time.monotonic()
        content = self._got(start, wanted)
        pace = wanted / max(time.monotonic() - begun, 1e-3)
        self._most = min(_MOST, max(_LEAST, int(pace * _LONG)))
        return _Piece(start, content, run + wanted)

    def _got(self, start: int, wanted: int) -> bytes:
        def fetch() -> bytes:
            self._file.seek(start)
            return self._file.read(wanted)

        pauses = list(self._pauses)
        while self._failure is None:  # else it would take the same time to fail again
            try:
                content = answered(fetch, self._patience)
                if len(content) == wanted:
                    return content
                self._failure = "the server sent less than it had announced"
            except TimeoutError:
                self._failure = f"the server sent nothing for {self._patience:.0f} s"
            except Exception as error:  # noqa: BLE001 - whatever a protocol's package raises
                if pauses and not isinstance(error, FileNotFoundError | PermissionError):
                    time.sleep(pauses.pop(0))
                    continue
                self._failure = f"the server did not send what was asked for: {in_words(error)}"
        raise UnreachableError(self._failure)


Media: TypeAlias = Path | RemoteFile
"""A video: a local file, or one on a server."""


def answered(ask: Callable[[], _Result], patience: float = PATIENCE) -> _Result:
    """Ask a server, and wait no longer than so many seconds.

    Raises
    ------
    TimeoutError
        There was no answer; a thread may go on waiting for it.
    Exception
        Whatever `ask` raises.
    """
    answer: Future[_Result] = Future()

    def wait() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - whoever asked is to have it
            answer.set_exception(error)

    # Not from a pool: the program's end waits for those, and this one may wait for ever.
    threading.Thread(target=wait, daemon=True, name="ask").start()
    return answer.result(patience)


def in_words(error: BaseException) -> str:
    """Say what went wrong with a file, be it here or on a server."""
    # HTTP's package calls any failure "not found", and keeps what it was.
    if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    said: Any = getattr(error, "strerror", None)
    if isinstance(error, FileNotFoundError):
        return str(said or "no such file")
    if isinstance(error, TimeoutError):
        return str(said or "the server did not answer in time")
    return str(said or error or type(error).__name__)
