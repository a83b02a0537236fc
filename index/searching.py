"""What the reference index asks of whatever keeps its vectors: `SearchIndex`, or `MilvusIndex`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from numpy.typing import ArrayLike

from index.embeddings import Embeddings
from index.vectors import Hits


class ChannelSearch(Protocol):
    """The vectors of all channels: derived from the embeddings files, in step with the catalogue.

    Safe to use from several threads. What follows a change of the catalogue (`add`, `remove`), and
    what is put in place (`flush`, `adopt`), is for the process whose turn it is to write.
    """

    @property
    def unsaved(self) -> frozenset[str]:
        """Channels that something was changed in and is yet to be written (`flush`)."""

    @property
    def may_be_due(self) -> bool:
        """Whether so much has been added that it is worth asking what is `due`."""

    def search(self, channel: str, queries: ArrayLike, k: int) -> Hits:
        """Find the nearest vectors; see `VectorStore.search`."""

    def look_again(self) -> None:
        """Compare with the catalogue before the next search: another process may have written."""

    def add(self, work_number: int, embeddings: Mapping[str, Embeddings]) -> None:
        """Take in a work that has just been enrolled."""

    def remove(self, work_number: int, channels: Iterable[str]) -> None:
        """Let go of a work that has just been removed."""

    def flush(self) -> None:
        """Write what is `unsaved`."""

    def due(self) -> list[str]:
        """Channels that should be written anew, as too much has come to them, or gone."""

    def build(
        self,
        channel: str,
        *,
        anew: bool = True,
        staged: bool = False,
        go_on: Callable[[], bool] = lambda: True,
    ) -> Any:
        """Build what searches a channel aside, for `adopt`; None if it has no works.

        Parameters
        ----------
        anew
            Take nothing from what there is.
        staged
            Of what is staged for the channel, which it is about to move to.
        go_on
            Asked now and then whether to.

        Raises
        ------
        DamagedFileError
            An embeddings file cannot be read.
        """

    def adopt(self, channel: str, store: Any) -> None:
        """Put what `build` returned in the place of what searched a channel."""

    def problems(self, channel: str) -> list[str]:
        """What is wrong with what searches a channel, in words."""

    def structure(self, channel: str) -> str:
        """How a channel's vectors are kept, in a few words."""

    def stop_waiting(self) -> None:
        """Let nobody wait any longer for a service that does not answer."""

    def close(self) -> None:
        """Let go of connections."""
