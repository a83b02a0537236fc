"""What all operations on the library have in common: where it is, and how a change is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar

from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.errors import ConflictError, InvalidError, NotFoundError
from detector.review.records import Actor, NewEvent
from index.errors import (
    AlreadyEnrolledError,
    IdTakenError,
    IndexBusyError,
    InvalidPersonError,
    InvalidRightsError,
    InvalidWorkError,
    PersonIdTakenError,
    UnknownPersonError,
    UnknownRightsError,
    UnknownWorkError,
)

_LONGEST = 300  # characters of a title, a name, a reference
_LONGEST_WHY = 4000

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """Part of a list."""

    items: tuple[_Item, ...]
    total: int


class LibraryPart:
    """Some operations on what is protected; `detector.review.library.Library` has them all.

    Parameters
    ----------
    engine, desk
        Stay open as long as the library is used.
    """

    def __init__(self, engine: Engine, desk: Desk) -> None:
        self._engine = engine
        self._index = engine.index
        self._home = engine.settings.home
        self._audit = desk.audit

    def _tell(
        self,
        actor: Actor,
        action: str,
        subject: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        why: str = "",
        versions: Mapping[str, str] | None = None,
        evidence: Mapping[str, str] | None = None,
    ) -> None:
        event = NewEvent(action, subject, before, after, why, versions or {}, evidence or {})
        self._audit.record(actor, event)


def page_of(
    items: Iterable[_Item],
    search: str,
    limit: int,
    offset: int,
    texts: Callable[[_Item], Iterable[str | None]],
) -> Page[_Item]:
    """Return part of those items of which one of the texts contains what is searched for."""
    wanted = search.casefold().strip()
    found = [one for one in items if any(wanted in (text or "").casefold() for text in texts(one))]
    return Page(tuple(found[offset : offset + limit]), len(found))


def line(text: str, what: str, *, needed: bool = True) -> str:
    """Return a line of text, its white space made plain."""
    plain = " ".join(text.split())
    if needed and not plain:
        raise InvalidError(f"the {what} is missing")
    if len(plain) > _LONGEST or not plain.isprintable():
        raise InvalidError(
            f"the {what} is too long, or holds what does not show: give at most {_LONGEST} "
            "printable characters"
        )
    return plain


def reason(text: str) -> str:
    """Return why something is done, in the words of who does it; may be nothing."""
    if len(text) > _LONGEST_WHY or "\0" in text:
        raise InvalidError(f"say why in at most {_LONGEST_WHY} characters")
    return text.strip()


def to_come(day: date | None) -> date:
    """Return a last day that is not over yet."""
    if day is None or day < today():
        raise InvalidError(f"{day} is over: give today or a day to come")
    return day


def today() -> date:
    """Return the present day in UTC, by which the index tells who has expired."""
    return datetime.now(UTC).date()


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the index refuses into the desk's errors, for its pages and its API."""
    try:
        yield
    except (UnknownWorkError, UnknownPersonError, UnknownRightsError) as error:
        raise NotFoundError(str(error)) from error
    except (AlreadyEnrolledError, IdTakenError, PersonIdTakenError, IndexBusyError) as error:
        raise ConflictError(str(error)) from error
    except (InvalidWorkError, InvalidPersonError, InvalidRightsError) as error:
        raise InvalidError(str(error)) from error
