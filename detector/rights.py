"""From matches to flags: what the owner of a matched work wants done."""

from __future__ import annotations

from detector.types import Channel, Flag, Match, Verdict
from index.records import Policy, Work


def judge(match: Match, work: Work, operating_point: float) -> Flag:
    """Decide what a match leads to, and say why.

    A match below the operating point is clear, whatever the policy. Above it the work's policy
    decides, but a look-alike (semantic channel) is never blocked without a person's review: two
    scenes of the same kind may be alike by chance.
    """
    verdict, reason = _decide(match, Policy(work.policy), operating_point)
    return Flag(match, verdict, reason, title=work.title, owner=work.owner)


def _decide(match: Match, policy: Policy, operating_point: float) -> tuple[Verdict, str]:
    if match.score < operating_point:
        return Verdict.CLEAR, (
            f"score {match.score:.2f} is below the operating point {operating_point:.2f}"
        )
    verdict = Verdict(policy.value)
    if match.channel is Channel.SEMANTIC and verdict is Verdict.BLOCK:
        return Verdict.REVIEW, "the work's policy is block, but look-alikes are only reviewed"
    return verdict, f"the work's policy for copies is {policy.value}"
