"""Questions about one clip, one still or a phrase: whether it is ours, and from where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.describe import Described, OnProgress, describe
from detector.descriptors import Descriptor, DescriptorUnavailableError, space_of
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
from detector.moments import Moment, Where, find_alike, find_in_uploads, find_moments
from detector.pipeline import scan
from detector.remote import Media
from detector.settings import Settings
from detector.types import Channel, Likeness, ScanResult, Status
from detector.upload_shots import UploadShots
from index.reference_index import ReferenceIndex

_LEAST_SCORE = 0.05  # a clip that somebody asks about is shown weaker matches than a scan reports

ShotsOf = Callable[[str], UploadShots]
"""Returns the shots of scanned uploads that are of a space."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    works: bool = True  # also the people that are enrolled
    uploads: bool = True  # that were scanned
    limit: int = 10  # most works, and most uploads, that moments are listed of
    shots: int = 3  # most moments of each


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Seen:
    """An enrolled person whose face is in a still, or one like it."""

    person_id: str
    name: str
    likeness: Likeness
    similarity: float  # cosine


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of what was asked about."""

    result: ScanResult | None = None  # of a clip's scan
    people: tuple[Seen, ...] = ()  # in a still
    moments: tuple[Moment, ...] = ()  # most like it, channel by channel: in works, then in uploads
    left_out: int = 0  # uploads that could not be compared, see `UploadShots.left_out`

    def moments_in(self, where: Where) -> tuple[Moment, ...]:
        """Return those in works, or those in uploads."""
        return tuple(one for one in self.moments if one.where is where)


class Questions:
    """Answers what is asked about works, people, and uploads that were scanned.

    Parameters
    ----------
    index, descriptors, settings
        As for a scan.
    shots_of
        Gives the shots of uploads, where the semantic channel is on; by default they are read for
        each question.
    faces
        Who is to be found by their face; None: nobody looks at faces.
    """

    def __init__(
        self,
        index: ReferenceIndex,
        descriptors: Mapping[Channel, Descriptor],
        settings: Settings,
        *,
        shots_of: ShotsOf | None = None,
        faces: FaceChannel | None = None,
    ) -> None:
        self._index = index
        self._descriptors = descriptors
        self._settings = settings
        self._shots_of = shots_of or partial(UploadShots, index)
        self._faces = faces

    def ask_phrase(self, phrase: str, wanted: Wanted = EVERYTHING) -> Answer:
        """Find the moments that a phrase describes, by CLIP's text tower.

        Raises
        ------
        DescriptorUnavailableError
            The semantic channel is off, or its model does not understand text.
        """
        semantic = self._descriptors.get(Channel.SEMANTIC)
        if semantic is None:
            raise DescriptorUnavailableError(
                "a phrase is searched in the semantic channel, which is off"
            )
        describe_text: Any = getattr(semantic, "describe_text", None)
        if describe_text is None:
            raise DescriptorUnavailableError(
                "the model of the semantic channel knows pictures alone, and no text: ask with a "
                "still or a clip, or move to a CLIP model (`matchcut reembed`)"
            )
        return self._moments({Channel.SEMANTIC: describe_text([phrase])[0]}, wanted)

    def ask_file(
        self, name: str, wanted: Wanted = EVERYTHING, *, on_progress: OnProgress | None = None
    ) -> Answer:
        """Answer for a clip with a scan and the uploads that look like it.

        For a still, with who is in it and the moments most like it.

        Raises
        ------
        InputError, UnreadableMediaError
            The file cannot be read, or is a still that shows nothing.
        """
        source = Source(name)
        with source.opened(self._settings.protocols) as media:
            still = _still(media, self._settings)
            if still is None:
                return self._ask_clip(source, media, wanted, on_progress)
            seen = []
            if self._faces is not None and wanted.works:
                seen = _seen(media, self._faces, self._settings)
        vectors = {
            channel: descriptor.describe([still])[0]
            for channel, descriptor in self._descriptors.items()
        }
        return replace(self._moments(vectors, wanted), people=tuple(seen))

    def _moments(
        self, vectors: Mapping[Channel, npt.NDArray[np.float32]], wanted: Wanted
    ) -> Answer:
        """Find the moments most like one embedding of each of some channels, float32 [dim]."""
        moments: list[Moment] = []
        for channel, vector in vectors.items() if wanted.works else ():
            # Neighbouring frames are alike, shots are not: of the former the best says it all.
            shots = wanted.shots if channel is Channel.SEMANTIC else 1
            with self._index.comparing(channel, space_of(self._descriptors[channel])):
                moments += find_moments(self._index, channel, vector, wanted.limit, shots)
        if not wanted.uploads or Channel.SEMANTIC not in vectors:
            return Answer(moments=tuple(moments))
        uploads = self._uploads()
        moments += find_in_uploads(uploads, vectors[Channel.SEMANTIC], wanted.limit, wanted.shots)
        return Answer(moments=tuple(moments), left_out=uploads.left_out)

    def _ask_clip(
        self, source: Source, media: Media, wanted: Wanted, on_progress: OnProgress | None
    ) -> Answer:
        described: list[Described] = []
        result = None
        semantic = self._descriptors.get(Channel.SEMANTIC)
        if wanted.works:
            result = scan(
                source,
                self._index,
                self._descriptors,
                self._settings,
                faces=self._faces,
                min_score=_LEAST_SCORE,
                on_progress=on_progress,
                on_described=described.append,
            )
            if result.status is Status.UNREADABLE:
                raise UnreadableMediaError(f"{source.name}: {result.reason}")
        elif semantic is not None:
            only = {Channel.SEMANTIC: semantic}
            described.append(describe(media, only, self._settings, on_progress))
        shots = described[0].shots if described else None
        if not wanted.uploads or shots is None:
            return Answer(result)
        uploads = self._uploads()
        moments = find_alike(uploads, shots, wanted.limit, wanted.shots)
        return Answer(result, moments=tuple(moments), left_out=uploads.left_out)

    def _uploads(self) -> UploadShots:
        """Return the shots of all uploads that are kept by now."""
        uploads = self._shots_of(space_of(self._descriptors[Channel.SEMANTIC]))
        uploads.refresh()
        return uploads


def _still(media: Media, settings: Settings) -> npt.NDArray[np.uint8] | None:
    """Return the picture of a file that holds a single one; None for a video."""
    if not is_still(media):
        return None
    image = first_frame(media, settings.copy_size)
    if is_uniform(image):
        raise UnreadableMediaError("the picture is uniform, so nothing could be recognised")
    return trim_borders(image)


def _seen(media: Media, faces: FaceChannel, settings: Settings) -> list[Seen]:
    """Look for people in a still as in a video of one frame."""
    watch = FaceWatch(faces.descriptor)
    watch.look([Frame(0.0, read_photo(media))])
    watch.finish()
    matches, _ = watch.people(faces.likenesses, settings.face_channel)
    names = {person.id: person.name for person in faces.likenesses.gallery.people}
    surest = [(match, max(match.appearances, key=lambda one: one.score)) for match in matches]
    return [
        Seen(match.ref_id, names[match.ref_id], one.likeness, one.similarity)
        for match, one in surest
    ]
