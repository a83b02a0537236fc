"""The FAISS stores of all channels: derived from the embeddings files, and kept in step with them.

Which works a channel's store must hold stands in the catalogue. A store that was read from disk,
or that has been in memory while another process wrote, is compared with that list and brought up
to date; works are never changed in place and their numbers never used again, so numbers and counts
are enough to compare. A file that is damaged is built anew. Nothing here can lose anything.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from index.catalog import Catalog
from index.embeddings import Embeddings, read_embeddings
from index.errors import DamagedFileError
from index.files import file_digest
from index.records import EmbeddingsFile, IndexFile
from index.vectors import Hits, check_k, unit_vectors

if TYPE_CHECKING:
    from index.faiss_store import FaissStore

FOLDER = "vectors"

_log = logging.getLogger(__name__)


class SearchIndex:
    """One FAISS store per channel, read or built when it is first needed.

    Safe to use from several threads. Methods that write files (`flush`, `rebuild`) and those that
    follow a change of the catalogue (`add`, `remove`) are for the process whose turn it is.

    Parameters
    ----------
    home
        Folder of the index; the FAISS files lie in its folder ``vectors``.
    catalog
        Says what the stores must hold.
    """

    def __init__(self, home: Path, catalog: Catalog) -> None:
        self._home = home
        self._catalog = catalog
        self._stores: dict[str, FaissStore] = {}
        self._in_step: set[str] = set()  # channels not to be compared with the catalogue again
        self._unsaved: set[str] = set()
        self._lock = threading.RLock()

    @property
    def unsaved(self) -> frozenset[str]:
        """Channels whose file on disk is not what this process knows it should be."""
        return frozenset(self._unsaved)

    def search(self, channel: str, queries: ArrayLike, k: int) -> Hits:
        """Find the nearest vectors; see `VectorStore.search`."""
        store = self._store(channel)
        if store is None:
            check_k(k)
            return Hits.none(len(unit_vectors(queries)), k)
        return store.search(queries, k)

    def look_again(self) -> None:
        """Compare with the catalogue before the next search: another process may have written."""
        with self._lock:
            self._in_step.clear()

    def add(self, work_number: int, embeddings: Mapping[str, Embeddings]) -> None:
        """Take in a work that has just been enrolled."""
        with self._lock:
            for channel, content in embeddings.items():
                self._unsaved.add(channel)
                # Another process may have written before it was our turn.
                self._in_step.discard(channel)
                # A store that is not in memory takes the work from its file when it is needed:
                # enrolling a folder of films must not begin with reading all earlier ones.
                store = self._stores.get(channel)
                if store is not None and store.dim == content.dim:
                    store.add(work_number, content.vectors)

    def remove(self, work_number: int, channels: Iterable[str]) -> None:
        """Let go of a work that has just been removed."""
        with self._lock:
            for channel in channels:
                self._unsaved.add(channel)
                self._in_step.discard(channel)
                if (store := self._stores.get(channel)) is not None:
                    store.remove(work_number)

    def flush(self) -> None:
        """Write the stores whose files are out of date."""
        with self._lock:
            for channel in sorted(self._unsaved):
                self._in_step.discard(channel)  # others may have written since it was read
                files = self._catalog.embeddings_files(channel=channel)
                known = self._catalog.index_files().get(channel)
                if not files:
                    self._catalog.drop_index_file(channel)
                elif known is None or not self._is_current(known, files):
                    self._store(channel)
                    self._save(channel, self._stores[channel], files)
                self._unsaved.discard(channel)

    def rebuild(self, channel: str) -> None:
        """Build a channel's store from the embeddings files alone, and write it."""
        from index.faiss_store import FaissStore

        with self._lock:
            files = self._catalog.embeddings_files(channel=channel)
            self._in_step.discard(channel)
            if not files:
                self._catalog.drop_index_file(channel)
            else:
                # The old store stays until the new one is whole: an embeddings file that cannot
                # be read must not take away what can still be searched.
                store = FaissStore(files[0].dim)
                self._fill(channel, store, files)
                self._save(channel, store, files)
            self._unsaved.discard(channel)

    def problems(self, channel: str) -> list[str]:
        """What is wrong with a channel's file on disk, in words."""
        files = self._catalog.embeddings_files(channel=channel)
        known = self._catalog.index_files().get(channel)
        prefix = f"channel {channel!r}: "
        if known is None:
            missing = files and channel not in self._unsaved
            return [prefix + "it has no FAISS file"] if missing else []
        if not files or known.content != content_of(files):
            if channel in self._unsaved:
                return []
            return [prefix + f"FAISS file {known.file} is out of date"]
        from index.faiss_store import FaissStore

        try:
            store = FaissStore.load(self._home / known.file, files[0].dim, known.digest)
        except DamagedFileError as error:
            return [prefix + str(error)]
        problems = [prefix + f"FAISS file {known.file}: {text}" for text in store.verify()]
        if store.counts() != {file.work_number: file.count for file in files}:
            problems.append(prefix + f"FAISS file {known.file} holds other works than it should")
        return problems

    def _store(self, channel: str) -> FaissStore | None:
        """Return the store of a channel, in step with the catalogue; None if it is empty."""
        with self._lock:
            while channel not in self._in_step:
                files = self._catalog.embeddings_files(channel=channel)
                try:
                    self._bring_into_step(channel, files)
                except DamagedFileError:
                    # The work may have been removed by another process while it was being read.
                    if files == self._catalog.embeddings_files(channel=channel):
                        raise
                    continue
                self._in_step.add(channel)
            return self._stores.get(channel)

    def _bring_into_step(self, channel: str, files: Sequence[EmbeddingsFile]) -> None:
        if not files:
            self._stores.pop(channel, None)
            return
        store = self._stores.get(channel)
        if store is None or store.dim != files[0].dim:
            store = self._read(channel, files[0])
        self._fill(channel, store, files)

    def _fill(self, channel: str, store: FaissStore, files: Sequence[EmbeddingsFile]) -> None:
        """Make a store hold these works and no others, then make it the channel's."""
        wanted = {file.work_number: file for file in files}
        held = store.counts()
        for number, count in held.items():
            if number not in wanted or wanted[number].count != count:
                store.remove(number)
                self._unsaved.add(channel)
        for number, file in wanted.items():
            if held.get(number) != file.count:
                embeddings = read_embeddings(self._home / file.file, file.digest)
                store.add(number, embeddings.vectors)
                self._unsaved.add(channel)
        self._stores[channel] = store

    def _read(self, channel: str, one: EmbeddingsFile) -> FaissStore:
        """Read a channel's FAISS file; where that is not possible, begin with an empty store."""
        from index.faiss_store import FaissStore  # 0.2 s that listing works must not cost

        known = self._catalog.index_files().get(channel)
        while known is not None and known.space == one.space:
            try:
                return FaissStore.load(self._home / known.file, one.dim, known.digest)
            except DamagedFileError as error:
                tried, known = known, self._catalog.index_files().get(channel)
                if known == tried:  # and not just replaced by another process
                    _log.warning("%s; building it anew from the embeddings files", error)
                    break
        self._unsaved.add(channel)
        return FaissStore(one.dim)

    def _is_current(self, known: IndexFile, files: Sequence[EmbeddingsFile]) -> bool:
        path = self._home / known.file
        return (
            known.content == content_of(files)
            and path.is_file()
            and file_digest(path) == known.digest
        )

    def _save(self, channel: str, store: FaissStore, files: Sequence[EmbeddingsFile]) -> None:
        content = content_of(files)
        # Each content has a file of its own, so that a crash between the new file and its row
        # leaves the old row with the old file.
        name = f"{FOLDER}/{channel}-{content[:16]}.faiss"
        digest = store.save(self._home / name)
        self._catalog.put_index_file(
            IndexFile(
                channel=channel,
                space=files[0].space,
                file=name,
                digest=digest,
                content=content,
            )
        )


def content_of(files: Sequence[EmbeddingsFile]) -> str:
    """SHA-256 that stands for the embeddings a FAISS file is built from."""
    parts = sorted((file.work_number, file.digest) for file in files)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
