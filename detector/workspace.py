"""The index of a workspace, wherever the settings say that its parts are."""

from __future__ import annotations

from detector.settings import Settings
from index.reference_index import ReferenceIndex


def open_index(settings: Settings) -> ReferenceIndex:
    """Open the index that the settings name; to be closed by a `with`.

    Raises
    ------
    index.errors.ReferenceIndexError
        As for `ReferenceIndex.open`, or `vectors` is no address of a vector service.
    """
    return ReferenceIndex.open(
        settings.home, settings.database_url, vectors=settings.vector_service
    )
