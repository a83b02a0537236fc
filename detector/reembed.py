"""Describing works anew in the semantic channel, with the CLIP model that they had or another.

The index keeps what is described anew beside the old until all works are done, see
`index.restaging`; here are the films, the model, and the settings that name it.
"""

from __future__ import annotations

import os
from io import BufferedRandom

import tomlkit

from detector.describe import OnProgress, describe
from detector.descriptors import Descriptor, space_of
from detector.descriptors.clip import with_whole_paths
from detector.inputs import InputError, Source, digest_of
from detector.settings import SETTINGS_FILE, Settings
from detector.types import Channel
from index.files import write_atomically
from index.records import Work
from index.reference_index import ChannelEmbeddings, ReferenceIndex

MODEL_SETTINGS = ("semantic_model", "semantic_weights")


def with_model(settings: Settings, model: str | None, weights: str | None) -> Settings:
    """Name another CLIP model in the settings.

    Parameters
    ----------
    model, weights
        As in `detector.descriptors.clip.find_weights`; None for what the settings say.
    """
    if model is None and weights is None:
        return settings
    found = with_whole_paths(model or settings.semantic_model, weights or settings.semantic_weights)
    return settings.model_copy(update=dict(zip(MODEL_SETTINGS, found, strict=True)))


def save_model(settings: Settings) -> None:
    """Write which CLIP model settings name into the workspace's file, and leave all else there.

    Raises
    ------
    OSError
        It cannot be written; then it is as it was.
    """
    path = (settings.home / SETTINGS_FILE).resolve()  # of a link, what it leads to is replaced
    document = tomlkit.document()
    mode = None
    if path.exists():
        document = tomlkit.parse(path.read_bytes().decode())
        mode = path.stat().st_mode & 0o777  # there may be a password in it
    for name in MODEL_SETTINGS:
        document[name] = getattr(settings, name)
    content = tomlkit.dumps(document).encode()

    def write(file: BufferedRandom) -> None:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(content)

    write_atomically(path, write)


def reembed(
    work: Work,
    index: ReferenceIndex,
    descriptor: Descriptor,
    settings: Settings,
    on_progress: OnProgress | None = None,
) -> str | None:
    """Describe a work anew from the file it was enrolled from.

    Returns
    -------
    What could not be read of the film, None if all was

    Raises
    ------
    InputError, UnreadableMediaError
        The film is gone or cannot be read, or there is another file in its place.
    index.errors.ReferenceIndexError
        As for `Restaging.stage`; `UnknownWorkError` if the work has been removed meanwhile.
    """
    with Source(work.source).opened(settings.protocols) as media:
        if digest_of(media) != work.digest:
            raise InputError("this is not the file that was enrolled: its content is another")
        described = describe(media, {Channel.SEMANTIC: descriptor}, settings, on_progress)
    content = ChannelEmbeddings(space_of(descriptor), described.embeddings(Channel.SEMANTIC))
    index.restaging.stage(Channel.SEMANTIC, work.number, content)
    return described.problem
