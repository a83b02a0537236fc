"""Large stores from a few vectors: what needs hundreds of thousands, in a blink."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from index.faiss_store import FaissStore
from index.faiss_structures import Sizes
from index.main_file import build_main, merge_main
from index.vectors import Hits

SMALL = Sizes(
    exact=60, half=400, recent=30, removed=0.3
)  # when an index with few vectors is a large one
CODECS = ["SQfp16", "SQ8"]
NEAR = {"SQfp16": 1e-3, "SQ8": 0.05}  # how near to the truth a similarity is


class CompactedStore:
    """A large store that is compacted after each change: all that it holds is in its main file."""

    def __init__(self, dim: int, folder: Path, codec: str) -> None:
        self.dim = dim
        self._folder = folder
        self._codec = codec
        self._vectors: dict[int, np.ndarray] = {}  # what the embeddings files would hold
        self.store = FaissStore(dim)

    def add(self, work_number: int, vectors: object) -> None:
        self.store.add(work_number, vectors)
        self._vectors[work_number] = np.asarray(vectors, np.float32)
        self.compact()

    def remove(self, work_number: int) -> int:
        count = self.store.remove(work_number)
        self._vectors.pop(work_number, None)
        self.compact()
        return count

    def compact(self) -> None:
        works = {number: table for number, table in self._vectors.items() if len(table)}
        total = sum(map(len, works.values()))
        old = self.store.main
        if not works:
            self.store = FaissStore(self.dim)
        elif old is None or total >= SMALL.growth * old.facts.trained_on:
            main = build_main(self._folder, "copy", works.items, total, self._codec)
            self.store = FaissStore(self.dim, main)
        else:
            kept = (old.facts.works.keys() & works.keys()) - self.store.removed
            new = {number: table for number, table in works.items() if number not in kept}
            gone = old.facts.works.keys() - kept
            self.store = FaissStore(
                self.dim, merge_main(self._folder, "copy", old, gone, new.items)
            )

    def search(self, queries: object, k: int) -> Hits:
        return self.store.search(queries, k)

    def __len__(self) -> int:
        return len(self.store)

    def counts(self) -> dict[int, int]:
        return self.store.counts()

    def verify(self) -> list[str]:
        return self.store.verify()
