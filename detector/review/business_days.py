"""When removed material goes back up after a counter-notice: counted in business days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

_DAY = timedelta(days=1)
_SATURDAY, _SUNDAY = 5, 6


def restore_window(received: date) -> tuple[date, date]:
    """Return from when and until when a provider puts material back.

    17 U.S.C. 512(g)(2)(C): not less than 10, nor more than 14, business days following receipt of
    the counter-notice, unless an action is filed before. The day of receipt does not count. The
    law does not say what a business day is: it is read here as a day from Monday to Friday that is
    no federal holiday of the United States (5 U.S.C. 6103).

    Returns
    -------
    tuple[date, date]
        The 10th and the 14th business day.

    >>> restore_window(date(2026, 6, 30))  # Friday the 3rd of July is a holiday
    (datetime.date(2026, 7, 15), datetime.date(2026, 7, 21))
    """
    days = _business_days_after(received)
    counted = [next(days) for _ in range(14)]
    return counted[9], counted[13]


def is_business_day(day: date) -> bool:
    """Whether a day is from Monday to Friday and no federal holiday."""
    return day.weekday() < _SATURDAY and day not in federal_holidays(day.year)


@cache
def federal_holidays(year: int) -> frozenset[date]:
    """Return the days of a year that are federal holidays of the United States, as observed.

    They are those since 2021, the first year with Juneteenth. What falls on a Saturday is observed
    on the Friday before, what falls on a Sunday on the Monday after; so a New Year's Day may be
    observed in the year before. Inauguration Day, which only Washington has, is not among them.
    """
    fixed = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
    days = [_observed(date(year, month, day)) for month, day in fixed]
    days.append(_observed(date(year + 1, 1, 1)))
    days += (
        _nth_monday(year, 1, 3),  # Martin Luther King's birthday
        _nth_monday(year, 2, 3),  # Washington's birthday
        _nth_monday(year, 6, 1) - 7 * _DAY,  # Memorial Day: the last Monday of May
        _nth_monday(year, 9, 1),  # Labor Day
        _nth_monday(year, 10, 2),  # Columbus Day
        _thanksgiving(year),
    )
    return frozenset(day for day in days if day.year == year)


def _business_days_after(day: date) -> Iterator[date]:
    while True:
        day += _DAY
        if is_business_day(day):
            yield day


def _observed(day: date) -> date:
    if day.weekday() == _SATURDAY:
        return day - _DAY
    if day.weekday() == _SUNDAY:
        return day + _DAY
    return day


def _nth_monday(year: int, month: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7 + 7 * (number - 1))


def _thanksgiving(year: int) -> date:
    """Return the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 21)
