"""What takes long to make is made by one of the processes that run the tests, for all of them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

Made = TypeVar("Made")


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]
) -> Made:
    """Return what `make` makes in a new folder; who comes while another makes it waits.

    What is made must not be changed, for others look at it, too.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which is the same for all processes
    folder = folder / "made-once" / name
    folder.mkdir(parents=True, exist_ok=True)
    record = folder.with_suffix(".pickle")
    with FileLock(folder.with_suffix(".lock")):
        if not record.exists():
            record.write_bytes(pickle.dumps(make(folder)))
        return pickle.loads(record.read_bytes())  # noqa: S301 -- written above
