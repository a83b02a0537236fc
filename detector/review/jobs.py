"""Work in the background, one piece at a time, of which a page shows the progress.

Jobs live in memory: they end with the desk, and what came of them is forgotten after an hour. What
is to last of a job is what it wrote down itself.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias

from detector.assets import AssetError
from detector.descriptors import DescriptorUnavailableError
from detector.inputs import InputError
from detector.media import UnreadableMediaError
from detector.people import NoFaceError
from detector.pipeline import NothingToMatchError
from detector.review.errors import ConflictError, NotFoundError, ReviewError
from index.errors import ReferenceIndexError

LIFETIME = timedelta(hours=1)  # of what came of a job
MOST_UNFINISHED = 5  # jobs of one account
MOST_KEPT = 30  # of one account: with each, a file may be kept

EXPECTED = (
    AssetError,
    DescriptorUnavailableError,
    InputError,
    NoFaceError,
    NothingToMatchError,
    OSError,
    ReferenceIndexError,
    ReviewError,
    UnreadableMediaError,
)
"""What jobs fail with in the ordinary course of things; the text is for whoever asked."""

_log = logging.getLogger(__name__)

Report: TypeAlias = Callable[[float, str], None]
"""Takes how much of a job is done, in [0, 1], and what it is doing, in words."""


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        return self in {JobState.DONE, JobState.FAILED}


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was when it was asked for."""

    id: str  # nobody can guess it
    kind: str  # "query", "enrol": what it is for
    label: str  # for people to read, such as a file's name
    account_id: int  # whose it is
    created_at: datetime  # in UTC
    ended_at: datetime | None = None
    state: JobState = JobState.WAITING
    progress: float = 0.0  # in [0, 1]
    note: str = ""  # what it is doing
    error: str | None = None  # why it failed
    result: Any = None  # what its function returned


class _ClosingError(Exception):
    """The desk is closing: raised in the job that runs, where it reports."""


