"""Embeddings that were read a moment ago, so that a file is not read and checked again and again.

Every question and every upload looks at the works nearest to it, which are often the same. A file
never changes under its name, so what was read of it stays right; who may still be looked at is
for the catalogue to say.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

from index.embeddings import Embeddings

BUDGET = 64 << 20  # bytes
_SHARE = 8  # of the budget: what is larger than this part of it is not kept


class RecentlyRead:
    """The embeddings that were read last, up to so many bytes. Safe to use from several threads."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._held: OrderedDict[str, Embeddings] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, name: str, read: Callable[[], Embeddings]) -> Embeddings:
        """Return what a file holds; `read` is called, and may fail, where it is not known."""
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
                return self._held[name]
        content = read()
        size = _size(content)
        with self._lock:
            if name not in self._held and size * _SHARE <= self._budget:
                self._held[name] = content
                self._size += size
                while self._size > self._budget:
                    self._size -= _size(self._held.popitem(last=False)[1])
        return content

    def forget(self, names: Iterable[str]) -> None:
        """Let go of files that have been deleted."""
        with self._lock:
            for name in names:
                if (content := self._held.pop(name, None)) is not None:
                    self._size -= _size(content)


def _size(content: Embeddings) -> int:
    spans = 0 if content.spans is None else content.spans.nbytes
    return content.vectors.nbytes + content.times.nbytes + spans
