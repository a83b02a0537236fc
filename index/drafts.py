"""A file in the making that takes minutes: nobody sweeps it away, and a crash leaves only litter.

Whoever sweeps files that belong to nothing has the writer's turn; whoever builds a large file has
not, so that others can go on writing. A lock on the draft itself, which ends with its process,
tells the one what the other still needs.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from io import BufferedRandom
from pathlib import Path

from index.files import sync_folder

DRAFT_SUFFIX = ".draft"


class Draft:
    """A new file beside its final name, locked until it gets that; gone if it never does.

    Parameters
    ----------
    path
        The final name, which no other file has.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.name = path.name
        self.path = path.with_name(path.name + DRAFT_SUFFIX)
        self.file: BufferedRandom = self.path.open("x+b")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        self._forget = weakref.finalize(self, _drop, self.path, self.file)

    def sync(self) -> int:
        """Put all that was written on disk; returns how many bytes that are."""
        self.file.flush()
        os.fsync(self.file.fileno())
        return os.fstat(self.file.fileno()).st_size

    def settle(self) -> None:
        """Give it its final name. For the process whose turn it is to write."""
        self.path = self.path.rename(self.path.with_name(self.name))
        self._forget.detach()
        sync_folder(self.path.parent)
        self.file.close()


def is_in_use(path: Path) -> bool:
    """Whether a draft is still being written, or searched before it has its name."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _drop(path: Path, file: BufferedRandom) -> None:
    path.unlink(missing_ok=True)
    file.close()
