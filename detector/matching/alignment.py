r"""Alignment in time: which interval of an upload shows which interval of a work.

A copy is a line in the plane of upload time q and work time r, r = speed * q + offset, along which
frames are similar. The best line is found exactly and cut to a segment by a maximal sum:

1. Cut. Along a line each upload frame is worth (s - aligned) * dt, with s its best similarity near
   the line and dt the time it stands for; a frame with no similar partner costs `_MISS` * dt. The
   contiguous run with the maximal sum (Kadane) is the segment, so it starts and ends where the
   evidence does and bridges gaps that its own evidence can pay for.
2. Best line. For each of a set of speeds, offsets r - speed * q are gathered in bins, as temporal
   Hough voting does (Douze, Jegou and Schmid, "An Image-Based Approach to Video Copy Detection With
   Spatio-Temporal Post-Filtering", IEEE Transactions on Multimedia 2010). What the frames in a bin
   could give at most bounds its runs, so that few lines need to be cut to find the best of all.
3. Refine. Speed and offset are fitted to the pairs of the run by weighted least squares, and the
   run is cut again; thus speeds between those tried are found, and long copies stay on their line.
4. Repeat without the upload frames that are explained, until the evidence runs out. Segments that
   continue one another on the same line are joined.

Evidence is in similarity-seconds, so it does not depend on the sampling rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.matching.similarity import Similarities

_SLOWEST, _FASTEST = 0.5, 2.0
_SPEEDS = np.exp(np.linspace(np.log(_SLOWEST), np.log(_FASTEST), 29))  # 5 % apart, 1 among them
_UNUSUAL_SPEED = 0.1  # share of the evidence that a doubled or halved speed costs
_MISS = 0.3
_REGRET, _REGRET_FROM, _REGRET_NOISE = 5.0, 0.03, 0.15  # see `_less_regret`
_LONGEST_GAP = 2.0  # seconds without any similar frame that one run can bridge
_LONGEST_STEP = 1.0  # seconds that one frame can stand for, where frames are missing
_MOST_CUTS = 2000  # lines cut to runs in search of the best; ten are usual
_BARRIER = 1e6  # seconds of evidence that no run can pay
_REFINEMENTS = 3
_MOST_SEGMENTS = 50
_LEAST_FRAMES = 3
_JOINED_GAP = 4.0  # seconds


@dataclass(frozen=True, slots=True)
class Alignment:
    """A run of upload frames along a line through a work."""

    speed: float  # work seconds per upload second
    offset: float  # work time at upload time 0, seconds
    first: int  # upload frames, both included
    last: int
    evidence: float  # similarity-seconds above `aligned`
    partners: npt.NDArray[np.int64]  # [last - first + 1] work frame of each, -1 where none


def align(similarities: Similarities, aligned: float, least_evidence: float) -> list[Alignment]:
    """Find the segments an upload shares with a work, in order of upload time.

    Parameters
    ----------
    similarities
        The similar frame pairs; those that are chance must have been left out.
    aligned
        A frame counts for a segment if its similarity is above this, and against it below.
    least_evidence
        Segments with less are not worth reporting, in similarity-seconds.
    """
    runs = find_runs(_less_regret(similarities), aligned, least_evidence)
    return _join(runs, similarities, 2 * _tolerance(similarities))


def find_runs(similarities: Similarities, aligned: float, least_evidence: float) -> list[Alignment]:
    """Take the best run of all lines, refined, again and again: `align` before joining."""
    if similarities.query.size == 0:
        return []
    steps = _time_steps(similarities.query_times)
    tolerance = _tolerance(similarities)
    found: list[Alignment] = []
    remaining = similarities
    while len(found) < _MOST_SEGMENTS and remaining.query.size >= _LEAST_FRAMES:
        line = _best_line(remaining, steps, aligned, tolerance)
        run = None if line is None else _refine(remaining, steps, *line, aligned, tolerance)
        if run is None or run.evidence < least_evidence:
            break
        found.append(run)
        remaining = remaining.without_queries(run.first, run.last)
    return sorted(found, key=lambda run: run.first)


def _less_regret(similarities: Similarities) -> Similarities:
    """Lower the similarity of pairs where the frame has a clearly better partner in the work.

    In a scene that hardly changes every frame is similar to all. Cut to pieces and put in another
    order, it would look like one long segment on a line that is right nowhere.
    """
    if similarities.query.size == 0:
        return similarities
    starts = np.flatnonzero(np.diff(similarities.query, prepend=-1))
    counts = np.diff(np.append(starts, similarities.query.size))
    best = np.repeat(np.maximum.reduceat(similarities.value, starts), counts)
    # Copies that are edited little are similar within little; others vary more.
    chance = _REGRET_FROM + _REGRET_NOISE * (1 - best)
    regret = _REGRET * np.maximum(best - similarities.value - chance, 0)
    return replace(similarities, value=np.asarray(similarities.value - regret, np.float32))


def _worth(evidence: float, speed: float) -> float:
    return evidence * (1 - _UNUSUAL_SPEED * abs(float(np.log2(speed))))


def _best_line(
    similarities: Similarities,
    steps: npt.NDArray[np.float64],
    aligned: float,
    tolerance: float,
) -> tuple[float, float] | None:
    """Return (speed, offset) of the line whose best run is worth most; None if there is none.

    For each speed the offsets are cut into bins, and a line has two neighbouring bins. What all
    frames in its bins could give, were nothing between them lost, bounds what its best run can
    give, so that only the few lines whose bound beats the best run so far are cut to runs.
    """
    query_times = similarities.query_times[similarities.query]
    ref_times = similarities.ref_times[similarities.ref]
    gains = np.maximum(similarities.value - aligned, 0.0) * steps[similarities.query]
    width = 2 * tolerance
    bounds: list[npt.NDArray[np.float64]] = []
    offsets: list[npt.NDArray[np.float64]] = []
    for speed in _SPEEDS:
        bins = np.floor((ref_times - speed * query_times) / width).astype(np.int64)
        lowest = int(bins.min())
        bins -= lowest
        # Pairs are sorted by frame of the upload, then of the work: so those of one frame in one
        # bin stand together. A frame counts once in a bin.
        starts = np.flatnonzero(np.diff(bins, prepend=-1) | np.diff(similarities.query, prepend=-1))
        best = np.maximum.reduceat(gains, starts)
        votes = np.bincount(bins[starts] + 1, best, minlength=int(bins.max()) + 3)
        lines = votes[:-1] + votes[1:]
        bounds.append(np.asarray(_worth(1.0, speed) * lines, np.float64))
        offsets.append(np.asarray((np.arange(len(lines)) + lowest) * width, np.float64))
    bound, offset = np.concatenate(bounds), np.concatenate(offsets)
    speeds = np.repeat(_SPEEDS, [len(lines) for lines in bounds])
    found: tuple[float, float] | None = None
    most = 0.0
    for _ in range(_MOST_CUTS):
        line = int(np.argmax(bound))
        if bound[line] <= most:
            break
        speed, at = float(speeds[line]), float(offset[line])
        bound[line] = 0.0
        run = _cut(similarities, steps, speed, at, aligned, width)
        if run is not None and _worth(run.evidence, speed) > most:
            most, found = _worth(run.evidence, speed), (speed, at)
    return found


def _refine(
    similarities: Similarities,
    steps: npt.NDArray[np.float64],
    speed: float,
    offset: float,
    aligned: float,
    tolerance: float,
) -> Alignment | None:
    """Cut a line to its best run, and fit the line to the run, a few times over."""
    best: Alignment | None = None
    # The speed of a vote is off by up to 2.5 %, so the first cuts look further from the line.
    for widening in (*([2.0] * _REFINEMENTS), 1.0):
        run = _cut(similarities, steps, speed, offset, aligned, widening * tolerance)
        if run is None:
            return best
        best = run
        queries = np.arange(run.first, run.last + 1)[run.partners >= 0]
        partners = run.partners[run.partners >= 0]
        times, ref_times = similarities.query_times[queries], similarities.ref_times[partners]
        speed, offset = _fit(times, ref_times, run.speed)
    return best


def _fit(
    query_times: npt.NDArray[np.float64], ref_times: npt.NDArray[np.float64], speed: float
) -> tuple[float, float]:
    """Fit a line to aligned times; a run too short to tell its speed keeps the one it has."""
    if np.ptp(query_times) >= 2.0 and len(query_times) >= 5:
        fitted = float(np.polyfit(query_times, ref_times, 1)[0])
        speed = min(max(fitted, _SLOWEST), _FASTEST)
    return speed, float(np.median(ref_times - speed * query_times))


def _cut(
    similarities: Similarities,
    steps: npt.NDArray[np.float64],
    speed: float,
    offset: float,
    aligned: float,
    tolerance: float,
) -> Alignment | None:
    """Return the run of upload frames with the maximal evidence along a line."""
    query_times, ref_times = similarities.query_times, similarities.ref_times
    distance = ref_times[similarities.ref] - (speed * query_times[similarities.query] + offset)
    near = np.flatnonzero(np.abs(distance) <= tolerance)
    if near.size < _LEAST_FRAMES:
        return None
    # The best partner of each frame, the nearer to the line among equals.
    order = near[np.lexsort((np.abs(distance[near]), -similarities.value[near]))]
    queries, first_of = np.unique(similarities.query[order], return_index=True)
    values = np.full(len(query_times), aligned - _MISS)
    partners = np.full(len(query_times), -1, np.int64)
    values[queries] = similarities.value[order][first_of]
    partners[queries] = similarities.ref[order][first_of]
    gains = np.maximum(values - aligned, -_MISS) * steps
    gains[_in_long_gaps(partners, steps)] = -_BARRIER
    first, last, evidence = _maximal_run(gains)
    run_partners = partners[first : last + 1]
    if np.count_nonzero(run_partners >= 0) < _LEAST_FRAMES:
        return None
    return Alignment(speed, offset, first, last, evidence, run_partners)


def _in_long_gaps(
    partners: npt.NDArray[np.int64], steps: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Which frames lie in a stretch without partners that is too long for a run to bridge.

    Else two scenes could pay for the other footage between them, on a line that fits neither.
    """
    alone = partners < 0
    stretch = np.cumsum(np.diff(alone, prepend=alone[:1]))  # number of the stretch of each frame
    seconds = np.bincount(stretch, steps)
    is_long: npt.NDArray[np.bool_] = alone & (seconds[stretch] > _LONGEST_GAP)
    return is_long


