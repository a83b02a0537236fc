"""What a descriptor is: a model that turns pictures into vectors that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Images = Sequence[npt.NDArray[np.uint8]]
"""Pictures, each [height, width, 3] RGB; their sizes may differ."""


class DescriptorUnavailableError(RuntimeError):
    """A descriptor cannot be used here; the text says why and how to turn it on."""


class Descriptor(Protocol):
    """One vector space.

    Vectors of two descriptors can be compared only if name and version are the same: the name
    tells model and preprocessing, the version the weights.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Start of the SHA-256 of the weights, in hexadecimal."""
        ...

    @property
    def dim(self) -> int: ...

    @property
    def is_on_gpu(self) -> bool:
        """Whether more pictures at a time are described faster."""
        ...

    def describe(self, images: Images) -> npt.NDArray[np.float32]:
        """Return one L2-normalised embedding per picture: float32 [n, dim]."""
        ...


def space_of(descriptor: Descriptor) -> str:
    """Name a descriptor's vector space, as the index keeps it."""
    return f"{descriptor.name}@{descriptor.version}"


def normalised(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scale rows, float32 [n, dim], to unit length; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
