"""What may come into the API: bounded, so that no database refuses what was let in.

A 64-bit integer is the most that a database counts to, PostgreSQL takes no NUL in texts, and
neither does any encoding take half a surrogate pair (which Pydantic refuses by itself).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

_MOST = 2**63 - 1
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
NO_NUL = r"^[^\x00]*$"
SOMETHING = r"^[^\x00]*[^\x00\s][^\x00]*$"  # and not only white space
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

Number = Annotated[int, Field(ge=1, le=_MOST)]
"""What the database counts by."""

JsonNumber = Annotated[int, Field(ge=1, le=_MOST, strict=True)]
"""The same in a body, where a text of digits is no number."""

Flag = Annotated[bool, Field(strict=True)]
"""Yes or no, in a body."""

Text = Annotated[str, StringConstraints(max_length=4000, pattern=NO_NUL)]
"""A few sentences, or none."""

Said = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=SOMETHING)]
"""A few sentences."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=SOMETHING)]
"""A name, or what one searches for."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_NUL)]
"""What a work or a person is called by."""

Password = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=NO_NUL)]

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A score, or a part of a whole."""

JsonShare = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
"""The same in a body."""

JsonSeconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=True)]


def _bounded(moment: datetime) -> datetime:
    """Refuse what overflows once it is brought to UTC, or stored."""
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError(f"give a time from {_EARLIEST:%Y} to {_LATEST:%Y}")
    return moment


def _written(value: object) -> object:
    """Refuse numbers, which Pydantic would take for seconds since 1970."""
    if isinstance(value, str) and _ISO.match(value):
        return value
    raise ValueError("write it as in ISO 8601: 2026-01-31, or 2026-01-31T12:00:00Z for a time")


Day = Annotated[date, BeforeValidator(_written)]
"""A day."""

Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_bounded)]
"""A time with its offset from UTC."""

CaseId = Annotated[Number, Path(description="Number of the case.")]


class Body(BaseModel):
    """What a request says; fields that are not known are refused, since they may be misspelt."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Paging(Body):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    """How many at most."""
    offset: Annotated[int, Field(ge=0, le=_MOST)] = 0
    """How many to leave out."""


Part = Annotated[Paging, Query()]


def part_of(items: Sequence[object], part: Paging) -> dict[str, Any]:
    """Return part of a list that is at hand, see `models.Page`."""
    shown = items[part.offset : part.offset + part.limit]
    return page(shown, len(items), part)


def page(items: Sequence[object], total: int, part: Paging) -> dict[str, Any]:
    """Return part of a list as it is sent, see `models.Page`."""
    return {"items": items, "total": total, "limit": part.limit, "offset": part.offset}
