"""An index whose catalogue is in each kind of database."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from index.reference_index import ReferenceIndex


@pytest.fixture
def open_index(database_url: str) -> Callable[..., ReferenceIndex]:
    """Return what opens the index of a home: its catalogue is in there, or on PostgreSQL."""
    elsewhere = None if database_url.startswith("sqlite") else database_url
    return partial(ReferenceIndex.open, database_url=elsewhere)
