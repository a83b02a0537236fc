"""Broken files are the same for a seed, of every kind, and end in an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.evaluation.mutations import make_bases, mutate, odd_paths
from detector.inputs import InputError, Source
from detector.media import Sampler, UnreadableMediaError, probe
from detector.samples import SampleSet


@pytest.fixture(scope="module")
def bases(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_bases(samples.films, tmp_path_factory.mktemp("bases"))


def test_bases_are_sound(bases: list[Path]) -> None:
    assert all(probe(path).duration == pytest.approx(3, abs=0.2) for path in bases)
    assert len({probe(path).container for path in bases}) > 4


def test_a_seed_always_makes_the_same_files(bases: list[Path], tmp_path: Path) -> None:
    first = [m.path.read_bytes() for m in mutate(bases, tmp_path / "a", 40, 7)]
    again = [m.path.read_bytes() for m in mutate(bases, tmp_path / "b", 40, 7)]
    other = [m.path.read_bytes() for m in mutate(bases, tmp_path / "c", 40, 8)]
    assert first == again
    assert first != other


def test_every_broken_file_ends_in_frames_or_a_reason(bases: list[Path], tmp_path: Path) -> None:
    broken = [*mutate(bases, tmp_path / "broken", 60, 3), *odd_paths(tmp_path / "odd", bases[0])]
    answers = [answer_to(mutation.path) for mutation in broken]
    assert all(answers)
    assert len(set(answers)) > 5


def answer_to(broken: Path) -> str:
    try:
        with Source(str(broken)).opened() as path:
            return f"{len(list(Sampler(path, 2.0)))} frames"
    except (InputError, UnreadableMediaError) as error:
        return str(error)
