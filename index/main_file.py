"""The large FAISS file of a channel: built aside, then mapped into memory and only read.

It is built from the vectors of works that come one after the other, so that memory holds what
FAISS keeps of them (see `index.faiss_structures`) and not the vectors themselves.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.checked_file import CheckedFile, damaged, digest_blocks
from index.drafts import Draft
from index.errors import StoppedError
from index.faiss_library import faiss
from index.faiss_structures import SAMPLE_PER_LIST, lists_for, probes_for
from index.store_files import MAIN_SUFFIX, MainFile
from index.vectors import NO_ID, Hits, split_vector_ids, vector_id
from index.work_vectors import WorkVectors, in_blocks, until_stopped

_MARGIN = 0.1  # by which vectors that come later may lie outside of what the sample spans
_ROWS = 1 << 16  # vectors that are put into lists at a time

Works = Callable[[], Iterable[WorkVectors]]
"""Gives works, the same ones each time but for those that have been removed meanwhile."""


class MainStore:
    """Vectors of most works of a channel, in a file that does not change any more.

    Not for two searches at a time.

    Parameters
    ----------
    path
        The file.
    facts
        What stands in it.
    dim
        Width the vectors must have.
    draft
        Keeps a file that does not have its name yet.

    Raises
    ------
    DamagedFileError
        The file is missing, damaged, or of another kind. Of the lists only what a search looks
        into is checked, by that search.
    """

    def __init__(self, path: Path, facts: MainFile, dim: int, draft: Draft | None = None) -> None:
        self.facts = facts
        self._draft = draft
        self._file = CheckedFile(path, facts.size, facts.blocks)
        self._file.check([0], [facts.header])  # before FAISS sees a byte
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except (RuntimeError, MemoryError) as error:
            raise damaged(path, str(error)) from error
        if not isinstance(index, faiss.IndexIVFScalarQuantizer):
            raise damaged(path, f"it holds a {type(index).__name__}")
        if index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise damaged(path, f"its vectors have {index.d} dimensions instead of {dim}")
        self._index = index
        self._quantizer = faiss.downcast_index(index.quantizer)
        sizes = np.array([index.invlists.list_size(n) for n in range(index.nlist)], np.int64)
        bytes_each = index.invlists.code_size + np.dtype(np.int64).itemsize
        ends = facts.header + np.cumsum(sizes * bytes_each)
        if sizes.sum() != facts.vectors or ends[-1] != facts.size:
            raise damaged(path, f"it holds {sizes.sum()} vectors instead of {facts.vectors}")
        self._starts, self._ends = ends - sizes * bytes_each, ends
        self._trusted = np.zeros(index.nlist, bool)
        self._probes = probes_for(index.nlist)

    def search(self, queries: NDArray[np.float32], k: int, without: Removed | None) -> Hits:
        """Find the k nearest of each query, but none of the removed works.

        Raises
        ------
        DamagedFileError
            What would have to be looked into is damaged.
        """
        nearness, lists = self._quantizer.search(queries, self._probes)
        self._trust(np.unique(lists[lists >= 0]))
        hits = Hits.none(len(queries), k)
        parameters = faiss.SearchParametersIVF(nprobe=self._probes)
        if without is not None:
            parameters.sel = without.selector
        # The lists that were checked are the ones that are searched. (FAISS's own wrapper takes no
        # parameters here.)
        self._index.search_preassigned_c(
            len(queries),
            faiss.swig_ptr(queries),
            k,
            faiss.swig_ptr(lists),
            faiss.swig_ptr(nearness),
            faiss.swig_ptr(hits.similarities),
            faiss.swig_ptr(hits.ids),
            False,
            parameters,
        )
        hits.similarities[hits.ids == NO_ID] = -np.inf  # FAISS writes the lowest float32 there
        return hits

    def verify(self) -> list[str]:
        """Look for contradictions, also in what has been checked before.

        Raises
        ------
        DamagedFileError
            The file does not hold what was written to it.
        """
        self._file.check_all()
        ids = np.sort(np.concatenate([ids for ids, _ in self._lists()]))
        works, frames = split_vector_ids(ids)
        numbers, counts = np.unique(works, return_counts=True)
        if dict(zip(numbers.tolist(), counts.tolist(), strict=True)) != dict(self.facts.works):
            return ["its main file holds other works than it should"]
        expected = np.concatenate([np.arange(count) for count in counts])
        wrong = np.unique(works[frames != expected])
        return [f"work {number}: its frames are not what they should be" for number in wrong]

    def settle(self) -> None:
        """Give the file its name, if it does not have it yet. For the process whose turn it is."""
        if self._draft is not None:
            self._draft.settle()
            self._file.path = self._draft.path
            self._draft = None

    def _trust(self, lists: NDArray[np.int64]) -> None:
        new = lists[~self._trusted[lists]]
        if new.size:
            self._file.check(self._starts[new], self._ends[new])
            self._trusted[new] = True

    def _lists(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Ids and codes of each list, where they are mapped."""
        lists = self._index.invlists
        for number in range(self._index.nlist):
            count = lists.list_size(number)
            ids = faiss.rev_swig_ptr(lists.get_ids(number), count)
            codes = faiss.rev_swig_ptr(lists.get_codes(number), count * lists.code_size)
            yield ids, codes.reshape(count, lists.code_size)

    def copied_without(self, removed: Collection[int]) -> Any:
        """Return all but some works as an index of FAISS that can be added to.

        Raises
        ------
        DamagedFileError
            The file does not hold what was written to it.
        """
        self._file.check_all()
        index = faiss.read_index(str(self._file.path), faiss.IO_FLAG_MMAP)  # its header
        lists = faiss.ArrayInvertedLists(index.nlist, index.code_size)
        left_out = np.fromiter(removed, np.int64)
        index.ntotal = 0
        for number, (ids, codes) in enumerate(self._lists()):
            kept = ~np.isin(split_vector_ids(ids)[0], left_out)
            ids, codes = np.ascontiguousarray(ids[kept]), np.ascontiguousarray(codes[kept])
            if ids.size:
                lists.add_entries(number, ids.size, faiss.swig_ptr(ids), faiss.swig_ptr(codes))
            index.ntotal += int(ids.size)
        index.replace_invlists(lists, True)
        lists.this.disown()  # it is the index's now
        return index


