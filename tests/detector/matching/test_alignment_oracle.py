from __future__ import annotations

import numpy as np
import pytest
from alignment_oracle import align_slowly

from detector.matching import Similarities
from detector.matching.alignment import find_runs

ALIGNED, LEAST = 0.42, 0.05
FEW, MANY = 200, 1000  # matrices; many take half a minute


def random_matrix(seed: int) -> Similarities:
    """Chance pairs, and up to two diagonals of random speed, place and strength."""
    rng = np.random.default_rng(seed)
    rate = rng.choice([1.0, 2.0, 4.0])
    frames, ref_frames = rng.integers(6, 12, 2)
    times = (np.arange(frames) + rng.uniform(0, 0.2, frames)) / rate
    ref_times = (np.arange(ref_frames) + rng.uniform(0, 0.2, ref_frames)) / rate
    chance = rng.random((frames, ref_frames)) < rng.uniform(0.02, 0.3)
    matrix = np.where(chance, rng.uniform(0.3, 0.6, chance.shape), 0.0)
    for _ in range(rng.integers(0, 3)):
        speed, offset = rng.uniform(0.5, 2), rng.uniform(-times[-1], ref_times[-1])
        first, last = np.sort(rng.integers(0, frames, 2))
        for frame in range(first, last + 1):
            partner = round((speed * times[frame] + offset) * rate)
            if 0 <= partner < ref_frames:
                matrix[frame, partner] = rng.uniform(0.35, 1)
    query, ref = np.nonzero(matrix > 0.3)
    values = matrix[query, ref].astype(np.float32)
    return Similarities(times, ref_times, query, ref, values)


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_random_matrices_give_what_the_slow_oracle_gives(request, count: int) -> None:
    if count == MANY and "slow" not in request.config.option.markexpr:
        pytest.skip("takes half a minute: run it with `pytest -m slow`")
    found = 0
    for seed in range(count):
        similarities = random_matrix(seed)
        expected = align_slowly(similarities, ALIGNED, LEAST)
        runs = find_runs(similarities, ALIGNED, LEAST)
        assert [(run.first, run.last, run.partners.tolist()) for run in runs] == expected, seed
        found += len(expected)
    assert found > count / 2  # or there was nothing to agree on
