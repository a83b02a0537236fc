"""What one channel sees in a work or in background footage, checked and put on disk."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from index.embeddings import Embeddings, write_embeddings
from index.errors import InvalidWorkError, SpaceMismatchError
from index.records import NewEmbeddingsFile, check_channel
from index.vectors import MAX_FRAMES


@dataclass(frozen=True, slots=True)
class ChannelEmbeddings:
    """What one channel sees in a work, and with which descriptor."""

    space: str  # descriptor's name and digest of its weights: "sscd-distilled@240436cc531e"
    embeddings: Embeddings


def check_content(what: str, channel: str, content: ChannelEmbeddings) -> None:
    """Refuse what could not be found; `InvalidWorkError` names what it is of."""
    check_channel(channel)
    if not content.space:
        raise InvalidWorkError(f"channel '{channel}' does not say what its vectors were made with")
    if not 1 <= len(content.embeddings) <= MAX_FRAMES:
        raise InvalidWorkError(
            f"{what} has {len(content.embeddings)} frames to find it by in channel "
            f"'{channel}': from 1 to {MAX_FRAMES} are possible (are all its frames black, or of "
            "one colour?)"
        )


def check_width(others: str, file: NewEmbeddingsFile, content: ChannelEmbeddings) -> None:
    """Refuse vectors of another width than those of a file; `SpaceMismatchError`."""
    if file.dim != content.embeddings.dim:
        raise SpaceMismatchError(
            f"{others} have vectors of {file.dim} dimensions, these have "
            f"{content.embeddings.dim}, and both claim to be {file.space}"
        )


def write_content(
    home: Path, folder: str, channel: str, content: ChannelEmbeddings
) -> NewEmbeddingsFile:
    """Put it on disk, in a folder of the home folder."""
    name = f"{folder}/{channel}-{secrets.token_hex(16)}.npz"
    return NewEmbeddingsFile(
        channel=channel,
        space=content.space,
        file=name,
        digest=write_embeddings(home / name, content.embeddings),
        count=len(content.embeddings),
        dim=content.embeddings.dim,
    )
