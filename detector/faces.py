"""The face channel of a scan: faces are found, followed, described, compared, and forgotten.

Faces of people who are not enrolled exist in memory only, while their video is scanned: what leaves
this module is counts, and the appearances of enrolled people.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.descriptors.base import Images, normalised
from detector.descriptors.sface import FaceDescriptor, align_face
from detector.descriptors.yunet import FoundFace
from detector.matching.face_quality import face_quality
from detector.matching.face_tracks import Sighting, Track, Tracker, faces_that_agree
from detector.matching.likeness import FaceTrack, Likenesses, decide, matches_of
from detector.media import Frame, first_frame
from detector.remote import Media
from detector.settings import FaceSettings
from detector.types import FaceCounts, Likeness, Match

SHORT_SIDE = 720  # pixels to which frames are scaled down for this channel
_PHOTO_SIDE = 1440  # of a photo: faces in group pictures may be small
_ALIKE = 0.3  # cosine from which two pictures that follow each other are of one face
_MOST_FACES = 24  # of one frame, the largest; those in a crowd behind them are counted only


def read_photo(media: Media) -> npt.NDArray[np.uint8]:
    """Read a picture as large as faces need it, uint8 [height, width, 3] RGB.

    Raises
    ------
    UnreadableMediaError
        It is none.
    """
    return first_frame(media, _PHOTO_SIDE)


def describe_face(
    descriptor: FaceDescriptor, image: npt.NDArray[np.uint8], face: FoundFace
) -> npt.NDArray[np.float32] | None:
    """Return the embedding of one face of a picture, float32 [d]; None if it is not usable."""
    aligned = align_face(image, face.landmarks)
    if face_quality(aligned, face.landmarks, face.side, face.score) == 0:
        return None
    return np.asarray(_with_mirror_images(descriptor, [aligned])[0], np.float32)


def _with_mirror_images(descriptor: FaceDescriptor, aligned: Images) -> npt.NDArray[np.float32]:
    """Describe faces together with their mirror images, which makes up for some of the pose."""
    mirrored = [np.ascontiguousarray(picture[:, ::-1]) for picture in aligned]
    return normalised(descriptor.describe(aligned) + descriptor.describe(mirrored))


@dataclass(frozen=True, slots=True, eq=False)
class FaceChannel:
    """What a scan needs to find people: a descriptor, and who is enrolled."""

    descriptor: FaceDescriptor
    likenesses: Likenesses


class FaceWatch:
    """Watches one video.

    Parameters
    ----------
    least_score
        What the detector takes less surely for a face is left out.
    """

    def __init__(self, descriptor: FaceDescriptor, least_score: float = 0.0) -> None:
        self._descriptor = descriptor
        self._least_score = least_score
        self._tracker = Tracker(self._are_same)
        self._found = self._unusable = 0
        self._previous: float | None = None
        self._interval = 0.0  # seconds between the last two frames
        self.tracks: list[FaceTrack] = []
        self.seconds = 0.0  # of work

    def look(self, frames: Sequence[Frame]) -> None:
        """Take the next frames of the video."""
        started = time.perf_counter()
        for frame in frames:
            if self._previous is not None:
                self._interval = frame.time - self._previous
            self._previous = frame.time
            for track in self._tracker.add(frame.time, frame.image, self._sightings(frame)):
                self._describe(track)
        self.seconds += time.perf_counter() - started

    def finish(self) -> None:
        """Take it that the video has ended; then `tracks` is complete."""
        started = time.perf_counter()
        for track in self._tracker.finish():
            self._describe(track)
        self.seconds += time.perf_counter() - started

    def people(
        self, likenesses: Likenesses, settings: FaceSettings
    ) -> tuple[list[Match], FaceCounts]:
        """Say which enrolled people were seen, and count the other faces."""
        started = time.perf_counter()
        decided = decide(self.tracks, likenesses, settings.min_score, settings.resembles_from)
        answers = Counter(None if one is None else one[1].likeness for one in decided)
        counts = FaceCounts(
            found=self._found,
            unusable=self._unusable,
            tracks=len(self.tracks),
            likely=answers[Likeness.LIKELY],
            resembles=answers[Likeness.RESEMBLES],
            unknown=answers[None],
        )
        matches = matches_of(decided, likenesses.gallery)
        self.seconds += time.perf_counter() - started
        return matches, counts

    def _are_same(self, one: Sighting, other: Sighting) -> bool:
        if not (one.quality and other.quality):
            return False
        vectors = self._descriptor.describe([one.aligned, other.aligned])
        return float(vectors[0] @ vectors[1]) >= _ALIKE

    def _sightings(self, frame: Frame) -> list[Sighting]:
        faces = [f for f in self._descriptor.find(frame.image) if f.score >= self._least_score]
        self._found += len(faces)
        self._unusable += max(0, len(faces) - _MOST_FACES)
        sightings = []
        for face in faces[:_MOST_FACES]:
            aligned = align_face(frame.image, face.landmarks)
            quality = face_quality(aligned, face.landmarks, face.side, face.score)
            self._unusable += quality == 0
            sightings.append(Sighting(frame.time, face.box_in(frame.image), quality, aligned))
        return sightings

    def _describe(self, track: Track) -> None:
        """Describe a track by its best pictures."""
        if not track.best:
            return
        vectors = _with_mirror_images(self._descriptor, [one.aligned for one in track.best])
        groups = faces_that_agree(vectors)
        for rows in groups:
            seen = [track.best[row] for row in rows]
            weights = np.sqrt(np.array([one.quality for one in seen], np.float32))
            mean = weights @ vectors[rows]
            times = [one.time for one in seen]
            start, end = (track.start, track.end) if len(groups) == 1 else (min(times), max(times))
            self.tracks.append(
                FaceTrack(
                    start=start,
                    end=end + self._interval,
                    vector=mean / np.linalg.norm(mean),
                    faces=len(seen),
                    time=seen[0].time,
                    box=seen[0].box,
                )
            )
