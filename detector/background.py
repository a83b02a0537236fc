"""Footage that is ordinary to the user: studio idents, rating cards, credits, logos, test cards.

It joins the bank that ships for the copy descriptor, see `detector.matching.background`. Only the
copy channel has one: two pictures of anything are so similar to CLIP that a bank would say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.describe import OnProgress, describe
from detector.descriptors import Descriptor, space_of
from detector.inputs import Source, digest_of
from detector.matching import Background, shipped
from detector.media import UnreadableMediaError
from detector.settings import Settings
from detector.text import encodable
from detector.types import Channel
from index.embeddings import Embeddings
from index.records import BackgroundSource
from index.reference_index import ChannelEmbeddings, ReferenceIndex

MOST_FRAMES = 2000  # of one file
_RATE = 1.0  # frames per second; short clips give more, as everywhere
_ALIKE = 0.9  # cosine above which two frames are one


@dataclass(frozen=True, slots=True)
class Added:
    """What became of footage that was to be added to the background."""

    source: BackgroundSource
    is_new: bool
    problem: str | None  # what could not be read of it, None if all was


def add_background(
    source: Source,
    index: ReferenceIndex,
    descriptor: Descriptor,
    settings: Settings,
    on_progress: OnProgress | None = None,
) -> Added:
    """Take a clip or a picture into the background of the copy channel.

    The same file again is recognised by its content and adds nothing.

    Raises
    ------
    InputError, UnreadableMediaError
        When it cannot be read, or shows nothing.
    index.errors.ReferenceIndexError
        When the works were described with another descriptor, or the index is busy.
    """
    space = space_of(descriptor)
    index.check_space(Channel.COPY, space)
    with source.opened(settings.protocols) as media:
        digest = digest_of(media)
        known = index.background.find(digest, Channel.COPY, space)
        if known is not None:
            return Added(known, False, None)
        seldom = settings.model_copy(update={"rate": _RATE})
        described = describe(media, {Channel.COPY: descriptor}, seldom, on_progress)
    embeddings = described.embeddings(Channel.COPY)
    if len(embeddings) == 0:
        raise UnreadableMediaError(
            f"all {described.frames.sampled} sampled frames are uniform (black, one colour, test "
            "card); such frames are never matched anyway"
        )
    rows = distinct(embeddings.vectors)
    content = ChannelEmbeddings(space, Embeddings(embeddings.vectors[rows], embeddings.times[rows]))
    name = encodable(source.address)
    added = index.background.add(name, digest, Channel.COPY, content)
    return Added(added, True, described.problem)


def distinct(vectors: npt.NDArray[np.float32], most: int = MOST_FRAMES) -> npt.NDArray[np.int64]:
    """Pick frames that are not nearly the same as one picked before.

    Parameters
    ----------
    vectors
        float32 [n, d], each of length 1.
    most
        Of more, so many are taken evenly.

    Returns
    -------
    int64 [m], rows in ascending order; 1 to `most` unless there is no frame
    """
    picked = np.empty_like(vectors)
    rows: list[int] = []
    for row, vector in enumerate(vectors):
        if not rows or (picked[: len(rows)] @ vector).max() <= _ALIKE:
            picked[len(rows)] = vector
            rows.append(row)
    evenly = np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)
    return np.array(rows, np.int64)[evenly]


def background_of(index: ReferenceIndex, channel: Channel, space: str) -> Background | None:
    """Return all that is ordinary in a channel: what ships and the user's; None if nothing is."""
    bank = shipped(space)
    own = index.background.vectors(channel, space)
    if len(own) == 0:
        return bank
    return Background(space, own) if bank is None else bank.joined(own)
