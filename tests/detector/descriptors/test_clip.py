"""The semantic descriptor, with a tiny CLIP that is saved and loaded as a local checkpoint.

The weights are random, so nothing is said about quality; the path from file to embedding is that
of the real model.
"""

import json
import socket
import threading

import cv2
import numpy as np
import pytest
from descriptor_conformance import DescriptorConformance, pictures
from PIL import Image

from detector.assets import ASSETS, fetch
from detector.descriptors import DescriptorUnavailableError, open_channels
from detector.descriptors.clip import ClipDescriptor, find_weights
from detector.media import Sampler
from detector.settings import load_settings
from detector.types import Channel


@pytest.fixture(scope="module")
def descriptor(tiny_clip):
    return ClipDescriptor(f"local-dir:{tiny_clip}")


@pytest.fixture(scope="module")
def frames():
    """Real frames of two films; half of them made smaller, so that sizes differ."""
    images = [
        frame.image
        for film in ("bigbuckbunny", "bikes")
        for frame in Sampler(fetch(ASSETS[film]), rate=2)
    ]
    smaller = [cv2.resize(image, None, fx=0.4, fy=0.4) for image in images[::2]]
    return [*images[1::2], *smaller]


def saved_again(tiny_clip, folder, vision=None, preprocessing=None):
    """Save the small CLIP with some of its configuration changed."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = json.loads((tiny_clip / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"] |= vision or {}
    config["preprocess_cfg"] |= preprocessing or {}
    torch.manual_seed(0)
    state = open_clip.CLIP(**config["model_cfg"]).state_dict()
    save_file(
        {name: value.contiguous() for name, value in state.items()},
        folder / "open_clip_model.safetensors",
    )
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return f"local-dir:{folder}"


def open_clips_own(model, images):
    """Preprocess pictures with open_clip's transform, and encode them in float32."""
    import open_clip
    import torch

    network, _, transform = open_clip.create_model_and_transforms(model)
    network.eval()
    with torch.inference_mode():
        batch = torch.stack([transform(Image.fromarray(image)) for image in images])
        return batch, network.encode_image(batch, normalize=True).numpy()


class TestClip(DescriptorConformance):
    pass


@pytest.mark.parametrize("size", [64, [48, 96]])
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_preprocessing_differs_from_open_clips_by_rounding_alone(
    tiny_clip, frames, tmp_path, mode, size
):
    import torch

    model = saved_again(
        tiny_clip, tmp_path, {"image_size": size}, {"resize_mode": mode, "fill_color": 90}
    )
    expected, _ = open_clips_own(model, frames)
    ours = ClipDescriptor(model, precision="fp32").preprocess(frames).cpu()
    deviation = torch.tensor([0.27, 0.26, 0.28]).view(3, 1, 1)  # what `_CLIP_PREPROCESSING` says
    levels = ((ours - expected) * deviation * 255).abs()
    assert levels.max() <= 2.01
    assert levels.mean() <= 0.02


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_embeddings_of_real_frames_hardly_differ_from_open_clips_in_float32(
    tiny_clip, frames, precision
):
    model = f"local-dir:{tiny_clip}"
    _, expected = open_clips_own(model, frames)
    ours = ClipDescriptor(model, precision=precision).describe(frames)
    assert (ours * expected).sum(1).min() >= 0.999


def test_batches_become_smaller_when_memory_runs_out(tiny_clip, descriptor):
    import torch

    class SmallMemory(ClipDescriptor):
        def preprocess(self, images):
            if len(images) > 8:
                raise torch.OutOfMemoryError("no room for more than 8 pictures")
            return super().preprocess(images)

    images = list(pictures(30))
    small = SmallMemory(f"local-dir:{tiny_clip}")
    np.testing.assert_allclose(small.describe(images), descriptor.describe(images), atol=0.02)
    assert small.batch_size == 7


def test_one_picture_for_which_memory_does_not_suffice_is_an_error(tiny_clip):
    import torch

    class NoMemory(ClipDescriptor):
        def preprocess(self, images):
            raise torch.OutOfMemoryError("no room at all")

    with pytest.raises(torch.OutOfMemoryError):
        NoMemory(f"local-dir:{tiny_clip}").describe(list(pictures(3)))


def test_a_full_gpu_makes_batches_smaller(tiny_clip):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    descriptor = ClipDescriptor(f"local-dir:{tiny_clip}")
    images = [np.full((720, 1280, 3), grey, np.uint8) for grey in range(0, 256, 2)]
    unlimited = descriptor.describe(images)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(600e6 / total)
    try:
        limited = descriptor.describe(images)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert 1 <= descriptor.batch_size < len(images)
    np.testing.assert_allclose(limited, unlimited, atol=0.02)


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


def test_a_checkpoint_without_a_text_tower_describes_pictures_and_says_so(
    tiny_clip, descriptor, tmp_path
):
    from safetensors.torch import load_file, save_file

    state = load_file(tiny_clip / "open_clip_model.safetensors")
    pictures_alone = {name: value for name, value in state.items() if name.startswith("visual.")}
    save_file(pictures_alone, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(
        (tiny_clip / "open_clip_config.json").read_text()
    )
    silent = ClipDescriptor(f"local-dir:{tmp_path}")
    images = list(pictures(3))
    np.testing.assert_array_equal(silent.describe(images), descriptor.describe(images))
    with pytest.raises(DescriptorUnavailableError, match=r"has no text tower.*matchcut reembed"):
        silent.describe_text(["a bunny in a meadow"])


def test_a_part_of_the_image_tower_is_not_enough(tiny_clip, tmp_path):
    from safetensors.torch import load_file, save_file

    state = load_file(tiny_clip / "open_clip_model.safetensors")
    del state["visual.proj"]
    save_file(state, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(
        (tiny_clip / "open_clip_config.json").read_text()
    )
    with pytest.raises(DescriptorUnavailableError, match="does not load"):
        ClipDescriptor(f"local-dir:{tmp_path}")


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


def test_a_name_that_nobody_resolves_is_not_waited_for(monkeypatch, tmp_path):
    from huggingface_hub import constants

    given_up = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: given_up.wait() and [])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.example")
    with pytest.raises(DescriptorUnavailableError, match=r"cannot be reached \(it does not answer"):
        ClipDescriptor()
    given_up.set()


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
