from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.review.business_days import federal_holidays, is_business_day, restore_window

DAYS = st.dates(date(2021, 1, 1), date(2200, 12, 31))


def test_material_goes_back_up_ten_to_fourteen_business_days_later() -> None:
    # Two weeks without a holiday: from Monday to the Monday two weeks on, and to that Friday.
    assert restore_window(date(2026, 3, 2)) == (date(2026, 3, 16), date(2026, 3, 20))


@pytest.mark.parametrize("received", [date(2026, 3, 6), date(2026, 3, 7), date(2026, 3, 8)])
def test_the_clock_starts_on_the_next_business_day(received: date) -> None:
    """Received on a Friday, a Saturday or a Sunday: the next Monday is the first day."""
    assert restore_window(received) == (date(2026, 3, 20), date(2026, 3, 26))


def test_holidays_do_not_count() -> None:
    # Christmas of 2026 is a Friday, as is New Year's Day of 2027.
    assert restore_window(date(2026, 12, 18)) == (date(2027, 1, 5), date(2027, 1, 11))


def test_federal_holidays_of_a_year() -> None:
    assert sorted(federal_holidays(2024)) == [
        date(2024, 1, 1),
        date(2024, 1, 15),
        date(2024, 2, 19),
        date(2024, 5, 27),
        date(2024, 6, 19),
        date(2024, 7, 4),
        date(2024, 9, 2),
        date(2024, 10, 14),
        date(2024, 11, 11),
        date(2024, 11, 28),
        date(2024, 12, 25),
    ]


@pytest.mark.parametrize(
    ("observed", "actual"),
    [
        (date(2026, 7, 3), date(2026, 7, 4)),  # a Saturday: the Friday before
        (date(2027, 7, 5), date(2027, 7, 4)),  # a Sunday: the Monday after
        (date(2027, 12, 31), date(2028, 1, 1)),  # a Saturday, so in the year before
    ],
)
def test_holidays_on_a_weekend_are_observed_beside_it(observed: date, actual: date) -> None:
    assert observed in federal_holidays(observed.year)
    assert actual not in federal_holidays(actual.year)
    assert not is_business_day(observed)
    assert not is_business_day(actual)


@given(DAYS)
def test_the_window_is_four_business_days_long_and_never_turns_round(received: date) -> None:
    start, end = restore_window(received)
    days = [received + timedelta(days=n) for n in range(1, (end - received).days + 1)]
    counted = [day for day in days if is_business_day(day)]

    assert received < start < end
    assert is_business_day(start)
    assert is_business_day(end)
    assert (counted.index(start), len(counted)) == (9, 14)


@given(DAYS, st.integers(0, 30))
def test_what_is_received_later_is_not_due_earlier(received: date, later: int) -> None:
    start, end = restore_window(received)
    other_start, other_end = restore_window(received + timedelta(days=later))

    assert other_start >= start
    assert other_end >= end


@given(st.integers(2021, 2200))
def test_holidays_are_from_monday_to_friday(year: int) -> None:
    # Eleven, but for a New Year's Day that is observed in the year before.
    assert all(day.weekday() < 5 for day in federal_holidays(year))
    assert 10 <= len(federal_holidays(year)) <= 12
