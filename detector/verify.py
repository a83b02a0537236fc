"""A second look at matches: whether the pictures of an upload lie on those of the work.

Alignment goes by embeddings alone. Here frame pairs of a segment are fetched from both files again
and compared by local features (`matching.geometry`), where these leave doubt by coarse forms, too
(`matching.coarse`), which confirms or weakens the segment's score, and tells what was edited
(`matching.explain`). The pairs are taken at even distances along the
segment, not where the frames are most alike: of two takes in front of the same wall the most alike
moments look like a copy, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.descriptors import Descriptor
from detector.matching import rescored
from detector.matching.coarse import follow
from detector.matching.explain import name_edits
from detector.matching.geometry import Picture, confirm, register
from detector.media import UnreadableMediaError, grab, is_uniform, trim_borders
from detector.remote import Media
from detector.settings import ChannelSettings
from detector.types import Match, Segment
from index.embeddings import Embeddings

_PAIRS = 4
_SURE = 0.95  # score from which one look at the surest segment is enough
_CLEAR = 0.99  # confidence by local features from which no coarse comparison is needed
_LINES = 360  # of the pictures that are compared
_SAME = 0.5  # cosine of a frame of the work to what was stored of it near that time


def verify(
    match: Match,
    upload: Media,
    film: Media,
    ref: Embeddings,
    descriptor: Descriptor,
    settings: ChannelSettings,
) -> Match:
    """Look at a match's segments again; those whose pictures cannot be had stay as they are.

    Parameters
    ----------
    film
        The footage that the work was enrolled from. If the file has gone, or holds other footage
        by now, nothing is concluded.
    ref, descriptor
        The work's embeddings and what made them, to recognise other footage by.
    """
    segments = list(match.segments)
    by_score = sorted(range(len(segments)), key=lambda i: -segments[i].score)
    most = 1 if match.score >= _SURE else settings.most_verified
    for i in by_score[:most]:
        pictures = _pictures(segments[i], upload, film, ref, descriptor)
        if pictures:
            segments[i] = _verified(segments[i], pictures, settings)
    return replace(match, segments=tuple(segments), score=max(s.score for s in segments))


def _verified(
    segment: Segment, pictures: Sequence[tuple[Picture, Picture]], settings: ChannelSettings
) -> Segment:
    registrations = [register(ours, theirs) for ours, theirs in pictures]
    confirmed = confirm(registrations, pictures).confidence
    if confirmed < _CLEAR:  # detail is missing or differs: do the coarse forms follow?
        confirmed = max(confirmed, follow(registrations, pictures).confidence)
    evidence = replace(segment.evidence, confirmed=confirmed)
    return replace(
        rescored(replace(segment, evidence=evidence), settings),
        edits=name_edits(registrations, pictures, segment.speed),
    )


def _pictures(
    segment: Segment, upload: Media, film: Media, ref: Embeddings, descriptor: Descriptor
) -> list[tuple[Picture, Picture]]:
    """Fetch frame pairs, (upload, work), along a segment; none if the film is not the work."""
    try:
        if isinstance(film, Path) and not film.is_file():
            return []
    except OSError:  # a folder that may not be read, a name too long: as good as gone
        return []
    shares = (np.arange(_PAIRS) + 0.5) / _PAIRS
    times = segment.query_start + shares * (segment.query_end - segment.query_start)
    ref_times = segment.ref_start + shares * (segment.ref_end - segment.ref_start)
    try:
        theirs = grab(film, ref_times.tolist(), _LINES)
        ours = grab(upload, times.tolist(), _LINES)
    except UnreadableMediaError:
        return []
    stored = ref.vectors[np.abs(ref.times - ref_times[:, None]).argmin(axis=1)]
    now = descriptor.describe([trim_borders(picture) for picture in theirs])
    if np.median(np.einsum("ij,ij->i", stored, now)) < _SAME:
        return []
    both = zip(ours, theirs, strict=True)
    return [pair for pair in both if not any(is_uniform(picture) for picture in pair)]
