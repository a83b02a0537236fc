"""The moments of works, and of uploads that were scanned, that are most like something."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from detector.inputs import PROTOCOLS, Source
from detector.report_pictures import Footage, jpeg_of
from detector.timeline import Interval
from detector.types import Channel
from detector.upload_shots import UploadShot, UploadShots
from index.embeddings import Embeddings
from index.records import Work
from index.reference_index import ReferenceIndex
from index.vectors import split_vector_ids

_NEIGHBOURS = 512  # to begin with
_MOST_NEIGHBOURS = 32_768
_OF_A_SHOT = 256  # neighbours of each shot of a clip

_Hit = TypeVar("_Hit")


class Where(StrEnum):
    """In what a moment is."""

    WORK = "work"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a work, or of an upload that was scanned, that is like what was asked for."""

    where: Where
    id: str  # of the work; the upload's as in results of scans: its file's stem
    title: str  # of the work; the upload's file name
    digest: str  # SHA-256 of the file
    source: str  # path or address of the file; the last one that the upload came under
    channel: Channel
    time: float  # seconds: of the frame, or of the shot's key frame
    start: float  # of the shot; the same as `time` where a frame was compared
    end: float
    similarity: float  # cosine
    clip_time: float | None = None  # of the key frame of the clip's shot that it is like
    more_sources: tuple[str, ...] = ()  # others under which the same upload came


def find_moments(
    index: ReferenceIndex,
    channel: Channel,
    vector: npt.NDArray[np.float32],
    limit: int,
    shots: int = 1,
) -> list[Moment]:
    """Return the best moments of each of the works most like one embedding.

    Parameters
    ----------
    vector
        float32 [dim], of a picture or (semantic channel) of a phrase.
    limit
        Most works.
    shots
        Most moments of each.

    Returns
    -------
    list
        The work first that is most similar at its best; of each work the best moment first.
    """

    def search(neighbours: int) -> list[tuple[int, int, float]]:
        hits = index.search(channel, vector[None], neighbours)
        works, frames = (numbers.tolist() for numbers in split_vector_ids(hits.ids[0]))
        found = zip(works, frames, hits.similarities[0].tolist(), strict=True)
        return [hit for hit in found if hit[0] >= 0]

    moments = []
    for hits in _best_of_each(search, lambda hit: hit[0], limit, shots):
        work = index.work(hits[0][0])
        seen = index.embeddings(work.number, channel)
        for _, frame, similarity in hits:
            start, end = seen.stretches[frame].tolist()
            time = float(seen.times[frame])
            moments.append(moment_of_work(work, channel, time, (start, end), similarity))
    return moments


def find_in_uploads(
    uploads: UploadShots, vector: npt.NDArray[np.float32], limit: int, shots: int
) -> list[Moment]:
    """Return the best moments of each of the uploads most like one embedding.

    The parameters and the order are those of `find_moments`.
    """

    def search(neighbours: int) -> Sequence[UploadShot]:
        return uploads.search(vector[None], neighbours)[0]

    found = _best_of_each(search, lambda shot: shot.upload.content, limit, shots)
    return [_moment(shot) for hits in found for shot in hits]


def find_alike(uploads: UploadShots, clip: Embeddings, limit: int, shots: int) -> list[Moment]:
    """Return where the uploads that look most like a clip look like it.

    Uploads are compared by the mean, over the clip's shots, of the similarity of the upload's shot
    that is most like it. Where only shots of other uploads are among a shot's nearest, it counts
    as if it were the last of these, which is the most that it can be.

    Parameters
    ----------
    clip
        Its shots.
    limit
        Most uploads.
    shots
        Most moments of each: of its shots those most like one of the clip's.
    """
    found = uploads.search(clip.vectors, _OF_A_SHOT)
    best: dict[str, dict[int, UploadShot]] = {}  # by upload and shot of the clip
    for number, hits in enumerate(found):
        for hit in hits:
            best.setdefault(hit.upload.content, {}).setdefault(number, hit)
    at_most = [hits[-1].similarity if hits else 0.0 for hits in found]

    def likeness(content: str) -> float:
        pairs = best[content]
        return sum(
            pairs[number].similarity if number in pairs else most
            for number, most in enumerate(at_most)
        )

    moments: list[Moment] = []
    for content in sorted(best, key=likeness, reverse=True)[:limit]:
        pairs = sorted(best[content].items(), key=lambda pair: -pair[1].similarity)
        once: dict[int, Moment] = {}  # by shot of the upload
        for number, shot in pairs:
            once.setdefault(shot.number, _moment(shot, float(clip.times[number])))
        moments += list(once.values())[:shots]
    return moments


def key_frame(
    moment: Moment, short_side: int, protocols: Collection[str] = PROTOCOLS
) -> tuple[bytes | None, str]:
    """Return what is on screen at a moment as a JPEG file; else None, and why in words.

    Parameters
    ----------
    short_side
        Pixels of the picture's shorter side, at most.
    protocols
        Those that addresses may have.
    """
    why = ""
    for source in (moment.source, *moment.more_sources):
        role = "reference file" if moment.where is Where.WORK else "upload"
        footage = Footage(role, source, protocols)
        frame = footage.frame(moment.time, short_side)
        if frame is not None:
            return jpeg_of(frame), ""
        why = why or " ".join(footage.notes)
    return None, why


def _best_of_each(
    search: Callable[[int], Sequence[_Hit]],
    key: Callable[[_Hit], int | str],
    limit: int,
    most: int,
) -> Iterable[list[_Hit]]:
    """Return the best hits of each of the works or uploads that have the best ones.

    Where one of them takes all places among the nearest, more are looked at.
    """
    neighbours = _NEIGHBOURS
    while True:
        hits = search(neighbours)
        groups: dict[int | str, list[_Hit]] = {}
        for hit in hits:
            if key(hit) in groups or len(groups) < limit:
                groups.setdefault(key(hit), []).append(hit)
        is_all = len(hits) < neighbours or neighbours >= _MOST_NEIGHBOURS
        if len(groups) == limit or is_all:
            return [group[:most] for group in groups.values()]
        neighbours *= 8


def moment_of_work(
    work: Work,
    channel: Channel,
    time: float,
    span: Interval,
    similarity: float,
    clip_time: float | None = None,
) -> Moment:
    """Return a moment of a work; the values are those of `Moment`."""
    return Moment(
        Where.WORK,
        work.id,
        work.title,
        work.digest,
        work.source,
        channel,
        time,
        *span,
        similarity,
        clip_time,
    )


def _moment(shot: UploadShot, clip_time: float | None = None) -> Moment:
    source, *more = shot.upload.sources
    return Moment(
        Where.UPLOAD,
        Source(source).stem,
        PurePosixPath(source).name,
        shot.upload.content,
        source,
        Channel.SEMANTIC,
        shot.time,
        shot.start,
        shot.end,
        shot.similarity,
        clip_time,
        tuple(more),
    )
