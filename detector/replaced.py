"""Whether somebody else's face was put on a person of a copied scene.

Nothing is stored of the faces of a film: they are looked at again when a copy of a scene shows a
face. The two frames are registered (`matching.geometry`), and a face of the upload that lies where
the film shows another person's was put there. A face beside the scene, as of somebody who watches
it, lies where the film shows none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.descriptors.sface import FaceDescriptor
from detector.faces import SHORT_SIDE, describe_face
from detector.matching.geometry import map_points, register
from detector.matching.likeness import FaceTrack
from detector.media import UnreadableMediaError, grab
from detector.remote import Media
from detector.types import Appearance, Box, Likeness, Match, Segment

REPLACED = "face replaced"

_LOOKS = 3  # moments of a track that are looked at
_MOST_TRACKS = 8  # of a match, the longest
_AGREE = 2  # looks that must say the same
_OTHER = 0.25  # cosine of two faces below which they are two people's; copies of one have 0.5 on
_SAME = 0.4  # cosine from which a face of the frame is that of the track
_OVERLAP = 0.3  # intersection over union of the two faces' boxes, one moved onto the other
_LEAST_CONFIDENCE = 0.5  # of the registration


def mark_replaced(
    match: Match,
    tracks: Sequence[FaceTrack],
    upload: Media,
    film: Media,
    descriptor: FaceDescriptor,
) -> Match:
    """Add ``face replaced`` to the edits of segments in which a face is not the film's.

    Parameters
    ----------
    match
        Of the copy channel.
    tracks
        Faces of the upload.
    film
        The footage that the work was enrolled from; where it has gone, nothing is concluded.
    """
    seen = [
        (_shared(track, segment), track, row)
        for row, segment in enumerate(match.segments)
        for track in tracks
        if _shared(track, segment) > 0
    ]
    seen.sort(key=lambda one: -one[0])
    segments = list(match.segments)
    for _, track, row in seen[:_MOST_TRACKS]:
        segment = segments[row]
        if REPLACED not in segment.edits and _is_replaced(track, segment, upload, film, descriptor):
            segments[row] = replace(segment, edits=(*segment.edits, REPLACED))
    return replace(match, segments=tuple(segments))


def mark_strangers_to_cast(
    match: Match, people: Sequence[Match], names: dict[str, str], cast: Collection[str]
) -> Match:
    """Add to the edits of segments who is seen in them and does not belong to the work's cast.

    Parameters
    ----------
    people
        Matches of the face channel.
    names
        Of the people, by id.
    cast
        Ids of the people who play in the work; nothing is concluded from an empty one.
    """
    if not cast:
        return match
    others = [one for one in people if one.ref_id not in cast]
    segments = []
    for segment in match.segments:
        seen = [
            f"shows {names[one.ref_id]}, who is not in its cast"
            for one in others
            if any(_coincide(appearance, segment) for appearance in one.appearances)
        ]
        segments.append(replace(segment, edits=(*segment.edits, *seen)))
    return replace(match, segments=tuple(segments))


def _coincide(appearance: Appearance, segment: Segment) -> bool:
    return (
        appearance.likeness is Likeness.LIKELY
        and segment.query_start <= appearance.time <= segment.query_end
    )


def _shared(track: FaceTrack, segment: Segment) -> float:
    """Return for how many seconds a track is seen in a segment."""
    return min(track.end, segment.query_end) - max(track.start, segment.query_start)


def _is_replaced(
    track: FaceTrack, segment: Segment, upload: Media, film: Media, descriptor: FaceDescriptor
) -> bool:
    start = max(track.start, segment.query_start)
    end = min(track.end, segment.query_end)
    times = start + (np.arange(_LOOKS) + 0.5) / _LOOKS * (end - start)
    length = segment.query_end - segment.query_start
    shares = (times - segment.query_start) / length if length > 0 else np.zeros(_LOOKS)
    ref_times = segment.ref_start + shares * (segment.ref_end - segment.ref_start)
    found = 0
    for time, ref_time in zip(times.tolist(), ref_times.tolist(), strict=True):
        try:
            if isinstance(film, Path) and not film.is_file():
                return False
            (ours,), (theirs,) = (
                grab(upload, [time], SHORT_SIDE),
                grab(film, [ref_time], SHORT_SIDE),
            )
        except (UnreadableMediaError, OSError):
            return False
        differs = _differs(ours, theirs, track, descriptor)
        if differs is False:  # mostly at the first look
            return False
        found += differs is True
    return found >= _AGREE


def _differs(
    ours: npt.NDArray[np.uint8],
    theirs: npt.NDArray[np.uint8],
    track: FaceTrack,
    descriptor: FaceDescriptor,
) -> bool | None:
    """Whether the track's face is another one than the film's; None where that cannot be told."""
    # The track's own face, of those that are there at this time.
    mine = [
        (_corners(face.box_in(ours)), vector)
        for face in descriptor.find(ours)
        if (vector := describe_face(descriptor, ours, face)) is not None
        and float(vector @ track.vector) >= _SAME
    ]
    if not mine:
        return None
    registration = register(ours, theirs)
    if registration is None or registration.confidence < _LEAST_CONFIDENCE:
        return None
    for face in descriptor.find(theirs):
        corners = _corners(face.box_in(theirs))
        moved = np.sort(map_points(registration.matrix, corners), axis=0)
        for own, vector in mine:
            if _overlap(own, moved) < _OVERLAP:
                continue
            other = describe_face(descriptor, theirs, face)
            if other is not None:
                return float(vector @ other) < _OTHER
    return None


def _corners(box: Box) -> npt.NDArray[np.float64]:
    """Return the upper left and the lower right corner, [2, 2]."""
    return np.array([[box.left, box.top], [box.left + box.width, box.top + box.height]])


def _overlap(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Return the intersection over union of two boxes, each given by two corners."""
    sides = np.maximum(np.minimum(one[1], other[1]) - np.maximum(one[0], other[0]), 0.0)
    shared = float(sides.prod())
    union = float((one[1] - one[0]).prod() + (other[1] - other[0]).prod()) - shared
    return shared / union if union > 0 else 0.0
