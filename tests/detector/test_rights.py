from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detector.rights import judge
from detector.types import Channel, Match, Verdict
from index.records import Policy, Work

POINT = 0.5


def work(policy: Policy) -> Work:
    return Work(
        id="metropolis",
        title="Metropolis",
        owner="Murnau Foundation",
        policy=policy,
        source="metropolis.mp4",
        digest="0" * 64,
        duration=9180.0,
        frames_sampled=10,
        frames_uniform=1,
        number=7,
        added_at=datetime(2024, 1, 10, tzinfo=UTC),
    )


def match(score: float, channel: Channel) -> Match:
    return Match("metropolis", channel, score, segments=())


@pytest.mark.parametrize(
    ("policy", "channel", "score", "verdict"),
    [
        (Policy.BLOCK, Channel.COPY, 0.9, Verdict.BLOCK),
        (Policy.REVIEW, Channel.COPY, 0.9, Verdict.REVIEW),
        (Policy.MONITOR, Channel.COPY, 0.9, Verdict.MONITOR),
        (Policy.ALLOW, Channel.COPY, 0.9, Verdict.ALLOW),
        # A look-alike is never blocked without a person's review.
        (Policy.BLOCK, Channel.SEMANTIC, 0.9, Verdict.REVIEW),
        (Policy.BLOCK, Channel.SEMANTIC, 1.0, Verdict.REVIEW),
        (Policy.REVIEW, Channel.SEMANTIC, 0.9, Verdict.REVIEW),
        (Policy.MONITOR, Channel.SEMANTIC, 0.9, Verdict.MONITOR),
        (Policy.ALLOW, Channel.SEMANTIC, 0.9, Verdict.ALLOW),
        # At the operating point the policy counts, below it never.
        (Policy.BLOCK, Channel.COPY, 0.5, Verdict.BLOCK),
        (Policy.BLOCK, Channel.COPY, 0.499, Verdict.CLEAR),
        (Policy.REVIEW, Channel.COPY, 0.0, Verdict.CLEAR),
        (Policy.MONITOR, Channel.COPY, 0.3, Verdict.CLEAR),
        (Policy.ALLOW, Channel.COPY, 0.3, Verdict.CLEAR),
        (Policy.BLOCK, Channel.SEMANTIC, 0.3, Verdict.CLEAR),
    ],
)
def test_policy_channel_and_score_make_the_verdict(
    policy: Policy, channel: Channel, score: float, verdict: Verdict
) -> None:
    assert judge(match(score, channel), work(policy), POINT).verdict is verdict


@pytest.mark.parametrize("policy", Policy)
def test_no_look_alike_is_ever_blocked(policy: Policy) -> None:
    for score in (0.0, 0.5, 1.0):
        flag = judge(match(score, Channel.SEMANTIC), work(policy), POINT)
        assert flag.verdict is not Verdict.BLOCK


@pytest.mark.parametrize("policy", Policy)
def test_the_reason_names_the_policy_that_decided(policy: Policy) -> None:
    for channel in Channel:
        assert policy.value in judge(match(0.9, channel), work(policy), POINT).reason


def test_below_the_operating_point_the_reason_names_the_score() -> None:
    reason = judge(match(0.41, Channel.COPY), work(Policy.BLOCK), POINT).reason
    assert "0.41" in reason
    assert "0.50" in reason


def test_a_flag_says_whose_work_it_is() -> None:
    found = match(0.9, Channel.COPY)
    flag = judge(found, work(Policy.BLOCK), POINT)
    assert (flag.match, flag.title, flag.owner) == (found, "Metropolis", "Murnau Foundation")


@pytest.mark.parametrize(
    ("verdict", "flagged"),
    [
        (Verdict.CLEAR, False),
        (Verdict.ALLOW, False),
        (Verdict.MONITOR, True),
        (Verdict.REVIEW, True),
        (Verdict.BLOCK, True),
    ],
)
def test_who_allows_or_does_not_match_is_not_told(verdict: Verdict, flagged: bool) -> None:
    assert verdict.is_flagged is flagged
