"""What holds of every judgement, whatever the rights: checked against oracles and by properties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rights_examples import (
    POINT,
    TODAY,
    a_licence,
    a_match,
    a_person,
    a_rule,
    a_segment,
    a_work,
    an_exclusion,
    an_upload,
    seen,
)

from detector.rights import Circumstances, judge, judge_likeness, without_excluded
from detector.types import Channel, Flag, Likeness, Match, Segment, Submission, Verdict
from index.person_records import LIKENESS_POLICIES
from index.records import Policy
from index.rights_records import CHANNELS, Exclusion, Kind, Licence, Rights, Rule

DAY = timedelta(days=1)
OPERATED = (Channel.COPY, Channel.SEMANTIC)

# --- coverage on a grid, against an oracle ----------------------------------------------------

UPLOADERS = (None, "studio_a", "studio_b")
TERRITORIES = (None, "DE", "FR", "US")
FIRST, LAST = TODAY, TODAY + 9 * DAY
DAYS = (FIRST - DAY, FIRST, FIRST + 5 * DAY, LAST, LAST + DAY)


def licences_of(kind: Kind) -> Iterator[Licence]:
    """Yield licences with every combination of what they may leave open."""
    channels: tuple[tuple[str, ...], ...] = (CHANNELS[kind],)
    if kind is Kind.WORK:
        channels = (("copy",), ("semantic",), ("copy", "semantic"))
    for licensee, named, territories, starts, ends in product(
        (None, "studio_a"), channels, ((), ("DE",), ("DE", "FR")), (None, FIRST), (None, LAST)
    ):
        yield a_licence(
            kind=kind,
            licensee=licensee,
            channels=named,
            territories=territories,
            starts=starts,
            ends=ends,
        )


def uploads() -> Iterator[Circumstances]:
    for uploader, territory, day in product(UPLOADERS, TERRITORIES, DAYS):
        yield an_upload(uploader, territory, day)


def missed(licence: Licence, channel: Channel, upload: Circumstances) -> int:
    """Count what an upload lacks, by listing all that the licence allows."""
    uploaders: set[str | None] = {licence.licensee} if licence.licensee else {*UPLOADERS}
    territories: set[str | None] = {*licence.territories} or {*TERRITORIES}
    days = {
        day
        for day in DAYS
        if (licence.starts or date.min) <= day and day <= (licence.ends or date.max)
    }
    return (
        (channel.value not in licence.channels)
        + (upload.submission.uploader not in uploaders)
        + (upload.submission.territory not in territories)
        + (upload.today not in days)
    )


def judged(channel: Channel, licences: Sequence[Licence], upload: Circumstances) -> Flag:
    rights = Rights(tuple(licences))
    if channel is Channel.FACE:
        return judge_likeness(seen(), a_person(), rights, upload)
    return judge(a_match(channel=channel), a_work(), POINT, rights, upload)


@pytest.mark.parametrize("channel", Channel)
def test_all_that_is_covered_is_allowed_and_all_else_flagged(channel: Channel) -> None:
    kind = Kind.PERSON if channel is Channel.FACE else Kind.WORK
    wrong = []
    outcomes = {"covered": 0, "nearly": 0, "neither": 0}
    for licence, upload in product(licences_of(kind), uploads()):
        flag = judged(channel, [licence], upload)
        lacking = missed(licence, channel, upload)
        if lacking == 0:
            outcomes["covered"] += 1
            right = flag.verdict is Verdict.ALLOW and flag.licence == licence.document
        else:
            outcomes["nearly" if lacking == 1 else "neither"] += 1
            right = (
                flag.verdict.is_flagged
                and flag.licence is None
                and len(flag.nearly) == (lacking == 1)
            )
        if not right:
            wrong.append((licence, upload, flag))
    assert wrong == []
    assert all(count > 100 for count in outcomes.values())


ANY_LICENCE = st.sampled_from(list(licences_of(Kind.WORK)))
ANY_UPLOAD = st.sampled_from(list(uploads()))


@given(st.lists(ANY_LICENCE, max_size=5), ANY_UPLOAD, st.sampled_from(OPERATED))
def test_one_licence_among_several_that_covers_is_enough(
    licences: list[Licence], upload: Circumstances, channel: Channel
) -> None:
    flag = judged(channel, licences, upload)
    covered = any(missed(licence, channel, upload) == 0 for licence in licences)
    assert (flag.verdict is Verdict.ALLOW) is covered
    nearly = sum(missed(licence, channel, upload) == 1 for licence in licences)
    assert len(flag.nearly) == (0 if covered else nearly)


# --- verdicts ---------------------------------------------------------------------------------

SHARES = st.none() | st.floats(0, 1)
SECONDS = st.none() | st.floats(0, 30)


@st.composite
def rules(draw: st.DrawFn, kind: Kind = Kind.WORK) -> Rule:
    channel = draw(st.sampled_from((None, *CHANNELS[kind])))
    harmless = kind is Kind.PERSON or channel == "semantic"
    return a_rule(
        draw(st.sampled_from(LIKENESS_POLICIES if harmless else tuple(Policy))),
        kind=kind,
        channel=channel,
        min_seconds=draw(SECONDS),
        min_share_upload=draw(SHARES),
        min_share_reference=draw(st.none() if kind is Kind.PERSON else SHARES),
        min_score=draw(SHARES),
    )


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    query, ref = draw(st.floats(0, 50)), draw(st.floats(0, 90))
    length, speed = draw(st.floats(0.1, 20)), draw(st.floats(0.5, 2))
    score = draw(st.floats(0, 1))
    return a_segment((query, query + length), (ref, ref + length * speed), score)


@st.composite
def exclusions(draw: st.DrawFn) -> Exclusion:
    start, length = draw(st.floats(0, 100)), draw(st.floats(0.01, 30))
    return an_exclusion(start, start + length)


MATCHES = st.builds(
    lambda parts, channel: a_match(*parts, channel=channel),
    st.lists(segments(), min_size=1, max_size=4),
    st.sampled_from(OPERATED),
)
RIGHTS = st.builds(
    Rights,
    st.lists(ANY_LICENCE, max_size=2).map(tuple),
    st.lists(rules(), max_size=4).map(tuple),
    st.lists(exclusions(), max_size=3).map(tuple),
)


@given(MATCHES, st.sampled_from(Policy), RIGHTS, ANY_UPLOAD)
def test_no_look_alike_is_ever_blocked(
    match: Match, policy: Policy, rights: Rights, upload: Circumstances
) -> None:
    flag = judge(match, a_work(policy), POINT, rights, upload)
    if match.channel is Channel.SEMANTIC:
        assert flag.verdict is not Verdict.BLOCK


@given(
    st.lists(st.sampled_from(Likeness), min_size=1, max_size=4),
    st.sampled_from(LIKENESS_POLICIES),
    st.lists(rules(Kind.PERSON) | rules(), max_size=4),  # also rules that were misfiled
    ANY_UPLOAD,
)
def test_no_likeness_is_ever_blocked(
    likenesses: list[Likeness], policy: Policy, rules: list[Rule], upload: Circumstances
) -> None:
    rights = Rights(rules=tuple(rules))
    flag = judge_likeness(seen(*likenesses), a_person(policy), rights, upload)
    assert flag.verdict is not Verdict.BLOCK


@given(MATCHES, st.sampled_from(Policy), RIGHTS, ANY_UPLOAD)
def test_a_licence_that_covers_never_raises_the_verdict(
    match: Match, policy: Policy, rights: Rights, upload: Circumstances
) -> None:
    before = judge(match, a_work(policy), POINT, rights, upload)
    more = Rights((*rights.licences, a_licence(99)), rights.rules, rights.exclusions)
    after = judge(match, a_work(policy), POINT, more, upload)
    assert after.verdict.rank <= before.verdict.rank
    assert not after.verdict.is_flagged


@given(st.lists(rules(), max_size=5), st.floats(0.5, 20), st.floats(POINT, 1))
def test_the_first_rule_whose_conditions_hold_decides(
    rules: list[Rule], seconds: float, score: float
) -> None:
    work, upload = a_work(Policy.REVIEW, duration=50), an_upload(duration=40)
    flag = judge(
        a_match(a_segment((0, seconds), (0, seconds), score)),
        work,
        POINT,
        Rights(rules=tuple(rules)),
        upload,
    )
    expected = work.policy
    for rule in reversed(rules):
        if (
            rule.channel in (None, "copy")
            and (rule.min_seconds is None or seconds >= rule.min_seconds)
            and (rule.min_share_upload is None or seconds / 40 >= rule.min_share_upload)
            and (rule.min_share_reference is None or seconds / 50 >= rule.min_share_reference)
            and (rule.min_score is None or score >= rule.min_score)
        ):
            expected = rule.policy
    assert flag.verdict.value == expected.value


@given(MATCHES, st.sampled_from(Policy), RIGHTS, ANY_UPLOAD)
def test_whoever_reads_a_flag_is_told_why(
    match: Match, policy: Policy, rights: Rights, upload: Circumstances
) -> None:
    flag = judge(match, a_work(policy), POINT, rights, upload)
    assert flag.reason.strip()
    assert (flag.licence is not None) == flag.reason.startswith("covered by licence")
    assert not flag.nearly or flag.verdict.is_flagged


# --- exclusions -------------------------------------------------------------------------------


def parts(match: Match | None) -> tuple[Segment, ...]:
    return () if match is None else match.segments


@given(MATCHES, st.lists(exclusions(), max_size=5))
def test_nothing_that_is_left_is_excluded(match: Match, holes: list[Exclusion]) -> None:
    for rest in parts(without_excluded(match, holes)):
        for hole in holes:
            assert rest.ref_end <= hole.start or hole.end <= rest.ref_start


@given(MATCHES, st.lists(exclusions(), max_size=5))
def test_cutting_again_changes_nothing(match: Match, holes: list[Exclusion]) -> None:
    once = without_excluded(match, holes)
    assume(once is not None)
    assert once is not None
    assert without_excluded(once, holes) == once
    assert without_excluded(once, holes[::-1]) == once


@given(MATCHES, st.lists(exclusions(), max_size=5))
def test_what_is_left_was_there_at_the_same_time(match: Match, holes: list[Exclusion]) -> None:
    for rest in parts(without_excluded(match, holes)):
        whole = next(
            one
            for one in match.segments
            if one.ref_start <= rest.ref_start
            and rest.ref_end <= one.ref_end
            and one.query_start <= rest.query_start + 1e-6
            and rest.query_end <= one.query_end + 1e-6
            and (one.score, one.speed, one.evidence) == (rest.score, rest.speed, rest.evidence)
        )
        for query, ref in (
            (rest.query_start, rest.ref_start),
            (rest.query_end, rest.ref_end),
        ):
            line = np.interp(
                ref, (whole.ref_start, whole.ref_end), (whole.query_start, whole.query_end)
            )
            assert query == pytest.approx(line, abs=1e-6)
        assert all(rest.ref_start <= pair.ref_time <= rest.ref_end for pair in rest.pairs)


@given(segments(), st.lists(exclusions(), min_size=1, max_size=5))
def test_nothing_but_excluded_footage_and_short_rests_is_lost(
    segment: Segment, holes: list[Exclusion]
) -> None:
    step = 0.02
    count = int((segment.ref_end - segment.ref_start) / step)
    times = segment.ref_start + step * (np.arange(count) + 0.5)
    is_free = np.all([(times < one.start) | (one.end < times) for one in holes], axis=0)
    is_kept = np.zeros(count, bool)
    for rest in parts(without_excluded(a_match(segment), holes)):
        is_kept |= (rest.ref_start <= times) & (times <= rest.ref_end)
    # Each stretch of free times that is surely longer than half a second of the upload is kept.
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_free.astype(int), [0]))))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        seconds = (end - first - 1) * step / segment.speed
        if seconds >= 0.5:
            assert is_kept[first:end].all()


@given(MATCHES, st.lists(exclusions(), max_size=5))
def test_the_score_is_that_of_the_surest_rest(match: Match, holes: list[Exclusion]) -> None:
    rest = without_excluded(match, holes)
    if rest is None:
        assert all(
            any(hole.start < one.ref_end and one.ref_start < hole.end for hole in holes)
            for one in match.segments
        )
    else:
        assert rest.score == max(one.score for one in rest.segments)
        assert (rest.ref_id, rest.channel) == (match.ref_id, match.channel)


def test_what_is_not_known_of_an_upload_is_not_licensed() -> None:
    nothing = Circumstances(TODAY, 40.0, Submission())
    for channel in OPERATED:
        assert judged(channel, [a_licence(licensee="studio_a")], nothing).verdict.is_flagged
        assert judged(channel, [a_licence(territories=("DE",))], nothing).verdict.is_flagged
