r"""The temporal network: copied segments as long paths through a graph of similar frames.

Tan, Ngo, Hong and Chua, "Scalable detection of partial near-duplicate videos by visual-temporal
consistency", ACM MM 2009, with the settings of the VCSL benchmark (He et al., CVPR 2022) and of the
VSC2022 baseline (Pizzi et al., 2023). It is here to compare the detector with; the detector aligns
by other means.

Each frame of the upload is joined to the few most similar frames of the work: the nodes. Edges lead
from a node to those a few frames later in both videos. The path with the largest sum of
similarities is a segment; its nodes are taken out, and the next one is looked for.

Two things differ from the code that goes with the papers. Where that keeps the nodes of a path and
drops boxes that overlap earlier ones, the nodes inside a path's box are removed here. And a segment
needs `min_length` frames, not more than `min_length` steps in both videos, which would rule out
copies of less than six seconds at one frame per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What the temporal network can be told; the defaults are those of the VSC2022 baseline."""

    top_k: int = 5  # most similar frames of the work that each frame of the upload is joined to
    max_step: int = 5  # frames that an edge leads on at most, in either video
    min_similarity: float = 0.2  # of a node
    min_length: int = 4  # frames of a path
    min_density: float = 0.2  # sum of a path's similarities by its mean extent in frames
    max_paths: int = 10  # that are looked at, also those then found too short


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Frames that match, one after another."""

    queries: npt.NDArray[np.int64]  # [n] frames of the upload, rising
    refs: npt.NDArray[np.int64]  # [n] frames of the work, rising
    total: float  # sum of similarities


def find_paths(
    similarities: npt.NDArray[np.float32], settings: NetworkSettings | None = None
) -> list[Path]:
    """Find the segments that an upload shares with a work, best first.

    Parameters
    ----------
    similarities
        [q, r] of each frame of the upload with each of the work, at equal distances in time.
        What cannot be a match is -inf.
    settings
        By default those of the VSC2022 baseline.
    """
    settings = settings or NetworkSettings()
    refs, values = _nodes(similarities, settings)
    paths = []
    for _ in range(settings.max_paths):
        path = _heaviest_path(refs, values, settings.max_step)
        if path is None:
            break
        first, last = path.queries[0], path.queries[-1]
        rows = values[first : last + 1]  # a view
        inside = (refs[first : last + 1] >= path.refs[0]) & (
            refs[first : last + 1] <= path.refs[-1]
        )
        rows[inside] = -np.inf
        if len(path.queries) >= settings.min_length and _density(path) > settings.min_density:
            paths.append(path)
    return paths


def _nodes(
    similarities: npt.NDArray[np.float32], settings: NetworkSettings
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The most similar frames of the work and their similarities, both [q, k]; else -inf."""
    k = min(settings.top_k, similarities.shape[1])
    if k == similarities.shape[1]:
        refs = np.tile(np.arange(k), (len(similarities), 1))
    else:
        refs = np.argpartition(similarities, -k, axis=1)[:, -k:]
    values = np.take_along_axis(similarities, refs, axis=1).astype(np.float64)
    values[values < settings.min_similarity] = -np.inf
    return refs.astype(np.int64), values


def _heaviest_path(
    refs: npt.NDArray[np.int64], values: npt.NDArray[np.float64], max_step: int
) -> Path | None:
    """Return the path with the largest sum, by dynamic programming over the upload's frames."""
    if not np.isfinite(values).any():
        return None
    k = refs.shape[1]
    totals = values.copy()  # of the heaviest path that ends in each node
    previous = np.full(values.shape, -1, np.int64)  # node before, as row * k + column
    for row in np.flatnonzero(np.isfinite(values).any(axis=1)).tolist():
        first = max(0, row - max_step)
        if first == row:
            continue
        steps = refs[row][:, None] - refs[first:row].reshape(1, -1)
        is_edge = (steps > 0) & (steps <= max_step)
        before = np.where(is_edge, totals[first:row].reshape(1, -1), -np.inf)
        best = before.argmax(axis=1)
        gain = before[np.arange(k), best]
        totals[row] += np.maximum(gain, 0.0)
        previous[row] = np.where(gain > 0, first * k + best, -1)
    node = int(totals.argmax())
    total = float(totals.flat[node])
    nodes = []
    while node >= 0:
        nodes.append(node)
        node = int(previous.flat[node])
    places = np.array(nodes[::-1])
    return Path(places // k, refs.reshape(-1)[places], total)


def _density(path: Path) -> float:
    extent = (np.ptp(path.queries) + np.ptp(path.refs)) / 2
    return path.total / max(float(extent), 1.0)
