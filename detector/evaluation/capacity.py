"""A day of a fleet that scans uploads, simulated: queues, shared cores, machines that die.

Uploads come in a queue, first come, first served. A machine scans several at a time, one in each of
its workers. An upload passes through phases; alone, a phase lasts `seconds` and keeps `cores` cores
busy. Where the phases on a machine want more cores than it has, all are slowed alike (processor
sharing, Kleinrock 1967): each machine has a clock of its own that goes slower then, and in which
every phase ends after its `seconds`. Before its last phase an upload asks the vector service, of
which each server answers one upload at a time; the upload keeps its worker, but no core, meanwhile.

When a machine dies, what it had in work is lost, and these uploads begin anew, before all others
that wait.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HOUR, DAY = 3600.0, 86400.0
SAMPLES = 288  # of a day: every five minutes
_GIVE_UP_DAYS = 8  # a fleet that is too slow works on after the day; not for ever

_ARRIVES, _ENDS, _SEARCHED, _DIES, _RETURNS, _SAMPLE = range(6)


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Uploads, and what each takes.

    Attributes
    ----------
    arrivals
        Seconds from the day's begin, rising: float64 [n].
    seconds
        Of each phase, alone on a machine: float64 [n, phases]; 0 leaves it out.
    cores
        That are busy meanwhile: float64 [n, phases].
    search
        Seconds of one server of the vector service, before the last phase: float64 [n].
    """

    arrivals: Floats
    seconds: Floats
    cores: Floats
    search: Floats

    @property
    def processor(self) -> float:
        """Seconds of one core that all uploads take on the machines."""
        return float((self.seconds * self.cores).sum())

    @property
    def alone(self) -> Floats:
        """Seconds from submission to verdict if there was nothing else: float64 [n]."""
        return np.asarray(self.seconds.sum(axis=1) + self.search)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Machines that scan, and the servers of the vector service.

    Raises
    ------
    ValueError
        Without a machine, a core, a worker or a server nothing would ever be done.
    """

    machines: int
    cores: float  # of each machine
    workers: int  # uploads that a machine scans at a time
    servers: int = 1  # of the vector service
    mean_up: float = math.inf  # seconds until a machine dies, exponential
    mean_down: float = 0.0  # seconds until it is back, exponential
    one_dies_at: float | None = None  # seconds: then the first machine dies, for the mean time

    def __post_init__(self) -> None:
        if min(self.machines, self.workers, self.servers) < 1 or self.cores <= 0:
            raise ValueError("a fleet has at least one machine, core, worker and server")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of a day.

    Attributes
    ----------
    latency
        Seconds from submission to verdict: float64 [n]; infinite for what was never done.
    queue
        Uploads that wait for a worker, at the end of every 288th of the day: float64 [288].
    busy
        Share of the fleet's cores that was busy in it: float64 [288].
    longest_queue
        Most uploads that waited.
    processor
        Seconds of one core that were spent, those that were lost with a machine included.
    retries
        Uploads that had to begin anew, as often as each had to.
    ended
        Seconds from the day's begin to its end, or to the last verdict if that is later.
    """

    latency: Floats
    queue: Floats
    busy: Floats
    longest_queue: int
    processor: float
    retries: int
    ended: float

    def percentile(self, share: float) -> float:
        """Seconds that so many of 100 uploads take at most; NaN without uploads."""
        if not len(self.latency):
            return math.nan
        return float(np.percentile(self.latency, share, method="higher"))


def simulate(work: Work, fleet: Fleet, seed: int = 0) -> Outcome:
    """Let a day pass, and what it leaves undone be done; the same seed gives the same."""
    return _Day(work, fleet, seed).run()


