"""Systems that the detector is compared with: plain published recipes, run in the same harness.

They sample one frame per second with the detector's own reader. Nothing else of the detector's care
is taken: uniform frames (black, one colour) are described like all others, borders stay on, every
frame is compared with every other (exact search), and no score is shaped on any data.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from detector.descriptors.base import Descriptor, DescriptorUnavailableError, Images
from detector.evaluation.metrics import Box
from detector.evaluation.temporal_network import NetworkSettings, find_paths
from detector.media import Sampler
from index.vectors import unit_vectors

_RATE = 1.0  # frames per second
_BATCH = 32


class Baseline(Protocol):
    """A system that is told of works and then finds them in uploads."""

    @property
    def name(self) -> str: ...

    def enroll(self, ref_id: str, path: Path) -> None:
        """Remember a film under a name.

        Raises
        ------
        detector.media.UnreadableMediaError
            The file gives no frame.
        """

    def scan(self, query_id: str, path: Path) -> list[Box]:
        """Find remembered films in an upload; scores compare across uploads, on any scale.

        Raises
        ------
        detector.media.UnreadableMediaError
            The file gives no frame.
        """


@dataclass(frozen=True, slots=True, eq=False)
class _Described:
    """The frames of one video; each stands for the time from its start to its end."""

    vectors: npt.NDArray[np.float32]  # [n, d]
    is_usable: npt.NDArray[np.bool_]  # [n]
    starts: npt.NDArray[np.float64]  # [n] seconds
    ends: npt.NDArray[np.float64]  # [n] seconds


class PdqBaseline:
    """PDQ hashes of frames, compared as vPDQ does, with segments by the temporal network.

    PDQ and vPDQ are Meta's hashes of pictures and videos ("The TMK+PDQF Video-Hashing Algorithm and
    the PDQ Image-Hashing Algorithm", 2019). Frames of a quality below 50 are left out; two frames
    match at a Hamming distance of at most 31 of 256 bits. vPDQ tells no segments. Here these are
    the paths of the temporal network through matching pairs, with 1 - distance / 128 for their
    similarity; where there is no path, the bounding box of all matching pairs.

    Parameters
    ----------
    score_by
        ``share``: vPDQ's match percentage, of the frames in the box; the larger of that of the
        upload's usable frames and that of the work's, in [0, 1]. A short copy in a long upload
        scores low by it. ``count``: how many frames n of the upload match in the box, as
        n / (n + 5).

    Raises
    ------
    DescriptorUnavailableError
        The library `pdqhash` is not installed.
    """

    _MIN_QUALITY, _MAX_DISTANCE = 50, 31
    _SHORT_SIDE = 512  # about the size that PDQ is meant to be given

    def __init__(self, score_by: Literal["share", "count"] = "share") -> None:
        try:
            self._library: Any = importlib.import_module("pdqhash")
        except ImportError as error:
            raise DescriptorUnavailableError(
                "the PDQ baseline needs the library pdqhash, which is not installed: "
                "`pip install pdqhash`"
            ) from error
        self.name = "pdq" if score_by == "share" else "pdq-count"
        self._score_by = score_by
        self._works: dict[str, _Described] = {}

    def enroll(self, ref_id: str, path: Path) -> None:
        self._works[ref_id] = self._describe(path)

    def scan(self, query_id: str, path: Path) -> list[Box]:
        query = self._describe(path)
        boxes: list[Box] = []
        for ref_id, ref in self._works.items():
            boxes += self._compare(query_id, query, ref_id, ref)
        return boxes

    def _compare(
        self, query_id: str, query: _Described, ref_id: str, ref: _Described
    ) -> Iterator[Box]:
        # Bits are kept as -1 and 1, so a product counts equal bits less unequal ones.
        distances = (256 - query.vectors @ ref.vectors.T) / 2
        matches = (distances <= self._MAX_DISTANCE) & query.is_usable[:, None] & ref.is_usable
        if not matches.any():
            return
        similarities = np.where(matches, 1 - distances / 128, -np.inf).astype(np.float32)
        paths = [(path.queries, path.refs) for path in find_paths(similarities)]
        for queries, refs in paths or [_places(matches)]:
            box = _box(query_id, query, ref_id, ref, queries, refs)
            inside = matches[queries.min() : queries.max() + 1, refs.min() : refs.max() + 1]
            count = int(inside.any(axis=1).sum())
            score = count / (count + 5)
            if self._score_by == "share":
                shares = (
                    count / query.is_usable.sum(),
                    inside.any(axis=0).sum() / ref.is_usable.sum(),
                )
                score = float(max(shares))
            yield Box(*box, score=score)

    def _describe(self, path: Path) -> _Described:
        qualities: list[int] = []

        def hashes(images: Images) -> npt.NDArray[np.float32]:
            bits = []
            for image in images:
                vector, quality = self._library.compute(image)
                bits.append(2 * vector.astype(np.float32) - 1)
                qualities.append(quality)
            return np.stack(bits)

        vectors, starts, ends = _sampled(path, hashes, self._SHORT_SIDE)
        return _Described(vectors, np.array(qualities) >= self._MIN_QUALITY, starts, ends)


class NearestFrameBaseline:
    """A descriptor and nothing but nearest neighbours.

    Of each frame of the upload the nearest frame of all works is looked up. For each work, the box
    bounds its hits above `min_similarity` and scores as the best of them.

    Parameters
    ----------
    descriptor
        Of frames; vectors are compared by cosine.
    min_similarity
        Hits up to this are chance.
    """

    def __init__(self, descriptor: Descriptor, min_similarity: float = 0.3) -> None:
        self.name = f"nearest-frame-{descriptor.name}"
        self._descriptor = descriptor
        self._min_similarity = min_similarity
        self._works: dict[str, _Described] = {}

    def enroll(self, ref_id: str, path: Path) -> None:
        self._works[ref_id] = _described(path, self._descriptor)

    def scan(self, query_id: str, path: Path) -> list[Box]:
        query = _described(path, self._descriptor)
        rows = np.arange(len(query.vectors))
        nearest = []  # frame of each work that is nearest to each of the upload, and how near
        for ref in self._works.values():
            similarities = query.vectors @ ref.vectors.T
            refs = similarities.argmax(axis=1)
            nearest.append((refs, similarities[rows, refs]))
        if not nearest:
            return []
        best = np.argmax([values for _, values in nearest], axis=0)
        boxes = []
        for number, (ref_id, ref) in enumerate(self._works.items()):
            refs, values = nearest[number]
            hits = np.flatnonzero((best == number) & (values > self._min_similarity))
            if hits.size:
                box = _box(query_id, query, ref_id, ref, hits, refs[hits])
                boxes.append(Box(*box, score=float(values[hits].max())))
        return boxes


class VscRecipeBaseline:
    """The baseline of VSC2022 (Pizzi et al., "The 2023 Video Similarity Dataset and Challenge").

    1. Normalise. Every similarity with a frame of the upload is lowered by `beta` times how similar
       that frame is to footage that has nothing to do with the works: the mean over its nearest
       `neighbours` of the background. That is the same as one more dimension of the descriptors.
    2. Candidates. Of the 1,200 most similar pairs of frames, works are ranked by their best; five
       are kept. The published recipe has this budget per upload but spends it over all uploads
       together; here each upload is scanned by itself.
    3. Localise with the temporal network, on similarities raised by 0.5 to be positive.
    4. Score. A box scores as its largest normalised similarity, which can be negative.

    Parameters
    ----------
    descriptor
        Of frames; vectors are compared by cosine.
    background
        Vectors of frames of other footage, float32 [m, dim] of length 1. The published one is of
        thousands of videos; with a few hundred frames, unrelated footage is lowered too little and
        chains of chance matches lengthen the boxes.
    neighbours, beta
        The published values are 1 and 1.2.

    Raises
    ------
    ValueError
        The background is not a table of such vectors, or has fewer than `neighbours`.
    """

    _MOST_PAIRS, _MOST_CANDIDATES = 1200, 5
    _RAISED_BY = 0.5

    def __init__(
        self,
        descriptor: Descriptor,
        background: npt.NDArray[np.float32],
        *,
        neighbours: int = 1,
        beta: float = 1.2,
        network: NetworkSettings | None = None,
    ) -> None:
        self._background = unit_vectors(background, descriptor.dim)
        if not 1 <= neighbours <= len(self._background):
            raise ValueError(
                f"the mean over {neighbours} neighbours cannot be had from a background of "
                f"{len(self._background)} vectors"
            )
        self.name = f"vsc-recipe-{descriptor.name}"
        self._descriptor = descriptor
        self._neighbours = neighbours
        self._beta = beta
        self._network = network
        self._works: dict[str, _Described] = {}

    def enroll(self, ref_id: str, path: Path) -> None:
        self._works[ref_id] = _described(path, self._descriptor)

    def scan(self, query_id: str, path: Path) -> list[Box]:
        query = _described(path, self._descriptor)
        bias = self._bias(query.vectors)
        boxes = []
        for ref_id in self._candidates(query, bias):
            ref = self._works[ref_id]
            similarities = query.vectors @ ref.vectors.T + bias[:, None]
            for found in find_paths(similarities + self._RAISED_BY, self._network):
                (first, last), (begin, end) = found.queries[[0, -1]], found.refs[[0, -1]]
                score = float(similarities[first : last + 1, begin : end + 1].max())
                box = _box(query_id, query, ref_id, ref, found.queries, found.refs)
                boxes.append(Box(*box, score=score))
        return boxes

    def _bias(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What is added to the similarities of each frame of the upload, [q]."""
        similarities = vectors @ self._background.T
        highest = np.partition(similarities, -self._neighbours, axis=1)[:, -self._neighbours :]
        return np.asarray(-self._beta * highest.mean(axis=1), np.float32)

    def _candidates(self, query: _Described, bias: npt.NDArray[np.float32]) -> list[str]:
        """Names of the works that are worth localising, best first."""
        names: list[str] = []
        values: list[npt.NDArray[np.float32]] = []
        for ref_id, ref in self._works.items():
            pairs = (query.vectors @ ref.vectors.T + bias[:, None]).ravel()
            highest = np.sort(pairs)[-self._MOST_PAIRS :]
            names += [ref_id] * len(highest)
            values.append(highest)
        if not names:
            return []
        order = np.argsort(-np.concatenate(values), kind="stable")[: self._MOST_PAIRS]
        ranked = dict.fromkeys(names[place] for place in order)  # keeps the first of each
        return list(ranked)[: self._MOST_CANDIDATES]


