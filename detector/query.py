"""Questions about one clip, one still or a phrase: whether it is ours, and from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.describe import OnProgress
from detector.descriptors import Descriptor, DescriptorUnavailableError
from detector.faces import FaceChannel, FaceWatch, read_photo
from detector.inputs import Source
from detector.media import (
    Frame,
    UnreadableMediaError,
    first_frame,
    is_still,
    is_uniform,
    trim_borders,
)
from detector.pipeline import scan
from detector.settings import Settings
from detector.types import Channel, Likeness, ScanResult, Status
from index.reference_index import ReferenceIndex
from index.vectors import split_vector_ids

_NEIGHBOURS = 512
_LEAST_SCORE = 0.05  # a clip that somebody asks about is shown weaker matches than a scan reports


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment of a work that is most like what was asked for."""

    work_id: str
    title: str
    channel: Channel
    time: float  # seconds
    similarity: float  # cosine


@dataclass(frozen=True, slots=True)
class Seen:
    """An enrolled person whose face is in a still, or one like it."""

    person_id: str
    name: str
    likeness: Likeness
    similarity: float  # cosine


def find_moments(
    index: ReferenceIndex, channel: Channel, vector: npt.NDArray[np.float32], limit: int
) -> list[Moment]:
    """Return the best moment of each of the works most like one embedding, best first.

    Parameters
    ----------
    vector
        float32 [dim], of a picture or (semantic channel) of a phrase.
    """
    hits = index.search(channel, vector[None], _NEIGHBOURS)
    works, frames = split_vector_ids(hits.ids[0])
    best: dict[int, Moment] = {}
    for number, frame, similarity in zip(
        works.tolist(), frames.tolist(), hits.similarities[0].tolist(), strict=True
    ):
        if number < 0 or len(best) == limit:
            break
        if number not in best:
            work = index.work(number)
            time = float(index.embeddings(number, channel).times[frame])
            best[number] = Moment(work.id, work.title, channel, time, similarity)
    return list(best.values())


def ask_phrase(
    phrase: str, index: ReferenceIndex, descriptors: Mapping[Channel, Descriptor], limit: int
) -> list[Moment]:
    """Find the moments that a phrase describes, by CLIP's text tower.

    Raises
    ------
    DescriptorUnavailableError
        When the semantic channel's descriptor does not understand text.
    """
    describe_text: Any = getattr(descriptors[Channel.SEMANTIC], "describe_text", None)
    if describe_text is None:
        raise DescriptorUnavailableError("the semantic channel's descriptor knows no text")
    return find_moments(index, Channel.SEMANTIC, describe_text([phrase])[0], limit)


def ask_file(
    name: str,
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
    limit: int,
    faces: FaceChannel | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ScanResult | Sequence[Seen | Moment]:
    """Answer for a clip with a scan, for a still with who is in it and the moments most like it.

    Parameters
    ----------
    limit
        Most moments of a channel that are listed.
    faces
        Who is to be found by their face; None: nobody looks at faces.

    Raises
    ------
    InputError, UnreadableMediaError
        When the file cannot be read, or is a still that shows nothing.
    """
    source = Source(name)
    with source.local() as path:
        still = _still(path, settings)
        seen = _seen(path, faces, settings) if still is not None and faces is not None else []
    if still is None:
        result = scan(
            source,
            index,
            descriptors,
            settings,
            faces=faces,
            min_score=_LEAST_SCORE,
            on_progress=on_progress,
        )
        if result.status is Status.UNREADABLE:
            raise UnreadableMediaError(f"{name}: {result.reason}")
        return result
    moments: list[Moment] = []
    for channel, descriptor in descriptors.items():
        moments += find_moments(index, channel, descriptor.describe([still])[0], limit)
    return [*seen, *moments]


def _still(path: Path, settings: Settings) -> npt.NDArray[np.uint8] | None:
    """Return the picture of a file that holds a single one; None for a video."""
    if not is_still(path):
        return None
    image = first_frame(path, settings.copy_size)
    if is_uniform(image):
        raise UnreadableMediaError("the picture is uniform, so nothing could be recognised")
    return trim_borders(image)


def _seen(path: Path, faces: FaceChannel, settings: Settings) -> list[Seen]:
    """Look for people in a still as in a video of one frame."""
    watch = FaceWatch(faces.descriptor)
    watch.look([Frame(0.0, read_photo(path))])
    watch.finish()
    matches, _ = watch.people(faces.likenesses, settings.face_channel)
    names = {person.id: person.name for person in faces.likenesses.gallery.people}
    surest = [(match, max(match.appearances, key=lambda one: one.score)) for match in matches]
    return [
        Seen(match.ref_id, names[match.ref_id], one.likeness, one.similarity)
        for match, one in surest
    ]
