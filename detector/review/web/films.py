"""Videos for the browser: each is made playable once, however many ask for it meanwhile."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio.to_thread

from detector.report_pictures import why_missing
from detector.review.evidence import NoEvidenceError
from detector.review.playback import media_type, playable
from detector.settings import Settings

PLAYABLE = "playable"  # folder of the workspace

_AT_ONCE = 2  # films that are converted at the same time
_MOST_KNOWN = 1000

_Key = tuple[str, int, int]  # path, size, time of change


@dataclass(frozen=True, slots=True)
class Film:
    """A file that all browsers play."""

    path: Path
    media_type: str


class Films:
    """The films that a desk plays."""

    def __init__(self, settings: Settings) -> None:
        self._cache = settings.home / PLAYABLE
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._stopped = threading.Event()
        self._known: dict[_Key, Film] = {}
        self._coming: dict[_Key, asyncio.Task[Film]] = {}

    async def open(self, role: str, source: str | None) -> Film:
        """Return a file that the browser plays; who comes while it is made waits for the same one.

        Parameters
        ----------
        role
            What the file is to the reader, see `detector.report_pictures.why_missing`.
        source
            Path or URL; None if it is not known.

        Raises
        ------
        NoEvidenceError
            The file is not there, or cannot be read.
        UnreadableMediaError
            It gives no frame.
        """
        problem = why_missing(role, source)
        if problem is not None or source is None:
            raise NoEvidenceError(problem or f"There is no {role}.")
        path = Path(source)
        try:
            status = path.stat()
        except OSError as error:
            raise _unreadable(role, error) from error
        key = (str(path), status.st_size, status.st_mtime_ns)
        film = self._known.get(key)
        if film is not None and film.path.is_file():
            return film
        task = self._coming.get(key)
        if task is None:
            task = asyncio.create_task(self._make(role, path))
            self._coming[key] = task
            task.add_done_callback(partial(self._end, key))
        # Shielded: one who goes away takes nothing from the others.
        film = await asyncio.shield(task)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = film
        return film

    def close(self) -> None:
        """Give up what is being made; nothing unfinished stays."""
        self._stopped.set()

    def _end(self, key: _Key, task: asyncio.Task[Film]) -> None:
        del self._coming[key]
        if not task.cancelled():
            task.exception()  # who waited for it has it; if nobody does any more, it is no fault

    async def _make(self, role: str, path: Path) -> Film:
        try:
            return await anyio.to_thread.run_sync(self._film, path, limiter=self._limiter)
        except OSError as error:
            raise _unreadable(role, error) from error

    def _film(self, path: Path) -> Film:
        made = playable(path, self._cache, self._go_on)
        return Film(made, media_type(made))

    def _go_on(self, done: float, duration: float | None) -> None:
        del done, duration
        if self._stopped.is_set():
            raise NoEvidenceError("The desk is being ended: ask again.")


def _unreadable(role: str, error: OSError) -> NoEvidenceError:
    return NoEvidenceError(f"The {role} cannot be shown: {error.strerror or error}")
