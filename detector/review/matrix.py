"""The similarity matrix of a match as a picture: a copy is a bright line in it.

The upload's time runs to the right, the work's upwards, over the stretches that the match's
timeline draws (`detector.timeline`). Similarities that are chance are dark; the segments that were
found are outlined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from detector.descriptors import Descriptor, space_of
from detector.inputs import InputError, Source
from detector.media import (
    UnreadableMediaError,
    find_layout,
    grab,
    grab_run,
    is_uniform,
    rate_for,
    trim_borders,
)
from detector.report_pictures import why_missing
from detector.review.evidence import UPLOAD, NoEvidenceError, match_of
from detector.review.evidence_store import EvidenceStore, picture_name
from detector.review.records import Case
from detector.settings import Settings
from detector.timeline import Interval, timeline
from detector.types import Channel, Segment
from index.embeddings import Embeddings
from index.errors import UnknownWorkError
from index.reference_index import ReferenceIndex

SIZE = (320, 240)  # pixels: width, height

_MOST_FRAMES = 240
_BATCH = 32
_CLOSELY = 1.5  # of the descriptor's side: footage within a frame has pixels of its own
_MOST_PARTS = 4  # of a frame
_SEEK_FROM = 4.0  # seconds between two frames from which to seek is faster than to decode them all
_NEAR = 1.0  # seconds from a frame of the work that still stands for a moment without one
_OUTLINE = 13  # pixels, the width of what is drawn around a segment

Floats = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]


def matrix_picture(
    case: Case,
    match_number: int,
    index: ReferenceIndex,
    descriptors: Mapping[Channel, Descriptor],
    settings: Settings,
) -> bytes:
    """Return the matrix as a PNG file, as it was kept if it was drawn before.

    The upload's frames are described again, which takes seconds; the work's embeddings are in the
    index.

    Raises
    ------
    NoEvidenceError
        There is no such match of a work, its upload or its embeddings have gone, or the channel's
        descriptor is not open.
    index.errors.SpaceMismatchError
        The work was described with another descriptor.
    """
    match = match_of(case, match_number)
    if match.channel is Channel.FACE or not match.segments:
        raise NoEvidenceError(f"Match {match_number} has no frames to be compared.")
    try:
        work = index.work(match.ref_id)
        ref = index.embeddings(work.number, match.channel)
    except UnknownWorkError as error:
        raise NoEvidenceError(f"The work is not enrolled any more: {error}") from error
    descriptor = descriptors.get(match.channel)
    if descriptor is None:
        raise NoEvidenceError(f"Channel {match.channel} is not open.")
    index.check_space(match.channel, space_of(descriptor))
    drawn = timeline(match.segments, case.duration, work.duration)
    views = drawn.upload.view, drawn.work.view
    lines = [(s.query_start, s.query_end, s.ref_start, s.ref_end) for s in match.segments]
    key = (work.digest, space_of(descriptor), views, lines)
    name = picture_name(case, "matrix", *key, suffix=".png")
    store = EvidenceStore(settings)
    picture = store.get(name)
    if picture is None:
        negative = any("inverted" in edit for one in match.segments for edit in one.edits)
        columns = [
            _similarities(pictures, ref.vectors, descriptor, negative=negative)
            for pictures in _pictures(case, drawn.upload.view, settings)
        ]
        matrix = _over_time(np.concatenate(columns, axis=1), ref, drawn.work.view)
        is_copy = match.channel is Channel.COPY
        floor = settings.copy_channel.floor if is_copy else settings.semantic_channel.usual
        picture = draw_matrix(matrix, floor, views, match.segments)
        store.put(name, picture)
    return picture


def _pictures(case: Case, view: Interval, settings: Settings) -> Iterator[list[Picture]]:
    """Fetch frames of the upload at even distances, batch by batch."""
    problem = why_missing(UPLOAD, case.source, settings.protocols)
    if problem is not None:
        raise NoEvidenceError(problem)
    length = view[1] - view[0]
    count = max(2, min(_MOST_FRAMES, round(length * rate_for(case.duration, settings.rate))))
    # In the middle of each cell, so that the last one is before the end of the file.
    times = view[0] + (np.arange(count) + 0.5) * length / count
    side = round(settings.copy_size * _CLOSELY)
    fetch = grab_run if length / count < _SEEK_FROM else grab
    try:
        with Source(case.source).opened(settings.protocols) as media:
            for first in range(0, count, _BATCH):
                yield fetch(media, times[first : first + _BATCH].tolist(), side)
    except (InputError, UnreadableMediaError) as error:
        raise NoEvidenceError(f"The upload gives no pictures: {error}") from error


def _similarities(
    pictures: list[Picture], theirs: Floats, descriptor: Descriptor, *, negative: bool
) -> Floats:
    """Compare frames, each by its best view, with those of a work: [work, upload].

    Parameters
    ----------
    negative
        Whether light and dark are exchanged in the upload.
    """
    parts = []
    if len({picture.shape for picture in pictures}) == 1:
        layout = find_layout(pictures)
        parts = [*layout.parts, *(guess.part for guess in layout.guesses)][:_MOST_PARTS]
    views: list[Picture] = []
    owners: list[int] = []
    for number, picture in enumerate(pictures):
        for view in (picture, *(part.of(picture) for part in parts)):
            trimmed = trim_borders(view)
            if not is_uniform(trimmed):
                views.append(np.asarray(255 - trimmed, np.uint8) if negative else trimmed)
                owners.append(number)
    similarities = np.full((len(pictures), len(theirs)), -1.0, np.float32)
    if views:
        np.maximum.at(similarities, owners, descriptor.describe(views) @ theirs.T)
    return similarities.T


def _over_time(matrix: Floats, ref: Embeddings, view: Interval) -> Floats:
    """Lay the rows, one for each frame or shot of the work, out over a stretch of its time.

    Of several frames that share a row each column has the most similar one, so that a line that is
    thinner than a row stays.
    """
    rows = SIZE[1]
    edges = np.linspace(*view, rows + 1)
    if ref.spans is not None:
        middles = (edges[1:] + edges[:-1]) / 2
        shots = np.searchsorted(ref.spans[:, 0], middles, side="right") - 1
        inside = (shots >= 0) & (middles <= ref.spans[shots, 1])
        return np.where(inside[:, None], matrix[shots], np.float32(-1.0))
    firsts = np.searchsorted(ref.times, edges)
    result = np.full((rows, matrix.shape[1]), -1.0, np.float32)
    for row, (first, last) in enumerate(pairwise(firsts)):
        if first < last:
            result[row] = matrix[first:last].max(axis=0)
            continue
        away = np.abs(ref.times - (edges[row] + edges[row + 1]) / 2)
        if away.min() <= _NEAR:
            result[row] = matrix[int(away.argmin())]
    return result


def draw_matrix(
    matrix: Floats, floor: float, views: tuple[Interval, Interval], segments: Sequence[Segment]
) -> bytes:
    """Draw similarities, [work, upload], as a PNG file of `SIZE`.

    Parameters
    ----------
    floor
        Similarity up to which all is black.
    views
        Seconds of the upload and of the work over which the columns and the rows are spread.
    """
    width, height = SIZE
    shares = np.clip((matrix - floor) / (1 - floor), 0, 1)
    levels = np.asarray(np.rint(255 * shares), np.uint8)
    levels = np.asarray(cv2.resize(levels, SIZE, interpolation=cv2.INTER_NEAREST), np.uint8)
    image = cv2.applyColorMap(levels[::-1], cv2.COLORMAP_VIRIDIS)
    (start, end), (ref_start, ref_end) = views
    for one in segments:
        ends = [
            (
                round((query - start) / (end - start) * (width - 1)),
                round((1 - (ref - ref_start) / (ref_end - ref_start)) * (height - 1)),
            )
            for query, ref in ((one.query_start, one.ref_start), (one.query_end, one.ref_end))
        ]
        mask = np.zeros((height, width), np.uint8)
        cv2.line(mask, ends[0], ends[1], 255, _OUTLINE)
        shapes, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, shapes, -1, (255, 255, 255), 1)
    _, png = cv2.imencode(".png", image)
    return png.tobytes()
