"""Some works of an index, searched exactly, as if there were no others."""

from __future__ import annotations

from collections.abc import Iterable

from numpy.typing import ArrayLike

from index.faiss_store import FaissStore
from index.reference_index import ReferenceIndex
from index.vectors import Hits, check_k, unit_vectors


class Selection:
    """Works that are looked for among all that are enrolled; in memory.

    Parameters
    ----------
    index
        Where they are enrolled.
    numbers
        Which works.

    Raises
    ------
    DamagedFileError
        The embeddings of one cannot be read.
    """

    def __init__(self, index: ReferenceIndex, numbers: Iterable[int]) -> None:
        self._stores: dict[str, FaissStore] = {}
        for number in numbers:
            for channel in index.channels(number):
                content = index.embeddings(number, channel)
                store = self._stores.setdefault(channel, FaissStore(content.dim))
                store.add(number, content.vectors)

    def search(self, channel: str, queries: ArrayLike, k: int) -> Hits:
        """Find the k nearest vectors of each query; see `VectorStore.search`."""
        store = self._stores.get(channel)
        if store is not None:
            return store.search(queries, k)
        check_k(k)
        return Hits.none(len(unit_vectors(queries)), k)
