"""What the channels of works saw in an upload, as plain values and arrays that can be kept.

Vectors are kept as half floats: a similarity changes by less than 0.001. Faces are not among it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.describe import Described, Glances
from detector.descriptors.base import normalised
from detector.matching import Views
from detector.types import Channel, Fault, FrameCounts
from index.embeddings import Embeddings

Arrays = dict[str, npt.NDArray[Any]]

_GLANCES, _SHOTS = "glances", "shots"
FORM = 2  # of what is packed: the number changes with it


def pack(described: Described) -> tuple[dict[str, Any], Arrays]:
    """Return JSON values and arrays that `unpack` makes the same of, but for the negatives."""
    arrays: Arrays = {}
    for channel, views in described.views.items():
        arrays[f"{channel}.vectors"] = views.vectors.astype(np.float16)
        arrays[f"{channel}.times"] = views.times
        arrays[f"{channel}.frames"] = views.frames
    if described.shots is not None:
        arrays[f"{_SHOTS}.vectors"] = described.shots.vectors.astype(np.float16)
        arrays[f"{_SHOTS}.times"] = described.shots.times
        arrays[f"{_SHOTS}.spans"] = described.shots.stretches
    if described.glances is not None:
        arrays[f"{_GLANCES}.vectors"] = described.glances.vectors.astype(np.float16)
        arrays[f"{_GLANCES}.limits"] = described.glances.limits
    facts = {
        "form": FORM,
        "duration": described.duration,
        "frames": astuple(described.frames),
        "interval": described.interval,
        "problem": described.problem,
        "fault": described.fault,
    }
    return facts, arrays


def unpack(facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Described:
    """Return what `pack` was given; it took no time to make.

    Raises
    ------
    KeyError, TypeError
        It was packed in another form.
    """
    glances = None
    if f"{_GLANCES}.vectors" in arrays:
        vectors = _unit(arrays[f"{_GLANCES}.vectors"])
        glances = Glances(vectors, arrays[f"{_GLANCES}.limits"])
    return Described(
        views={
            channel: Views(
                arrays[f"{channel}.times"],
                _unit(arrays[f"{channel}.vectors"]),
                arrays[f"{channel}.frames"],
            )
            for channel in Channel
            if f"{channel}.vectors" in arrays
        },
        shots=shots_in(arrays),
        negatives=None,
        glances=glances,
        duration=facts["duration"],
        frames=FrameCounts(*facts["frames"]),
        interval=facts["interval"],
        windows=None,
        problem=facts["problem"],
        fault=None if facts["fault"] is None else Fault(facts["fault"]),
        timings={"decode": 0.0, "layout": 0.0, "describe": 0.0},
    )


def shots_in(arrays: Mapping[str, npt.NDArray[Any]]) -> Embeddings | None:
    """Return the shots of an upload, from what `pack` made of it; None if it has none."""
    if f"{_SHOTS}.vectors" not in arrays:
        return None
    vectors = _unit(arrays[f"{_SHOTS}.vectors"])
    return Embeddings(vectors, arrays[f"{_SHOTS}.times"], arrays[f"{_SHOTS}.spans"])


def _unit(vectors: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    return normalised(vectors.astype(np.float32))
