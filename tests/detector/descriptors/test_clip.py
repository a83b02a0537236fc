"""The semantic descriptor, with a tiny CLIP that is saved and loaded as a local checkpoint.

The weights are random, so nothing is said about quality; the path from file to embedding is that
of the real model.
"""

import numpy as np
import pytest
from descriptor_conformance import DescriptorConformance, pictures
from PIL import Image

from detector.descriptors import DescriptorUnavailableError, open_channels
from detector.descriptors.clip import ClipDescriptor, find_weights
from detector.settings import load_settings
from detector.types import Channel


@pytest.fixture(scope="module")
def descriptor(tiny_clip):
    return ClipDescriptor(f"local-dir:{tiny_clip}")


class TestClip(DescriptorConformance):
    pass


def test_images_are_preprocessed_and_encoded_as_open_clip_does(tiny_clip, descriptor):
    import open_clip
    import torch

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tiny_clip}")
    model.eval()
    images = list(pictures(6))
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(image)) for image in images])
        expected = model.encode_image(batch, normalize=True).numpy()
    # bfloat16, where the CPU computes in it, keeps 8 bits of a number.
    np.testing.assert_allclose(descriptor.describe(images), expected, atol=0.02)


def test_phrases_are_encoded_as_open_clip_does(tiny_clip, descriptor):
    import open_clip
    import torch

    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{tiny_clip}")
    model.eval()
    phrases = ["two men fight on a rooftop", "a bunny in a meadow"]
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer("ViT-B-32")(phrases)
        expected = model.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(descriptor.describe_text(phrases), expected, atol=0.02)


def test_other_weights_have_another_version(tiny_clip, descriptor, tmp_path):
    from safetensors.torch import load_file, save_file

    state = load_file(tiny_clip / "open_clip_model.safetensors")
    state["visual.proj"] = state["visual.proj"] + 1
    save_file(state, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(
        (tiny_clip / "open_clip_config.json").read_text()
    )
    assert ClipDescriptor(f"local-dir:{tmp_path}").version != descriptor.version


def test_a_checkpoint_of_another_architecture_is_refused_with_a_reason(tiny_clip):
    weights = tiny_clip / "open_clip_model.safetensors"
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


def test_auto_takes_the_channel_where_the_weights_are_here(tiny_clip, tmp_path):
    settings = load_settings(home=tmp_path, semantic_model=f"local-dir:{tiny_clip}")
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
