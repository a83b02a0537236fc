"""Pictures of several uploads in one batch: a GPU is idle most of the time with a few at once.

While one batch is being described, what other threads want described collects; whoever is next
describes all of it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.descriptors.base import Descriptor, Images


@dataclass(eq=False, slots=True)
class _Call:
    images: Images
    vectors: npt.NDArray[np.float32] | None = None
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.vectors is not None or self.error is not None


class JoinedDescriptor:
    """Describes what several threads ask of it together; the vectors are those of each alone."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self.name, self.version = descriptor.name, descriptor.version
        self.dim = descriptor.dim
        self.is_on_gpu = descriptor.is_on_gpu
        self._waiting: list[_Call] = []
        self._collecting = threading.Lock()  # held for a moment
        self._describing = threading.Lock()

    def describe(self, images: Images) -> npt.NDArray[np.float32]:
        """Return one L2-normalised embedding per picture: float32 [n, dim]."""
        call = _Call(images)
        with self._collecting:
            self._waiting.append(call)
        with self._describing:
            if not call.is_done:
                with self._collecting:
                    calls, self._waiting = self._waiting, []
                self._describe(calls)
        if call.error is not None:
            raise call.error
        assert call.vectors is not None  # noqa: S101 -- or else there was an error
        return call.vectors

    def _describe(self, calls: list[_Call]) -> None:
        try:
            together = self._descriptor.describe([image for one in calls for image in one.images])
        except Exception as error:  # noqa: BLE001 -- raised in the thread that it belongs to
            if len(calls) == 1:
                calls[0].error = error
                return
            for one in calls:  # whose picture was it?
                self._describe([one])
            return
        ends = np.cumsum([len(one.images) for one in calls])
        for one, end in zip(calls, ends, strict=True):
            one.vectors = together[end - len(one.images) : end]
