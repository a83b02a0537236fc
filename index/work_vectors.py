"""The vectors of works, one after the other, as whatever searches them takes them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.catalog import Catalog
from index.embeddings import read_embeddings
from index.errors import DamagedFileError, StoppedError
from index.records import EmbeddingsFile
from index.vectors import vector_id

WorkVectors = tuple[int, NDArray[np.float32]]
"""Number of a work and its vectors."""


def counts_of(files: Iterable[EmbeddingsFile]) -> dict[int, int]:
    """How many vectors each work has."""
    return {file.work_number: file.count for file in files}


def read_works(
    home: Path, catalog: Catalog, files: Sequence[EmbeddingsFile]
) -> Iterator[WorkVectors]:
    """Read works one after the other; files that another process removes are left out.

    Raises
    ------
    DamagedFileError
        A file cannot be read, and its work is there.
    """
    for file in files:
        try:
            yield file.work_number, read_embeddings(home / file.file, file.digest).vectors
        except DamagedFileError:
            if file in catalog.embeddings_files(file.work_number, channel=file.channel):
                raise


def until_stopped(works: Iterable[WorkVectors], go_on: Callable[[], bool]) -> Iterator[WorkVectors]:
    """Give works for as long as `go_on` says so; `StoppedError` when it does not."""
    for work in works:
        check_going_on(go_on)
        yield work


def check_going_on(go_on: Callable[[], bool]) -> None:
    """Ask whether to go on; `StoppedError` if not."""
    if not go_on():
        raise StoppedError("it was called off")


def in_blocks(
    works: Iterable[WorkVectors], rows: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Put works together, or cut them, to blocks of at most so many rows: ids and vectors."""
    ids: list[NDArray[np.int64]] = []
    tables: list[NDArray[np.float32]] = []
    for number, table in works:
        for start in range(0, len(table), rows):
            part = table[start : start + rows]
            if sum(map(len, ids)) + len(part) > rows:
                yield np.concatenate(ids), np.concatenate(tables)
                ids, tables = [], []
            ids.append(vector_id(number, np.arange(start, start + len(part))))
            tables.append(part)
    if ids:
        yield np.concatenate(ids), np.concatenate(tables)
