"""Videos for the browser: each is made playable once, however many ask for it meanwhile."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio.to_thread

from detector.inputs import InputError, Source
from detector.remote import in_words
from detector.report_pictures import why_missing
from detector.review.evidence import NoEvidenceError
from detector.review.playback import copy_known_by, media_type, playable
from detector.settings import Settings

PLAYABLE = "playable"  # folder of the workspace

_AT_ONCE = 2  # films that are converted at the same time
_MOST_KNOWN = 1000

_Key = tuple[str, str]  # path or URL, and what changes when the content does


@dataclass(frozen=True, slots=True)
class Film:
    """A file that all browsers play."""

    path: Path
    media_type: str


class Films:
    """The films that a desk plays."""

    def __init__(self, settings: Settings) -> None:
        self._cache = settings.home / PLAYABLE
        self._protocols = settings.protocols
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
        problem = why_missing(role, source, self._protocols)
        if problem is not None or source is None:
            raise NoEvidenceError(problem or f"There is no {role}.")
        try:
            key = source, await anyio.to_thread.run_sync(Source(source).state, self._protocols)
        except InputError as error:
            raise _unreadable(role, error) from error
        film = self._known.get(key)
        if film is not None and film.path.is_file():
            return film
        task = self._coming.get(key)
        if task is None:
            task = asyncio.create_task(self._make(role, key))
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

    async def _make(self, role: str, key: _Key) -> Film:
        try:
            return await anyio.to_thread.run_sync(self._film, key, limiter=self._limiter)
        except (InputError, OSError) as error:
            raise _unreadable(role, error) from error

    def _film(self, key: _Key) -> Film:
        source = Source(key[0])
        known_by = "\n".join(key) if source.is_url else None
        if known_by is not None and (copy := copy_known_by(known_by, self._cache)).is_file():
            return Film(copy, media_type(copy))
        with source.opened(self._protocols) as media:
            made = playable(media, self._cache, self._go_on, known_by=known_by)
        return Film(made, media_type(made))

    def _go_on(self, done: float, duration: float | None) -> None:
        del done, duration
        if self._stopped.is_set():
            raise NoEvidenceError("The desk is being ended: ask again.")


def _unreadable(role: str, error: InputError | OSError) -> NoEvidenceError:
    return NoEvidenceError(f"The {role} cannot be shown: {in_words(error)}")