class _Machine:
    """Phases that share the cores of one machine.

    Attributes
    ----------
    clock
        Of the machine's own, in which a second goes by per second of each phase alone.
    phases
        By upload: when on that clock its phase ends, and the cores that it wants.
    taken
        Workers that have an upload; some may be waiting for the vector service.
    version
        Counts changes, so that an event that was foreseen before the last one is told.
    """

    __slots__ = ("busy", "clock", "cores", "phases", "since", "taken", "up", "version", "wanted")

    def __init__(self, cores: float) -> None:
        self.cores = cores
        self.clock = self.since = self.wanted = self.busy = 0.0
        self.phases: dict[int, tuple[float, float]] = {}
        self.taken: set[int] = set()
        self.up = True
        self.version = 0

    def pass_until(self, now: float) -> None:
        spent = now - self.since
        self.clock += spent * self._pace()
        self.busy += spent * min(self.wanted, self.cores)
        self.since = now

    def begin(self, upload: int, seconds: float, cores: float) -> None:
        self.phases[upload] = (self.clock + seconds, cores)
        self.wanted += cores

    def end_next(self) -> int:
        """End the phase that is due, and return its upload."""
        upload = min(self.phases, key=self.phases.__getitem__)
        self.wanted -= self.phases.pop(upload)[1]
        if not self.phases:
            self.wanted = 0.0  # and not what rounding leaves of it
        return upload

    def next_end(self) -> float:
        """When the next phase ends if nothing changes; there has to be one."""
        left = min(self.phases.values())[0] - self.clock
        return self.since + max(0.0, left) / self._pace()

    def lose_all(self) -> list[int]:
        lost = sorted(self.taken)
        self.phases.clear()
        self.taken.clear()
        self.wanted = 0.0
        return lost

    def _pace(self) -> float:
        return 1.0 if self.wanted <= self.cores else self.cores / self.wanted


