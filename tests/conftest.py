"""What many tests share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.samples import SampleSet, build_samples


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    """Return the demo's films and uploads, built once for all tests; do not change the files."""
    return build_samples(tmp_path_factory.mktemp("samples"))


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