class Removed:
    """Works of a main file that a search must not find.

    Parameters
    ----------
    works
        Number of each, and how many vectors it has.
    """

    def __init__(self, works: Mapping[int, int]) -> None:
        ids = [vector_id(number, np.arange(count)) for number, count in works.items()]
        # FAISS holds these only by address.
        self._batch = faiss.IDSelectorBatch(np.concatenate(ids))
        self.selector = faiss.IDSelectorNot(self._batch)


def build_main(
    folder: Path,
    channel: str,
    works: Works,
    vectors: int,
    codec: str,
    go_on: Callable[[], bool] = lambda: True,
) -> MainStore:
    """Lay out lists for works, and write them.

    Parameters
    ----------
    folder, channel
        Where the file shall be, and how its name begins.
    works
        All that it shall hold, at least one; asked twice.
    vectors
        About how many vectors these have.
    codec
        See `Sizes.codec`.
    go_on
        Asked now and then whether to.

    Raises
    ------
    StoppedError
        `go_on` said no, or there are no works.
    """
    lists = lists_for(vectors)
    sample = _sample(until_stopped(works(), go_on), lists * SAMPLE_PER_LIST / vectors)
    dim = sample.shape[1]
    lists = min(lists, len(sample))
    index = faiss.index_factory(dim, f"IVF{lists},{codec}", faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # it would complain on the terminal
    index.sq.rangestat_arg = _MARGIN
    index.train(sample)
    del sample
    return _finish(folder, channel, index, {}, until_stopped(works(), go_on), codec, None)


def merge_main(
    folder: Path,
    channel: str,
    old: MainStore,
    removed: Collection[int],
    works: Works,
    go_on: Callable[[], bool] = lambda: True,
) -> MainStore:
    """Write a main file with the lists of another: without some of its works, and with others.

    Parameters
    ----------
    old
        The other.
    removed
        Works that shall not be in it any more.
    works
        Those that come to it.
    folder, channel, go_on
        As for `build_main`; raises the same.
    """
    index = old.copied_without(removed)
    kept = {number: count for number, count in old.facts.works.items() if number not in removed}
    facts = old.facts
    return _finish(
        folder, channel, index, kept, until_stopped(works(), go_on), facts.codec, facts.trained_on
    )


def _finish(
    folder: Path,
    channel: str,
    index: Any,
    held: dict[int, int],
    works: Iterable[WorkVectors],
    codec: str,
    trained_on: int | None,
) -> MainStore:
    """Add works to an index, write it, and open what was written."""
    for ids, table in in_blocks(_noting(works, held), _ROWS):
        index.add_with_ids(table, ids)
    draft = Draft(folder / f"{channel}-{secrets.token_hex(8)}{MAIN_SUFFIX}")
    faiss.write_index(index, faiss.PyCallbackIOWriter(draft.file.write))
    size = draft.sync()
    facts = MainFile(
        file=draft.name,
        size=size,
        header=size - index.ntotal * (index.code_size + np.dtype(np.int64).itemsize),
        blocks=digest_blocks(draft.file),
        codec=codec,
        lists=index.nlist,
        works=held,
        trained_on=trained_on or index.ntotal,
    )
    return MainStore(draft.path, facts, index.d, draft)


def _sample(works: Iterable[WorkVectors], share: float) -> NDArray[np.float32]:
    """Return a share of the vectors of works, at random, but one at least."""
    draw = np.random.default_rng(0)
    parts: list[NDArray[np.float32]] = []
    for _, table in works:
        chosen = table[draw.random(len(table)) < share]
        parts.append(chosen if len(chosen) or parts else table[:1])
    if not parts:
        raise StoppedError("all works have been removed meanwhile")
    return np.concatenate(parts)


def _noting(works: Iterable[WorkVectors], held: dict[int, int]) -> Iterator[WorkVectors]:
    """Give works, and note how many vectors each has."""
    for number, table in works:
        held[number] = len(table)
        yield number, table
