"""The vectors of all channels on a Milvus server, kept in step with the catalogue.

The catalogue says what there must be, the embeddings files hold it, and a row for each channel
(`CollectionRow`) says which collection has it and for what that surely is: it is written after the
server has acknowledged. So whatever a crash leaves half done shows as a difference between that
row and the catalogue, and the next process that searches or writes mends it, by the numbers and
counts of works: within a space works are never changed in place, and their numbers never used
again.

Searches find what was acknowledged before: for some seconds after a process has seen that a
channel changed they are strong, in Milvus' words, and longer than it lets others lag behind.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from index.catalog import Catalog
from index.embeddings import Embeddings
from index.errors import CollectionGoneError, VectorServiceError
from index.records import EmbeddingsFile, staged_name
from index.schema import CollectionRow
from index.vector_service import VectorService
from index.vectors import Hits, check_k, unit_vectors
from index.work_vectors import (
    WorkVectors,
    check_going_on,
    counts_of,
    read_works,
    until_stopped,
)

if TYPE_CHECKING:
    from index.milvus_server import MilvusServer
    from index.milvus_store import MilvusStore

# Longer than bounded staleness lets a search lag behind: 5 s, unless a server is told otherwise.
_STRONG_S = 15.0
_STALE_S = 24 * 3600.0  # age of a collection that nobody is about to make a channel's any more
_LOOK_S = 0.5  # between two looks at whether an index is built
_LARGE = 100_000  # vectors to bring over, from which it is told that this is being done

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    """What stands in a channel's row."""

    collection: str
    space: str
    content: int


@dataclass(frozen=True, slots=True)
class _Built:
    """A collection that was filled aside."""

    store: MilvusStore
    space: str


@dataclass(slots=True)
class _Channel:
    """A channel as this process knows it."""

    held: _Held
    store: MilvusStore
    strong_until: float  # by the monotonic clock