class _Day:
    """The events of one day, in order."""

    def __init__(self, work: Work, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._draw = np.random.default_rng(seed)
        # Plain lists: a number of an array takes far longer to get at.
        self._arrivals = work.arrivals.tolist()
        self._seconds, self._cores = work.seconds.tolist(), work.cores.tolist()
        self._search = work.search.tolist()
        self._last = work.seconds.shape[1] - 1
        uploads = len(self._arrivals)
        self._phase = [0] * uploads  # the next one
        self._tries = [0] * uploads
        self._done = [math.inf] * uploads
        self._left = uploads
        self._machines = [_Machine(fleet.cores) for _ in range(fleet.machines)]
        # Machines by workers taken; what is out of date is dropped when it comes up.
        self._idle = [(0, number) for number in range(fleet.machines)]
        self._place = [0] * uploads
        self._waiting: deque[int] = deque()
        self._asking: deque[tuple[int, int]] = deque()
        self._servers_free = fleet.servers
        self._events: list[tuple[float, int, int, int, int]] = []
        self._order = count()
        self._queue: list[int] = []
        self._spent: list[float] = []
        self._longest = self._retries = 0

    def run(self) -> Outcome:
        if self._arrivals:
            self._at(self._arrivals[0], _ARRIVES, 0)
        for number in range(SAMPLES):
            self._at((number + 1) * DAY / SAMPLES, _SAMPLE)
        if math.isfinite(self._fleet.mean_up):
            for number in range(len(self._machines)):
                self._at(self._draw.exponential(self._fleet.mean_up), _DIES, number)
        if self._fleet.one_dies_at is not None:
            self._at(self._fleet.one_dies_at, _DIES, 0, 1)
        now = 0.0
        while self._left or len(self._queue) < SAMPLES:
            now, _, kind, number, which = heappop(self._events)
            if now > _GIVE_UP_DAYS * DAY:
                break
            self._happens(now, kind, number, which)
        for machine in self._machines:
            machine.pass_until(now)
        capacity = len(self._machines) * self._fleet.cores * DAY / SAMPLES
        return Outcome(
            latency=np.array(self._done) - np.array(self._arrivals),
            queue=np.array(self._queue, np.float64),
            busy=np.diff(self._spent, prepend=0.0) / capacity,
            longest_queue=self._longest,
            processor=sum(machine.busy for machine in self._machines),
            retries=self._retries,
            ended=max(now, DAY),
        )

    def _at(self, when: float, kind: int, number: int = 0, which: int = 0) -> None:
        heappush(self._events, (when, next(self._order), kind, number, which))

    def _happens(self, now: float, kind: int, number: int, which: int) -> None:
        if kind == _ENDS:
            machine = self._machines[number]
            if machine.version == which:
                machine.pass_until(now)
                self._go_on(machine.end_next(), now)
        elif kind == _ARRIVES:
            self._waiting.append(number)
            self._give_out(now)
            self._longest = max(self._longest, len(self._waiting))
            if number + 1 < len(self._arrivals):
                self._at(self._arrivals[number + 1], _ARRIVES, number + 1)
        elif kind == _SEARCHED:
            self._servers_free += 1
            self._ask_next(now)
            if self._tries[number] == which:  # else its machine has died meanwhile
                self._machines[self._place[number]].pass_until(now)
                self._begin(number, self._last, now)
        elif kind == _DIES:
            self._die(number, now, by_chance=not which)
        elif kind == _RETURNS:
            self._machines[number].up = True
            heappush(self._idle, (0, number))
            self._give_out(now)
            if math.isfinite(self._fleet.mean_up):
                self._at(now + self._draw.exponential(self._fleet.mean_up), _DIES, number)
        else:
            self._queue.append(len(self._waiting))
            for machine in self._machines:
                machine.pass_until(now)
            self._spent.append(sum(machine.busy for machine in self._machines))

    def _give_out(self, now: float) -> None:
        """Give waiting uploads to workers: to the machine that has the fewest uploads."""
        while self._waiting and self._idle:
            taken, number = self._idle[0]
            machine = self._machines[number]
            if not machine.up or taken != len(machine.taken) or taken >= self._fleet.workers:
                heappop(self._idle)
                continue
            upload = self._waiting.popleft()
            machine.taken.add(upload)
            heappush(self._idle, (taken + 1, number))
            self._place[upload], self._phase[upload] = number, 0
            machine.pass_until(now)
            self._go_on(upload, now)

    def _go_on(self, upload: int, now: float) -> None:
        """Begin the next phase, ask the vector service, or be done; the machine's time is now."""
        phase = self._phase[upload]
        while phase < self._last and not self._seconds[upload][phase]:
            phase += 1
        if phase == self._last and self._search[upload]:
            self._phase[upload] = phase + 1
            self._asking.append((upload, self._tries[upload]))
            self._foresee(self._place[upload])
            self._ask_next(now)
        else:
            self._begin(upload, phase, now)

    def _begin(self, upload: int, phase: int, now: float) -> None:
        number = self._place[upload]
        self._phase[upload] = phase + 1
        if phase <= self._last and self._seconds[upload][phase]:
            machine = self._machines[number]
            machine.begin(upload, self._seconds[upload][phase], self._cores[upload][phase])
            self._foresee(number)
            return
        self._done[upload] = now
        self._left -= 1
        self._machines[number].taken.remove(upload)
        heappush(self._idle, (len(self._machines[number].taken), number))
        self._foresee(number)
        self._give_out(now)

    def _foresee(self, number: int) -> None:
        machine = self._machines[number]
        machine.version += 1
        if machine.phases:
            self._at(machine.next_end(), _ENDS, number, machine.version)

    def _ask_next(self, now: float) -> None:
        while self._servers_free and self._asking:
            upload, one_try = self._asking.popleft()
            if self._tries[upload] != one_try:
                continue
            self._servers_free -= 1
            self._at(now + self._search[upload], _SEARCHED, upload, one_try)

    def _die(self, number: int, now: float, *, by_chance: bool) -> None:
        machine = self._machines[number]
        if not machine.up:
            return
        machine.pass_until(now)
        lost = machine.lose_all()
        machine.up = False
        machine.version += 1
        for upload in lost:
            self._tries[upload] += 1
        self._waiting.extendleft(reversed(lost))
        self._retries += len(lost)
        self._longest = max(self._longest, len(self._waiting))
        mean = self._fleet.mean_down
        self._at(now + (self._draw.exponential(mean) if by_chance else mean), _RETURNS, number)
        self._give_out(now)
