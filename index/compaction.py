"""Compaction beside the work of a process: built aside in a thread, then put into place.

However it ends, nothing is lost: what is half built is a draft that nobody reads and the next
writer sweeps, and the store before it goes on to be searched and brought up to date.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import filelock
from sqlalchemy.exc import DBAPIError

from index.errors import ReferenceIndexError
from index.search_index import SearchIndex

_log = logging.getLogger(__name__)


class Compactor:
    """Writes stores anew that too much has come to, or gone from.

    Parameters
    ----------
    home
        Folder of the index: of all its processes, one compacts at a time.
    search
        The stores.
    turn
        Gives the turn to write.
    sweep
        Deletes the files that the new ones take the place of.
    """

    def __init__(
        self,
        home: Path,
        search: SearchIndex,
        turn: Callable[[], AbstractContextManager[None]],
        sweep: Callable[[], object],
    ) -> None:
        self._lock = filelock.FileLock(home / "compaction.lock")
        self._search = search
        self._turn = turn
        self._sweep = sweep
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin with what is due, if anything is, and it is not being done already."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._search.due():
            self._thread = threading.Thread(target=self._run, name="compaction")
            self._thread.start()

    def finish(self, *, stop: bool = False) -> None:
        """Wait until nothing is being done any more.

        Parameters
        ----------
        stop
            Leave it at what is done, as soon as possible.
        """
        if stop:
            self._stop.set()
        if self._thread is not None:
            try:
                self._thread.join()
            except BaseException:  # somebody does not want to wait
                self._stop.set()
                raise

    @contextmanager
    def alone(self, timeout: float | None = None) -> Iterator[None]:
        """Be the only one that compacts; `filelock.Timeout` if that cannot be had in time."""
        with self._lock.acquire(timeout):
            yield

    def _run(self) -> None:
        while due := self._search.due():  # more may have become so meanwhile
            if not self._compact(due[0]):
                break

    def _compact(self, channel: str) -> bool:
        """Write a channel's store anew; False if that could not be done now."""
        from index.main_file import StoppedError

        try:
            with self.alone(timeout=0):
                _log.info("compacting channel %r", channel)
                store = self._search.build(
                    channel, anew=False, go_on=lambda: not self._stop.is_set()
                )
                with self._turn():
                    self._search.adopt(channel, store)
                    self._sweep()
        except (StoppedError, filelock.Timeout):
            return False  # called off; or another process is at it
        except (ReferenceIndexError, OSError, DBAPIError) as error:
            _log.warning("channel %r was not compacted: %s", channel, error)
            return False
        return True
