"""What a reviewer wants to see of the queue, as it stands in the page's address.

The same parameters go along to the case page and back, so that "next" means the next of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeVar
from urllib.parse import urlencode

from detector.review.records import CaseFilter, CaseState, Sort
from detector.types import Channel, Verdict

ALL = "all"  # states
BANDS = {
    "0.95-1": "0.95 and more",
    "0.8-0.95": "0.80 to 0.95",
    "0-0.8": "below 0.80",
}
AGES = {
    "day": "in the last 24 hours",
    "week": "in the last 7 days",
    "before-day": "more than 24 hours ago",
    "before-week": "more than 7 days ago",
}
_AGES = {"day": timedelta(days=1), "week": timedelta(days=7)}
_LONGEST = 200  # characters of a value that anybody means
_MORE = ("uploader", "work", "person", "owner")
NAMES = ("state", "source", "channel", "verdict", "band", "age", "claimed", "sort", *_MORE)

_Kind = TypeVar("_Kind", bound=Enum)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parameters as they were given; what is not known of them is not asked."""

    state: str = CaseState.OPEN.value
    source: str = ""
    channel: str = ""
    verdict: str = ""
    band: str = ""
    age: str = ""
    claimed: str = ""
    sort: str = ""
    uploader: str = ""
    work: str = ""
    person: str = ""
    owner: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """Read the parameters of an address."""
        given = {name: query.get(name, "").strip()[:_LONGEST] for name in NAMES}
        return cls(**{name: text for name, text in given.items() if text and "\0" not in text})

    @property
    def is_filtered(self) -> bool:
        return any(getattr(self, name) for name in NAMES if name not in {"state", "sort"})

    @property
    def more_filtered(self) -> bool:
        return any(getattr(self, name) for name in _MORE)

    def address(self, **changes: object) -> str:
        """Return the query part of an address, with its question mark; "" if it is the usual."""
        values = {name: getattr(self, name) for name in NAMES} | changes
        usual = {"state": CaseState.OPEN.value}
        said = {
            name: value
            for name, value in values.items()
            if value not in ("", None) and value != usual.get(name)
        }
        return f"?{urlencode(said)}" if said else ""

    @property
    def order(self) -> Sort:
        return _known(Sort, self.sort) or Sort.GRAVEST

    def filter(self, account_id: int | None) -> CaseFilter:
        """Return what the store is asked for.

        Parameters
        ----------
        account_id
            Whose cases are "mine".
        """
        state = _known(CaseState, self.state)
        low, high = _band(self.band)
        before, after = _age(self.age)
        return CaseFilter(
            states=() if state is None else (state,),
            channel=_known(Channel, self.channel),
            verdict=_known(Verdict, self.verdict),
            min_score=low,
            max_score=high,
            owner=self.owner or None,
            work=self.work or None,
            person=self.person or None,
            uploader=self.uploader or None,
            source=self.source or None,
            opened_before=before,
            opened_after=after,
            claimed_by=account_id if self.claimed == "me" else None,
            is_claimed={"yes": True, "no": False}.get(self.claimed),
        )


def _known(kind: type[_Kind], value: str) -> _Kind | None:
    return next((one for one in kind if one.value == value), None)


def _band(band: str) -> tuple[float | None, float | None]:
    if band not in BANDS:
        return None, None
    low, high = map(float, band.split("-"))
    return low or None, high if high < 1 else None


def _age(age: str) -> tuple[datetime | None, datetime | None]:
    if age not in AGES:
        return None, None
    limit = datetime.now(UTC) - _AGES[age.removeprefix("before-")]
    return (limit, None) if age.startswith("before-") else (None, limit)
