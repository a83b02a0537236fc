"""FAISS, loaded and set up for machines that have other things to do at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Its threads wait for each other, and unless told otherwise before they are loaded, they do so by
# keeping their cores busy. Where others decode video on all cores, a search takes ten times longer
# then. Nobody else is to wait in another way than before.
_WAIT = "OMP_WAIT_POLICY"
_before = os.environ.get(_WAIT)
os.environ[_WAIT] = _before or "passive"
try:
    import faiss as _faiss
finally:
    if _before is None:
        del os.environ[_WAIT]
    else:
        os.environ[_WAIT] = _before

faiss: Any = _faiss  # its type stubs know only a part of it

# FAISS multiplies a batch of queries as one matrix only above this threshold. Newer versions count
# queries times dimensions, and their default sends batches of a film's frames down the slow path;
# older ones count queries, and their default of 20 is right.
_BLAS_THRESHOLD_COUNTS_VALUES = int(faiss.cvar.distance_compute_blas_threshold) > 1000
_BLAS_FROM_QUERIES = 3


@contextmanager
def batches_as_matrices(dim: int) -> Iterator[None]:
    """Have FAISS multiply batches of queries as matrices. For one thread of a process at a time."""
    before = faiss.cvar.distance_compute_blas_threshold
    if _BLAS_THRESHOLD_COUNTS_VALUES:
        faiss.cvar.distance_compute_blas_threshold = _BLAS_FROM_QUERIES * dim
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before