def _maximal_run(gains: npt.NDArray[np.float64]) -> tuple[int, int, float]:
    """Return the contiguous run with the largest sum, the shortest among equals."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums[:-1])
    last = int(np.argmax(sums[1:] - lowest))
    first = int(np.flatnonzero(sums[: last + 1] == lowest[last])[-1])
    return first, last, float(gains[first : last + 1].sum())


def _time_steps(times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Seconds that each frame stands for: half way to its neighbours."""
    if len(times) < 2:
        return np.full(len(times), _LONGEST_STEP)
    edges = np.concatenate([[times[0]], (times[1:] + times[:-1]) / 2, [times[-1]]])
    steps = np.diff(edges)
    steps[0] *= 2
    steps[-1] *= 2
    return np.minimum(steps, _LONGEST_STEP)


def _tolerance(similarities: Similarities) -> float:
    """How far from its line a true pair can lie, given how far apart frames were sampled."""
    spacings = [
        float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        for times in (similarities.query_times, similarities.ref_times)
    ]
    return max(0.75 * max(spacings), 0.1)


def _join(runs: list[Alignment], similarities: Similarities, tolerance: float) -> list[Alignment]:
    """Join neighbours that lie on one line with only a short gap between them."""
    joined: list[Alignment] = []
    times = similarities.query_times
    for run in runs:
        before = joined[-1] if joined else None
        if before is not None and times[run.first] - times[before.last] <= _JOINED_GAP:
            middle = (times[run.first] + times[before.last]) / 2
            step = (run.speed - before.speed) * middle + run.offset - before.offset
            if abs(step) <= tolerance and abs(np.log2(run.speed / before.speed)) <= 0.1:
                joined[-1] = _union(before, run, times, similarities.ref_times)
                continue
        joined.append(run)
    return joined


def _union(
    one: Alignment,
    other: Alignment,
    query_times: npt.NDArray[np.float64],
    ref_times: npt.NDArray[np.float64],
) -> Alignment:
    gap = np.full(other.first - one.last - 1, -1, np.int64)
    partners = np.concatenate([one.partners, gap, other.partners])
    matched = partners >= 0
    queries = np.arange(one.first, other.last + 1)[matched]
    speed, offset = _fit(query_times[queries], ref_times[partners[matched]], one.speed)
    evidence = one.evidence + other.evidence
    return Alignment(speed, offset, one.first, other.last, evidence, partners)
