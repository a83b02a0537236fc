"""How many machines a platform needs: the arithmetic of vectors, and a search over simulated days.

A day is simulated from its quietest hour to the next. Uploads come as a Poisson process whose rate
follows a bell round the clock, as high at its peak as is asked for (von Mises's density). Large
platforms are simulated in part: so many machines, and as large a share of the uploads. A part
waits for chance a little longer than the whole, so that this errs to the safe side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from detector.evaluation.capacity import (
    DAY,
    HOUR,
    SAMPLES,
    Fleet,
    Floats,
    Outcome,
    Work,
    simulate,
)
from detector.evaluation.capacity_costs import Costs, frames_of, work_of
from detector.evaluation.capacity_demand import (
    Demand,
    Line,
    Needs,
    Terms,
    VectorService,
    arithmetic,
    replicas_for,
    service_for,
    warnings_of,
)

MONTH_HOURS = 730.0
_FEWEST = 4  # machines of a part that is simulated
_MORE_REPLICAS = 12  # that are tried where the vector service takes too long


class NoPlanError(ValueError):
    """No number of machines does what is asked for; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is needed, and what a day is like with it.

    Attributes
    ----------
    p50, p95, p99
        Seconds from submission to verdict; None without uploads. So are the other latencies.
    p95_if_one_dies
        On a day on which a machine dies in the busiest hour, beside those that die by chance; where
        a part is simulated, one of that part.
    p95_with_one_less
        With one scanning machine less than planned; None if there is but one.
    utilisation, peak_utilisation
        Share of the scanning machines' cores that is busy, over the day and in its busiest hour.
    queue_at_peak
        Uploads waiting, the mean of the busiest hour.
    longest_queue
        Most uploads that waited at a time.
    simulated
        Share of the platform that was simulated.
    hours
        Of each sampled moment of the day, from its quietest hour on; with the uploads waiting, and
        p50 and p95 of what was submitted in the hour round it (None: nothing).
    """

    machines: int
    service: VectorService
    arithmetic: tuple[Line, ...]
    p50: float | None
    p95: float | None
    p99: float | None
    p95_if_one_dies: float | None
    p95_with_one_less: float | None
    utilisation: float
    peak_utilisation: float
    queue_at_peak: float
    longest_queue: float
    retries: float
    simulated: float
    price_per_month: float
    price_per_1000: float | None
    warnings: tuple[str, ...]
    hours: tuple[float, ...] = field(repr=False)
    queue: tuple[float, ...] = field(repr=False)
    p50_by_hour: tuple[float | None, ...] = field(repr=False)
    p95_by_hour: tuple[float | None, ...] = field(repr=False)


def plan_for(demand: Demand, terms: Terms, costs: Costs) -> Plan:
    """Find the fewest machines that do it.

    Raises
    ------
    NoPlanError
        When no number of machines would, or the demand is no demand.
    """
    _check(demand, terms)
    day = _Platform(demand, terms, costs)
    service, ample = day.vector_service()
    machines = _fewest(day.fewest_conceivable, ample, lambda n: day.does(n, service))
    return day.plan(machines, service)


def _check(demand: Demand, terms: Terms) -> None:
    if demand.peak < 1:
        raise NoPlanError("the peak is at least 1: the mean of the day")
    if min(demand.per_hour, demand.reference_hours, demand.spread, demand.keep_days) < 0:
        raise NoPlanError("rates, hours, days and spreads are not negative")
    if min(demand.mean_length, demand.rate, terms.p95, terms.mean_up) <= 0:
        raise NoPlanError("lengths, frames per second and times are positive")


def _fewest(low: int, high: int, does: Callable[[int], bool]) -> int:
    """Return the least number from `low` on that does; `high` is known to. To 1 in 100."""
    low -= 1
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (low, middle) if does(middle) else (middle, high)
    return high


# --- the day ------------------------------------------------------------------------------------


def daily_curve(peak: float) -> Floats:
    """Return how many times the mean rate each sampled moment of a day has: float64 [288].

    The busiest is in the middle, so many times the mean; the curve is exp(k cos) over its mean.
    """
    angles = 2 * np.pi * (np.arange(SAMPLES) + 0.5) / SAMPLES
    low, high = 0.0, 1.0
    while _bell_peak(high) < peak:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _bell_peak(middle) > peak else (middle, high)
    curve = np.exp(high * (-np.cos(angles) - 1))
    return np.asarray(curve / curve.mean())


def _bell_peak(k: float) -> float:
    angles = 2 * np.pi * np.arange(SAMPLES) / SAMPLES
    return float(1 / np.exp(k * (np.cos(angles) - 1)).mean())


def draw_day(demand: Demand, share: float, seed: int) -> tuple[Floats, Floats]:
    """Draw when a share of the uploads comes, rising, and how long each is, in seconds."""
    draw = np.random.default_rng(seed)
    uploads = int(draw.poisson(demand.per_hour * 24 * share))
    passed = np.concatenate([[0.0], np.cumsum(daily_curve(demand.peak))]) / SAMPLES
    arrivals = np.interp(np.sort(draw.random(uploads)), passed, np.linspace(0, DAY, SAMPLES + 1))
    variance = math.log1p((demand.spread / demand.mean_length) ** 2)
    middle = math.log(demand.mean_length) - variance / 2
    return arrivals, draw.lognormal(middle, math.sqrt(variance), uploads)


class _Platform:
    """One platform's day, with any number of machines."""

    def __init__(self, demand: Demand, terms: Terms, costs: Costs) -> None:
        self._demand, self._terms, self._costs = demand, terms, costs
        # What an upload takes in the mean; lengths are drawn, as short ones have more frames.
        few = replace(demand, per_hour=5000 / 24)
        arrivals, lengths = draw_day(few, 1.0, terms.seed + 1)
        self._service = service_for(demand, terms, costs)
        work = self._work(arrivals, lengths)
        self._alone = work.alone
        self._needs = Needs(
            frames=float(frames_of(lengths, demand.rate).mean()),
            core_seconds=work.processor / len(arrivals),
            bytes_per_vector=costs.bytes_of(demand.vectors),
        )

    @property
    def fewest_conceivable(self) -> int:
        """Machines that are busy all day, dead times included."""
        terms = self._terms
        available = terms.mean_up / (terms.mean_up + terms.mean_down)
        cores = self._demand.per_hour / HOUR * self._needs.core_seconds / available
        return max(1, math.ceil(cores / terms.scanning.cores))

    def vector_service(self) -> tuple[VectorService, int]:
        """Return the least service that does, and a number of machines that does with it."""
        least = float(np.percentile(self._alone, 95))
        if least > self._terms.p95 and self._demand.per_hour:
            raise NoPlanError(
                f"no number of machines does it in {self._terms.p95:,.0f} s: of uploads that have "
                f"all to themselves, 95 of 100 take up to {least:,.0f} s"
            )
        service = self._service
        ample = math.ceil(1.3 * self.fewest_conceivable * self._demand.peak) + 2
        if service.shards:
            replicas = replicas_for(self._demand, service, self._needs)
            service = replace(service, replicas=replicas)
        for more in range(_MORE_REPLICAS):
            tried = replace(service, replicas=service.replicas + more)
            # Machines whose workers wait for the service are many, and idle.
            for machines in (ample, 2 * ample, 4 * ample):
                if self.does(machines, tried):
                    spare = 1 if service.shards and math.isfinite(self._terms.mean_up) else 0
                    return replace(tried, spare=spare, replicas=tried.replicas + spare), machines
            if not service.shards:
                break
        raise NoPlanError(
            f"{4 * ample} machines do not do it in {self._terms.p95:,.0f} s: that is close to what "
            f"uploads take that have all to themselves ({least:,.0f} s in 95 of 100)"
        )

    def does(self, machines: int, service: VectorService) -> bool:
        if not self._demand.per_hour:
            return True
        outcome, _ = self._simulated(machines, service)
        return not outcome.percentile(95) > self._terms.p95

    def plan(self, machines: int, service: VectorService) -> Plan:
        outcome, share = self._simulated(machines, service)
        peak_at = DAY / 2 - HOUR / 4
        worse, _ = self._simulated(machines, service, one_dies_at=peak_at)
        fewer = None if machines == 1 else self._simulated(machines - 1, service)[0]
        busiest = slice(SAMPLES // 2 - SAMPLES // 48, SAMPLES // 2 + SAMPLES // 48)
        month = machines * self._terms.scanning.price
        month += service.machines * self._terms.vectors.price
        uploads = self._demand.per_hour * MONTH_HOURS
        arrivals, _ = draw_day(self._demand, share, self._terms.seed)
        by_hour = [_around(number, arrivals, outcome.latency) for number in range(SAMPLES)]
        return Plan(
            machines=machines,
            service=service,
            arithmetic=arithmetic(self._demand, self._terms, service, self._needs),
            p50=_or_none(outcome.percentile(50)),
            p95=_or_none(outcome.percentile(95)),
            p99=_or_none(outcome.percentile(99)),
            p95_if_one_dies=_or_none(worse.percentile(95)),
            p95_with_one_less=None if fewer is None else _or_none(fewer.percentile(95)),
            utilisation=float(outcome.busy.mean()),
            peak_utilisation=float(outcome.busy[busiest].mean()),
            queue_at_peak=float(outcome.queue[busiest].mean()) / share,
            longest_queue=outcome.longest_queue / share,
            retries=outcome.retries / share,
            simulated=share,
            price_per_month=month,
            price_per_1000=1000 * month / uploads if uploads else None,
            warnings=warnings_of(self._demand, self._terms, service, self._costs),
            hours=tuple((np.arange(1, SAMPLES + 1) * 24 / SAMPLES).tolist()),
            queue=tuple((outcome.queue / share).tolist()),
            p50_by_hour=tuple(p50 for p50, _ in by_hour),
            p95_by_hour=tuple(p95 for _, p95 in by_hour),
        )

    def _work(self, arrivals: Floats, lengths: Floats, slower: float = 1.0) -> Work:
        service = self._service
        elsewhere = service.frame * slower if service.shards else 0.0
        return work_of(
            arrivals,
            lengths,
            self._costs,
            self._demand.rate,
            search_processor=0.0 if service.shards else service.frame,
            search_elsewhere=elsewhere,
        )

    def _simulated(
        self, machines: int, service: VectorService, one_dies_at: float | None = None
    ) -> tuple[Outcome, float]:
        """Return the day of a part of the platform, and which share of it that is."""
        terms = self._terms
        part = round(machines * terms.simulated / max(1.0, self._demand.per_hour * 24))
        part = min(machines, max(_FEWEST, part))
        share = part / machines
        # A part has a part of the replicas; where these are no whole number, one more, but slower.
        replicas = (service.replicas - service.spare) * share
        servers = max(1, math.ceil(replicas - 1e-9))
        slower = servers / replicas if service.shards else 1.0
        arrivals, lengths = draw_day(self._demand, share, terms.seed)
        fleet = Fleet(
            part,
            terms.scanning.cores,
            terms.workers,
            servers,
            terms.mean_up,
            terms.mean_down,
            one_dies_at,
        )
        return simulate(self._work(arrivals, lengths, slower), fleet, terms.seed), share


def _around(number: int, arrivals: Floats, latency: Floats) -> tuple[float | None, float | None]:
    """Return p50 and p95 of what was submitted within half an hour of a sampled moment."""
    at = (number + 1) * DAY / SAMPLES
    first, last = np.searchsorted(arrivals, [at - HOUR / 2, at + HOUR / 2])
    if first == last:
        return None, None
    p50, p95 = np.percentile(latency[first:last], [50, 95], method="higher")
    return _or_none(float(p50)), _or_none(float(p95))


def _or_none(value: float) -> float | None:
    """Return a number that JSON knows."""
    return value if math.isfinite(value) else None
