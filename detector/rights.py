"""From matches to flags: what the owner of a matched work, or a person, wants done.

What decides, in this order: what the owner claims nothing for is cut off; a match below the
operating point is clear; a licence that covers the upload allows it; of the owner's rules the first
that holds says what is to be done, and if none does, their policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from detector.rights_words import CHANNEL_WORDS, CONDITIONS, rule_in_words
from detector.text import amount
from detector.timeline import Interval, covered
from detector.types import (
    Channel,
    Flag,
    Likeness,
    Match,
    Segment,
    Submission,
    Verdict,
)
from index.person_records import Person
from index.records import Policy, Work
from index.rights_records import Exclusion, Licence, Rights, Rule

_LEAST_REST = 0.5  # seconds; what is left beside an exclusion is no finer than the sampling


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of an upload, besides what it shows, when it is judged."""

    # The day of the scan, not of the submission: an upload that stays up after a licence has ended
    # is not licensed any more.
    today: date
    duration: float | None = None  # seconds of the upload
    submission: Submission = field(default_factory=Submission)


def judge(
    match: Match, work: Work, operating_point: float, rights: Rights, upload: Circumstances
) -> Flag:
    """Decide what a match with a work leads to, and say why.

    A look-alike (semantic channel) is never blocked without a person's review: two scenes of the
    same kind may be alike by chance.

    Parameters
    ----------
    rights
        Those of the work.

    Returns
    -------
    Flag
        Its match is without what the owner claims nothing for; whole, and clear, if that is all.
    """
    counted = without_excluded(match, rights.exclusions)
    if counted is None:
        reason = _excluded(match, rights.exclusions)
        return Flag(match, Verdict.CLEAR, reason, work.title, work.owner)
    if counted.score < operating_point:
        score = f"score {counted.score:.2f} is below the operating point {operating_point:.2f}"
        return Flag(counted, Verdict.CLEAR, score, work.title, work.owner)
    matched = [(one.query_start, one.query_end) for one in counted.segments]
    known = [(one.ref_start, one.ref_end) for one in counted.segments]
    shares = covered(known) / work.duration if work.duration else 0.0
    measures = _measures(counted, matched, upload.duration, shares)
    policy = f"the work's policy is {work.policy.value}"
    flag = Flag(counted, Verdict.CLEAR, "", work.title, work.owner)
    flag = _decided(flag, work.policy, policy, rights, measures, upload)
    left_out = covered((one.query_start, one.query_end) for one in match.segments)
    left_out -= covered(matched)
    if left_out > 0:
        reason = f"{flag.reason}; {amount(left_out)} lie in excluded footage and do not count"
        flag = replace(flag, reason=reason)
    return flag


def judge_likeness(match: Match, person: Person, rights: Rights, upload: Circumstances) -> Flag:
    """Decide what the appearances of a person lead to: at most a review by people.

    A face that only resembles the person's leads to nothing.

    Parameters
    ----------
    rights
        Those of the person.
    """
    flag = Flag(match, Verdict.CLEAR, "", person.name, person.authority)
    likely = [(one.start, one.end) for one in match.appearances if one.likeness is Likeness.LIKELY]
    if not likely:
        return replace(flag, reason="it resembles the person, which nothing acts on")
    measures = _measures(match, likely, upload.duration, None)
    policy = f"what {person.name} wants done with a likeness is {person.policy.value}"
    return _decided(flag, person.policy, policy, rights, measures, upload)


def without_excluded(match: Match, exclusions: Sequence[Exclusion]) -> Match | None:
    """Cut the excluded seconds of the work off a match; None if nothing else is left.

    Rests of less than half a second are dropped, too. The evidence of what is left stays that of
    the whole segment.
    """
    if not exclusions or not match.segments:
        return match
    holes = _united((one.start, one.end) for one in exclusions)
    segments = tuple(rest for one in match.segments for rest in _rests(one, holes))
    if not segments:
        return None
    return replace(match, segments=segments, score=max(one.score for one in segments))


