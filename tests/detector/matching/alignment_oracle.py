"""Alignment, slow and obvious: every line of every speed, every run on it, one after the other.

It follows the description in `detector.matching.alignment` word by word and shares no code with
it, so the two agree only if both do what is written there.
"""

from __future__ import annotations

import math

import numpy as np

from detector.matching import Similarities

SPEEDS = [2 ** (-1 + 2 * n / 28) for n in range(29)]
MISS, LONGEST_GAP, LEAST_FRAMES = 0.3, 2.0, 3


def align_slowly(
    similarities: Similarities, aligned: float, least_evidence: float
) -> list[tuple[int, int, list[int]]]:
    """Return (first, last, partners) of the segments before joining, in order of upload time."""
    query_times = similarities.query_times.tolist()
    ref_times = similarities.ref_times.tolist()
    pairs = {
        (int(q), int(r)): float(s)
        for q, r, s in zip(similarities.query, similarities.ref, similarities.value, strict=True)
    }
    tolerance = max(0.75 * max(_spacing(query_times), _spacing(ref_times)), 0.1)
    steps = _steps(query_times)
    found = []
    while len(pairs) >= LEAST_FRAMES:
        best_worth, best_line = 0.0, None
        for speed in SPEEDS:
            bins = {
                math.floor((ref_times[r] - speed * query_times[q]) / (2 * tolerance))
                for q, r in pairs
            }
            for edge in sorted(bins | {number + 1 for number in bins}):
                offset = edge * 2 * tolerance
                run = _run(
                    pairs, query_times, ref_times, steps, speed, offset, aligned, 2 * tolerance
                )
                if run is not None:
                    worth = run[0] * (1 - 0.1 * abs(math.log2(speed)))
                    if worth > best_worth:
                        best_worth, best_line = worth, (speed, offset)
        if best_line is None:
            break
        segment = None
        speed, offset = best_line
        for widening in (2, 2, 2, 1):
            run = _run(
                pairs, query_times, ref_times, steps, speed, offset, aligned,
                widening * tolerance,
            )  # fmt: skip
            if run is None:
                break
            segment = run
            _, first, _, partners = run
            on_line = [
                (query_times[first + n], ref_times[r]) for n, r in enumerate(partners) if r >= 0
            ]
            times = [q for q, _ in on_line]
            if max(times) - min(times) >= 2.0 and len(times) >= 5:
                fitted = float(np.polyfit(times, [r for _, r in on_line], 1)[0])
                speed = min(max(fitted, 0.5), 2.0)
            offset = float(np.median([r - speed * q for q, r in on_line]))
        if segment is None or segment[0] < least_evidence:
            break
        _, first, last, partners = segment
        found.append((first, last, partners))
        pairs = {(q, r): s for (q, r), s in pairs.items() if not first <= q <= last}
    return sorted(found)


def _run(
    pairs: dict[tuple[int, int], float],
    query_times: list[float],
    ref_times: list[float],
    steps: list[float],
    speed: float,
    offset: float,
    aligned: float,
    tolerance: float,
) -> tuple[float, int, int, list[int]] | None:
    """Return (evidence, first, last, partners) of the run with the most evidence on a line."""
    partner = [-1] * len(query_times)
    best = [(aligned - MISS, 0.0)] * len(query_times)
    for (q, r), similarity in pairs.items():
        distance = abs(ref_times[r] - (speed * query_times[q] + offset))
        if distance <= tolerance and (partner[q] < 0 or (similarity, -distance) > best[q]):
            partner[q], best[q] = r, (similarity, -distance)
    gains = [
        max(value - aligned, -MISS) * step for (value, _), step in zip(best, steps, strict=True)
    ]
    for start in range(len(partner)):  # stretches without partners that no run may touch
        end = start
        while end < len(partner) and partner[end] < 0:
            end += 1
        is_start = start == 0 or partner[start - 1] >= 0
        if is_start and sum(steps[start:end]) > LONGEST_GAP:
            for frame in range(start, end):
                gains[frame] = -1e6
    most, first, last = -math.inf, 0, 0
    for i in range(len(gains)):
        total = 0.0
        for j in range(i, len(gains)):
            total += gains[j]
            if total > most + 1e-12 or (abs(total - most) <= 1e-12 and j - i < last - first):
                most, first, last = total, i, j
    partners = partner[first : last + 1]
    if sum(r >= 0 for r in partners) < LEAST_FRAMES:
        return None
    return most, first, last, partners


def _spacing(times: list[float]) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _steps(times: list[float]) -> list[float]:
    """Seconds each frame stands for: half way to either neighbour, at most one."""
    steps = []
    for n in range(len(times)):
        before = times[n] - times[n - 1] if n > 0 else times[1] - times[0]
        after = times[n + 1] - times[n] if n + 1 < len(times) else times[n] - times[n - 1]
        steps.append(min((before + after) / 2, 1.0))
    return steps
