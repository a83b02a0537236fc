"""The semantic descriptor, with a tiny CLIP that is saved and loaded as a local checkpoint.

The weights are random, so nothing is said about quality; the path from file to embedding is that
of the real model.
"""

import json

import numpy as np
import pytest
from descriptor_conformance import DescriptorConformance, pictures
from PIL import Image

from detector.descriptors import DescriptorUnavailableError, open_channels
from detector.descriptors.clip import ClipDescriptor, find_weights
from detector.settings import load_settings
from detector.types import Channel

MODEL = {
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
PREPROCESSING = {
    "mean": [0.48, 0.46, 0.41],
    "std": [0.27, 0.26, 0.28],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    model = open_clip.CLIP(**MODEL)
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def descriptor(checkpoint):
    return ClipDescriptor(f"local-dir:{checkpoint}")


class TestClip(DescriptorConformance):
    pass


def test_images_are_preprocessed_and_encoded_as_open_clip_does(checkpoint, descriptor):
    import open_clip
    import torch

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{checkpoint}")
    model.eval()
    images = list(pictures(6))
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(image)) for image in images])
        expected = model.encode_image(batch, normalize=True).numpy()
    # bfloat16, where the CPU computes in it, keeps 8 bits of a number.
    np.testing.assert_allclose(descriptor.describe(images), expected, atol=0.02)


def test_phrases_are_encoded_as_open_clip_does(checkpoint, descriptor):
    import open_clip
    import torch

    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{checkpoint}")
    model.eval()
    phrases = ["two men fight on a rooftop", "a bunny in a meadow"]
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer("ViT-B-32")(phrases)
        expected = model.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(descriptor.describe_text(phrases), expected, atol=0.02)


def test_other_weights_have_another_version(checkpoint, descriptor, tmp_path):
    from safetensors.torch import load_file, save_file

    state = load_file(checkpoint / "open_clip_model.safetensors")
    state["visual.proj"] = state["visual.proj"] + 1
    save_file(state, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(
        (checkpoint / "open_clip_config.json").read_text()
    )
    assert ClipDescriptor(f"local-dir:{tmp_path}").version != descriptor.version


def test_a_checkpoint_of_another_architecture_is_refused_with_a_reason(checkpoint):
    weights = checkpoint / "open_clip_model.safetensors"
    with pytest.raises(DescriptorUnavailableError, match="does not load as ViT-B-32"):
        ClipDescriptor("ViT-B-32", str(weights))


def test_a_missing_checkpoint_is_named_with_the_remedy(tmp_path):
    missing = tmp_path / "clip.safetensors"
    assert find_weights("ViT-B-32", str(missing)) is None
    with pytest.raises(DescriptorUnavailableError, match="MATCHCUT_SEMANTIC_WEIGHTS"):
        ClipDescriptor("ViT-B-32", str(missing))


def test_an_unreachable_hub_is_reported_at_once_with_the_remedy(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DescriptorUnavailableError, match=r"cannot be reached.*models pull clip"):
        ClipDescriptor()


def test_auto_leaves_the_channel_out_and_says_how_to_turn_it_on(tmp_path):
    settings = load_settings(home=tmp_path, semantic_weights=str(tmp_path / "none.safetensors"))
    descriptors, notes = open_channels(settings)
    assert list(descriptors) == [Channel.COPY]
    (note,) = notes
    assert note.startswith("channel semantic is off")
    assert "matchcut models pull clip" in note


def test_auto_takes_the_channel_where_the_weights_are_here(checkpoint, tmp_path):
    settings = load_settings(home=tmp_path, semantic_model=f"local-dir:{checkpoint}")
    descriptors, notes = open_channels(settings)
    assert list(descriptors) == [Channel.COPY, Channel.SEMANTIC]
    assert notes == []


def test_a_channel_asked_for_by_name_must_be_had(tmp_path):
    settings = load_settings(
        home=tmp_path, channels="semantic", semantic_weights=str(tmp_path / "none.safetensors")
    )
    with pytest.raises(DescriptorUnavailableError, match="no CLIP checkpoint"):
        open_channels(settings)


@pytest.mark.parametrize("channels", ["copy,smell", "", ","])
def test_unknown_channels_are_refused(tmp_path, channels):
    with pytest.raises(DescriptorUnavailableError, match="channel"):
        open_channels(load_settings(home=tmp_path, channels=channels))
