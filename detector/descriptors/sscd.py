"""The copy channel: SSCD, a descriptor trained to see through edits.

Pizzi et al., "A Self-Supervised Descriptor for Image Copy Detection", CVPR 2022. The weights are
ONNX models whose graph takes 8-bit RGB of any size and does the rest, so only scaling is left.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from detector.assets import ASSETS, fetch
from detector.descriptors.base import Images, normalised

_BATCH, _GPU_BATCH = 16, 128  # larger ones gain no speed on a CPU and cost memory


class SscdDescriptor:
    """SSCD in ONNX Runtime.

    Parameters
    ----------
    model
        ``sscd-distilled`` (MobileNetV4, fast) or ``sscd`` (ResNet-50), names of assets; fetched
        if need be.
    size
        Frames are squeezed into a square of this side, whatever their shape: letterboxed and
        cropped copies come out closer to the original than with the shape kept.

    Raises
    ------
    detector.assets.AssetError
        When the weights cannot be had.
    """

    dim = 512

    def __init__(self, model: str = "sscd-distilled", size: int = 288) -> None:
        import onnxruntime  # loaded only when something is described

        asset = ASSETS[model]
        self.name = f"{model}-{size}"
        self.version = asset.sha256[:12]
        self._size = size
        providers = [
            provider
            for provider in ("CUDAExecutionProvider", "CPUExecutionProvider")
            if provider in onnxruntime.get_available_providers()
        ]
        options = onnxruntime.SessionOptions()
        # All cores, as decoding a short clip is soon done; but threads with nothing to do sleep
        # rather than spin on a core that the decoder wants.
        options.intra_op_num_threads = os.cpu_count() or 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(fetch(asset)), options, providers)
        self.is_on_gpu = self._session.get_providers()[0] == "CUDAExecutionProvider"
        self._batch = _GPU_BATCH if self.is_on_gpu else _BATCH

    def describe(self, images: Images) -> npt.NDArray[np.float32]:
        """Return one L2-normalised embedding per picture: float32 [n, 512]."""
        import cv2

        vectors = [np.empty((0, self.dim), np.float32)]
        square = (self._size, self._size)
        for start in range(0, len(images), self._batch):
            batch = np.stack(
                [
                    cv2.resize(image, square, interpolation=cv2.INTER_AREA)
                    for image in images[start : start + self._batch]
                ]
            )
            (output,) = self._session.run(["embedding"], {"image": batch})
            vectors.append(output)
        return normalised(np.concatenate(vectors))
