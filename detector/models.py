"""The models by name: which there are, which are here, and how to get them."""

from __future__ import annotations

from pathlib import Path

from detector.assets import ASSETS, fetch, path_if_cached
from detector.descriptors.base import DescriptorUnavailableError
from detector.settings import Settings
from detector.types import Channel

CLIP = "clip"
_CLIP_LICENCE = "MIT; trained on LAION-2B, image-text pairs collected from the web"
_COPY_MODELS = ("sscd-distilled", "sscd")
_FACE_MODELS = ("yunet", "sface")


def model_rows(settings: Settings) -> list[dict[str, str]]:
    """Return what is listed of every model, by column."""
    copy = [_row(name, Channel.COPY, name == settings.copy_model) for name in _COPY_MODELS]
    # YuNet finds the faces for whatever model describes them.
    face = [
        _row(name, Channel.FACE, name in ("yunet", settings.face_model)) for name in _FACE_MODELS
    ]
    return [*copy, _clip_row(settings), *face]


def pull(name: str, settings: Settings) -> Path:
    """Fetch a model by its name, verify it, and return where it is.

    Raises
    ------
    DescriptorUnavailableError, detector.assets.AssetError
        When there is no such model, or it cannot be had.
    """
    if name in _COPY_MODELS + _FACE_MODELS:
        return fetch(ASSETS[name])
    if name == CLIP:
        from detector.descriptors.clip import fetch_weights

        return fetch_weights(settings.semantic_model, settings.semantic_weights)
    known = ", ".join((*_COPY_MODELS, CLIP, *_FACE_MODELS))
    raise DescriptorUnavailableError(f"there is no model {name!r}; there are {known}")


def _row(name: str, channel: Channel, is_used: bool) -> dict[str, str]:
    path = path_if_cached(ASSETS[name])
    return {
        "name": name,
        "channel": channel.value,
        "used": "yes" if is_used else "",
        "here": str(path) if path else f"no: `matchcut models pull {name}`",
        "version": ASSETS[name].sha256[:12],
        "licence": ASSETS[name].licence,
    }


def _clip_row(settings: Settings) -> dict[str, str]:
    from detector.descriptors.clip import find_weights

    path = find_weights(settings.semantic_model, settings.semantic_weights)
    return {
        "name": CLIP,
        "channel": Channel.SEMANTIC.value,
        "used": "yes" if path else "",
        "here": str(path) if path else f"no: `matchcut models pull {CLIP}` (605 MB, model hub)",
        "version": f"{settings.semantic_model} {settings.semantic_weights}",
        "licence": _CLIP_LICENCE,
    }
