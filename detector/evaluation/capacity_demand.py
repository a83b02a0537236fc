"""What a platform is asked to do, on which machines, and the arithmetic of its vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detector.evaluation.capacity import DAY, HOUR
from detector.evaluation.capacity_costs import Costs

GB = 1e9
_DIM = 512
_ON_DISK = 4 * _DIM + 8  # bytes of a reference's frame in its file: a float32 vector, and its time
_KEPT = 2 * _DIM + 16  # of an upload's: a vector of half floats, its time and its number
_BASE, _PER_WORKER = 0.6 * GB, 0.2 * GB  # memory of a scan, as `bench_scan` shows it
_FILLED = 0.8  # share of a machine's memory that may be planned with
_BUSY = 0.7  # share of the vector service that may be busy at the peak


@dataclass(frozen=True, slots=True)
class Demand:
    """What comes in, and what it is compared with."""

    per_hour: float = 1000.0  # uploads, in the mean of a day
    mean_length: float = 240.0  # seconds
    spread: float = 240.0  # standard deviation, seconds; lengths are log-normal
    peak: float = 2.0  # uploads in the busiest hour, over the mean; at least 1
    reference_hours: float = 1000.0
    keep_days: float = 30.0
    rate: float = 2.0  # frames sampled per second

    @property
    def vectors(self) -> float:
        return self.reference_hours * HOUR * self.rate


@dataclass(frozen=True, slots=True)
class Hardware:
    """A machine."""

    cores: int
    memory: float  # bytes
    price: float  # per month


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be reached, on which machines."""

    p95: float = 600.0  # seconds from submission to verdict that 95 of 100 uploads take at most
    scanning: Hardware = Hardware(8, 32 * GB, 200.0)
    vectors: Hardware = Hardware(16, 256 * GB, 800.0)
    workers: int = 8  # uploads that a machine scans at a time
    mean_up: float = 90 * DAY  # seconds until a machine dies
    mean_down: float = HOUR / 2  # seconds until it is back
    seed: int = 0
    simulated: int = 30_000  # uploads of a day; of a larger platform a part is simulated


@dataclass(frozen=True, slots=True)
class Line:
    """One step of the arithmetic."""

    name: str
    how: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class VectorService:
    """Where vectors are searched.

    Attributes
    ----------
    shards
        Machines that share all vectors; 0: each scanning machine has all of them itself.
    replicas
        Sets of shards, each of which answers one upload at a time with all its cores.
    spare
        Of the replicas, those that only stand in for one that died.
    frame
        Seconds of a replica per frame of an upload; seconds of a core if there are no shards.
    """

    shards: int
    replicas: int
    spare: int
    frame: float

    @property
    def machines(self) -> int:
        return self.shards * self.replicas


@dataclass(frozen=True, slots=True)
class Needs:
    """What follows from the costs for an upload in the mean, and for a vector."""

    frames: float  # of an upload
    core_seconds: float  # of an upload, on the machines that scan
    bytes_per_vector: float


def service_for(demand: Demand, terms: Terms, costs: Costs) -> VectorService:
    """Tell where vectors are searched: where they fit, on the machines that scan themselves."""
    needed = demand.vectors * costs.bytes_of(demand.vectors)
    left = _FILLED * terms.scanning.memory - _scan_memory(terms)
    if needed <= left:
        return VectorService(0, 0, 0, costs.search_frame(demand.vectors))
    shards = math.ceil(needed / (_FILLED * terms.vectors.memory))
    frame = costs.search_frame(demand.vectors / shards) / terms.vectors.cores
    return VectorService(shards, 1, 0, frame)


def replicas_for(demand: Demand, service: VectorService, needs: Needs) -> int:
    """Return the fewest replicas that are not too busy at the peak."""
    busy = demand.per_hour / HOUR * demand.peak * needs.frames * service.frame
    return max(1, math.ceil(busy / _BUSY))