def open_baselines(
    say: Callable[[str], None],
    descriptor: Descriptor | None = None,
    background: npt.NDArray[np.float32] | None = None,
) -> list[Baseline]:
    """Make every baseline that can run here, with published settings.

    Parameters
    ----------
    say
        Is told which baselines are left out, and why.
    descriptor
        By default the copy channel's.
    background
        As of `VscRecipeBaseline`, which is left out without it; `describe_background` makes one.

    Raises
    ------
    detector.assets.AssetError
        The default descriptor's weights cannot be had.
    """
    if descriptor is None:
        from detector.descriptors.sscd import SscdDescriptor

        descriptor = SscdDescriptor()
    baselines: list[Baseline] = []
    try:
        baselines.append(PdqBaseline())
    except DescriptorUnavailableError as error:
        say(str(error))
    baselines.append(NearestFrameBaseline(descriptor))
    if background is None:
        say("the VSC2022 recipe is left out: it needs a background to normalise scores with")
    else:
        baselines.append(VscRecipeBaseline(descriptor, background))
    return baselines


def describe_background(paths: Iterable[Path], descriptor: Descriptor) -> npt.NDArray[np.float32]:
    """Describe one frame per second of footage that shows neither the works nor the uploads.

    Returns
    -------
    float32 [m, dim], of length 1

    Raises
    ------
    detector.media.UnreadableMediaError
        A file gives no frame.
    """
    none = np.empty((0, descriptor.dim), np.float32)
    return np.concatenate([none, *(_described(path, descriptor).vectors for path in paths)])


