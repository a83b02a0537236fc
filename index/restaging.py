"""A channel moves to another space: its works are described anew, beside the old, then all at once.

What is described anew is staged: embeddings files of their own, whose rows stand under another
name than the channel's (`staged_name`), so that nothing searches them. This goes on for as long as
it takes, over any number of processes and crashes, while the old space serves scans. When all
works are staged, one transaction lets go of the old rows and gives the new ones the channel's name.
Whatever happens, a channel is in the old space or in the new one, never in both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import delete, update
from sqlalchemy.orm import Session, sessionmaker

from index.catalog import Catalog
from index.contents import ChannelEmbeddings, check_content, check_width, write_content
from index.embeddings import read_embeddings
from index.errors import (
    DamagedFileError,
    InvalidWorkError,
    NotStagedError,
    SpaceMismatchError,
)
from index.records import STAGED_SUFFIX, EmbeddingsFile, Work, staged_name
from index.schema import CHANNEL_LENGTH, EmbeddingsRow
from index.searching import ChannelSearch
from index.upkeep import EMBEDDINGS, sweep_orphans

_MOST_NAMED = 10  # works in a message


@dataclass(frozen=True, slots=True)
class Staged:
    """How far the works of a channel are described anew."""

    space: str
    works: int


class Restaging:
    """Embeddings of another space than a channel's, until the channel moves to it.

    Parameters
    ----------
    home
        Folder of the index.
    catalog
        Where it is written down.
    search
        What searches the channel.
    turn
        Lets one process write at a time; raises `IndexBusyError`.
    add_channel
        Adds a channel to a work, as `ReferenceIndex.add_channel` does.
    """

    def __init__(
        self,
        home: Path,
        catalog: Catalog,
        search: ChannelSearch,
        turn: Callable[[], AbstractContextManager[None]],
        add_channel: Callable[[int, str, ChannelEmbeddings], None],
    ) -> None:
        self._home = home
        self._catalog = catalog
        self._search = search
        self._turn = turn
        self._add_channel = add_channel
        self._sessions = sessionmaker(catalog.engine)

    def staged(self, channel: str) -> Staged | None:
        """What is staged for a channel; None if nothing is."""
        files = self._files(channel)
        return Staged(files[0].space, len(files)) if files else None

    def missing(self, channel: str, space: str) -> list[Work]:
        """Works that have no embeddings in a space: neither staged nor in the channel."""
        files = self._files(channel) + self._catalog.embeddings_files(channel=channel)
        there = {file.work_number for file in files if file.space == space}
        return [work for work in self._catalog.works() if work.number not in there]

    def stage(self, channel: str, work_number: int, content: ChannelEmbeddings) -> None:
        """Keep what a work looks like in the next space; when this returns, it is on disk.

        Where the channel is in that space already, or in none, it is the channel's at once. What
        is there already, for instance from another process, stays as it is.

        Raises
        ------
        UnknownWorkError
            The work has been removed.
        InvalidWorkError
            There is nothing to find the work by, or the channel's name is too long.
        SpaceMismatchError
            Another space is staged: `discard` that first.
        IndexBusyError
            Another process is writing.
        """
        next_name = staged_name(channel)
        if len(next_name) > CHANNEL_LENGTH:
            raise InvalidWorkError(f"the name of channel '{channel}' is too long to be moved")
        with self._turn():
            work = self._catalog.work(work_number)
            check_content(f"work {work.id!r}", channel, content)
            own = self._catalog.embeddings_files(channel=channel, limit=1)
            staged = self._catalog.embeddings_files(channel=next_name, limit=1)
            if own[0].space == content.space if own else not staged:
                if not self._catalog.embeddings_files(work_number, channel=channel):
                    self._add_channel(work_number, channel, content)
                return
            for other in staged:
                self._check_staged(channel, other, content.space)
                check_width(f"the works that are staged for channel '{channel}'", other, content)
            if not self._catalog.embeddings_files(work_number, channel=next_name):
                file = write_content(self._home, EMBEDDINGS, channel, content)
                self._catalog.add_embeddings(work_number, replace(file, channel=next_name))

    def discard(self, channel: str) -> int:
        """Forget what is staged for a channel; returns of how many works.

        Raises
        ------
        IndexBusyError
            Another process is writing.
        """
        with self._turn():
            files = self._files(channel)
            self._forget(files)
        return len(files)

    def switch(
        self,
        channel: str,
        space: str,
        leave_out: Collection[int] = (),
        before: Callable[[], object] = lambda: None,
    ) -> None:
        """Move a channel to the space that its works are staged in, all of them at once.

        Parameters
        ----------
        space
            What they are staged in. If the channel is in it already, nothing is moved.
        leave_out
            Numbers of works that may go without: they lose the channel.
        before
            Called when all is ready, and nothing is moved yet. Should it raise, nothing is.

        Raises
        ------
        NotStagedError
            Others are not staged, or a left-out work could not be found by anything any more; the
            text names them.
        SpaceMismatchError
            Another space is staged.
        IndexBusyError
            Another process is writing.
        """
        try:
            # Aside, which takes minutes where there is much: others can write meanwhile.
            store = self._search.build(channel, staged=True)
        except DamagedFileError as error:
            with self._turn():
                self.problems(repair=True)
            raise NotStagedError(
                f"what was described anew for channel '{channel}' was damaged in part, and that "
                "part is forgotten: do the same again"
            ) from error
        with self._turn():
            own = self._catalog.embeddings_files(channel=channel, limit=1)
            if own and own[0].space == space:  # perhaps another process was faster
                before()
                self._forget(self._files(channel))
            else:
                self._check_complete(channel, space, leave_out)
                before()
                with self._sessions.begin() as session:
                    _rename(session, channel)
                self._search.adopt(channel, store)
            sweep_orphans(self._home, self._catalog)  # with them the files of the old space

    def problems(self, *, repair: bool = False) -> list[str]:
        """Read all that is staged; say in words what is wrong, or forget it.

        For the process whose turn it is to write.
        """
        ids = {work.number: work.id for work in self._catalog.works()}
        problems, damaged = [], []
        for file in self._catalog.embeddings_files(staged=True):
            if not file.channel.endswith(STAGED_SUFFIX):
                continue
            try:
                read_embeddings(self._home / file.file, file.digest)
            except DamagedFileError:
                damaged.append(file)
                problems.append(
                    f"work {ids.get(file.work_number)!r}, described anew for channel "
                    f"{file.channel.removesuffix(STAGED_SUFFIX)!r}: {file.file} is missing or "
                    "damaged; `matchcut index verify --repair` forgets it, then `matchcut reembed` "
                    "describes the work again"
                )
        if repair:
            self._forget(damaged)
        return problems

    def _files(self, channel: str) -> list[EmbeddingsFile]:
        return self._catalog.embeddings_files(channel=staged_name(channel))

    def _forget(self, files: Collection[EmbeddingsFile]) -> None:
        with self._sessions.begin() as session:
            for file in files:
                session.execute(delete(EmbeddingsRow).where(EmbeddingsRow.file == file.file))
        for file in files:
            (self._home / file.file).unlink(missing_ok=True)

    def _check_staged(self, channel: str, file: EmbeddingsFile, space: str) -> None:
        if file.space != space:
            raise SpaceMismatchError(
                f"channel '{channel}' is about to move to {file.space}, not to {space}: is another "
                "`matchcut reembed` running? Wait for it to end, then try again"
            )

    def _check_complete(self, channel: str, space: str, leave_out: Collection[int]) -> None:
        files = self._files(channel)
        if not files:
            raise NotStagedError(
                f"channel '{channel}' cannot move to {space}: no work is described with that"
            )
        self._check_staged(channel, files[0], space)
        missing = self.missing(channel, space)
        lacking = [work.id for work in missing if work.number not in leave_out]
        if lacking:
            raise NotStagedError(
                f"channel '{channel}' cannot move to {space} before these are described with it: "
                + named(lacking)
            )
        lost = [work.id for work in missing if not self._catalog.channels(work.number) - {channel}]
        if lost:
            raise NotStagedError(
                f"works that have no other channel than '{channel}' cannot be left out, since "
                f"nothing would find them: {named(lost)}. Give their files back, or `matchcut "
                "works remove` them"
            )


def named(ids: Collection[str]) -> str:
    """Name works in a message: the first of them, and how many more."""
    first = list(ids)[:_MOST_NAMED]
    more = f" and {len(ids) - len(first)} more" if len(ids) > len(first) else ""
    return ", ".join(first) + more


def _rename(session: Session, channel: str) -> None:
    """Give what is staged the place of a channel."""
    session.execute(delete(EmbeddingsRow).where(EmbeddingsRow.channel == channel))
    session.execute(
        update(EmbeddingsRow)
        .where(EmbeddingsRow.channel == staged_name(channel))
        .values(channel=channel)
    )