def _scan_memory(terms: Terms) -> float:
    return _BASE + terms.workers * _PER_WORKER


def arithmetic(
    demand: Demand, terms: Terms, service: VectorService, needs: Needs
) -> tuple[Line, ...]:
    """Return, step by step, what vectors and uploads come to."""
    vectors, each, uploads = demand.vectors, needs.bytes_per_vector, f"{demand.per_hour:,.0f}"
    per_second = demand.per_hour * needs.frames / HOUR
    kept = demand.per_hour * 24 * demand.keep_days * needs.frames * _KEPT
    lines = (
        Line(
            "reference frames",
            f"{demand.reference_hours:,.0f} h x 3,600 s x {demand.rate:g} a second",
            vectors,
            "vectors",
        ),
        Line("index", f"{vectors:,.0f} x {each:,.0f} bytes", vectors * each, "bytes"),
        Line(
            "reference embeddings, on disk",
            f"{vectors:,.0f} x {_ON_DISK:,} bytes",
            vectors * _ON_DISK,
            "bytes",
        ),
        Line(
            "frames of an upload",
            f"{demand.mean_length:,.0f} s in the mean x {demand.rate:g} a second, short ones more",
            needs.frames,
            "frames",
        ),
        Line(
            "embeddings kept of uploads, on disk",
            f"{uploads} an hour x 24 x {demand.keep_days:g} days x {needs.frames:,.0f} frames x "
            f"{_KEPT:,} bytes",
            kept,
            "bytes",
        ),
        Line(
            "queries",
            f"{uploads} an hour x {needs.frames:,.0f} frames / 3,600",
            per_second,
            "a second",
        ),
        Line(
            "queries at the peak",
            f"{per_second:,.0f} x {demand.peak:g}",
            per_second * demand.peak,
            "a second",
        ),
        Line(
            "work of an upload",
            "all but what the vector service does, in the mean",
            needs.core_seconds,
            "seconds of a core",
        ),
        Line(
            "cores for scanning",
            f"{uploads} an hour x {needs.core_seconds:,.1f} s / 3,600",
            demand.per_hour * needs.core_seconds / HOUR,
            "cores",
        ),
    )
    if not service.shards:
        room = f"{vectors * each / GB:,.1f} GB fit into each machine that scans"
        return (*lines, Line("machines for vectors", room, 0, "machines"))
    memory = terms.vectors.memory / GB
    return (
        *lines,
        Line(
            "shards",
            f"{vectors * each / GB:,.0f} GB / ({memory:,.0f} GB x {_FILLED:g})",
            service.shards,
            "machines",
        ),
        Line(
            "a query on a shard",
            f"among {vectors / service.shards:,.0f} vectors, on {terms.vectors.cores} cores",
            1000 * service.frame,
            "ms",
        ),
        Line(
            "replicas",
            f"{per_second * demand.peak:,.0f} a second x {1000 * service.frame:,.3g} ms, "
            f"{_BUSY:.0%} busy at most, the target kept; {service.spare} of them to spare",
            service.replicas,
            "replicas",
        ),
        Line(
            "machines for vectors",
            f"{service.shards:,} x {service.replicas}",
            service.machines,
            "machines",
        ),
    )


def warnings_of(
    demand: Demand, terms: Terms, service: VectorService, costs: Costs
) -> tuple[str, ...]:
    """Say what the figures should not be trusted for."""
    warnings = []
    used, there = _scan_memory(terms), terms.scanning.memory
    if used > _FILLED * there:
        warnings.append(
            f"{terms.workers} workers take about {used / GB:.1f} GB of the {there / GB:.0f} GB "
            "of a scanning machine"
        )
    largest = costs.search[-1][0]
    together = demand.vectors / max(1, service.shards)
    if together > 1.5 * largest:
        warnings.append(
            f"searching {together:,.0f} vectors in one place is extrapolated, in proportion, from "
            f"{largest:,.0f}, the most that were measured"
        )
    return tuple(warnings)