class Jobs:
    """Runs jobs in a thread of its own, in the order in which they came.

    Parameters
    ----------
    lifetime
        After the end of a job until it is forgotten.
    """

    def __init__(self, lifetime: timedelta = LIFETIME) -> None:
        self._lifetime = lifetime
        self._changed = threading.Condition()
        self._jobs: dict[str, Job] = {}  # in the order in which they came
        self._clean_ups: dict[str, Callable[[], None]] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._timer: threading.Timer | None = None  # until the next is to be forgotten
        self._is_closing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def submit(
        self,
        kind: str,
        label: str,
        account_id: int,
        run: Callable[[Report], Any],
        clean_up: Callable[[], None] | None = None,
    ) -> Job:
        """Take in a job. Of an account that has many, the oldest that has ended is forgotten.

        Parameters
        ----------
        run
            Does the work; what it returns is the job's result. It should report often, since a
            desk that closes ends it there.
        clean_up
            Called once when the job is forgotten, also if it never ran; not if it is refused here.

        Raises
        ------
        ConflictError
            Too many of the account's jobs have not ended, or the desk is closing.
        """
        with self._changed:
            if self._is_closing:
                raise ConflictError("the desk is closing: try again when it is back")
            unfinished = [
                one
                for one in self._jobs.values()
                if one.account_id == account_id and not one.state.has_ended
            ]
            if len(unfinished) >= MOST_UNFINISHED:
                raise ConflictError(
                    f"{len(unfinished)} of your jobs have not ended yet: wait until one has"
                )
            job = Job(secrets.token_urlsafe(16), kind, label, account_id, datetime.now(UTC))
            self._jobs[job.id] = job
            if clean_up is not None:
                self._clean_ups[job.id] = clean_up
            future = self._worker.submit(self._run, job.id, run)
            own = [one for one in self._jobs.values() if one.account_id == account_id]
            ended = [one.id for one in own if one.state.has_ended]
            clean_ups = self._drop(ended[: max(0, len(own) - MOST_KEPT)])
        future.add_done_callback(partial(self._end, job.id))
        _call(clean_ups)
        return job

    def get(self, job_id: str, account_id: int | None = None) -> Job:
        """Return a job as it is now.

        Parameters
        ----------
        account_id
            Whose it must be; None: anybody's.

        Raises
        ------
        NotFoundError
            There is none, it was forgotten, or it is somebody else's.
        """
        with self._changed:
            job = self._jobs.get(job_id)
        if job is None or account_id not in {None, job.account_id}:
            raise NotFoundError("there is no such job, or what came of it has been forgotten")
        return job

    def of(self, account_id: int) -> tuple[Job, ...]:
        """Return the jobs of an account, newest first."""
        with self._changed:
            own = [job for job in self._jobs.values() if job.account_id == account_id]
        return tuple(reversed(own))

    def counts(self) -> Mapping[JobState, int]:
        """How many jobs are in each state, of those that are not forgotten."""
        with self._changed:
            found = Counter(job.state for job in self._jobs.values())
        return {state: found[state] for state in JobState}

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Return a job when it has ended, or after so many seconds as it is then."""
        with self._changed:
            self._changed.wait_for(
                lambda: job_id not in self._jobs or self._jobs[job_id].state.has_ended, timeout_s
            )
        return self.get(job_id)

    def forget(self, now: datetime | None = None) -> int:
        """Forget jobs whose time is over, and clean up after them; return how many.

        That happens by itself, when the time comes.

        Parameters
        ----------
        now
            The present moment, unless given.
        """
        before = (now or datetime.now(UTC)) - self._lifetime
        with self._changed:
            over = [
                job.id
                for job in self._jobs.values()
                if job.ended_at is not None and job.ended_at <= before
            ]
            clean_ups = self._drop(over)
        _call(clean_ups)
        return len(over)

    def close(self) -> None:
        """End what runs where it reports next, forget everything, and clean up."""
        with self._changed:
            self._is_closing = True
            if self._timer is not None:
                self._timer.cancel()
        self._worker.shutdown(cancel_futures=True)
        with self._changed:
            clean_ups = list(self._clean_ups.values())
            self._clean_ups.clear()
            self._jobs.clear()
        _call(clean_ups)

    def _drop(self, job_ids: list[str]) -> list[Callable[[], None]]:
        """Forget jobs, and return what is to be called then."""
        for job_id in job_ids:
            del self._jobs[job_id]
        return [self._clean_ups.pop(one) for one in job_ids if one in self._clean_ups]

    def _run(self, job_id: str, run: Callable[[Report], Any]) -> Any:
        def report(fraction: float, note: str) -> None:
            if self._is_closing:
                raise _ClosingError
            share = min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0
            self._update(job_id, progress=share, note=note)

        self._update(job_id, state=JobState.RUNNING)
        return run(report)

    def _end(self, job_id: str, future: Future[Any]) -> None:
        now = datetime.now(UTC)
        error = _ClosingError() if future.cancelled() else future.exception()
        if error is None:
            result = future.result()
            self._update(
                job_id, state=JobState.DONE, ended_at=now, progress=1.0, note="", result=result
            )
        else:
            why = _in_words(error)
            if why is None:
                _log.error("job %s failed", job_id, exc_info=error)
                why = "this failed unexpectedly: the log of the desk says more"
            self._update(job_id, state=JobState.FAILED, ended_at=now, note="", error=why)
        self._set_timer()

    def _update(self, job_id: str, **changes: Any) -> None:
        with self._changed:
            if job_id in self._jobs:
                self._jobs[job_id] = replace(self._jobs[job_id], **changes)
                self._changed.notify_all()

    def _set_timer(self) -> None:
        with self._changed:
            ends = [job.ended_at for job in self._jobs.values() if job.ended_at is not None]
            is_set = self._timer is not None and not self._timer.finished.is_set()
            if is_set or not ends or self._is_closing:
                return
            left = min(ends) + self._lifetime - datetime.now(UTC)
            self._timer = threading.Timer(max(0.0, left.total_seconds()), self._on_time)
            self._timer.daemon = True
            self._timer.start()

    def _on_time(self) -> None:
        self.forget()
        with self._changed:
            self._timer = None
        self._set_timer()


def _in_words(error: BaseException) -> str | None:
    """Return what to tell of an error; None if it should not have happened."""
    if isinstance(error, _ClosingError):
        return "the desk was closed meanwhile"
    return str(error) if isinstance(error, EXPECTED) else None


def _call(clean_ups: list[Callable[[], None]]) -> None:
    for clean_up in clean_ups:
        try:
            clean_up()
        except OSError:
            _log.exception("what a job has left behind could not be removed")
