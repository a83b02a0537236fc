"""The FAISS stores of all channels: derived from the embeddings files, and kept in step with them.

Which works a channel's store must hold stands in the catalogue. A store that was read from disk,
or that has been in memory while another process wrote, is compared with that list and brought up
to date. Within a space works are never changed in place and their numbers never used again, so
numbers and counts are enough to compare; when a channel has moved to another space (see
`index.restaging`), its store is given up. A file that is damaged is built anew. Nothing here can
lose anything.

A large store keeps most of its works in a main file, and what has come and gone since beside it
(see `index.faiss_store`). When that has grown too much, compaction writes another main file: it is
built aside (`build`), which takes minutes and is in nobody's way, and then takes the place of the
old one (`adopt`), which takes a moment.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from index.catalog import Catalog
from index.embeddings import Embeddings, read_embeddings
from index.errors import DamagedFileError
from index.faiss_structures import SIZES, Sizes
from index.files import file_digest
from index.records import EmbeddingsFile, IndexFile, staged_name
from index.store_files import MANIFEST_SUFFIX, MainFile, read_manifest, structure_of
from index.vectors import Hits, check_k, unit_vectors
from index.work_vectors import WorkVectors, counts_of, read_works

if TYPE_CHECKING:
    from index.faiss_store import FaissStore
    from index.main_file import MainStore

FOLDER = "vectors"

_log = logging.getLogger(__name__)


class SearchIndex:
    """One FAISS store per channel, read or built when it is first needed.

    Safe to use from several threads. Methods that write files (`flush`, `adopt`) and those that
    follow a change of the catalogue (`add`, `remove`) are for the process whose turn it is.

    Parameters
    ----------
    home
        Folder of the index; the FAISS files lie in its folder ``vectors``.
    catalog
        Says what the stores must hold.
    sizes
        When a store gets which structure.
    """

    def __init__(self, home: Path, catalog: Catalog, sizes: Sizes = SIZES) -> None:
        self._home = home
        self._catalog = catalog
        self._sizes = sizes
        self._stores: dict[str, FaissStore] = {}
        self._files: dict[str, str] = {}  # by channel: what its store was read from, or saved to
        self._in_step: set[str] = set()  # channels not to be compared with the catalogue again
        self._unsaved: set[str] = set()
        self._unread: set[str] = set()  # files found damaged: not to be read again
        self._added: Counter[str] = Counter()  # vectors since it was last seen what is due
        self._lock = threading.RLock()

    @property
    def unsaved(self) -> frozenset[str]:
        """Channels whose file on disk is not what this process knows it should be."""
        return frozenset(self._unsaved)

    def search(self, channel: str, queries: ArrayLike, k: int) -> Hits:
        """Find the nearest vectors; see `VectorStore.search`."""
        while (store := self._store(channel)) is not None:
            try:
                return store.search(queries, k)
            except DamagedFileError as error:  # the lists of a main file are checked as it is read
                _log.warning("%s; building it anew from the embeddings files", error)
                self._let_go(channel, store)
        check_k(k)
        return Hits.none(len(unit_vectors(queries)), k)

    def look_again(self) -> None:
        """Compare with the catalogue before the next search: another process may have written."""
        with self._lock:
            self._in_step.clear()

    def add(self, work_number: int, embeddings: Mapping[str, Embeddings]) -> None:
        """Take in a work that has just been enrolled."""
        with self._lock:
            for channel, content in embeddings.items():
                self._unsaved.add(channel)
                self._added[channel] += len(content)
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
        """Write the stores whose files are out of date.

        Not those that far too much is to be added to: these are due, and compaction writes them.
        """
        with self._lock:
            for channel in sorted(self._unsaved):
                self._in_step.discard(channel)  # others may have written since it was read
                files = self._catalog.embeddings_files(channel=channel)
                known = self._catalog.index_files().get(channel)
                if not files:
                    self._catalog.drop_index_file(channel)
                elif known is None or not self._is_current(known, files):
                    if self._is_far_behind(channel, known, files):
                        continue
                    self._store(channel)
                    self._save(channel, self._stores[channel], files)
                self._unsaved.discard(channel)

    # Compaction

    @property
    def may_be_due(self) -> bool:
        """Whether so much has been added that it is worth asking what is `due`."""
        return any(count > self._sizes.recent for count in self._added.values())

    def due(self) -> list[str]:
        """Channels whose store should be written anew: too much has come to it, or gone."""
        with self._lock:
            self._added.clear()
        found = []
        for channel in sorted(self._catalog.channels()):
            files = self._catalog.embeddings_files(channel=channel)
            main = self._main_facts(self._catalog.index_files().get(channel), files)
            held = {} if main is None else main.works
            if self._sizes.is_due(held, counts_of(files)):
                found.append(channel)
        return found

    def build(
        self,
        channel: str,
        *,
        anew: bool = True,
        staged: bool = False,
        go_on: Callable[[], bool] = lambda: True,
    ) -> FaissStore | None:
        """Build a channel's store aside, in the structure for its size; None if it has no works.

        Others may write meanwhile: `adopt` makes up for what they do.

        Parameters
        ----------
        anew
            Take nothing from the files that there are; else the lists of a main file are kept
            while they fit what there is.
        staged
            Build it from what is staged for the channel, which it is about to move to.
        go_on
            Asked now and then whether to; `StoppedError` if not.

        Raises
        ------
        DamagedFileError
            An embeddings file cannot be read.
        """
        from index.faiss_store import FaissStore
        from index.main_file import build_main

        source = staged_name(channel) if staged else channel
        files = self._catalog.embeddings_files(channel=source)
        if not files:
            return None
        space = files[0].space
        total = sum(file.count for file in files)
        codec = self._sizes.codec(total)
        if codec is None:
            store = FaissStore(files[0].dim, space=space)
            for number, vectors in self._works(files):
                store.add(number, vectors)
            return store
        main = None if anew else self._merged(channel, files, codec, go_on)
        if main is None:
            main = build_main(
                self._home / FOLDER, channel, lambda: self._works(files), total, codec, go_on
            )
        return FaissStore(files[0].dim, main, space=space)

    def adopt(self, channel: str, store: FaissStore | None) -> None:
        """Put what `build` returned in the place of a channel's store, and write it.

        Not if the channel has moved to another space meanwhile: then that store is of no use.
        """
        with self._lock:
            files = self._catalog.embeddings_files(channel=channel)
            self._in_step.discard(channel)
            if not files:
                self._catalog.drop_index_file(channel)
            elif store is not None and store.space != files[0].space:
                return
            elif store is not None:
                # The old store stays until the new one is whole: an embeddings file that cannot
                # be read must not take away what can still be searched.
                self._fill(channel, store, files)
                self._save(channel, store, files)
            self._unsaved.discard(channel)

    def _merged(
        self, channel: str, files: Sequence[EmbeddingsFile], codec: str, go_on: Callable[[], bool]
    ) -> MainStore | None:
        """Build a main file with the lists of the one that there is; None if they do not fit."""
        from index.main_file import MainStore, merge_main

        known = self._catalog.index_files().get(channel)
        facts = self._main_facts(known, files)
        if facts is None:
            return None
        total = sum(file.count for file in files)
        if facts.codec != codec or total >= self._sizes.growth * facts.trained_on:
            return None
        kept = facts.works.items() & counts_of(files).items()
        new = [file for file in files if (file.work_number, file.count) not in kept]
        try:
            old = MainStore(self._home / FOLDER / facts.file, facts, files[0].dim)
            return merge_main(
                self._home / FOLDER,
                channel,
                old,
                facts.works.keys() - dict(kept).keys(),
                lambda: self._works(new),
                go_on,
            )
        except DamagedFileError as error:
            _log.warning("%s; compaction takes nothing from it", error)
            return None

    def _main_facts(
        self, known: IndexFile | None, files: Sequence[EmbeddingsFile]
    ) -> MainFile | None:
        """What stands in the main file of a channel's files; None if there is none to rely on."""
        if known is None or not known.file.endswith(MANIFEST_SUFFIX) or known.file in self._unread:
            return None
        if not files or known.space != files[0].space:
            return None
        try:
            return read_manifest(self._home / known.file, known.digest).main
        except DamagedFileError:
            return None

    # What is wrong

    def problems(self, channel: str) -> list[str]:
        """What is wrong with a channel's file on disk, in words."""
        files = self._catalog.embeddings_files(channel=channel)
        known = self._catalog.index_files().get(channel)
        prefix = f"channel '{channel}': "
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
        if store.counts() != counts_of(files):
            problems.append(prefix + f"FAISS file {known.file} holds other works than it should")
        return problems

    def structure(self, channel: str) -> str:
        """Name the structure that a channel's file on disk has."""
        known = self._catalog.index_files().get(channel)
        return "exact" if known is None else structure_of(self._home / known.file)

    def stop_waiting(self) -> None:
        """Nobody waits: files are there or not."""

    def close(self) -> None:
        """Nothing to let go of."""

    # In step with the catalogue

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
        is_fit = store is not None and _is_of(store, files[0])
        if store is None or not is_fit or self._has_been_compacted(channel, store):
            store = self._read(channel, files[0])
        self._fill(channel, store, files)

    def _has_been_compacted(self, channel: str, store: FaissStore) -> bool:
        """Whether another process has written a main file that would do a store good."""
        if store.recent <= self._sizes.recent:
            return False
        known = self._catalog.index_files().get(channel)
        return known is not None and known.file != self._files.get(channel)

    def _fill(self, channel: str, store: FaissStore, files: Sequence[EmbeddingsFile]) -> None:
        """Make a store hold these works and no others, then make it the channel's."""
        wanted = counts_of(files)
        held = store.counts()
        missing = [file for file in files if held.get(file.work_number) != file.count]
        if self._sizes.is_far_behind(sum(file.count for file in missing)):
            built = self.build(channel, anew=False)
            if built is not None and _is_of(built, files[0]):
                store, held = built, built.counts()
            self._files.pop(channel, None)
            self._unsaved.add(channel)
        for number, count in held.items():
            if wanted.get(number) != count:
                store.remove(number)
                self._unsaved.add(channel)
        for file in files:
            if held.get(file.work_number) != file.count:
                embeddings = read_embeddings(self._home / file.file, file.digest)
                store.add(file.work_number, embeddings.vectors)
                self._unsaved.add(channel)
        self._stores[channel] = store

    def _read(self, channel: str, one: EmbeddingsFile) -> FaissStore:
        """Read a channel's FAISS file; where that is not possible, begin with an empty store."""
        from index.faiss_store import FaissStore  # 0.2 s that listing works must not cost

        known = self._catalog.index_files().get(channel)
        while known is not None and known.space == one.space and known.file not in self._unread:
            try:
                path = self._home / known.file
                store = FaissStore.load(path, one.dim, known.digest, mend=True, space=one.space)
                self._files[channel] = known.file
                return store
            except DamagedFileError as error:
                tried, known = known, self._catalog.index_files().get(channel)
                if known == tried:  # and not just replaced by another process
                    _log.warning("%s; building it anew from the embeddings files", error)
                    break
        self._files.pop(channel, None)
        self._unsaved.add(channel)
        return FaissStore(one.dim, space=one.space)

    def _let_go(self, channel: str, store: FaissStore) -> None:
        """Let a store that is damaged be built anew before the next search."""
        with self._lock:
            if self._stores.get(channel) is store:
                del self._stores[channel]
                self._in_step.discard(channel)
                self._unsaved.add(channel)
                if (file := self._files.pop(channel, None)) is not None:
                    self._unread.add(file)

    def _works(self, files: Sequence[EmbeddingsFile]) -> Iterator[WorkVectors]:
        return read_works(self._home, self._catalog, files)

    def _is_far_behind(
        self, channel: str, known: IndexFile | None, files: Sequence[EmbeddingsFile]
    ) -> bool:
        store = self._stores.get(channel)
        built = None if store is None or not _is_of(store, files[0]) else store.main
        main = self._main_facts(known, files) if built is None else built.facts
        held = {} if main is None else main.works
        return self._sizes.is_far_behind(
            sum(file.count for file in files if file.work_number not in held)
        )

    def _is_current(self, known: IndexFile, files: Sequence[EmbeddingsFile]) -> bool:
        if known.content != content_of(files) or known.file in self._unread:
            return False
        path = self._home / known.file
        if not path.is_file() or file_digest(path) != known.digest:
            return False
        if not known.file.endswith(MANIFEST_SUFFIX):
            return True
        manifest = read_manifest(path)
        main, recent = path.with_name(manifest.main.file), path.with_name(manifest.recent)
        return main.is_file() and recent.is_file() and file_digest(recent) == manifest.recent_digest

    def _save(self, channel: str, store: FaissStore, files: Sequence[EmbeddingsFile]) -> None:
        content = content_of(files)
        # Each content has a file of its own, so that a crash between the new file and its row
        # leaves the old row with the old file. And each large store: to build it takes long, and
        # compaction changes the file, but not the content.
        token = content[:16] if store.main is None else secrets.token_hex(8)
        name = f"{FOLDER}/{channel}-{token}{store.suffix}"
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
        self._files[channel] = name


def _is_of(store: FaissStore, one: EmbeddingsFile) -> bool:
    """Whether a store's vectors can be compared with those of a file."""
    return (store.space, store.dim) == (one.space, one.dim)


def content_of(files: Sequence[EmbeddingsFile]) -> str:
    """SHA-256 that stands for the embeddings a FAISS file is built from."""
    parts = sorted((file.work_number, file.digest) for file in files)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
