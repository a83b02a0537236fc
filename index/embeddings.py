"""The truth on disk: one immutable file of embeddings per work (or background) and channel.

Everything else that finds a work (the FAISS files) is derived from these and can be rebuilt
without decoding a film again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.arrays import UnsoundFileError, read_arrays, write_arrays
from index.errors import DamagedFileError
from index.vectors import unit_vectors


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """What one channel sees in one video.

    Attributes
    ----------
    vectors
        float32 [n, dim], each of length 1; read-only.
    times
        float64 [n], presentation time in seconds of the frame each vector describes, strictly
        increasing; read-only.
    spans
        Where a vector stands for a stretch of the video, such as a shot, which its frame is typical
        of: float64 [n, 2], from and to, in seconds, none of them over another; read-only. None
        where a vector stands for its frame alone.

    Raises
    ------
    ValueError
        The arrays do not fit this description (other numeric types are converted).
    """

    vectors: NDArray[np.float32]
    times: NDArray[np.float64]
    spans: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        vectors = unit_vectors(self.vectors).view()
        times = np.ascontiguousarray(self.times, dtype=np.float64).view()
        if times.shape != (len(vectors),):
            raise ValueError(
                f"{len(vectors)} vectors need as many times, not an array of shape {times.shape}"
            )
        if not np.isfinite(times).all():
            raise ValueError("times are finite numbers of seconds")
        if not (np.diff(times) > 0).all():
            row = int(np.flatnonzero(np.diff(times) <= 0)[0])
            raise ValueError(
                f"times increase strictly, but {times[row]:.6f} s is followed by "
                f"{times[row + 1]:.6f} s (frame {row + 1})"
            )
        vectors.flags.writeable = False
        times.flags.writeable = False
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "times", times)
        if self.spans is not None:
            spans = np.ascontiguousarray(self.spans, dtype=np.float64).view()
            _check_spans(spans, times)
            spans.flags.writeable = False
            object.__setattr__(self, "spans", spans)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.vectors.shape[1])

    @property
    def stretches(self) -> NDArray[np.float64]:
        """From when to when each vector stands for the video, [n, 2]: for its moment at least."""
        return np.stack([self.times, self.times], axis=1) if self.spans is None else self.spans


def _check_spans(spans: NDArray[np.float64], times: NDArray[np.float64]) -> None:
    if spans.shape != (len(times), 2):
        raise ValueError(f"{len(times)} vectors need as many spans, not an array {spans.shape}")
    if not np.isfinite(spans).all():
        raise ValueError("spans are finite numbers of seconds")
    if not ((spans[:, 0] <= times) & (times <= spans[:, 1])).all():
        raise ValueError("the frame that a span is described by lies within it")
    if not (spans[1:, 0] >= spans[:-1, 1]).all():
        raise ValueError("spans follow one another, and none lies over another")


def write_embeddings(path: Path, embeddings: Embeddings) -> str:
    """Write embeddings to a new file, atomically and durably; returns the file's SHA-256."""
    arrays: dict[str, NDArray[Any]] = {"vectors": embeddings.vectors, "times": embeddings.times}
    if embeddings.spans is not None:
        arrays["spans"] = embeddings.spans
    return write_arrays(path, arrays)


def read_embeddings(path: Path, digest: str | None = None) -> Embeddings:
    """Read embeddings back and check them.

    Parameters
    ----------
    path
        What `write_embeddings` wrote.
    digest
        What it returned; None to check only that the content makes sense.

    Raises
    ------
    DamagedFileError
        The file is missing, or holds anything else than sound embeddings.
    """
    try:
        arrays = read_arrays(path, digest)
        vectors, times = arrays["vectors"], arrays["times"]
        if vectors.dtype != np.float32 or times.dtype != np.float64:
            raise _damaged(path, f"it holds {vectors.dtype} vectors and {times.dtype} times")
        spans = arrays.get("spans")
        if spans is not None and spans.dtype != np.float64:
            raise _damaged(path, f"it holds spans of {spans.dtype}")
        return Embeddings(vectors, times, spans)
    except (UnsoundFileError, KeyError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> DamagedFileError:
    return DamagedFileError(
        f"embeddings file {path} is damaged ({why}): restore it from a backup, or remove the work "
        "or background it belongs to and add its film again (`matchcut index verify` names it)"
    )
