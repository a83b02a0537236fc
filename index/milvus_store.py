"""A vector store on a Milvus server: one collection, with the ids of `index.vectors`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymilvus import DataType, MilvusClient

from index.errors import VectorServiceError
from index.milvus_server import MilvusServer
from index.vectors import (
    FRAME_BITS,
    Hits,
    check_k,
    split_vector_ids,
    unit_vectors,
    vector_id,
)
from index.work_vectors import WorkVectors, in_blocks

_ID, _VECTOR = "id", "vector"
_BYTES = 16 << 20  # of a request; a server takes 64 MiB unless it is told otherwise
_MOST_HITS = 16384  # that a search may ask for
_DEEPER = ("ef", "search_list")  # search parameters that must not be below what is asked for
_TRIES = 20  # to read all rows of a collection that others are changing
_ROWS = 16384  # that a page of an iterator may have


class MilvusStore:
    """Nearest neighbours by inner product, in a collection of a Milvus server.

    What it has been given is found from then on by searches that are `strong`. Others may miss
    what came in the last seconds (in Milvus' words, bounded staleness), and are far faster.

    Parameters
    ----------
    server
        Where it is.
    collection
        Its name there; see `create`.
    dim
        Width of the vectors.
    """

    def __init__(self, server: MilvusServer, collection: str, dim: int) -> None:
        self.dim = dim
        self.collection = collection
        self._server = server

    @classmethod
    def create(cls, server: MilvusServer, collection: str, dim: int) -> MilvusStore:
        """Make an empty collection; one that is there by this name is taken as it is."""
        service = server.service
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(_ID, DataType.INT64, is_primary=True)
        schema.add_field(_VECTOR, DataType.FLOAT_VECTOR, dim=dim)
        params = MilvusClient.prepare_index_params()
        params.add_index(
            field_name=_VECTOR,
            index_type=service.index,
            metric_type="IP",
            params=dict(service.build),
        )

        def make(client: MilvusClient, timeout: float) -> None:
            if not client.has_collection(collection, timeout=timeout):
                client.create_collection(
                    collection, schema=schema, consistency_level="Bounded", timeout=timeout
                )
            if not client.list_indexes(collection, timeout=timeout):
                client.create_index(collection, params, timeout=timeout)
            client.load_collection(collection, replica_number=service.replicas, timeout=timeout)

        server.ask(make)
        return cls(server, collection, dim)

    @staticmethod
    def names(server: MilvusServer, prefix: str) -> list[str]:
        """Name the collections on a server whose names begin so."""
        names = server.ask(lambda client, s: client.list_collections(timeout=s))
        return [name for name in names if name.startswith(prefix)]

    def exists(self) -> bool:
        """Whether the server has the collection."""
        return bool(
            self._server.ask(lambda client, s: client.has_collection(self.collection, timeout=s))
        )

    def drop(self) -> None:
        """Take the collection off the server."""
        self._server.ask(lambda client, s: client.drop_collection(self.collection, timeout=s))

    def seal(self) -> None:
        """Let what was put be indexed now, after much was, and not when it has rested."""
        self._ask(lambda client, s: client.flush(self.collection, timeout=s))

    def is_indexed(self) -> bool:
        """Whether the index of what was sealed is built; until then searches compare with all."""

        def ask(client: MilvusClient, timeout: float) -> bool:
            names = client.list_indexes(self.collection, timeout=timeout)
            facts = [client.describe_index(self.collection, name, timeout) for name in names]
            return all(one["pending_index_rows"] == 0 for one in facts)

        return bool(self._ask(ask))

    def add(self, work_number: int, vectors: ArrayLike) -> None:
        table = unit_vectors(vectors, self.dim)
        vector_id(work_number, np.arange(len(table)))  # refuses what has no id
        if self._count(_of_work(work_number)):
            raise ValueError(f"work {work_number} has vectors already: remove it first")
        self.put([(work_number, table)])

    def put(self, works: Iterable[WorkVectors]) -> None:
        """Remember vectors of works, by number, whether or not some of them are there already."""
        for ids, table in in_blocks(works, max(1, _BYTES // (4 * self.dim))):
            rows = [
                {_ID: number, _VECTOR: vector}
                for number, vector in zip(ids.tolist(), table, strict=True)
            ]
            self._ask(lambda client, s, rows=rows: client.upsert(self.collection, rows, timeout=s))

    def remove(self, work_number: int) -> int:
        count = self._count(_of_work(work_number))
        if count:
            self._ask(
                lambda client, s: client.delete(
                    self.collection, filter=_of_work(work_number), timeout=s
                )
            )
        return count

    def search(self, queries: ArrayLike, k: int, *, strong: bool = True) -> Hits:
        """Find the k nearest vectors of each query; see `VectorStore.search`.

        Raises
        ------
        VectorServiceError
            The server has been away for too long.
        """
        wanted = unit_vectors(queries, self.dim)
        check_k(k)
        hits = Hits.none(len(wanted), k)
        limit = min(k, _MOST_HITS)
        at_once = max(1, min(_BYTES // (4 * self.dim), _BYTES // (16 * limit)))
        for start in range(0, len(wanted), at_once):
            some = wanted[start : start + at_once]
            for row, found in enumerate(self._search(some, limit, strong), start):
                # Removed rows of a segment may be counted in a search, and leave a gap.
                ids = np.asarray(found.ids, dtype=np.int64)
                similarities = np.asarray(found.distances, dtype=np.float32)
                order = np.argsort(-similarities, kind="stable")
                hits.ids[row, : len(ids)] = ids[order]
                hits.similarities[row, : len(ids)] = similarities[order]
        return hits

    def __len__(self) -> int:
        return self._count("")

    def counts(self) -> dict[int, int]:
        for _ in range(_TRIES):
            total = len(self)
            counts: Counter[int] = Counter()
            for rows in self._rows(_ID):
                counts.update(split_vector_ids([row[_ID] for row in rows])[0].tolist())
            # To read all rows is never strong; to count them is.
            if counts.total() == total:
                return dict(counts)
        raise VectorServiceError(
            f"collection {self.collection} counts {total} vectors and gives out {counts.total()}: "
            "`matchcut index compact` fills another"
        )

    def verify(self) -> list[str]:
        problems = []
        try:
            self.counts()  # from when on all rows are given out
        except VectorServiceError as error:
            problems.append(str(error))
        frames: dict[int, list[NDArray[np.int64]]] = {}
        for rows in self._rows(_ID, _VECTOR):
            works, numbers = split_vector_ids([row[_ID] for row in rows])
            for work in np.unique(works).tolist():
                frames.setdefault(work, []).append(numbers[works == work])
            try:
                unit_vectors([row[_VECTOR] for row in rows], self.dim)
            except ValueError as error:
                problems.append(str(error))
        for work, parts in sorted(frames.items()):
            seen = np.sort(np.concatenate(parts))
            if not np.array_equal(seen, np.arange(len(seen))):
                problems.append(f"work {work}: its frames are not 0 to {len(seen) - 1}")
        return problems

    def _search(self, queries: NDArray[np.float32], k: int, strong: bool) -> Any:
        params = dict(self._server.service.search)
        params |= {name: max(params[name], k) for name in _DEEPER if name in params}
        return self._ask(
            lambda client, s: client.search(
                self.collection,
                queries,
                limit=k,
                search_params={"metric_type": "IP", "params": params},
                consistency_level="Strong" if strong else "Bounded",
                timeout=s,
            )
        )

    def _count(self, which: str) -> int:
        answer = self._ask(
            lambda client, s: client.query(
                self.collection,
                filter=which,
                output_fields=["count(*)"],
                consistency_level="Strong",
                timeout=s,
            )
        )
        return int(answer[0]["count(*)"])

    def _rows(self, *fields: str) -> Iterator[list[dict[str, Any]]]:
        """Read these fields of all rows, by id; many rows at a time."""
        at_once = _ROWS if _VECTOR not in fields else min(_ROWS, _BYTES // (4 * self.dim))
        last = -1
        while rows := self._ask(
            lambda client, s, after=last: _page(
                client, self.collection, list(fields), after, at_once, s
            )
        ):
            yield rows
            last = max(row[_ID] for row in rows)

    def _ask(self, request: Any) -> Any:
        return self._server.ask(request, self.collection)


def _of_work(number: int) -> str:
    return f"{_ID} >= {number << FRAME_BITS} and {_ID} < {(number + 1) << FRAME_BITS}"


def _page(
    client: MilvusClient, collection: str, fields: list[str], after: int, size: int, timeout: float
) -> list[dict[str, Any]]:
    """Return the rows with the next ids, as they were at one moment."""
    iterator = client.query_iterator(
        collection,
        batch_size=size,
        limit=size,
        filter=f"{_ID} > {after}",
        output_fields=fields,
        consistency_level="Strong",
        timeout=timeout,
    )
    try:
        return list(iterator.next())
    finally:
        iterator.close()
