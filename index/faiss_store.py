"""The embedded vector store: FAISS, exact, in memory, with a checked file on disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss as faiss_module
import numpy as np
from numpy.typing import ArrayLike, NDArray

from index.errors import DamagedFileError
from index.files import digest_of, write_atomically
from index.vectors import NO_ID, Hits, check_k, split_vector_ids, unit_vectors, vector_id

faiss: Any = faiss_module  # its type stubs know only a part of it

# FAISS multiplies a batch of queries as one matrix only above this threshold. Newer versions count
# queries times dimensions, and their default sends batches of a film's frames down the slow path;
# older ones count queries, and their default of 20 is right.
_BLAS_THRESHOLD_COUNTS_VALUES = int(faiss.cvar.distance_compute_blas_threshold) > 1000
_BLAS_FROM_QUERIES = 3

# One operation at a time, in all stores: FAISS may crash when a vector is added during a search,
# the threshold above is global to the process, and one search already uses every core.
_FAISS = threading.RLock()


class FaissStore:
    """Exact nearest neighbours by inner product, in FAISS (``IDMap2,Flat``).

    Parameters
    ----------
    dim
        Width of the vectors.
    """

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise ValueError(f"vectors have at least 1 dimension, not {dim}")
        self.dim = dim
        self._index: Any = faiss.index_factory(dim, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)

    def add(self, work_number: int, vectors: ArrayLike) -> None:
        table = unit_vectors(vectors, self.dim)
        ids = vector_id(work_number, np.arange(len(table)))
        with _FAISS:
            if self._ids_of(work_number).size:
                raise ValueError(f"work {work_number} has vectors already: remove it first")
            if len(table):
                self._index.add_with_ids(table, ids)

    def remove(self, work_number: int) -> int:
        with _FAISS:
            ids = self._ids_of(work_number)
            return int(self._index.remove_ids(ids)) if ids.size else 0

    def search(self, queries: ArrayLike, k: int) -> Hits:
        wanted = unit_vectors(queries, self.dim)
        check_k(k)
        if not len(wanted):
            return Hits.none(0, k)
        with _FAISS, _batches_as_matrices(self.dim):
            similarities, ids = self._index.search(wanted, k)
        similarities[ids == NO_ID] = -np.inf  # FAISS writes the lowest float32 there
        return Hits(similarities, ids)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def counts(self) -> dict[int, int]:
        with _FAISS:
            works, _ = split_vector_ids(self._ids())
        numbers, counts = np.unique(works, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    def verify(self) -> list[str]:
        problems = []
        with _FAISS:
            ids = self._ids()
            inner = faiss.downcast_index(self._index.index)
            if not len(ids) == inner.ntotal == self._index.ntotal:
                return [f"{len(ids)} ids stand for {inner.ntotal} vectors"]
            try:
                self._index.check_consistency()
            except RuntimeError as error:
                problems.append(f"the ids contradict each other ({error})")
            works, frames = split_vector_ids(ids)
            for number, count in self.counts().items():
                if not np.array_equal(np.sort(frames[works == number]), np.arange(count)):
                    problems.append(f"work {number}: its frames are not 0 to {count - 1}")
            if len(ids):
                try:
                    unit_vectors(inner.reconstruct_n(0, len(ids)), self.dim)
                except ValueError as error:
                    problems.append(str(error))
        return problems

    def save(self, path: Path) -> str:
        """Write the store to a file, atomically and durably; returns the file's SHA-256."""
        with _FAISS:
            return write_atomically(
                path,
                lambda file: faiss.write_index(self._index, faiss.PyCallbackIOWriter(file.write)),
            )

    @classmethod
    def load(cls, path: Path, dim: int, digest: str) -> FaissStore:
        """Read a store back.

        Parameters
        ----------
        path
            What `save` wrote.
        dim
            Width the vectors must have.
        digest
            What `save` returned. FAISS itself keeps no checksum, and reading a damaged file with
            it can crash or answer wrongly, so it is checked before FAISS sees a byte.

        Raises
        ------
        DamagedFileError
            The file is missing, damaged, or of another kind. It is derived from the embedding
            files: build a new one.
        """
        try:
            with path.open("rb") as file:
                if digest_of(file) != digest:
                    raise _damaged(path, "its digest is not the one in the catalogue")
                # through the same open file, so that what was checked is what is read
                index = faiss.read_index(faiss.PyCallbackIOReader(file.read))
        except (OSError, RuntimeError, MemoryError) as error:
            raise _damaged(path, str(error)) from error
        if not isinstance(index, faiss.IndexIDMap2):
            raise _damaged(path, f"it holds a {type(index).__name__}")
        if index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise _damaged(path, f"its vectors have {index.d} dimensions instead of {dim}")
        store = cls(dim)
        store._index = index
        return store

    def _ids(self) -> NDArray[np.int64]:
        ids: NDArray[np.int64] = faiss.vector_to_array(self._index.id_map)
        return ids

    def _ids_of(self, work_number: int) -> NDArray[np.int64]:
        ids = self._ids()
        works, _ = split_vector_ids(ids)
        own: NDArray[np.int64] = ids[works == work_number]
        return own


def _damaged(path: Path, why: str) -> DamagedFileError:
    return DamagedFileError(
        f"FAISS file {path} is damaged ({why}): rebuild it with `matchcut index compact`"
    )


@contextmanager
def _batches_as_matrices(dim: int) -> Iterator[None]:
    before = faiss.cvar.distance_compute_blas_threshold
    if _BLAS_THRESHOLD_COUNTS_VALUES:
        faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM_QUERIES * dim
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before