def _places(
    matches: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of what is true."""
    rows, columns = np.nonzero(matches)
    return rows.astype(np.int64), columns.astype(np.int64)


def _described(path: Path, descriptor: Descriptor) -> _Described:
    vectors, starts, ends = _sampled(path, descriptor.describe)
    return _Described(vectors, np.ones(len(vectors), np.bool_), starts, ends)


def _sampled(
    path: Path,
    describe: Callable[[Images], npt.NDArray[np.float32]],
    short_side: int = 288,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Describe one frame per second: vectors [n, d], starts [n] and ends [n] in seconds."""
    sampler = Sampler(path, _RATE, short_side)
    frames = iter(sampler)
    vectors, times = [], []
    while batch := list(islice(frames, _BATCH)):
        vectors.append(describe([frame.image for frame in batch]))
        times += [frame.time for frame in batch]
    starts = np.array(times)
    # No frame stands for more than its own second, whatever is missing after it.
    following = np.append(starts[1:], max(sampler.end or 0.0, times[-1]))
    return np.concatenate(vectors), starts, np.minimum(following, starts + 1 / _RATE)


def _box(
    query_id: str,
    query: _Described,
    ref_id: str,
    ref: _Described,
    queries: npt.NDArray[np.int64],
    refs: npt.NDArray[np.int64],
) -> tuple[str, str, float, float, float, float]:
    """All of a box but its score: the bounds of frames of the upload and of the work."""
    return (
        query_id,
        ref_id,
        float(query.starts[queries.min()]),
        float(query.ends[queries.max()]),
        float(ref.starts[refs.min()]),
        float(ref.ends[refs.max()]),
    )
