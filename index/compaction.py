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

from index.errors import ReferenceIndexError, StoppedError
from index.searching import ChannelSearch
from index.turns import SHORT_WAIT_S, acquire

_WAITING = (
    "waiting for channel %r to be compacted; Ctrl-C leaves it for the next time that something is "
    "written, and nothing is lost"
)
_ENDING = "channel %r is not compacted this time; waiting for the step it is at to end"

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
        search: ChannelSearch,
        turn: Callable[[], AbstractContextManager[None]],
        sweep: Callable[[], object],
    ) -> None:
        self._home = home
        self._lock = filelock.FileLock(home / "compaction.lock")
        self._search = search
        self._turn = turn
        self._sweep = sweep
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._over = threading.Event()  # the thread has nothing more to do
        self._channel = ""  # that the thread is at

    def start(self) -> None:
        """Begin with what is due, if anything is, and it is not being done already."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._search.due():
            self._over.clear()
            thread = threading.Thread(target=self._run, name="compaction")
            thread.start()
            self._thread = thread

    def finish(self, *, stop: bool = False) -> None:
        """Wait until nothing is being done any more; say so if that takes a while.

        Parameters
        ----------
        stop
            Leave it at what is done, as soon as possible.
        """
        if stop:
            self._stop.set()
        if self._thread is None:
            return
        try:
            # Not by `Thread.join`: one that Ctrl-C interrupts lets go of the thread (bpo-45274).
            if not self._over.wait(SHORT_WAIT_S):
                _log.info(_ENDING if stop else _WAITING, self._channel)
                self._over.wait()
            self._thread.join()
        except BaseException:  # somebody does not want to wait
            self._stop.set()
            raise

    @contextmanager
    def alone(self, timeout: float = -1.0) -> Iterator[None]:
        """Be the only one that compacts; `filelock.Timeout` if that cannot be had in time."""
        told = f"another process is compacting the index in {self._home}: waiting for it"
        acquire(self._lock, timeout, told)
        try:
            yield
        finally:
            self._lock.release()

    def _run(self) -> None:
        try:
            while due := self._search.due():  # more may have become so meanwhile
                if not self._compact(due[0]):
                    break
        finally:
            self._over.set()

    def _compact(self, channel: str) -> bool:
        """Write a channel's store anew; False if that could not be done now."""
        self._channel = channel
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
