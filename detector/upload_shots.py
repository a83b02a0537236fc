"""The shots of scanned uploads, in memory, to be searched with a phrase, a still or a clip.

Scans keep what they saw for a while (`index.uploads`); here are the shots of it that one model
described. The same content under several sources is one upload, as it was described last.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detector.kept import FORM, shots_in
from detector.types import Channel
from index.embeddings import Embeddings
from index.errors import DamagedFileError
from index.faiss_store import FaissStore
from index.reference_index import ReferenceIndex
from index.uploads import Upload
from index.vectors import split_vector_ids

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScannedUpload:
    """An upload that was scanned."""

    content: str  # the same for the same content: the file's SHA-256
    sources: tuple[str, ...]  # paths or addresses that it came under, the last one first


@dataclass(frozen=True, slots=True)
class UploadShot:
    """A shot of an upload, and how similar it is to what was asked for."""

    upload: ScannedUpload
    number: int  # of the shot, in order of time, from 0
    time: float  # seconds, of its key frame
    start: float
    end: float
    similarity: float  # cosine


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    number: int  # in the store
    file: str
    upload: ScannedUpload
    times: npt.NDArray[np.float64]  # [n], of key frames
    stretches: npt.NDArray[np.float64]  # [n, 2]


class UploadShots:
    """All shots of kept uploads that are of one space; safe for several threads.

    Empty until `refresh` is called.

    Parameters
    ----------
    index
        Stays open as long as this is used.
    space
        Of the semantic channel, see `detector.descriptors.space_of`.
    """

    def __init__(self, index: ReferenceIndex, space: str) -> None:
        self._index = index
        self._space = space
        self._lock = threading.Lock()
        self._store: FaissStore | None = None  # None: no vector has told yet how wide they are
        self._entries: dict[str, _Entry] = {}  # by content
        self._by_number: dict[int, _Entry] = {}
        self._next_number = 0
        self._left_out = 0

    def __len__(self) -> int:
        """Count the uploads."""
        return len(self._entries)

    @property
    def left_out(self) -> int:
        """How many kept uploads cannot be searched: another model saw them, or none did."""
        return self._left_out

    def refresh(self) -> None:
        """Read what was kept since the last time, and let go of what was forgotten.

        What is damaged is logged, and left out.
        """
        with self._lock:
            uploads = self._index.uploads.all()
            kept: dict[str, list[Upload]] = {}
            for upload in filter(self._is_comparable, uploads):
                kept.setdefault(upload.content, []).append(upload)
            for content, entry in list(self._entries.items()):
                if content not in kept or kept[content][-1].file != entry.file:
                    self._remove(content)
            for content, same in kept.items():
                self._add(content, same)
            found = sum(len(same) for content, same in kept.items() if content in self._entries)
            self._left_out = len(uploads) - found

    def search(
        self, vectors: npt.NDArray[np.float32], neighbours: int
    ) -> Sequence[Sequence[UploadShot]]:
        """Find the shots most like each of some vectors, the best first.

        Parameters
        ----------
        vectors
            float32 [q, dim], each of length 1, of this space.
        neighbours
            Most shots for each of them.
        """
        with self._lock:
            if self._store is None or not self._store.recent:
                return [[] for _ in vectors]
            hits = self._store.search(vectors, min(neighbours, self._store.recent))
            numbers, shots = split_vector_ids(hits.ids)
            rows = zip(numbers.tolist(), shots.tolist(), hits.similarities.tolist(), strict=True)
            return [list(map(self._shot, *row)) for row in rows]

    def _is_comparable(self, upload: Upload) -> bool:
        spaces = upload.facts.get("spaces", {})
        return upload.facts.get("form") == FORM and spaces.get(Channel.SEMANTIC) == self._space

    def _add(self, content: str, same: Sequence[Upload]) -> None:
        upload = ScannedUpload(content, _sources(same))
        known = self._entries.get(content)
        if known is not None:
            self._remember(content, replace(known, upload=upload))
            return
        try:
            seen = shots_in(self._index.uploads.arrays(same[-1]))
        except DamagedFileError as error:
            _log.warning("%s", error)
            return
        times, stretches = np.empty(0), np.empty((0, 2))
        if seen is not None:
            self._keep(seen)
            times, stretches = seen.times, seen.stretches
        number = self._next_number
        self._next_number += 1
        self._remember(content, _Entry(number, same[-1].file, upload, times, stretches))

    def _keep(self, seen: Embeddings) -> None:
        if self._store is None:
            self._store = FaissStore(seen.dim, space=self._space)
        self._store.add(self._next_number, seen.vectors)

    def _remember(self, content: str, entry: _Entry) -> None:
        self._entries[content] = self._by_number[entry.number] = entry

    def _remove(self, content: str) -> None:
        number = self._entries.pop(content).number
        del self._by_number[number]
        if self._store is not None:
            self._store.remove(number)

    def _shot(self, number: int, shot: int, similarity: float) -> UploadShot:
        entry = self._by_number[number]
        start, end = entry.stretches[shot].tolist()
        return UploadShot(entry.upload, shot, float(entry.times[shot]), start, end, similarity)


def _sources(same: Iterable[Upload]) -> tuple[str, ...]:
    return tuple(reversed([upload.source for upload in same]))
