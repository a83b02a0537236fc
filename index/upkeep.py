"""What lies in the home folder: how much it is, whether it is sound, what is left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from index.catalog import Catalog
from index.drafts import DRAFT_SUFFIX, is_in_use
from index.embeddings import read_embeddings
from index.errors import DamagedFileError
from index.files import TEMPORARY_SUFFIX
from index.people_rows import count
from index.records import NewEmbeddingsFile
from index.search_index import FOLDER as VECTORS
from index.store_files import (
    MAIN_SUFFIX,
    MANIFEST_SUFFIX,
    RECENT_SUFFIX,
    parts_of,
)

EMBEDDINGS = "embeddings"  # folder of the works' embeddings files
# Of the background's: apart, since versions that do not know these would take them for orphans.
BACKGROUND = "background"

_OURS = {
    ".npz", MAIN_SUFFIX, RECENT_SUFFIX, MANIFEST_SUFFIX, DRAFT_SUFFIX, TEMPORARY_SUFFIX,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChannelStats:
    """Size of one channel."""

    space: str
    works: int
    vectors: int
    bytes: int  # on disk: embeddings files and FAISS files
    structure: str  # "exact", or FAISS's name of it: "IVF2000,SQfp16"; or "Milvus HNSW"


@dataclass(frozen=True, slots=True)
class IndexStats:
    """Size of the index."""

    works: int
    seconds: float  # of reference footage
    channels: dict[str, ChannelStats]
    people: int = 0
    faces: int = 0


@dataclass(frozen=True, slots=True)
class Compaction:
    """What `ReferenceIndex.compact` did."""

    rebuilt: tuple[str, ...]  # channels
    swept: tuple[str, ...]  # files that belonged to nothing, relative to home
    freed: int  # bytes in these


def measure(home: Path, catalog: Catalog, structure: Callable[[str], str]) -> IndexStats:
    """Count and weigh everything; `structure` says how a channel's vectors are kept."""
    works = catalog.works()
    spaces: dict[str, str] = {}
    counts: Counter[str] = Counter()
    vectors: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for file in catalog.embeddings_files():
        spaces[file.channel] = file.space
        counts[file.channel] += 1
        vectors[file.channel] += file.count
        sizes[file.channel] += _size(home / file.file)
    for channel, index_file in catalog.index_files().items():
        sizes[channel] += sum(map(_size, parts_of(home / index_file.file)))
    with Session(catalog.engine) as session:
        people, faces = count(session)
    return IndexStats(
        works=len(works),
        seconds=sum(work.duration for work in works),
        channels={
            channel: ChannelStats(
                space,
                counts[channel],
                vectors[channel],
                sizes[channel],
                structure(channel),
            )
            for channel, space in sorted(spaces.items())
        },
        people=people,
        faces=faces,
    )


def check_embeddings(home: Path, catalog: Catalog) -> tuple[list[str], set[str]]:
    """Read the works' embeddings files; problems in words, and the channels these are in."""
    problems = []
    damaged = set()
    ids = {work.number: work.id for work in catalog.works()}
    for file in catalog.embeddings_files():
        try:
            _check(home, file)
        except DamagedFileError as error:
            damaged.add(file.channel)
            problems.append(
                f"work {ids.get(file.work_number)!r}, channel {file.channel!r}: {error}"
            )
    return problems, damaged


def check_background(home: Path, catalog: Catalog) -> list[str]:
    """Read the background's embeddings files; problems in words."""
    problems = []
    for file in catalog.background_sources():
        try:
            _check(home, file)
        except DamagedFileError as error:
            problems.append(f"background {file.number} ({file.source}): {error}")
    return problems


def _check(home: Path, file: NewEmbeddingsFile) -> None:
    embeddings = read_embeddings(home / file.file, file.digest)
    if (len(embeddings), embeddings.dim) != (file.count, file.dim):
        raise DamagedFileError(
            f"{file.file} holds {len(embeddings)} vectors of {embeddings.dim} "
            f"dimensions, the catalogue says {file.count} of {file.dim}"
        )


def find_orphans(home: Path, catalog: Catalog) -> dict[str, int]:
    """Files that nothing in the catalogue speaks of: name relative to home, and bytes.

    Only to be asked while no other process writes: its files come before their rows. What is
    being built aside meanwhile is none.
    """
    known = {file.file for file in catalog.embeddings_files(staged=True)}
    known |= {file.file for file in catalog.background_sources()}
    for file in catalog.index_files().values():
        known |= {f"{VECTORS}/{part.name}" for part in parts_of(home / file.file)}
    orphans = {}
    for folder in (EMBEDDINGS, BACKGROUND, VECTORS):
        for path in sorted((home / folder).glob("*")):
            name = f"{folder}/{path.name}"
            if path.suffix == DRAFT_SUFFIX and is_in_use(path):
                continue
            if path.suffix in _OURS and name not in known:
                orphans[name] = _size(path)
    return orphans


def sweep_orphans(home: Path, catalog: Catalog) -> dict[str, int]:
    """Delete what `find_orphans` finds, and return it."""
    orphans = find_orphans(home, catalog)
    for name in orphans:
        (home / name).unlink(missing_ok=True)
    return orphans


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
