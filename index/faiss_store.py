"""The embedded vector store: FAISS, exact while it is small, with checked files on disk.

A large store has two parts: a main file, which is only read, and an exact store of what was added
since. A removed work of the main file stays in it, and is left out of every search, until the file
is written anew (see `index.search_index`). So adding or removing a work costs the same whatever
the size of the store.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from index.checked_file import damaged
from index.errors import DamagedFileError
from index.faiss_library import batches_as_matrices, faiss
from index.files import digest_of, write_atomically
from index.main_file import MainStore, Removed
from index.store_files import (
    MANIFEST_SUFFIX,
    RECENT_SUFFIX,
    Manifest,
    read_manifest,
    write_manifest,
)
from index.vectors import NO_ID, Hits, check_k, split_vector_ids, unit_vectors, vector_id

# One operation at a time, in all stores: FAISS may crash when a vector is added during a search,
# the settings of FAISS are global to the process, and one search uses every core. What builds
# a main file does so in an index that nobody else knows, and needs no turn.
_FAISS = threading.RLock()


class FaissStore:
    """Nearest neighbours by inner product, in FAISS.

    Exact without a main file; with one, only vectors that were added since are compared exactly.

    Parameters
    ----------
    dim
        Width of the vectors.
    main
        A main file to begin with.
    space
        What the vectors are made with, for those who ask; it is not written to the file.
    """

    def __init__(self, dim: int, main: MainStore | None = None, *, space: str = "") -> None:
        if dim < 1:
            raise ValueError(f"vectors have at least 1 dimension, not {dim}")
        self.dim = dim
        self.space = space
        self._main = main
        self._removed: dict[int, int] = {}  # of the main file: works, and how many vectors each has
        self._without: Removed | None = None  # the same, as FAISS wants it
        self._recent: Any = faiss.index_factory(dim, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)
        self._recent_counts: dict[int, int] = {}

    @property
    def main(self) -> MainStore | None:
        """The main file of a large store."""
        return self._main

    @property
    def removed(self) -> frozenset[int]:
        """Works of the main file that have been removed."""
        return frozenset(self._removed)

    @property
    def recent(self) -> int:
        """How many vectors are not in the main file."""
        return int(self._recent.ntotal)

    def add(self, work_number: int, vectors: ArrayLike) -> None:
        table = unit_vectors(vectors, self.dim)
        ids = vector_id(work_number, np.arange(len(table)))
        with _FAISS:
            if self._has(work_number):
                raise ValueError(f"work {work_number} has vectors already: remove it first")
            if len(table):
                self._recent.add_with_ids(table, ids)
                self._recent_counts[work_number] = len(table)

    def remove(self, work_number: int) -> int:
        with _FAISS:
            if count := self._recent_counts.pop(work_number, 0):
                self._recent.remove_ids(vector_id(work_number, np.arange(count)))
            elif self._main is not None and self._has(work_number):
                count = self._removed[work_number] = self._main.facts.works[work_number]
                self._without = None
            return count

    def search(self, queries: ArrayLike, k: int) -> Hits:
        """Find the k nearest vectors of each query, see `VectorStore.search`.

        Raises
        ------
        DamagedFileError
            The part of the main file that they would be in is damaged.
        """
        wanted = unit_vectors(queries, self.dim)
        check_k(k)
        if not len(wanted):
            return Hits.none(0, k)
        with _FAISS, batches_as_matrices(self.dim):
            similarities, ids = self._recent.search(wanted, k)
            similarities[ids == NO_ID] = -np.inf  # FAISS writes the lowest float32 there
            hits = Hits(similarities, ids)
            if self._main is None:
                return hits
            if self._removed and self._without is None:
                self._without = Removed(self._removed)
            return _best(hits, self._main.search(wanted, k, self._without))

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> dict[int, int]:
        with _FAISS:
            counts = dict(self._main.facts.works) if self._main is not None else {}
            for number in self._removed:
                del counts[number]
            return counts | self._recent_counts

    def verify(self) -> list[str]:
        problems = []
        with _FAISS:
            ids: NDArray[np.int64] = faiss.vector_to_array(self._recent.id_map)
            inner = faiss.downcast_index(self._recent.index)
            if not len(ids) == inner.ntotal == self._recent.ntotal:
                return [f"{len(ids)} ids stand for {inner.ntotal} vectors"]
            try:
                self._recent.check_consistency()
            except RuntimeError as error:
                problems.append(f"the ids contradict each other ({error})")
            works, frames = split_vector_ids(ids)
            if _counted(ids) != self._recent_counts:
                problems.append("it does not hold the works that it should")
            for number, count in _counted(ids).items():
                if not np.array_equal(np.sort(frames[works == number]), np.arange(count)):
                    problems.append(f"work {number}: its frames are not 0 to {count - 1}")
            if len(ids):
                try:
                    unit_vectors(inner.reconstruct_n(0, len(ids)), self.dim)
                except ValueError as error:
                    problems.append(str(error))
        if self._main is not None:  # whose file, unlike the above, does not change: no turn needed
            try:
                problems += self._main.verify()
            except DamagedFileError as error:
                problems.append(str(error))
        return problems

    @property
    def suffix(self) -> str:
        """How the name of the file that it is saved to ends."""
        return RECENT_SUFFIX if self._main is None else MANIFEST_SUFFIX

    def save(self, path: Path) -> str:
        """Write the store to a file, atomically and durably; returns the file's SHA-256.

        Of a large one this writes what was added and what was removed since its main file was
        written, beside `path` and under it, and gives a new main file its name. It must be in the
        same folder.
        """
        with _FAISS:
            if self._main is None:
                return self._save_recent(path)
            self._main.settle()
            recent = path.with_suffix(RECENT_SUFFIX)
            digest = self._save_recent(recent)
            removed = tuple(sorted(self._removed))
            return write_manifest(path, Manifest(self._main.facts, removed, recent.name, digest))

    @classmethod
    def load(
        cls, path: Path, dim: int, digest: str, *, mend: bool = False, space: str = ""
    ) -> FaissStore:
        """Read a store back.

        Parameters
        ----------
        path
            What `save` wrote.
        dim
            Width the vectors must have.
        digest
            What `save` returned. FAISS itself keeps no checksum, and reading a damaged file with
            it can crash or answer wrongly, so all is checked before FAISS sees a byte: what is
            read whole is checked whole, the lists of a main file when a search looks into them.
        mend
            Whether a large store may come without what was added last, if only the file with that
            is damaged.
        space
            As for the class.

        Raises
        ------
        DamagedFileError
            A file is missing, damaged, or of another kind. It is derived from the embedding
            files: build a new one.
        """
        if path.suffix != MANIFEST_SUFFIX:
            store = cls(dim, space=space)
            store._load_recent(path, digest)
            return store
        manifest = read_manifest(path, digest)
        main = MainStore(path.with_name(manifest.main.file), manifest.main, dim)
        store = cls(dim, main, space=space)
        store._removed = {number: manifest.main.works[number] for number in manifest.removed}
        try:
            store._load_recent(path.with_name(manifest.recent), manifest.recent_digest)
        except DamagedFileError:
            if not mend:
                raise
        return store

    def _save_recent(self, path: Path) -> str:
        return write_atomically(
            path,
            lambda file: faiss.write_index(self._recent, faiss.PyCallbackIOWriter(file.write)),
        )

    def _load_recent(self, path: Path, digest: str) -> None:
        try:
            with path.open("rb") as file:
                if digest_of(file) != digest:
                    raise damaged(path, "its digest is not the one in the catalogue")
                # through the same open file, so that what was checked is what is read
                index = faiss.read_index(faiss.PyCallbackIOReader(file.read))
        except (OSError, RuntimeError, MemoryError) as error:
            raise damaged(path, str(error)) from error
        if not isinstance(index, faiss.IndexIDMap2):
            raise damaged(path, f"it holds a {type(index).__name__}")
        if index.d != self.dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise damaged(path, f"its vectors have {index.d} dimensions instead of {self.dim}")
        self._recent = index
        self._recent_counts = _counted(faiss.vector_to_array(index.id_map))

    def _has(self, number: int) -> bool:
        if number in self._recent_counts:
            return True
        in_main = self._main is not None and number in self._main.facts.works
        return in_main and number not in self._removed


def _counted(ids: NDArray[np.int64]) -> dict[int, int]:
    numbers, counts = np.unique(split_vector_ids(ids)[0], return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _best(one: Hits, other: Hits) -> Hits:
    """Return the nearest of what two searches for the same have found."""
    similarities = np.concatenate([one.similarities, other.similarities], axis=1)
    ids = np.concatenate([one.ids, other.ids], axis=1)
    order = np.argsort(-similarities, axis=1, kind="stable")[:, : one.ids.shape[1]]
    return Hits(
        np.take_along_axis(similarities, order, axis=1), np.take_along_axis(ids, order, axis=1)
    )
