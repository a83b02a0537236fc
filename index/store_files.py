"""Which files make up a channel's FAISS store once it is large, and what they hold.

A small store is one file. A large one has a main file of gigabytes, which is written once and then
only read, and a small one of what was added since; the manifest names both, and says which works
of the main file have been removed. The catalogue keeps the manifest's digest, the manifest those
of the files: nothing is believed that does not hang on that chain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index.checked_file import damaged
from index.errors import DamagedFileError
from index.files import digest_of, write_atomically

MAIN_SUFFIX, RECENT_SUFFIX, MANIFEST_SUFFIX = ".ivf", ".faiss", ".json"


@dataclass(frozen=True, slots=True)
class MainFile:
    """The large file: vectors of most works, approximate, in lists of similar ones."""

    file: str  # name beside the manifest
    size: int  # bytes
    header: int  # bytes before the first list
    blocks: tuple[str, ...]  # see `index.checked_file`
    codec: str  # how FAISS writes down a vector: "SQ8"
    lists: int
    works: Mapping[int, int]  # vectors of each, also of those that have been removed since
    trained_on: int  # vectors that there were when the lists were laid out

    @property
    def vectors(self) -> int:
        """How many vectors it holds."""
        return sum(self.works.values())


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of a large store."""

    main: MainFile
    removed: tuple[int, ...]  # works of the main file that are no more
    recent: str  # name of the small file beside the manifest
    recent_digest: str


def write_manifest(path: Path, manifest: Manifest) -> str:
    """Write a manifest, atomically and durably; returns the file's SHA-256."""
    content = json.dumps(asdict(manifest)).encode()
    return write_atomically(path, lambda file: file.write(content))


def read_manifest(path: Path, digest: str | None = None) -> Manifest:
    """Read a manifest back; `DamagedFileError` if it is missing or not what was written.

    Parameters
    ----------
    digest
        What `write_manifest` returned; None to take its word for it.
    """
    try:
        with path.open("rb") as file:
            if digest is not None and digest_of(file) != digest:
                raise damaged(path, "its digest is not the one in the catalogue")
            facts: dict[str, Any] = json.load(file)
        main = facts["main"]
        main["works"] = {int(number): count for number, count in main["works"].items()}
        main["blocks"] = tuple(main["blocks"])
        return Manifest(
            MainFile(**main), tuple(facts["removed"]), facts["recent"], facts["recent_digest"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, str(error)) from error


def parts_of(path: Path) -> list[Path]:
    """All files of a store by the one that the catalogue names, that one included.

    Of a manifest that cannot be read only itself: what it named can be built anew.
    """
    manifest = _manifest_at(path)
    if manifest is None:
        return [path]
    return [path, path.with_name(manifest.main.file), path.with_name(manifest.recent)]


def structure_of(path: Path) -> str:
    """Name the structure of a store by the file that the catalogue names."""
    manifest = _manifest_at(path)
    return "exact" if manifest is None else f"IVF{manifest.main.lists},{manifest.main.codec}"


def _manifest_at(path: Path) -> Manifest | None:
    if path.suffix != MANIFEST_SUFFIX:
        return None
    try:
        return read_manifest(path)
    except DamagedFileError:
        return None
