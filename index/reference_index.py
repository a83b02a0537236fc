"""The reference index: enrol works, find them again, forget them.

A home folder holds ``catalog.sqlite`` (unless the catalogue is in another database),
``embeddings/`` (the truth), ``background/`` (embeddings of ordinary footage), ``vectors/`` (FAISS
files, derived, unless vectors are searched on a Milvus), ``catalogue-id`` (which catalogue these
files belong to), and two locks.

What is written in which order makes every crash harmless: embeddings files, then the catalogue's
row, then the FAISS file. A file without a row is an orphan, which nothing reads and the next
writer sweeps; a FAISS file that does not fit the rows is brought up to date before it is searched.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import filelock
from numpy.typing import ArrayLike
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from index.background import BackgroundFootage
from index.catalog import CATALOGUE, CATALOGUE_ID, Catalog
from index.cipher import Cipher
from index.compaction import Compactor
from index.contents import ChannelEmbeddings as ChannelEmbeddings
from index.contents import check_content, check_width, write_content
from index.embeddings import Embeddings, read_embeddings
from index.erasure import check_erased, check_people, erase_leftovers
from index.errors import (
    CatalogError,
    DamagedFileError,
    IndexBusyError,
    InvalidWorkError,
    SpaceMismatchError,
    UnknownWorkError,
)
from index.faiss_structures import SIZES, Sizes
from index.files import write_atomically
from index.milvus_index import MilvusIndex
from index.people import People
from index.recently_read import RecentlyRead
from index.records import EmbeddingsFile, NewWork, Work
from index.restaging import Restaging
from index.rights import RightsRegister
from index.search_index import SearchIndex
from index.searching import ChannelSearch
from index.turns import turn
from index.upkeep import (
    BACKGROUND,
    EMBEDDINGS,
    Compaction,
    IndexStats,
    check_background,
    check_embeddings,
    find_orphans,
    measure,
    sweep_orphans,
)
from index.uploads import KeptUploads
from index.vector_service import VectorService
from index.vectors import Hits

LOCK_TIMEOUT_S = 60.0

_log = logging.getLogger(__name__)


class ReferenceIndex:
    """All that is protected; get one with `ReferenceIndex.open`.

    Several processes may have the same home open. Those that write take turns; those that only
    read never wait. A process sees its own changes at once, and those of others when it opens the
    index, writes, or asks for the `fingerprint` or a `refresh`.
    """

    def __init__(
        self,
        home: Path,
        catalog: Catalog,
        lock: filelock.BaseFileLock,
        sizes: Sizes,
        vectors: VectorService | None,
    ) -> None:
        self.home = home
        self._catalog = catalog
        self._lock = lock
        write = partial(turn, lock, home)
        self._people = People(catalog, write)
        self._uploads = KeptUploads(home, catalog)
        self._rights = RightsRegister(catalog, write)
        self._background = BackgroundFootage(home, catalog, write)
        self._search: ChannelSearch = (
            SearchIndex(home, catalog, sizes)
            if vectors is None
            else MilvusIndex(home, catalog, vectors, write)
        )
        self._recently = RecentlyRead()
        self._compactor = Compactor(
            home, self._search, write, partial(sweep_orphans, home, catalog)
        )
        self._restaging = Restaging(home, catalog, self._search, self._writing, self.add_channel)
        self._has_written = False

    @classmethod
    def open(
        cls,
        home: Path,
        database_url: str | None = None,
        *,
        vectors: VectorService | None = None,
        lock_timeout: float = LOCK_TIMEOUT_S,
        sizes: Sizes = SIZES,
    ) -> ReferenceIndex:
        """Open the index in a home folder, making both if need be.

        Parameters
        ----------
        home
            Workspace folder.
        database_url
            SQLAlchemy URL of the catalogue; None for the SQLite file in `home`.
        vectors
            Where vectors are searched; None for FAISS files in `home`.
        lock_timeout
            Seconds to wait for another process that is writing.
        sizes
            How many vectors are kept how.

        Raises
        ------
        CatalogError
            The catalogue cannot be opened, as nothing can be written beside it or otherwise; or it
            is not the one these files belong to.
        IndexBusyError
            Another process is making this home and does not finish.
        """
        home = Path(home)
        home.mkdir(parents=True, exist_ok=True)
        if database_url is None and not os.access(home, os.W_OK):
            raise CatalogError(
                f"nothing can be written in {home}, and SQLite needs that even to read the "
                "catalogue: let this account write there (is it mounted for writing?), or "
                "use a copy of the folder with --home"
            )
        database = str(home.absolute() / CATALOGUE)
        url = database_url or URL.create("sqlite", database=database)
        lock = filelock.FileLock(home / "writer.lock", timeout=lock_timeout)
        belongs = home / CATALOGUE_ID
        if not belongs.exists():
            with turn(lock, home):
                catalog = Catalog.create(url)
                write_atomically(belongs, lambda file: file.write(catalog.id.encode()))
        else:
            catalog = Catalog.open(url)
        if belongs.read_text() != catalog.id:
            # Going on would take every file here for an orphan, and sweep it.
            catalog.close()
            raise CatalogError(
                f"the files in {home} belong to another catalogue than {catalog.address}: give "
                "the database they were made with, or use another --home"
            )
        return cls(home, catalog, lock, sizes, vectors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After an error the FAISS files are left for the next process, lest a second error hide
        # the first.
        self.close(flush=error is None)

    def close(self, *, flush: bool = True) -> None:
        """Write what is derived (unless told not to), and let go of the database.

        A compaction that has begun is waited for; without `flush` it is called off.
        """
        try:
            if flush:
                self.flush()
            self._compactor.finish(stop=not flush)
        finally:
            self._compactor.finish(stop=True)
            self._search.close()
            self._catalog.close()

    def flush(self) -> None:
        """Write FAISS files that are out of date, and sweep what a crash has left.

        Where more has changed in a large one than is quickly searched, it begins to be compacted,
        beside all else; see `index.compaction`.
        """
        if not self._search.unsaved:
            return
        try:
            # One who has only mended files for itself leaves it to others rather than wait.
            with turn(self._lock, self.home, timeout=None if self._has_written else 0):
                self._search.flush()
                sweep_orphans(self.home, self._catalog)
        except IndexBusyError:
            if self._has_written:
                raise
        except (OSError, DBAPIError) as error:
            if self._has_written:
                raise
            reason = getattr(error, "orig", error)
            _log.warning("what was mended of the index cannot be written down: %s", reason)
        else:
            if self._has_written:
                self._compactor.start()
            self._has_written = False

    # Works

    def enroll(self, work: NewWork, channels: Mapping[str, ChannelEmbeddings]) -> Work:
        """Protect a work; when this returns, it is on disk and will be found.

        Parameters
        ----------
        work
            What is known of it.
        channels
            What each channel sees in it: at least one channel, at least one vector in each. A
            work without vectors could never be found, and its owner would think it protected.

        Raises
        ------
        AlreadyEnrolledError, IdTakenError
            The same file, or another by that id, is enrolled.
        InvalidWorkError
            There is nothing to find the work by.
        SpaceMismatchError
            A channel's other works were described by another descriptor.
        IndexBusyError
            Another process is writing.
        """
        if not channels:
            raise InvalidWorkError(f"work {work.id!r} has no embeddings to find it by")
        for channel, content in channels.items():
            check_content(f"work {work.id!r}", channel, content)
        with self._writing():
            self._catalog.check_free(work)
            for channel, content in channels.items():
                self._check_fits(channel, content)
            files = [
                write_content(self.home, EMBEDDINGS, channel, content)
                for channel, content in channels.items()
            ]
            enrolled = self._catalog.add_work(work, files)
            self._search.add(
                enrolled.number, {name: content.embeddings for name, content in channels.items()}
            )
        if self._search.may_be_due:  # what is searched one by one must not grow without end
            self._compactor.start()
        return enrolled

    def add_channel(self, work_id: str | int, channel: str, content: ChannelEmbeddings) -> None:
        """Add a channel to an enrolled work, for instance when CLIP is turned on later.

        Raises
        ------
        UnknownWorkError, AlreadyEnrolledError
            There is no such work, or it has this channel.
        InvalidWorkError, SpaceMismatchError, IndexBusyError
            As for `enroll`.
        """
        with self._writing():
            work = self._catalog.work(work_id)
            check_content(f"work {work.id!r}", channel, content)
            self._catalog.check_without(work, channel)
            self._check_fits(channel, content)
            self._catalog.add_embeddings(
                work.number, write_content(self.home, EMBEDDINGS, channel, content)
            )
            self._search.add(work.number, {channel: content.embeddings})

    def update(self, work: Work) -> Work:
        """Give a work another title, owner or policy, as this one has; nothing else changes.

        Raises
        ------
        UnknownWorkError, IndexBusyError
            There is no such work, or another process is writing.
        """
        return self.update_all([work])[0]

    def update_all(self, works: Sequence[Work]) -> list[Work]:
        """Do as `update` with several works: with all, or with none if one is refused."""
        with turn(self._lock, self.home):
            return self._catalog.update_works(works)

    def remove(self, work_id: str | int) -> Work:
        """Forget a work: nothing is left to be matched. Returns what it was.

        Raises
        ------
        UnknownWorkError, IndexBusyError
            There is no such work, or another process is writing.
        """
        with self._writing():
            work = self._catalog.work(work_id)
            channels = self._catalog.channels(work.number)
            files = self._catalog.embeddings_files(work.number, staged=True)
            self._catalog.remove_work(work.number)
            for file in files:
                (self.home / file.file).unlink(missing_ok=True)
            self._recently.forget(file.file for file in files)
            self._search.remove(work.number, channels)
        return work

    def works(self) -> list[Work]:
        """All works, in the order they were enrolled."""
        return self._catalog.works()

    def find_works(
        self, search: str = "", limit: int | None = None, offset: int = 0
    ) -> tuple[list[Work], int]:
        """Part of the works by title, and how many there are.

        Parameters
        ----------
        search
            Only those whose id, title or owner contains it, whatever the case of its letters.
        """
        return self._catalog.find_works(search, limit, offset)

    def work(self, id_or_number: str | int) -> Work:
        """One work by its id (str) or number (int); `UnknownWorkError` if there is none."""
        return self._catalog.work(id_or_number)

    def find_digest(self, digest: str) -> Work | None:
        """Find the work enrolled from the file with this SHA-256, if any."""
        return self._catalog.find_digest(digest)

    # People

    @property
    def people(self) -> People:
        """Everybody with a protected likeness."""
        return self._people

    # Uploads

    @property
    def uploads(self) -> KeptUploads:
        """What was seen in uploads that have been scanned."""
        return self._uploads

    # Rights

    @property
    def rights(self) -> RightsRegister:
        """What owners of works, and people, allow, want done, and claim nothing for."""
        return self._rights

    # Background

    @property
    def background(self) -> BackgroundFootage:
        """Footage that is ordinary to the user."""
        return self._background

    # Vectors

    @property
    def restaging(self) -> Restaging:
        """Works that are being described anew, for a channel to move to another descriptor."""
        return self._restaging

    def channels(self, work_number: int | None = None) -> frozenset[str]:
        """Channels that have vectors, of one work or of any."""
        return self._catalog.channels(work_number)

    def files(self, work_number: int) -> list[EmbeddingsFile]:
        """What holds each channel's vectors of one work: how many, and made with what."""
        return self._catalog.embeddings_files(work_number)

    def space(self, channel: str) -> str | None:
        """What the vectors of a channel were made with; None if it has none."""
        files = self._catalog.embeddings_files(channel=channel, limit=1)
        return files[0].space if files else None

    def check_space(self, channel: str, space: str) -> None:
        """Make sure that a descriptor's vectors can be compared with those of a channel.

        Raises
        ------
        SpaceMismatchError
            They were made with another descriptor, and similarities would mean nothing.
        """
        known = self.space(channel)
        if known is not None and known != space:
            raise SpaceMismatchError(
                f"the works in channel '{channel}' were described with {known}, not with {space}: "
                "use another --home, or set the descriptor back, or remove the works and add them "
                "again; in channel 'semantic' `matchcut reembed` describes them anew"
            )

    @contextmanager
    def comparing(self, channel: str, space: str) -> Iterator[None]:
        """Compare a descriptor's vectors with those of a channel within the block.

        Raises
        ------
        SpaceMismatchError
            They cannot be compared, or the channel has moved to another space meanwhile.
        """
        self.check_space(channel, space)
        try:
            yield
        finally:  # whatever else was found wrong, that would be why
            self.check_space(channel, space)

    def search(self, channel: str, queries: ArrayLike, k: int) -> Hits:
        """Find the k nearest reference vectors of each query.

        Parameters
        ----------
        channel
            A channel without works finds nothing.
        queries
            float32 [q, dim], each of length 1. Give many at once: batches are far faster.
        k
            How many neighbours, at least 1.

        Raises
        ------
        ValueError
            The queries are not sound, or not as wide as the channel's vectors.
        DamagedFileError
            The FAISS file had to be built anew and an embeddings file cannot be read.
        """
        return self._search.search(channel, queries, k)

    def embeddings(self, work_number: int, channel: str) -> Embeddings:
        """Vectors and times of one work in one channel.

        Raises
        ------
        UnknownWorkError
            There is no such work, or it does not have this channel.
        DamagedFileError
            The file is missing or damaged.
        """
        file = self._embeddings_file(work_number, channel)
        while True:
            try:
                read = partial(read_embeddings, self.home / file.file, file.digest)
                return self._recently.get(file.file, read)
            except DamagedFileError:
                tried, file = file, self._embeddings_file(work_number, channel)
                if file == tried:  # and not removed or replaced meanwhile by another process
                    raise

    # The index as a whole

    def fingerprint(self, today: date | None = None) -> str:
        """Return what changes when works, background, people or rights do: 64 hexadecimal digits.

        It also changes when a person's time is over by `today` (the present day in UTC, unless
        given), and when a licence begins or ends.

        Searches from now on see at least what it stands for, also if another process wrote it.
        """
        self.refresh()
        return self._catalog.fingerprint(today)

    def stop_waiting(self) -> None:
        """Let nobody wait any longer for a vector service that does not answer."""
        self._search.stop_waiting()

    def refresh(self) -> None:
        """Let searches from now on see what other processes have enrolled or removed."""
        self._search.look_again()
        self._background.refresh()

    def remember_scan(self, key: str, result: str) -> None:
        """Keep a finished scan's result (JSON), so that a batch can go on where it stopped."""
        self._catalog.remember_scan(key, result)

    def recall_scan(self, key: str) -> str | None:
        """Return the result remembered under a key, if any."""
        return self._catalog.recall_scan(key)

    def stats(self) -> IndexStats:
        """How much is in the index."""
        return measure(self.home, self._catalog, self._search.structure)

    def verify(self, repair: bool = False, cipher: Cipher | None = None) -> list[str]:
        """Compare files, catalogue and FAISS files with each other, and prove erasure.

        All files in the home folder are read, to see that nothing is left of removed people.

        Parameters
        ----------
        repair
            Also mend what can be: build FAISS files anew, sweep orphans, write the catalogue's
            files anew without what was erased, forget what was seen in an upload and cannot be
            read any more. Embeddings files cannot be mended; the message names the work or
            background to add again.
        cipher
            The key of people's faces, to see that each opens; None not to look into them.

        Returns
        -------
        list of str
            What was found wrong (before any repair), a sentence each; empty if all is well.

        Raises
        ------
        WrongKeyError
            People are sealed with another key.
        IndexBusyError
            Another process is writing.
        """
        with self._writing():  # an enrolment halfway through looks like damage
            problems, damaged = check_embeddings(self.home, self._catalog)
            derived = {channel: self._search.problems(channel) for channel in self._channels()}
            problems += [text for texts in derived.values() for text in texts]
            problems += check_background(self.home, self._catalog)
            problems += self._restaging.problems(repair=repair)
            problems += self._uploads.problems(repair=repair)
            for name in find_orphans(self.home, self._catalog):
                owner = "background" if name.startswith(f"{BACKGROUND}/") else "work"
                problems.append(f"{name} belongs to no {owner}")
            about_people = check_people(self._catalog, cipher)
            about_people += check_erased(self.home, self._catalog)
            problems += about_people
            if repair:
                for channel in [name for name, texts in derived.items() if texts]:
                    if channel in damaged:
                        problems.append(
                            f"channel '{channel}': its FAISS file cannot be built anew until the "
                            "damaged embeddings files are dealt with"
                        )
                    else:
                        self._search.adopt(channel, self._search.build(channel))
                sweep_orphans(self.home, self._catalog)
                if about_people:
                    erase_leftovers(self._catalog)
        return problems

    def compact(self) -> Compaction:
        """Build all FAISS files anew from the embeddings files, and sweep orphans.

        Others can search and write while they are being built.

        Raises
        ------
        DamagedFileError
            An embeddings file cannot be read; `verify` names the work.
        """
        channels = self._channels()
        with self._compactor.alone():
            for channel in channels:
                store = self._search.build(channel)
                with self._writing():
                    self._search.adopt(channel, store)
        with self._writing():
            swept = sweep_orphans(self.home, self._catalog)
        return Compaction(tuple(channels), tuple(swept), sum(swept.values()))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with turn(self._lock, self.home):
            self._has_written = True
            yield

    def _channels(self) -> list[str]:
        files = self._catalog.embeddings_files()
        return sorted({file.channel for file in files} | self._catalog.index_files().keys())

    def _embeddings_file(self, work_number: int, channel: str) -> EmbeddingsFile:
        files = self._catalog.embeddings_files(work_number, channel=channel)
        if not files:
            work = self._catalog.work(work_number)
            raise UnknownWorkError(f"work {work.id!r} has no embeddings in channel '{channel}'")
        return files[0]

    def _check_fits(self, channel: str, content: ChannelEmbeddings) -> None:
        self.check_space(channel, content.space)
        for file in self._catalog.embeddings_files(channel=channel, limit=1):
            check_width(f"the works in channel '{channel}'", file, content)
