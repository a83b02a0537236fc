"""The semantic channel: CLIP's image and text towers, through open_clip.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021;
weights by Cherti et al., "Reproducible scaling laws for contrastive language-image learning",
CVPR 2023. The weights come from the model hub or a local checkpoint. PyTorch is imported only when
a model is really loaded.
"""

from __future__ import annotations

import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from detector.descriptors.base import DescriptorUnavailableError, Images, normalised
from index.files import file_digest

# The hub repository of the default weights, known here so that looking for them in the cache needs
# no import of open_clip, which brings PyTorch and takes seconds.
_DEFAULT = ("ViT-B-32", "laion2b_s34b_b79k")
_DEFAULT_REPOSITORY = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
_WEIGHT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_LOCAL = "local-dir:"
_HUB_TIMEOUT = 3.0  # seconds; open_clip itself retries for most of a minute
_BATCHES = {"cuda": 512, "cpu": 64}  # larger ones gain no speed


def find_weights(model: str, weights: str) -> Path | None:
    """Find a CLIP checkpoint on this machine, without the network.

    Parameters
    ----------
    model
        An open_clip architecture, or ``local-dir:PATH`` of a folder with ``open_clip_config.json``
        and a checkpoint.
    weights
        An open_clip tag, or the path of a checkpoint; not used with ``local-dir:``.
    """
    if model.startswith(_LOCAL):
        folder = Path(model.removeprefix(_LOCAL))
        return next((folder / name for name in _WEIGHT_FILES if (folder / name).is_file()), None)
    if Path(weights).is_file():
        return Path(weights)
    if looks_like_path(weights):
        return None
    from huggingface_hub import try_to_load_from_cache

    repository, names = _hub_files(model, weights)
    for name in names:
        cached = try_to_load_from_cache(repository, name)
        if isinstance(cached, str):
            return Path(cached)
    return None


def is_found_quickly(model: str, weights: str) -> bool:
    """Whether `find_weights` takes no PyTorch, which open_clip brings, to look for a checkpoint."""
    return (model, weights) == _DEFAULT or model.startswith(_LOCAL) or looks_like_path(weights)


def fetch_weights(model: str, weights: str) -> Path:
    """Return a CLIP checkpoint, from this machine or else from the model hub.

    Raises
    ------
    DescriptorUnavailableError
        When it is not here and the hub cannot be reached; at once, not after minutes of retries.
    """
    found = find_weights(model, weights)
    if found is not None:
        return found
    if model.startswith(_LOCAL) or looks_like_path(weights):
        place = model.removeprefix(_LOCAL) if model.startswith(_LOCAL) else weights
        raise DescriptorUnavailableError(
            f"there is no CLIP checkpoint at {place}. Set MATCHCUT_SEMANTIC_WEIGHTS to a "
            f"checkpoint, or MATCHCUT_SEMANTIC_MODEL to {_LOCAL}FOLDER with open_clip_config.json "
            f"and {_WEIGHT_FILES[0]}."
        )
    _demand_hub(model, weights)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    repository, names = _hub_files(model, weights)
    for name in names:
        try:
            return Path(hf_hub_download(repository, name))
        except EntryNotFoundError:
            continue  # published under the other name
        except OSError as error:
            raise DescriptorUnavailableError(
                f"the weights of CLIP {model} could not be fetched: {error}. {_OTHER_WAYS}"
            ) from error
    raise DescriptorUnavailableError(
        f"{repository} holds none of {', '.join(names)}. {_OTHER_WAYS}"
    )


