"""A likeness alone leads at most to a review by people."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from detector.rights import judge_likeness
from detector.types import Appearance, Box, Channel, Likeness, Match, Verdict
from index.person_records import LIKENESS_POLICIES, Person
from index.records import Policy


def a_person(policy: Policy = Policy.REVIEW) -> Person:
    return Person(
        id="anna",
        name="Anna Magnani",
        authority="Her estate",
        retain_until=date(2030, 1, 1),
        policy=policy,
        number=1,
        added_at=datetime(2026, 1, 1, tzinfo=UTC),
        faces=3,
    )


def seen(*likenesses: Likeness) -> Match:
    appearances = tuple(
        Appearance(n, n + 1, 0.95, one, 0.6, 6.0, 4.0, 5, n, Box(0, 0, 1, 1), 1)
        for n, one in enumerate(likenesses)
    )
    return Match("anna", Channel.FACE, 0.95, appearances=appearances)


@pytest.mark.parametrize("policy", LIKENESS_POLICIES)
def test_a_likely_face_leads_to_what_the_person_wants(policy):
    flag = judge_likeness(seen(Likeness.RESEMBLES, Likeness.LIKELY), a_person(policy))
    assert flag.verdict == Verdict(policy.value)
    assert flag.verdict is not Verdict.BLOCK
    assert policy.value in flag.reason
    assert (flag.title, flag.owner) == ("Anna Magnani", "Her estate")


@pytest.mark.parametrize("policy", LIKENESS_POLICIES)
def test_a_face_that_resembles_leads_to_nothing(policy):
    flag = judge_likeness(seen(Likeness.RESEMBLES, Likeness.RESEMBLES), a_person(policy))
    assert flag.verdict is Verdict.CLEAR
    assert "resembles" in flag.reason