class MilvusIndex:
    """One collection per channel and space; see `index.searching.ChannelSearch`.

    Parameters
    ----------
    home
        Folder of the index, with the embeddings files.
    catalog
        Says what the collections must hold.
    service
        Where they are.
    turn
        Gives the turn to write; may be nested.
    """

    may_be_due = False  # Milvus compacts by itself

    def __init__(
        self,
        home: Path,
        catalog: Catalog,
        service: VectorService,
        turn: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._home = home
        self._catalog = catalog
        self._sessions = sessionmaker(catalog.engine)
        self._service = service
        self._turn = turn
        self._server: MilvusServer | None = None
        self._known: dict[str, _Channel] = {}
        self._in_step: set[str] = set()  # channels not to be compared with the catalogue again
        self._changed: set[str] = set()
        self._lock = threading.RLock()  # who takes the turn as well takes that first

    @property
    def unsaved(self) -> frozenset[str]:
        return frozenset(self._changed)

    def search(self, channel: str, queries: ArrayLike, k: int) -> Hits:
        while (known := self._ready(channel)) is not None:
            try:
                strong = time.monotonic() < known.strong_until
                return known.store.search(queries, k, strong=strong)
            except CollectionGoneError:
                # Another process has put another in its place; or the server lost it.
                with self._lock:
                    self._in_step.discard(channel)
                    self._known.pop(channel, None)
        check_k(k)
        return Hits.none(len(unit_vectors(queries)), k)

    def look_again(self) -> None:
        with self._lock:
            self._in_step.clear()

    def add(self, work_number: int, embeddings: Mapping[str, Embeddings]) -> None:
        for channel, content in embeddings.items():
            self._changed.add(channel)
            file = self._catalog.embeddings_files(work_number, channel=channel)[0]
            held = self._held(channel)
            if held is None or held.space != file.space:
                self._mend(channel)  # this work with all others
                continue
            try:
                self._store(held, file.dim).put([(work_number, content.vectors)])
            except CollectionGoneError:
                self._mend(channel)
                continue
            with self._lock:
                self._in_step.discard(channel)
            more = (held.content + _mark(work_number, file.count)) % _MODULUS
            self._put_held(channel, replace(held, content=more))

    def remove(self, work_number: int, channels: Iterable[str]) -> None:
        for channel in channels:
            self._changed.add(channel)
            with self._lock:
                self._in_step.discard(channel)
        for channel in channels:
            self._mend(channel, gone=work_number)

    def flush(self) -> None:
        self._changed.clear()  # the server has written it

    def due(self) -> list[str]:
        return []

    def build(
        self,
        channel: str,
        *,
        anew: bool = True,
        staged: bool = False,
        go_on: Callable[[], bool] = lambda: True,
    ) -> _Built | None:
        files = self._catalog.embeddings_files(channel=staged_name(channel) if staged else channel)
        if not files:
            return None
        self._sweep()
        store = self._create(channel, files[0].dim)
        _tell_large(channel, files)
        store.put(until_stopped(self._works(files), go_on))
        store.seal()
        while not store.is_indexed():
            check_going_on(go_on)
            time.sleep(_LOOK_S)
        return _Built(store, files[0].space)

    def adopt(self, channel: str, store: _Built | None) -> None:
        with self._lock:
            files = self._catalog.embeddings_files(channel=channel)
            if not files:
                self._forget(channel)
            elif store is not None and store.space == files[0].space:
                self._bring_into_step(channel, store.store, files)

    def problems(self, channel: str) -> list[str]:
        files = self._catalog.embeddings_files(channel=channel)
        held = self._held(channel)
        prefix = f"channel '{channel}': "
        if not files or held is None:
            return []  # it is filled by the first search
        if (held.space, held.content) != (files[0].space, _content(files)):
            return [prefix + f"collection {held.collection} is out of date"]
        store = self._store(held, files[0].dim)
        if not store.exists():
            return [prefix + f"collection {held.collection} is not on the server any more"]
        prefix += f"collection {held.collection}: "
        problems = [prefix + text for text in store.verify()]
        if store.counts() != counts_of(files):
            problems.append(prefix + "it holds other works than it should")
        return problems

    def structure(self, channel: str) -> str:
        return f"Milvus {self._service.index}"

    def stop_waiting(self) -> None:
        if self._server is not None:
            self._server.stop_waiting()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    # In step with the catalogue

    def _ready(self, channel: str) -> _Channel | None:
        """Return a channel in step with the catalogue; None if it is empty."""
        with self._lock:
            if channel in self._in_step or self._look(channel):
                return self._known.get(channel)
        with self._turn():
            self._mend(channel)
        return self._known.get(channel)

    def _look(self, channel: str) -> bool:
        """See whether a channel's collection is what it must be, and take it if so."""
        files = self._catalog.embeddings_files(channel=channel)
        if not files:
            self._known.pop(channel, None)
            self._in_step.add(channel)
            return True
        held = self._held(channel)
        if held is None or (held.space, held.content) != (files[0].space, _content(files)):
            return False
        known = self._known.get(channel)
        if known is None or known.held != held:
            store = self._store(held, files[0].dim)
            if not store.exists() or len(store) != sum(file.count for file in files):
                return False
            self._take(channel, held, store)
        self._in_step.add(channel)
        return True

    def _mend(self, channel: str, gone: int | None = None) -> None:
        """Make a channel's collection what it must be; for the process whose turn it is.

        Parameters
        ----------
        gone
            A work that was just removed, if that is all that may have changed.
        """
        with self._lock:
            if gone is None and self._look(channel):
                return  # whoever had the turn before has done it
            files = self._catalog.embeddings_files(channel=channel)
            held = self._held(channel)
            if not files:
                self._forget(channel)
                return
            store = None
            if held is not None and held.space == files[0].space:
                store = self._store(held, files[0].dim)
                if not store.exists():
                    _log.warning(
                        "channel %r: its collection is not on the server any more; filling another",
                        channel,
                    )
                    store = None
            if store is not None and gone is not None:
                taken = _mark(gone, store.remove(gone))
                if held is not None and held.content == (_content(files) + taken) % _MODULUS:
                    self._finish(channel, store, files)
                    return
            self._bring_into_step(channel, store or self._create(channel, files[0].dim), files)

    def _bring_into_step(
        self, channel: str, store: MilvusStore, files: Sequence[EmbeddingsFile]
    ) -> None:
        """Make a collection hold these works and no others, then make it the channel's."""
        wanted = counts_of(files)
        held = store.counts()
        for number, count in held.items():
            if wanted.get(number) != count:
                store.remove(number)
        missing = [file for file in files if held.get(file.work_number) != file.count]
        _tell_large(channel, missing)
        store.put(self._works(missing))
        if sum(file.count for file in missing) >= _LARGE:
            store.seal()
        self._finish(channel, store, files)

    def _finish(self, channel: str, store: MilvusStore, files: Sequence[EmbeddingsFile]) -> None:
        before = self._held(channel)
        held = _Held(store.collection, files[0].space, _content(files))
        self._put_held(channel, held)
        self._take(channel, held, store)
        self._in_step.add(channel)
        if before is not None and before.collection != store.collection:
            self._store(before, store.dim).drop()

    def _take(self, channel: str, held: _Held, store: MilvusStore) -> None:
        self._known[channel] = _Channel(held, store, time.monotonic() + _STRONG_S)

    def _forget(self, channel: str) -> None:
        """Let go of a channel's collection: it has no works any more."""
        held = self._held(channel)
        if held is not None:
            self._store(held, 1).drop()
            with self._sessions.begin() as session:
                row = session.get(CollectionRow, (channel, self._service.address))
                session.delete(row)
        self._known.pop(channel, None)
        self._in_step.add(channel)

    def _create(self, channel: str, dim: int) -> MilvusStore:
        server = self._connection()
        from index.milvus_store import MilvusStore

        of_channel = f"{self._prefix}{channel.replace('-', '_')}"
        name = f"{of_channel}_{int(time.time()):x}_{secrets.token_hex(3)}"  # see `_sweep`
        return MilvusStore.create(server, name, dim)

    def _sweep(self) -> None:
        """Drop what was built aside long ago and never put in the place of anything."""
        server = self._connection()
        from index.milvus_store import MilvusStore

        with self._sessions() as session:
            named = set(session.scalars(select(CollectionRow.collection)))
        for name in MilvusStore.names(server, self._prefix):
            made_at = int(name.rsplit("_", 2)[1], 16)
            if name not in named and made_at < time.time() - _STALE_S:
                MilvusStore(server, name, 1).drop()

    @property
    def _prefix(self) -> str:
        """How the names of this catalogue's collections begin: others may share the server."""
        return f"matchcut_{self._catalog.id[:12]}_"

    def _store(self, held: _Held, dim: int) -> MilvusStore:
        server = self._connection()
        from index.milvus_store import MilvusStore

        return MilvusStore(server, held.collection, dim)

    def _connection(self) -> MilvusServer:
        with self._lock:
            if self._server is None:
                try:
                    from index.milvus_server import MilvusServer
                except ModuleNotFoundError as error:
                    raise VectorServiceError(
                        f"vectors are kept on a Milvus, and {error.name} is not installed: "
                        "`pip install matchcut[cluster]`"
                    ) from error
                self._server = MilvusServer(self._service)
            return self._server

    def _works(self, files: Sequence[EmbeddingsFile]) -> Iterator[WorkVectors]:
        return read_works(self._home, self._catalog, files)

    # The rows

    def _held(self, channel: str) -> _Held | None:
        with self._sessions() as session:
            row = session.get(CollectionRow, (channel, self._service.address))
            return None if row is None else _Held(row.collection, row.space, int(row.content, 16))

    def _put_held(self, channel: str, held: _Held) -> None:
        row = CollectionRow(
            channel=channel,
            service=self._service.address,
            collection=held.collection,
            space=held.space,
            content=f"{held.content:064x}",
        )
        with self._sessions.begin() as session:
            session.merge(row)


_MODULUS = 1 << 256


def _mark(work_number: int, count: int) -> int:
    """Return what stands for a work's vectors in the sum that stands for a collection's."""
    return int(hashlib.sha256(f"{work_number}:{count}".encode()).hexdigest(), 16)


def _content(files: Iterable[EmbeddingsFile]) -> int:
    """Return what stands for all that a collection holds: a sum, which is quick to add to."""
    return sum(_mark(file.work_number, file.count) for file in files) % _MODULUS


def _tell_large(channel: str, files: Sequence[EmbeddingsFile]) -> None:
    count = sum(file.count for file in files)
    if count >= _LARGE:
        _log.info("channel %r: bringing %s vectors to Milvus", channel, f"{count:,}")
