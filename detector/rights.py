"""From matches to flags: what the owner of a matched work, or a person, wants done."""

from __future__ import annotations

from detector.types import Channel, Flag, Likeness, Match, Verdict
from index.person_records import Person
from index.records import Policy, Work


def judge(match: Match, work: Work, operating_point: float) -> Flag:
    """Decide what a match leads to, and say why.

    A match below the operating point is clear, whatever the policy. Above it the work's policy
    decides, but a look-alike (semantic channel) is never blocked without a person's review: two
    scenes of the same kind may be alike by chance.
    """
    verdict, reason = _decide(match, Policy(work.policy), operating_point)
    return Flag(match, verdict, reason, title=work.title, owner=work.owner)


def judge_likeness(match: Match, person: Person) -> Flag:
    """Decide what the appearances of a person lead to: at most a review by people.

    A face that only resembles the person's leads to nothing.
    """
    if any(one.likeness is Likeness.LIKELY for one in match.appearances):
        verdict = Verdict(person.policy.value)
        reason = f"what {person.name} wants done with a likeness is {person.policy.value}"
    else:
        verdict, reason = Verdict.CLEAR, "it resembles the person, which nothing acts on"
    return Flag(match, verdict, reason, title=person.name, owner=person.authority)


def _decide(match: Match, policy: Policy, operating_point: float) -> tuple[Verdict, str]:
    if match.score < operating_point:
        return Verdict.CLEAR, (
            f"score {match.score:.2f} is below the operating point {operating_point:.2f}"
        )
    verdict = Verdict(policy.value)
    if match.channel is Channel.SEMANTIC and verdict is Verdict.BLOCK:
        return Verdict.REVIEW, "the work's policy is block, but look-alikes are only reviewed"
    return verdict, f"the work's policy for copies is {policy.value}"
