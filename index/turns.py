"""Who writes to a home folder: one process at a time, and the others wait for their turn."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from index.errors import IndexBusyError

SHORT_WAIT_S = 1.0  # of a longer one the user is told

_log = logging.getLogger(__name__)


def acquire(lock: filelock.BaseFileLock, timeout: float, waiting: str) -> None:
    """Acquire a lock, and say so if that takes a while.

    Parameters
    ----------
    timeout
        Seconds to wait; for ever if it is negative.
    waiting
        What is said, once.

    Raises
    ------
    filelock.Timeout
        It could not be had in time.
    """
    if 0 <= timeout <= SHORT_WAIT_S:
        lock.acquire(timeout)
        return
    try:
        lock.acquire(SHORT_WAIT_S)
    except filelock.Timeout:
        _log.info("%s", waiting)
        lock.acquire(timeout if timeout < 0 else timeout - SHORT_WAIT_S)


@contextmanager
def turn(lock: filelock.BaseFileLock, home: Path, timeout: float | None = None) -> Iterator[None]:
    """Hold the lock of those that write.

    Parameters
    ----------
    lock
        The lock, with the seconds that it usually waits.
    home
        The folder it stands for.
    timeout
        Other seconds to wait.

    Raises
    ------
    IndexBusyError
        Another process did not let go of it in time.
    """
    patience = lock.timeout if timeout is None else timeout
    try:
        acquire(
            lock,
            patience,
            f"another process is writing to the index in {home}: waiting for it, up to "
            f"{patience:.0f} s",
        )
    except filelock.Timeout as error:
        raise IndexBusyError(
            f"another process is writing to the index in {home} and has not finished after "
            f"{patience:.0f} s: wait for it to end, then try again"
        ) from error
    try:
        yield
    finally:
        lock.release()
