"""What many tests share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from detector.samples import (
    Cut,
    Picture,
    PlantedCopy,
    Sample,
    SampleSet,
    TimedPicture,
    build_samples,
    footage,
    resized,
    write_clip,
)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    """Return the demo's films and uploads, built once for all tests; do not change the files."""
    return build_samples(tmp_path_factory.mktemp("samples"))


INSET = (240, 135, 210, 90)  # left, top, width, height in an upload of 480 x 270


def inverted(picture: Picture) -> Picture:
    """Exchange light and dark."""
    return np.asarray(255 - picture, np.uint8)


def _with_inset(ground: Cut, film: Cut, at: float) -> Iterator[TimedPicture]:
    left, top, width, height = INSET
    insets = (resized(width, height)(picture) for _, picture in footage(film))
    for time, picture in footage(ground):
        shown = resized(480, 270)(picture)
        if time > at - 1e-6:
            shown[top : top + height, left : left + width] = next(insets)
        yield time, shown


@pytest.fixture(scope="session")
def hidden_copies(
    samples: SampleSet, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Sample]:
    """Return copies of a film that are hard to see, by what was done: `inset` and `inverted`."""
    folder = tmp_path_factory.mktemp("hidden")
    film = next(path for path in samples.films if path.stem == "bikes")
    slides = next(s.path for s in samples.uploads if s.path.stem == "holiday-slides")
    inset, negative = folder / "inset.mp4", folder / "inverted.mp4"
    write_clip(inset, _with_inset(Cut(slides, 0, 10), Cut(film, 2, 8), at=4.0))
    write_clip(negative, footage(Cut(film, 2, 8, (inverted, resized(480, 204)))))
    return {
        "inset": Sample(inset, 10.0, (PlantedCopy("bikes", 4, 10, 2, 8, "in a corner"),)),
        "inverted": Sample(negative, 6.0, (PlantedCopy("bikes", 0, 6, 2, 8, "inverted"),)),
    }


_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
    },
}
_CLIP_PREPROCESSING = {
    "mean": [0.48, 0.46, 0.41],
    "std": [0.27, 0.26, 0.28],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small CLIP with random weights, as open_clip loads it with `local-dir:`."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    model = open_clip.CLIP(**_CLIP)
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    config = {"model_cfg": _CLIP, "preprocess_cfg": _CLIP_PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder
