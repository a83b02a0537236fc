"""The face channel: SFace, or another model that takes aligned faces of 112 pixels.

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE
Transactions on Image Processing 2021; the quantised weights of the OpenCV Zoo. Faces are brought
into the position that networks of ArcFace's kind are trained on: Deng et al., "ArcFace: Additive
Angular Margin Loss for Deep Face Recognition", CVPR 2019.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.assets import ASSETS, AssetError, fetch
from detector.descriptors.base import DescriptorUnavailableError, Images, normalised
from detector.descriptors.yunet import FoundFace, YuNet
from index.files import file_digest

SIDE = 112  # pixels of an aligned face
_SFACE = "sface"
_ERRORS_ONLY = 3  # level of ONNX Runtime's log
# Where the eyes, the nose and the corners of the mouth are in an aligned face.
_POSITIONS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]],
    np.float64,
)  # fmt: skip


def align_face(
    image: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Turn, scale and move a face so that its landmarks are where the network expects them.

    Parameters
    ----------
    image
        The picture, uint8 [height, width, 3].
    landmarks
        float [5, 2] in pixels, in the order of `FoundFace.landmarks`.

    Returns
    -------
    uint8 [112, 112, 3]
    """
    import cv2

    # The similarity [[a, -b], [b, a]] and shift that bring them there with the least squared error.
    points = np.asarray(landmarks, np.float64)
    rows = np.zeros((2 * len(points), 4))
    rows[0::2] = np.c_[points[:, 0], -points[:, 1], np.ones(5), np.zeros(5)]
    rows[1::2] = np.c_[points[:, 1], points[:, 0], np.zeros(5), np.ones(5)]
    (a, b, x, y), *_ = np.linalg.lstsq(rows, _POSITIONS.ravel(), rcond=None)
    matrix = np.array([[a, -b, x], [b, a, y]])
    # Sampling a large face at 112 pixels without averaging would make noise of its detail.
    scale = float(np.hypot(a, b))
    if scale < 0.5:  # linear interpolation would skip pixels
        size = (
            max(1, round(image.shape[1] * 2 * scale)),
            max(1, round(image.shape[0] * 2 * scale)),
        )
        shrunk = np.array([size[0] / image.shape[1], size[1] / image.shape[0]])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        matrix[:, :2] /= shrunk
    return np.asarray(cv2.warpAffine(image, matrix, (SIDE, SIDE)), np.uint8)


class FaceDescriptor:
    """YuNet to find faces, SFace in ONNX Runtime to describe them.

    Parameters
    ----------
    model
        ``sface``, or the path of another ONNX model with one input, float32 [n or 1, 3, 112, 112]
        RGB scaled to [-1, 1], and one output, [n or 1, dim].

    Raises
    ------
    DescriptorUnavailableError
        When a model cannot be had, or is not of that form.
    """

    is_on_gpu = False

    def __init__(self, model: str = _SFACE) -> None:
        import onnxruntime

        try:
            self._detector = YuNet(fetch(ASSETS["yunet"]))
            is_sface = model == _SFACE
            path = fetch(ASSETS[_SFACE]) if is_sface else Path(model)
        except AssetError as error:
            raise DescriptorUnavailableError(str(error)) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY  # it has much to say of unread inputs
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The weights are stored in 8 bits: unpack them once, not in every run.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, ["CPUExecutionProvider"]
            )
            digest = ASSETS[_SFACE].sha256 if is_sface else file_digest(path)
            self._input, *others = self._session.get_inputs()
            # The file lists 29 weights among the inputs that nothing in it reads.
            self._unread = {one.name: np.zeros(one.shape, np.float32) for one in others}
            # SFace scales by itself.
            self._offset, self._scale = (0.0, 1.0) if is_sface else (127.5, 1 / 127.5)
            self.name = _SFACE if is_sface else path.stem
            self.version = digest[:12]
            self.dim = self._run(np.zeros((SIDE, SIDE, 3), np.uint8)).shape[0]
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            raise DescriptorUnavailableError(
                f"the face model {path} cannot be used ({error}): give an ONNX model that takes "
                f"float32 [1, 3, {SIDE}, {SIDE}] and returns one embedding"
            ) from error

    def find(self, image: npt.NDArray[np.uint8]) -> list[FoundFace]:
        """Find the faces in a picture, uint8 [height, width, 3] RGB; the largest first."""
        return self._detector.find(image)

    def describe(self, images: Images) -> npt.NDArray[np.float32]:
        """Return one L2-normalised embedding per aligned face, [112, 112, 3]: float32 [n, dim].

        One after the other: on a CPU the runtime gains nothing from batches of them.
        """
        vectors = [self._run(image) for image in images]
        return normalised(np.array(vectors, np.float32).reshape(len(vectors), self.dim))

    def _run(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        planes = (image.astype(np.float32) - self._offset) * self._scale
        feeds: dict[str, Any] = {self._input.name: planes.transpose(2, 0, 1)[None], **self._unread}
        (output, *_) = self._session.run(None, feeds)
        return np.asarray(output, np.float32).reshape(-1)