class ClipDescriptor:
    """CLIP through open_clip: CUDA if there is one, bfloat16 where it is computed in.

    Parameters
    ----------
    model, weights
        As in `find_weights`.
    precision
        ``bf16`` or ``fp32``; by default bfloat16 on CUDA and on CPUs that have instructions for it.

    Attributes
    ----------
    batch_size
        Pictures that are encoded at a time; it becomes smaller when a GPU's memory runs out.
    transform
        open_clip's own preprocessing, of one picture of PIL.

    Raises
    ------
    DescriptorUnavailableError
        When the weights cannot be had, or do not fit the architecture.
    """

    def __init__(
        self,
        model: str = _DEFAULT[0],
        weights: str = _DEFAULT[1],
        precision: Literal["bf16", "fp32"] | None = None,
    ) -> None:
        checkpoint = fetch_weights(model, weights)
        import open_clip
        import torch

        is_local = model.startswith(_LOCAL)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self.is_on_gpu = self._device == "cuda"
        if precision is None:
            is_fast = self._device == "cuda" or computes_in_bfloat16()
            precision = "bf16" if is_fast else "fp32"
        options: dict[str, Any] = {"precision": precision, "device": self._device}
        if not is_local:  # a checkpoint by path carries nothing of that itself
            options |= {"pretrained": str(checkpoint), **_of_tag(model, weights)}
        self._no_text: str | None = None
        create = open_clip.create_model_and_transforms
        try:
            try:
                self._model, _, self.transform = create(model, **options)
            except RuntimeError:
                self._model, _, self.transform = create(model, load_weights=False, **options)
                if not _holds_pictures_alone(self._model, checkpoint):
                    raise
                self._no_text = f"the checkpoint {checkpoint} has no text tower"
        except (AssertionError, KeyError, RuntimeError, ValueError) as error:
            raise DescriptorUnavailableError(
                f"the CLIP checkpoint {checkpoint} does not load as {model}: {error}"
            ) from error
        self._model.eval()
        # In between, a picture of PIL becomes a tensor; `preprocess` begins with tensors.
        self._resize, *self._crop, _, _, normalize = self.transform.transforms
        levels = 255 * torch.tensor([normalize.mean, normalize.std], device=self._device)
        self._mean, self._deviation = levels.view(2, 3, 1, 1)
        self._architecture = model
        self._tokenizer: Any = None
        self._torch = torch
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.batch_size = _BATCHES[self._device]
        self.name = f"clip-{Path(model.removeprefix(_LOCAL)).name if is_local else model}"
        self.version = _digest(checkpoint)[:12]
        self.dim = 0
        self.dim = self.describe([np.zeros((8, 8, 3), np.uint8)]).shape[1]

    def describe(self, images: Images) -> npt.NDArray[np.float32]:
        """Return one L2-normalised embedding per picture: float32 [n, dim]."""
        torch = self._torch
        vectors = []
        start = 0
        with torch.inference_mode():
            while start < len(images):
                batch = images[start : start + self.batch_size]
                try:
                    output = self.encode(self.preprocess(batch))
                except torch.OutOfMemoryError:
                    if len(batch) == 1:
                        raise
                    self.batch_size = len(batch) // 2
                    continue
                vectors.append(output)  # to be fetched at the end, as that waits for the GPU
                start += len(batch)
            if not vectors:
                return np.empty((0, self.dim), np.float32)
            return normalised(torch.cat(vectors).cpu().numpy())

    def preprocess(self, images: Images) -> Any:
        """Return what `transform` makes of pictures: a tensor [n, 3, height, width].

        It is computed on the device, from bytes, for all pictures of a size together. Hardly one
        value in a hundred differs from open_clip's, which takes PIL, and by one level of 256.
        """
        torch = self._torch
        by_size: dict[tuple[int, ...], list[int]] = {}
        for number, image in enumerate(images):
            by_size.setdefault(image.shape, []).append(number)
        pictures: list[Any] = [None] * len(images)
        for shape, numbers in by_size.items():
            # Pinned memory the GPU fetches by itself, and faster. Nothing here waits for it, so it
            # computes one batch while the next is put together.
            pixels = torch.empty(
                (len(numbers), *shape),
                dtype=torch.uint8,
                pin_memory=self._device == "cuda",
            )
            np.stack([images[number] for number in numbers], out=pixels.numpy())
            pixels = pixels.to(self._device, non_blocking=True).permute(0, 3, 1, 2)
            pixels = self._resized(pixels)
            for step in self._crop:
                pixels = step(pixels)
            for number, picture in zip(numbers, pixels, strict=True):
                pictures[number] = picture
        batch = torch.stack(pictures).float()
        return batch.sub_(self._mean).div_(self._deviation).to(self._dtype)

    def _resized(self, pixels: Any) -> Any:
        """Resize [n, 3, height, width], uint8, as PIL does."""
        from PIL import Image

        torch = self._torch
        height, width = pixels.shape[-2:]
        # There are several rules for the new size; an empty picture shows what comes of them.
        new_width, new_height = self._resize(Image.new("L", (width, height))).size
        how = {"mode": self._resize.interpolation.value, "antialias": True}
        resize = torch.nn.functional.interpolate
        if self._device == "cpu":
            return resize(pixels, (new_height, new_width), **how)
        # PyTorch resizes bytes on a CPU alone. PIL changes the width first, and rounds the result
        # to 8 bits before it changes the height.
        pixels = pixels.contiguous()  # channel by channel, which is faster
        for size in ((height, new_width), (new_height, new_width)):
            pixels = resize(pixels.float(), size, **how).round_().clamp_(0, 255)
        return pixels.to(torch.uint8)

    def encode(self, batch: Any) -> Any:
        """Return the embeddings of preprocessed pictures, of any length: a tensor [n, dim]."""
        return self._model.encode_image(batch).float()

    def describe_text(self, phrases: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one L2-normalised embedding per phrase, in the space of the pictures.

        Raises
        ------
        DescriptorUnavailableError
            When the checkpoint has no text tower, or its tokeniser cannot be had.
        """
        if self._no_text is not None:
            raise DescriptorUnavailableError(
                f"{self._no_text}, so no phrase can be asked for: set MATCHCUT_SEMANTIC_MODEL and "
                "MATCHCUT_SEMANTIC_WEIGHTS to one that has, and move the works to it with "
                "`matchcut reembed`"
            )
        tokens = self._tokenize(list(phrases)).to(self._device)
        with self._torch.inference_mode():
            output = self._model.encode_text(tokens)
        return normalised(output.float().cpu().numpy())

    def _tokenize(self, phrases: list[str]) -> Any:
        if self._tokenizer is None:
            import open_clip

            try:
                self._tokenizer = open_clip.get_tokenizer(self._architecture)
            except (ImportError, OSError, RuntimeError, ValueError) as error:
                # Some architectures have a tokeniser on the model hub, apart from the checkpoint.
                raise DescriptorUnavailableError(
                    f"the tokeniser of {self._architecture} cannot be had: {error}"
                ) from error
        return self._tokenizer(phrases)


def _holds_pictures_alone(network: Any, checkpoint: Path) -> bool:
    """Load a checkpoint, and tell whether it holds all of the image tower and nothing else."""
    from open_clip.factory import load_checkpoint

    keys = load_checkpoint(network, str(checkpoint), strict=False)
    missing = {name.partition(".")[0] for name in keys.missing_keys}
    return "visual" not in missing and not keys.unexpected_keys


_OTHER_WAYS = (
    "On a machine that reaches the model hub run `matchcut models pull clip`, or set "
    "MATCHCUT_SEMANTIC_WEIGHTS to a checkpoint file that you have."
)


def looks_like_path(weights: str) -> bool:
    """Whether a setting for weights means a file rather than an open_clip tag."""
    return os.sep in weights or weights.endswith((".safetensors", ".bin", ".pt", ".pth"))


def with_whole_paths(model: str, weights: str) -> tuple[str, str]:
    """Name what `find_weights` takes so that it is found from any folder."""
    if model.startswith(_LOCAL):
        model = f"{_LOCAL}{Path(model.removeprefix(_LOCAL)).absolute()}"
    if looks_like_path(weights) or Path(weights).is_file():
        weights = str(Path(weights).absolute())
    return model, weights


def _hub_files(model: str, weights: str) -> tuple[str, tuple[str, ...]]:
    if (model, weights) == _DEFAULT:
        return _DEFAULT_REPOSITORY, _WEIGHT_FILES
    from open_clip.pretrained import get_pretrained_cfg

    config = get_pretrained_cfg(model, weights)
    if not config or not config.get("hf_hub"):
        raise DescriptorUnavailableError(
            f"open_clip knows no weights {weights!r} on the hub for {model!r}; "
            "`open_clip.list_pretrained()` in Python lists what there is."
        )
    repository, _, name = config["hf_hub"].rpartition("/")
    return repository, (name,) if name else _WEIGHT_FILES


def _demand_hub(model: str, weights: str) -> None:
    """Find out within seconds whether the hub answers."""
    from huggingface_hub import constants

    problem = "the model hub is switched off (HF_HUB_OFFLINE)"
    if not constants.HF_HUB_OFFLINE:
        said: list[str | None] = []  # why not; None if it answers
        # Looking up a name knows no time-out, and may take half a minute.
        asking = threading.Thread(
            target=lambda: said.append(_why_silent(constants.ENDPOINT)), daemon=True
        )
        asking.start()
        asking.join(_HUB_TIMEOUT)
        why = said[0] if said else "it does not answer"
        if why is None:
            return
        problem = f"the model hub cannot be reached ({why})"
    raise DescriptorUnavailableError(
        f"the weights of CLIP {model} ({weights}) are not on this machine and {problem}. "
        f"{_OTHER_WAYS}"
    )


def _why_silent(address: str) -> str | None:
    """Say why a server cannot be reached; None if it answers."""
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_HUB_TIMEOUT):  # noqa: S310
            return None
    except urllib.error.HTTPError:
        return None  # it answers; what it says to this address does not matter
    except OSError as error:
        return str(getattr(error, "reason", error))


def _of_tag(model: str, weights: str) -> dict[str, object]:
    """Return a tag's preprocessing and activation; none for a checkpoint of the user's own."""
    from open_clip.pretrained import get_pretrained_cfg

    config = get_pretrained_cfg(model, weights) or {}
    names = {
        "mean": "image_mean",
        "std": "image_std",
        "interpolation": "image_interpolation",
        "resize_mode": "image_resize_mode",
    }
    options = {names[key]: value for key, value in config.items() if key in names}
    # The weights of some tags were trained with another activation than their architecture has.
    return {**options, "force_quick_gelu": True} if config.get("quick_gelu") else options


def computes_in_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16; without them it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return re.search(r"\b(amx_bf16|avx512_bf16)\b", flags) is not None


def _digest(checkpoint: Path) -> str:
    """Return the SHA-256 of a checkpoint; the hub's cache names a file by it already."""
    name = checkpoint.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return name
    return file_digest(checkpoint)
