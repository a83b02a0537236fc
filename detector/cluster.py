"""Many uploads or films on a Ray cluster: workers on its nodes, each with one file at a time.

A worker that is lost with its node is replaced, on another node if need be, and the file it was at
is given to the next that is free; what it had remembered by then is not done again. Results come
in the order of the files, each once. Nothing is held in the cluster that is not in the catalogue:
who starts anew with `resume` goes on where it stopped.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from detector.describe import OnProgress
from detector.descriptors import Descriptor, space_of
from detector.faces import FaceChannel
from detector.inputs import Source
from detector.pipeline import NOTHING_KNOWN, unreadable
from detector.settings import Settings
from detector.types import Channel, ScanResult, Submission
from index.reference_index import ReferenceIndex

if TYPE_CHECKING:
    from detector.cluster_worker import Job
    from detector.pipeline import FilmSeen

_TRIES = 3  # of a file whose worker was lost
_LOOK_S = 0.5  # how long results are waited for, before it is seen what else is to be done
_POLL_S = 1.0  # between two looks at how far a file is
_TELL_S = 30.0  # without any worker, until that is told
_GIVE_UP_S = 900.0
_WINDOW = 64  # files that may be ahead of the one whose result is waited for
_DESCRIBED_TOGETHER = 16  # requests that a describer takes at a time

_log = logging.getLogger("matchcut")


class ClusterError(Exception):
    """The cluster cannot be used; the text says why, and what to do about it."""


class ClusterFileError(ClusterError):
    """A file cost several workers; others may well be read."""


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to a Ray cluster within the block.

    Parameters
    ----------
    address
        ``ray://HOST:10001`` of a cluster elsewhere; ``ray`` for the one that this machine belongs
        to (or RAY_ADDRESS names), and if there is none, for one of this machine alone.

    Raises
    ------
    ClusterError
        It cannot be reached, or Ray is not installed.
    """
    if address != "ray" and not address.startswith("ray://"):
        raise ClusterError(f"{address!r} is no cluster: give ray, or ray://HOST:10001")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call its makers
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"a cluster needs {error.name}: `pip install matchcut[cluster]`"
        ) from error
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(
            None if address == "ray" else address,
            include_dashboard=False if address == "ray" else None,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"the Ray cluster {address} cannot be reached ({error}): see that its head runs, and "
            "that Python and Ray are the same there and here"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@dataclass(frozen=True, slots=True)
class Size:
    """How many processes a job gets.

    Attributes
    ----------
    workers
        Files at a time.
    threads
        Processors of each worker.
    describers
        Processes that describe the pictures of all, on a GPU each where there are any; 0: the
        workers do so themselves.
    on_gpu
        Whether a describer takes a GPU.
    """

    workers: int
    threads: int
    describers: int
    on_gpu: bool


def size_for(workers: int | None, describers: int | None) -> Size:
    """Share out the cluster, as it is now.

    Parameters
    ----------
    workers
        By default one for each processor that is left.
    describers
        By default one for each GPU.

    Raises
    ------
    ClusterError
        It has no processors.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    processors = [int(node.get("CPU", 0)) for node in nodes]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    describers = gpus if describers is None else describers
    left = max(1, sum(processors) - describers)
    if not any(processors):
        raise ClusterError("the Ray cluster has no processors: start nodes with --num-cpus")
    workers = workers or left
    threads = max(1, min(left // workers, *processors, left))
    return Size(workers, threads, describers, on_gpu=0 < describers <= gpus)


class ClusterBatch:
    """A scan of many uploads on the cluster that this process is connected to.

    It takes what `detector.batch.Batch` takes, and gives the same results.

    Parameters
    ----------
    size
        How many processes do it.
    """

    def __init__(
        self,
        index: ReferenceIndex,
        descriptors: Mapping[Channel, Descriptor],
        settings: Settings,
        *,
        size: Size,
        faces: FaceChannel | None = None,
        min_score: float | None = None,
        submissions: Callable[[Source], Submission] = lambda _: NOTHING_KNOWN,
        today: date | None = None,
        resume: bool = False,
    ) -> None:
        from detector.cluster_worker import ScanConditions

        today = today or datetime.now(UTC).date()
        conditions = ScanConditions(
            has_faces=faces is not None,
            min_score=min_score,
            today=today,
            enrolled=index.fingerprint(today),
        )
        self._job = replace(_job(descriptors, settings), scan=conditions)
        self._size = size
        self._submission_of = submissions
        self._resume = resume

    def run(
        self,
        sources: Sequence[Source],
        on_progress: Callable[[Source], OnProgress] | None = None,
    ) -> Generator[ScanResult]:
        """Scan all sources; yield one result for each, in their order."""

        def scan(worker: Any, source: Source, tried: int) -> Any:
            there = Source(source.address)
            resume = self._resume or tried > 0  # its worker may have been lost after it was done
            return worker.scan.remote(there, self._submission_of(source), resume)

        with _Fleet(self._job, self._size) as fleet:
            results = fleet.run(sources, scan, on_progress)
            for source, result in zip(sources, results, strict=True):
                if isinstance(result, _Lost):
                    yield unreadable(source, result.reason, self._submission_of(source))
                else:
                    yield replace(result, source=source.name, query_id=source.stem)


def look_at_films(
    sources: Sequence[Source],
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    size: Size,
    on_progress: Callable[[Source], OnProgress],
) -> Generator[FilmSeen | Exception]:
    """Describe films on the cluster; yield what was seen in each, or why it cannot be enrolled."""

    def look(worker: Any, source: Source, tried: int) -> Any:
        return worker.look_at_film.remote(Source(source.address))

    with _Fleet(_job(descriptors, settings), size) as fleet:
        for seen in fleet.run(sources, look, on_progress):
            yield ClusterFileError(seen.reason) if isinstance(seen, _Lost) else seen


def _job(descriptors: Mapping[Channel, Descriptor], settings: Settings) -> Job:
    from detector.cluster_worker import Job

    return Job(
        settings.model_copy(update={"home": settings.home.absolute()}),
        {channel: space_of(one) for channel, one in descriptors.items()},
        version("matchcut"),
    )


@dataclass(frozen=True, slots=True)
class _Lost:
    """What is known of a file that took its workers with it."""

    reason: str


@dataclass(slots=True, eq=False)
class _Member:
    """A worker, as it is seen from here."""

    actor: Any
    pending: Any  # what it is asked at the moment: to prepare, or a file; None: it is free
    number: int | None = None  # of the file
    watch: OnProgress | None = None
    progress: Any = None  # that was asked for
    asked_at: float = 0.0


@dataclass(slots=True)
class _Work:
    """Files, how far they are, and their results until these are taken."""

    sources: Sequence[Source]
    call: Callable[[Any, Source, int], Any]
    on_progress: Callable[[Source], OnProgress] | None
    results: dict[int, Any] = field(default_factory=dict)
    tried: dict[int, int] = field(default_factory=dict)
    again: deque[int] = field(default_factory=deque)
    begun: int = 0
    taken: int = 0
    failure: BaseException | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)


class _Fleet:
    """The processes of one job."""

    def __init__(self, job: Job, size: Size) -> None:
        self._job = job
        self._size = size
        self._members: list[_Member] = []
        self._describers: list[Any] = []
        self._is_over = threading.Event()
        self._none_since: float | None = None  # when there was no worker any more
        self._has_told = False

    def __enter__(self) -> _Fleet:
        import ray
        from ray.exceptions import RayTaskError

        from detector.cluster_worker import Describer

        options: dict[str, Any] = {"num_gpus": 1} if self._size.on_gpu else {"num_cpus": 1}
        make = ray.remote(Describer).options(
            **options, max_concurrency=_DESCRIBED_TOGETHER, max_restarts=-1, max_task_retries=-1
        )
        self._describers = [make.remote(self._job) for _ in range(self._size.describers)]
        try:
            ray.get(
                [one.facts.remote(name) for one in self._describers for name in self._job.spaces]
            )
        except RayTaskError as error:
            raise _cause(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        import ray

        self._is_over.set()
        for actor in [*self._describers, *(one.actor for one in self._members)]:
            ray.kill(actor)

    def run(
        self,
        sources: Sequence[Source],
        call: Callable[[Any, Source, int], Any],
        on_progress: Callable[[Source], OnProgress] | None,
    ) -> Generator[Any]:
        """Give each file to a worker; yield what became of them, in their order.

        Parameters
        ----------
        call
            Asks a worker (an actor) to do something with a file that was tried so often before.
        """
        work = _Work(sources, call, on_progress)
        thread = threading.Thread(target=self._dispatch, args=(work,), name="cluster")
        thread.start()
        try:
            for number in range(len(sources)):
                with work.changed:
                    work.changed.wait_for(lambda: number in work.results or work.failure)  # noqa: B023
                    if number not in work.results:
                        assert work.failure is not None  # noqa: S101 -- or else there is a result
                        raise work.failure
                    result = work.results.pop(number)
                    work.taken = number + 1
                yield result
        finally:
            self._is_over.set()
            thread.join()

    def _dispatch(self, work: _Work) -> None:
        try:
            while not self._is_over.is_set() and len(work.results) + work.taken < len(work.sources):
                self._fill_up(work)
                self._give_out(work)
                self._gather(work)
        except BaseException as error:  # noqa: BLE001 -- raised where results are waited for
            with work.changed:
                work.failure = error
                work.changed.notify_all()

    def _fill_up(self, work: _Work) -> None:
        """Start as many workers as there should be, and files for."""
        import ray

        from detector.cluster_worker import Worker

        left = len(work.sources) - len(work.results) - work.taken
        make = ray.remote(Worker).options(
            num_cpus=self._size.threads,
            max_concurrency=2,  # it is asked how far it is
            max_restarts=0,
        )
        while len(self._members) < min(self._size.workers, left):
            actor = make.remote()
            pending = actor.prepare.remote(self._job, self._describers, self._size.threads)
            self._members.append(_Member(actor, pending))

    def _give_out(self, work: _Work) -> None:
        for member in self._members:
            if member.pending is not None:
                continue
            number = self._next(work)
            if number is None:
                return
            source = work.sources[number]
            member.number = number
            member.watch = work.on_progress(source) if work.on_progress is not None else None
            member.pending = work.call(member.actor, source, work.tried.get(number, 0))

    def _next(self, work: _Work) -> int | None:
        if work.again:
            return work.again.popleft()
        most = min(len(work.sources), work.taken + max(_WINDOW, 4 * self._size.workers))
        if work.begun >= most:
            return None
        work.begun += 1
        return work.begun - 1

    def _gather(self, work: _Work) -> None:
        """Take what has come by now, or soon."""
        import ray

        asked = {one.pending: one for one in self._members if one.pending is not None}
        if not asked:
            self._is_over.wait(_LOOK_S)  # until results are taken
            return
        ready, _ = ray.wait(list(asked), timeout=_LOOK_S)
        for reference in ready:
            self._take(work, asked[reference], reference)
        self._watch_progress()
        self._see_whether_there_are_any()

    def _take(self, work: _Work, member: _Member, reference: Any) -> None:
        import ray
        from ray.exceptions import RayError, RayTaskError

        number = member.number
        try:
            result = ray.get(reference)
        except RayTaskError as error:
            result = _cause(error)
            if number is None or not self._is_of_file(result):
                raise result from None
        except RayError as error:  # its node is gone, or its process
            self._members.remove(member)
            ray.kill(member.actor)
            if number is None:
                return
            work.tried[number] = work.tried.get(number, 0) + 1
            where = work.sources[number].name
            if work.tried[number] < _TRIES:
                _log.warning("a worker was lost: %s is given to another", where)
                work.again.append(number)
                return
            _log.debug("%s", error)
            result = _Lost(f"{_TRIES} workers were lost while they read it: try it by itself")
        member.pending = member.number = member.watch = member.progress = None
        if number is not None:
            with work.changed:
                work.results[number] = result
                work.changed.notify_all()

    def _is_of_file(self, error: BaseException) -> bool:
        """Whether an error says something of the file alone; a scan has a result for that."""
        from detector.inputs import InputError
        from detector.media import UnreadableMediaError
        from detector.pipeline import NothingToMatchError

        return isinstance(error, InputError | UnreadableMediaError | NothingToMatchError)

    def _watch_progress(self) -> None:
        import ray
        from ray.exceptions import RayError

        now = time.monotonic()
        for member in self._members:
            if member.watch is None:
                continue
            if member.progress is None:
                if now - member.asked_at >= _POLL_S:
                    member.progress, member.asked_at = member.actor.progress.remote(), now
                continue
            ready, _ = ray.wait([member.progress], timeout=0)
            if ready:
                member.progress = None
                try:
                    if (far := ray.get(ready[0])) is not None:
                        member.watch(*far)
                except RayError as error:  # of its loss its file tells
                    _log.debug("%s", error)

    def _see_whether_there_are_any(self) -> None:
        """Tell that no worker can be started, and give up in the end."""
        if any(member.number is not None for member in self._members):
            self._none_since = None
            return
        now = time.monotonic()
        self._none_since = self._none_since or now
        if now - self._none_since > _TELL_S and not self._has_told:
            self._has_told = True
            _log.warning("waiting for a node of the Ray cluster that has room for a worker")
        if now - self._none_since > _GIVE_UP_S:
            raise ClusterError(
                f"no node of the Ray cluster had room for a worker for {_GIVE_UP_S:.0f} s: add "
                "nodes, or end what else runs there, then go on with --resume"
            )


def _cause(error: Any) -> BaseException:
    """Return what was raised in another process, as if it had been in this one."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, BaseException) else error