def _united(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same times as intervals that do not touch, in order."""
    united: list[Interval] = []
    for start, end in sorted(intervals):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    return united


def _rests(segment: Segment, holes: Sequence[Interval]) -> Iterator[Segment]:
    """Return what is left of a segment beside the holes in the work."""
    start, end = segment.ref_start, segment.ref_end
    inside = [(max(a, start), min(b, end)) for a, b in holes if a < end and start < b]
    if not inside:
        yield segment
        return
    if start == end:  # where the work ends before the upload does
        return
    edges = [start, *(edge for hole in inside for edge in hole), end]
    # Both ends lie on the alignment's line, so what is between them does.
    slope = (segment.query_end - segment.query_start) / (end - start)
    for ref_start, ref_end in zip(edges[::2], edges[1::2], strict=True):
        query_start = segment.query_start + slope * (ref_start - start)
        query_end = segment.query_end - slope * (end - ref_end)
        if query_end - query_start >= _LEAST_REST:
            yield replace(
                segment,
                query_start=query_start,
                query_end=query_end,
                ref_start=ref_start,
                ref_end=ref_end,
                pairs=tuple(p for p in segment.pairs if ref_start <= p.ref_time <= ref_end),
            )


def _excluded(match: Match, exclusions: Sequence[Exclusion]) -> str:
    shown = [
        one.why
        for one in exclusions
        if any(one.start < part.ref_end and part.ref_start < one.end for part in match.segments)
    ]
    whys = "; ".join(dict.fromkeys(shown))
    return f"it shows nothing of the work but what is excluded from matching ({whys})"


@dataclass(frozen=True, slots=True)
class _Measures:
    """What the conditions of rules are compared with."""

    seconds: float  # of the upload that match
    share_upload: float | None  # None: the upload's duration is not known
    share_reference: float | None  # None: a person has no duration
    score: float


def _measures(
    match: Match, matched: Sequence[Interval], duration: float | None, share: float | None
) -> _Measures:
    seconds = covered(matched)
    return _Measures(seconds, seconds / duration if duration else None, share, match.score)


def _decided(
    flag: Flag,
    policy: Policy,
    policy_words: str,
    rights: Rights,
    measures: _Measures,
    upload: Circumstances,
) -> Flag:
    """Return the flag with verdict, reason and licences."""
    channel = flag.match.channel
    nearly = []
    for licence in rights.licences:
        lacking = _lacking(licence, channel, upload)
        name = f"licence {licence.number} ({licence.document})"
        if not lacking:
            reason = f"covered by {name}"
            return replace(
                flag, verdict=Verdict.ALLOW, reason=reason, licence=licence.document, nearly=()
            )
        if len(lacking) == 1:
            nearly.append(f"{name} {lacking[0]}")
    reason = policy_words
    if rights.rules:
        reason = f"no rule holds, and {policy_words}"
    for rule in rights.rules:
        words = _holds(rule, channel, measures)
        if words is not None:
            policy, reason = rule.policy, words
            break
    verdict = Verdict(policy.value)
    if verdict is Verdict.BLOCK and channel is not Channel.COPY:
        verdict = Verdict.REVIEW
        reason = f"{reason}, but {CHANNEL_WORDS[channel]} are only reviewed"
    return replace(
        flag, verdict=verdict, reason=reason, nearly=tuple(nearly) if verdict.is_flagged else ()
    )


def _lacking(licence: Licence, channel: Channel, upload: Circumstances) -> list[str]:
    """Say what keeps a licence from covering an upload; nothing if it does cover it."""
    lacking = []
    submission = upload.submission
    if channel not in licence.channels:
        lacking.append(f"does not speak of {CHANNEL_WORDS[channel]}")
    if not licence.has_begun(upload.today):
        lacking.append(f"begins on {licence.starts}")
    if licence.has_ended(upload.today):
        lacking.append(f"ended on {licence.ends}")
    if licence.licensee is not None and licence.licensee != submission.uploader:
        known = submission.uploader
        but = "the uploader is not known" if known is None else f"the uploader is {known}"
        lacking.append(f"is for {licence.licensee}, and {but}")
    if licence.territories and submission.territory not in licence.territories:
        known = submission.territory
        but = "where the upload is shown is not known" if known is None else f"not for {known}"
        lacking.append(f"is for {', '.join(licence.territories)}, and {but}")
    return lacking


def _holds(rule: Rule, channel: Channel, measures: _Measures) -> str | None:
    """Say that a rule holds, and with what measures; None if it does not."""
    if rule.channel is not None and rule.channel != channel:
        return None
    here = []
    for condition in CONDITIONS:
        least, value = getattr(rule, condition.limit), getattr(measures, condition.measure)
        if least is None:
            continue
        if value is None or value < least:
            return None
        here.append(condition.write(value))
    measured = f" (here {', '.join(here)})" if here else ""
    return f"rule {rule.number} of the {rule.kind}: {rule_in_words(rule)}{measured}"
