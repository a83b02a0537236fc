"""The user's ordinary footage: add it, find its vectors, forget it.

Its embeddings files lie in a folder of their own; they are written and removed in the order in
which those of works are, so that a crash leaves nothing but orphans.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.catalog import Catalog
from index.contents import ChannelEmbeddings, check_content, check_width, write_content
from index.embeddings import read_embeddings
from index.errors import DamagedFileError
from index.records import BackgroundSource
from index.upkeep import BACKGROUND


class BackgroundFootage:
    """What is ordinary, described in one space or several.

    Parameters
    ----------
    home
        Folder of the index.
    catalog
        Where it is written down.
    turn
        Lets one process write at a time; raises `IndexBusyError`.
    """

    def __init__(
        self, home: Path, catalog: Catalog, turn: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._home = home
        self._catalog = catalog
        self._turn = turn
        self._vectors: dict[tuple[str, str], NDArray[np.float32]] = {}  # by channel and space

    def add(
        self, source: str, source_digest: str, channel: str, content: ChannelEmbeddings
    ) -> BackgroundSource:
        """Take in footage; when this returns, it is on disk.

        Parameters
        ----------
        source, source_digest
            Path or URL it was read from, and the SHA-256 of what was read.
        channel, content
            What a channel sees in it: at least one vector, of any space.

        Raises
        ------
        AlreadyEnrolledError
            The same footage is there, described in the same space.
        InvalidWorkError
            There is no vector.
        SpaceMismatchError
            Others of the same space have vectors of another width.
        IndexBusyError
            Another process is writing.
        """
        check_content(f"background {source!r}", channel, content)
        with self._turn():
            self._catalog.check_new_background(source_digest, channel, content.space)
            for other in self._catalog.background_sources(channel, content.space)[:1]:
                check_width(f"the background's files in channel '{channel}'", other, content)
            file = write_content(self._home, BACKGROUND, channel, content)
            added = self._catalog.add_background(source, source_digest, file)
            self.refresh()
        return added

    def remove(self, number: int) -> BackgroundSource:
        """Forget footage: nothing of it is left. Returns what it was.

        Raises
        ------
        UnknownBackgroundError, IndexBusyError
            There is no such footage, or another process is writing.
        """
        with self._turn():
            removed = self._catalog.background_source(number)
            self._catalog.remove_background(number)
            (self._home / removed.file).unlink(missing_ok=True)
            self.refresh()
        return removed

    def all(self) -> list[BackgroundSource]:
        """All of it, in the order it was added."""
        return self._catalog.background_sources()

    def get(self, number: int) -> BackgroundSource:
        """One source by its number; `UnknownBackgroundError` if there is none."""
        return self._catalog.background_source(number)

    def find(self, source_digest: str, channel: str, space: str) -> BackgroundSource | None:
        """Find what was added from the file with this SHA-256, as described in this space."""
        return self._catalog.find_background(source_digest, channel, space)

    def vectors(self, channel: str, space: str) -> NDArray[np.float32]:
        """All vectors that were described in a space, in the order of sources.

        They are kept in memory until the background changes.

        Returns
        -------
        float32 [n, dim], each of length 1; read-only. [0, 0] if there are none.

        Raises
        ------
        DamagedFileError
            A file is missing or damaged.
        """
        known = self._vectors  # another, empty one takes its place when something changes
        if (channel, space) not in known:
            known[channel, space] = self._read(channel, space)
        return known[channel, space]

    def refresh(self) -> None:
        """Let `vectors` see from now on what other processes have added or removed."""
        self._vectors = {}

    def _read(self, channel: str, space: str) -> NDArray[np.float32]:
        files = self._catalog.background_sources(channel, space)
        while True:
            try:
                parts = [read_embeddings(self._home / f.file, f.digest).vectors for f in files]
                break
            except DamagedFileError:
                tried, files = files, self._catalog.background_sources(channel, space)
                if files == tried:  # and none was just removed by another process
                    raise
        vectors = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
        vectors.flags.writeable = False
        return vectors
