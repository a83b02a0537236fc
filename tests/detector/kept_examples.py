"""Uploads that are kept as if a scan had seen them, with shots that are made up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.descriptors.base import normalised
from detector.kept import FORM
from detector.upload_shots import UploadShots
from index.reference_index import ReferenceIndex
from index.uploads import NewUpload

DIM, SPACE = 16, "clip@1"


def vectors_of(seed: int, count: int, spread: float = 0.0) -> npt.NDArray[np.float32]:
    """Return directions that anything may have, float32 [count, DIM].

    With a spread they are all about the same as the first.
    """
    chosen = np.random.default_rng(seed).normal(size=(count, DIM))
    if spread:
        chosen[1:] = chosen[0] + spread * chosen[1:]
    return normalised(chosen.astype(np.float32))


def keep(
    index: ReferenceIndex,
    name: str,
    seed: int,
    *,
    shots: int = 5,
    space: str = SPACE,
    form: int = FORM,
    conditions: str = "1",
    spread: float = 0.0,
) -> None:
    """Keep an upload whose shots are 2 s long, and whose content is told by the seed."""
    starts = 2.0 * np.arange(shots)
    arrays = {
        "shots.vectors": vectors_of(seed, shots, spread).astype(np.float16),
        "shots.times": starts + 0.5,
        "shots.spans": np.stack([starts, starts + 2], axis=1),
    }
    facts = {"form": form, "spaces": {"semantic": space}}
    index.uploads.keep(NewUpload(f"/in/{name}", f"{seed:064x}", conditions, facts), arrays)


def refreshed(index: ReferenceIndex) -> UploadShots:
    shots = UploadShots(index, SPACE)
    shots.refresh()
    return shots
