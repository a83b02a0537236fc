"""Faces followed through a shot: what belongs together before anybody asks who it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detector.types import Box

MOST_KEPT = 8  # best pictures of a face in a track; with 5 a face that moves is known less well
_LONGEST = 10.0  # seconds; a longer track is cut, so that its best pictures stand for all of it
_LONGEST_UNUSABLE = 1.0  # seconds; somebody else may have come to the same place since
_MOST_MOVED = 0.9  # of the face's side, from one sampled frame to the next
_MOST_GROWN = 1.6  # factor in size
_MOST_MISSED = 1  # frames in a row in which the detector does not see a face
_SAME_SHOT = 0.3  # correlation of thumbnails; a camera that swings round has 0.4 to 0.6
_STILL = 0.9  # correlation from which there was no cut, not even in part of the picture
_SAME_FACE = 0.4  # cosine of two pictures of a face within a track; strangers have 0.09 +- 0.10
_THUMBNAIL = (32, 18)  # pixels


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A face in one frame."""

    time: float  # seconds
    box: Box
    quality: float  # from `face_quality`; 0: cannot be told from others
    aligned: npt.NDArray[np.uint8]  # [112, 112, 3] RGB


@dataclass(slots=True)
class Track:
    """One face in one shot; of its pictures only the best are kept."""

    start: float  # seconds, of the first usable sighting; while there is none, of the first
    end: float  # of the last usable one
    last: Sighting  # usable or not
    best: list[Sighting] = field(default_factory=list)  # by quality, the best first
    missed: int = 0  # frames since

    def add(self, sighting: Sighting) -> None:
        self.last, self.missed = sighting, 0
        if sighting.quality > 0:
            if not self.best:
                self.start = sighting.time
            self.end = sighting.time
            self.best.append(sighting)
            self.best.sort(key=lambda one: -one.quality)
            del self.best[MOST_KEPT:]

    def goes_on(self, time: float) -> bool:
        """Whether a sighting at this time may still belong to it."""
        return time - self.start < _LONGEST and time - self.end <= _LONGEST_UNUSABLE


class Tracker:
    """Links sightings of neighbouring frames by place and size, within a shot.

    Parameters
    ----------
    same_face
        Tells whether two sightings look like one person. It is only asked where the picture has
        changed so much that there may have been a cut in part of it: by default the place decides.
    """

    def __init__(self, same_face: Callable[[Sighting, Sighting], bool] | None = None) -> None:
        self._same_face = same_face
        self._open: list[Track] = []
        self._thumbnail: npt.NDArray[np.float32] | None = None
        self._aspect = 1.0

    def add(
        self, time: float, image: npt.NDArray[np.uint8], sightings: Sequence[Sighting]
    ) -> list[Track]:
        """Take the next frame and the faces in it; return the tracks that have ended."""
        thumbnail = _thumbnail(image)
        before, self._thumbnail = self._thumbnail, thumbnail
        likeness = -1.0 if before is None else _correlation(thumbnail, before)
        self._aspect = image.shape[1] / image.shape[0]
        going = [] if likeness < _SAME_SHOT else [t for t in self._open if t.goes_on(time)]
        ended = [track for track in self._open if track not in going]
        pairs = sorted(
            (distance, t, s)
            for t, track in enumerate(going)
            for s, sighting in enumerate(sightings)
            if (distance := self._distance(track.last.box, sighting.box)) < _MOST_MOVED
        )
        taken: set[int] = set()
        continued: set[int] = set()
        for _, t, s in pairs:
            if t not in continued and s not in taken:
                if likeness < _STILL and not self._are_same(going[t].last, sightings[s]):
                    going[t].missed = _MOST_MISSED  # somebody else has come to its place
                    continue
                continued.add(t)
                taken.add(s)
                going[t].add(sightings[s])
        for t in set(range(len(going))) - continued:
            going[t].missed += 1
        ended += [track for track in going if track.missed > _MOST_MISSED]
        self._open = [track for track in going if track.missed <= _MOST_MISSED]
        for s, sighting in enumerate(sightings):
            if s not in taken:
                track = Track(time, time, sighting)
                track.add(sighting)
                self._open.append(track)
        return ended

    def finish(self) -> list[Track]:
        """Return the tracks that go on to the end."""
        ended, self._open = self._open, []
        return ended

    def _are_same(self, one: Sighting, other: Sighting) -> bool:
        return self._same_face is None or self._same_face(one, other)

    def _distance(self, one: Box, other: Box) -> float:
        """How far a face has moved, in its own sides; infinite if it has changed its size."""
        sides = sorted(math.sqrt(box.width * self._aspect * box.height) for box in (one, other))
        if sides[1] > _MOST_GROWN * sides[0]:
            return math.inf
        right = (one.left - other.left + (one.width - other.width) / 2) * self._aspect
        down = one.top - other.top + (one.height - other.height) / 2
        return math.hypot(right, down) / sides[0]


def faces_that_agree(
    vectors: npt.NDArray[np.float32], least: float = _SAME_FACE
) -> list[npt.NDArray[np.int64]]:
    """Split the pictures of a track into those of one face each, the largest group first.

    A track goes by place alone, and a cut between two people who look out of the same place of the
    frame may go unseen.

    Parameters
    ----------
    vectors
        float32 [n, d], each of length 1.

    Returns
    -------
    list of int64 [m], rows in ascending order
    """
    similar = vectors @ vectors.T
    left = np.arange(len(vectors))
    groups = []
    while len(left):
        among = similar[np.ix_(left, left)] >= least
        middle = int(np.argmax(among.sum(axis=1)))  # the first of those that agree with most
        among[middle, middle] = True
        groups.append(left[among[middle]])
        left = left[~among[middle]]
    return groups


def _thumbnail(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    import cv2

    small = cv2.resize(image, _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)


def _correlation(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / scale if scale else float(np.array_equal(one, other))
