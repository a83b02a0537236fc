"""What can go wrong with the index, by name; every message says what to do about it."""

from __future__ import annotations


class ReferenceIndexError(Exception):
    """Anything the index refuses or cannot do."""


class CatalogError(ReferenceIndexError):
    """The catalogue cannot be opened, or refuses what was asked of it."""


class NewerDatabaseError(ReferenceIndexError):
    """The tables of a database were made by migrations that this version does not know.

    Parameters
    ----------
    revision
        The last of them.
    """

    def __init__(self, revision: str) -> None:
        super().__init__(f"migration {revision} was done by a newer matchcut: upgrade matchcut")
        self.revision = revision


class InvalidWorkError(CatalogError, ValueError):
    """What was said of a work cannot be written down (its id, policy, digest, frames ...)."""


class UnknownWorkError(CatalogError, LookupError):
    """No work has that id or number."""


class UnknownBackgroundError(CatalogError, LookupError):
    """No footage in the background has that number."""


class IdTakenError(CatalogError):
    """Another file already goes by that id."""


class AlreadyEnrolledError(CatalogError):
    """The very same file, or a work's channel, is in the index already."""


class InvalidPersonError(CatalogError, ValueError):
    """What was said of a person or their faces cannot be written down."""


class UnknownPersonError(CatalogError, LookupError):
    """No person has that id or number."""


class PersonIdTakenError(CatalogError):
    """Somebody already goes by that id."""


class InvalidRightsError(CatalogError, ValueError):
    """What was said of a licence, a rule or an exclusion cannot be written down."""


class UnknownRightsError(CatalogError, LookupError):
    """No licence, rule or exclusion has that number."""


class WrongKeyError(ReferenceIndexError):
    """What is sealed does not open with the key that was given."""


class SpaceMismatchError(ReferenceIndexError):
    """Vectors of two descriptors would be compared with each other."""


class NotStagedError(ReferenceIndexError):
    """A channel cannot move to another space, since works would be lost from it."""


class DamagedFileError(ReferenceIndexError):
    """A file of the index is missing or does not hold what was written to it."""


class IndexBusyError(ReferenceIndexError):
    """Another process has been writing to the same index for too long."""


class VectorServiceError(ReferenceIndexError):
    """The vector database cannot be used: its address is wrong, or it is away for too long."""


class StoppedError(ReferenceIndexError):
    """What searches a channel is not built after all; nothing is left of it."""


class CollectionGoneError(ReferenceIndexError):
    """A vector database does not have a collection any more."""
