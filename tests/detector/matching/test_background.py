from __future__ import annotations

import csv
from importlib.resources import files

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.descriptors import space_of
from detector.descriptors.sscd import SscdDescriptor
from detector.matching import background
from detector.matching.background import Background, shipped
from detector.media import Sampler
from detector.samples import SampleSet


def some(count: int, seed: int, dim: int = 16) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def credits_frame(names: str, font: int, size: float) -> npt.NDArray[np.uint8]:
    image = np.zeros((360, 640, 3), np.uint8)
    for row, name in enumerate(names.split()):
        width = cv2.getTextSize(name, font, size, 1)[0][0]
        place = (320 - width // 2, 40 + 45 * row)
        cv2.putText(image, name, place, font, size, (235, 235, 235), 1, cv2.LINE_AA)
    return image


@settings(deadline=None)
@given(
    sizes=st.tuples(st.integers(0, 20), st.integers(1, 30)),
    nearest=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_bias_is_the_mean_of_the_largest_similarities(
    sizes: tuple[int, int], nearest: int, seed: int
) -> None:
    frames, bank = some(sizes[0], seed), some(sizes[1], seed + 1000)
    expected = [np.mean(sorted(bank @ frame)[-nearest:]) for frame in frames]
    assert Background("a", bank).bias(frames, nearest) == pytest.approx(expected, abs=1e-6)


def test_without_a_bank_nothing_is_ordinary() -> None:
    biases = Background("a", some(0, 1)).bias(some(5, 2))
    assert biases.tolist() == [0.0] * 5
    assert biases.dtype == np.float32


@pytest.mark.parametrize("cells", [1, 100, 101, 350])
def test_slices_give_the_same_as_one_piece(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, bank = some(37, 1), Background("a", some(50, 2))
    whole = bank.bias(frames)
    monkeypatch.setattr(background, "_CELLS_AT_ONCE", cells)
    assert bank.bias(frames) == pytest.approx(whole, abs=1e-6)


def test_a_frame_of_ones_own_can_be_made_ordinary() -> None:
    bank, own = Background("a", some(50, 1)), some(3, 2)
    joined = bank.joined(own)
    assert (joined.space, len(joined), len(bank)) == ("a", 53, 50)
    assert joined.bias(own, 1) == pytest.approx(np.ones(3))
    assert bank.bias(own, 1).max() < 0.9


def test_what_is_no_bank_of_unit_vectors_is_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        Background("a", 2 * some(3, 1))
    with pytest.raises(ValueError, match="dimensions"):
        Background("a", some(3, 1)).joined(some(3, 1, dim=8))
    with pytest.raises(ValueError, match="at least 1"):
        Background("a", some(3, 1)).bias(some(3, 1), 0)


@pytest.mark.parametrize("model", ["sscd-distilled", "sscd"])
def test_a_bank_ships_for_the_copy_descriptors(model: str) -> None:
    space = space_of(SscdDescriptor(model))
    bank = shipped(space)
    assert bank is not None
    assert bank.space == space
    assert len(bank) > 500
    assert np.linalg.norm(bank.vectors, axis=1) == pytest.approx(np.ones(len(bank)), abs=1e-6)
    assert shipped(space) is bank
    others = bank.vectors @ bank.vectors.T - 2 * np.eye(len(bank), dtype=np.float32)
    assert others.max() < 0.905  # near-duplicates are collapsed; float16 rounds


@pytest.mark.parametrize("space", ["", "sscd-distilled-224@240436cc531e", "../x", "clip/b@1"])
def test_none_ships_for_another_space(space: str) -> None:
    assert shipped(space) is None


def test_another_space_whose_file_would_be_called_the_same_has_none() -> None:
    space = space_of(SscdDescriptor())
    assert shipped(space.replace("@", "-")) is None


def test_what_it_was_computed_from_ships_along() -> None:
    sources = (files("detector") / "data" / "background-sources.tsv").read_text("utf-8")
    rows = list(csv.DictReader(sources.splitlines(), delimiter="\t"))
    assert len(rows) > 200
    assert all(len(row["sha256"]) == 64 for row in rows)


def test_credits_are_more_ordinary_than_film(samples: SampleSet) -> None:
    descriptor = SscdDescriptor()
    bank = shipped(space_of(descriptor))
    assert bank is not None
    film = [frame.image for path in samples.films for frame in Sampler(path, rate=1.0)]
    drawn = [
        credits_frame("Thornbury Quill Okonkwo Vesper Mullane Ravn", cv2.FONT_HERSHEY_SIMPLEX, 0.8),
        credits_frame("IMAGINED BY XANTHE YILMAZ WITH ZORA", cv2.FONT_HERSHEY_DUPLEX, 1.0),
        credits_frame("Best Boy Ulrik Wolfe Rigging Tamsin", cv2.FONT_HERSHEY_TRIPLEX, 0.6),
    ]
    film_bias = bank.bias(descriptor.describe(film))
    assert film_bias.max() < 0.35
    assert bank.bias(descriptor.describe(drawn)).min() > film_bias.max() + 0.1
