"""What a match with a work leads to: by policy, licences, rules and exclusions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from rights_examples import (
    NO_RIGHTS,
    POINT,
    TODAY,
    a_licence,
    a_match,
    a_rule,
    a_segment,
    a_work,
    an_exclusion,
    an_upload,
)

from detector.rights import Circumstances, judge, without_excluded
from detector.types import Channel, Flag, Match, Verdict
from index.records import Policy, Work
from index.rights_records import Exclusion, Licence, Rights, Rule

DAY = timedelta(days=1)


def judged(
    *rights: Licence | Rule | Exclusion,
    match: Match | None = None,
    work: Work | None = None,
    upload: Circumstances | None = None,
) -> Flag:
    """Judge a copy of 10 seconds of a work whose policy is block, unless another is given."""
    of_work = Rights(
        tuple(one for one in rights if isinstance(one, Licence)),
        tuple(one for one in rights if isinstance(one, Rule)),
        tuple(one for one in rights if isinstance(one, Exclusion)),
    )
    return judge(match or a_match(), work or a_work(), POINT, of_work, upload or an_upload())


# --- policies ---------------------------------------------------------------------------------


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
    flag = judged(match=a_match(channel=channel, score=score), work=a_work(policy))
    assert flag.verdict is verdict


@pytest.mark.parametrize("policy", Policy)
def test_the_reason_names_the_policy_that_decided(policy: Policy) -> None:
    for channel in (Channel.COPY, Channel.SEMANTIC):
        flag = judged(match=a_match(channel=channel), work=a_work(policy))
        assert policy.value in flag.reason


def test_below_the_operating_point_the_reason_names_the_score() -> None:
    reason = judged(match=a_match(score=0.41)).reason
    assert "0.41" in reason
    assert "0.50" in reason


def test_a_flag_says_whose_work_it_is() -> None:
    found = a_match()
    flag = judge(found, a_work(), POINT, NO_RIGHTS, an_upload())
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


# --- licences ---------------------------------------------------------------------------------

LICENSED: dict[str, Any] = {
    "licensee": "studio_a",
    "channels": ("copy",),
    "territories": ("DE", "FR"),
    "starts": TODAY - 10 * DAY,
    "ends": TODAY + 10 * DAY,
}


def test_a_covered_match_is_allowed_and_the_licence_recorded() -> None:
    flag = judged(a_licence(4, **LICENSED), upload=an_upload("studio_a", "FR"))
    assert flag.verdict is Verdict.ALLOW
    assert not flag.verdict.is_flagged
    assert flag.licence == "contract 4"
    assert flag.reason == "covered by licence 4 (contract 4)"
    assert flag.nearly == ()


def test_the_licence_that_covers_is_recorded_not_one_that_nearly_does() -> None:
    over = a_licence(1, ends=TODAY - DAY)
    flag = judged(over, a_licence(2), a_licence(3))
    assert (flag.verdict, flag.licence, flag.nearly) == (Verdict.ALLOW, "contract 2", ())


def test_a_licence_comes_before_every_rule() -> None:
    flag = judged(a_licence(), a_rule(Policy.BLOCK))
    assert flag.verdict is Verdict.ALLOW
    assert flag.licence == "contract 1"


@pytest.mark.parametrize(
    ("upload", "channel", "lacking"),
    [
        (
            an_upload("studio_a", "DE", TODAY + 11 * DAY),
            Channel.COPY,
            "ended on 2026-03-25",
        ),
        (
            an_upload("studio_a", "DE", TODAY - 11 * DAY),
            Channel.COPY,
            "begins on 2026-03-05",
        ),
        (
            an_upload("studio_a", "US"),
            Channel.COPY,
            "is for DE, FR, and not for US",
        ),
        (
            an_upload("studio_a", None),
            Channel.COPY,
            "is for DE, FR, and where the upload is shown is not known",
        ),
        (
            an_upload("studio_b", "DE"),
            Channel.COPY,
            "is for studio_a, and the uploader is studio_b",
        ),
        (
            an_upload(None, "DE"),
            Channel.COPY,
            "is for studio_a, and the uploader is not known",
        ),
        (
            an_upload("studio_a", "DE"),
            Channel.SEMANTIC,
            "does not speak of look-alikes",
        ),
    ],
    ids=["ended", "not begun", "territory", "no territory", "uploader", "no uploader", "channel"],
)
def test_where_one_thing_is_lacking_it_is_flagged_and_the_licence_shown(
    upload: Circumstances, channel: Channel, lacking: str
) -> None:
    flag = judged(a_licence(**LICENSED), match=a_match(channel=channel), upload=upload)
    assert flag.verdict.is_flagged
    assert flag.licence is None
    assert flag.nearly == (f"licence 1 (contract 1) {lacking}",)


@pytest.mark.parametrize(
    ("upload", "channel"),
    [
        (an_upload("studio_b", "US"), Channel.COPY),
        (an_upload("studio_b", "DE", TODAY + 11 * DAY), Channel.COPY),
        (an_upload("studio_a", "DE", TODAY - 11 * DAY), Channel.SEMANTIC),
        (an_upload(), Channel.COPY),
    ],
)
def test_a_licence_that_lacks_two_things_is_not_shown(
    upload: Circumstances, channel: Channel
) -> None:
    flag = judged(a_licence(**LICENSED), match=a_match(channel=channel), upload=upload)
    assert flag.verdict.is_flagged
    assert (flag.licence, flag.nearly) == (None, ())


@pytest.mark.parametrize(
    ("day", "covered"),
    [
        (TODAY - DAY, False),
        (TODAY, True),
        (TODAY + DAY, True),
        (TODAY + 2 * DAY, False),
    ],
)
def test_the_first_and_the_last_day_count(day: date, covered: bool) -> None:
    licence = a_licence(starts=TODAY, ends=TODAY + DAY)
    flag = judged(licence, upload=an_upload(today=day))
    assert (flag.verdict is Verdict.ALLOW) is covered


def test_a_licence_of_one_day_covers_that_day() -> None:
    assert judged(a_licence(starts=TODAY, ends=TODAY)).verdict is Verdict.ALLOW


def test_account_names_are_compared_exactly() -> None:
    licence = a_licence(licensee="studio_a")
    assert judged(licence, upload=an_upload("Studio_A")).verdict is Verdict.BLOCK
    assert judged(licence, upload=an_upload("studio_a")).verdict is Verdict.ALLOW


def test_nearly_is_told_only_of_what_is_flagged() -> None:
    over = a_licence(ends=TODAY - DAY)
    assert judged(over, work=a_work(Policy.ALLOW)).nearly == ()
    assert judged(over, work=a_work(Policy.MONITOR)).nearly != ()


def test_what_is_below_the_operating_point_needs_no_licence() -> None:
    flag = judged(a_licence(), match=a_match(score=0.3))
    assert (flag.verdict, flag.licence) == (Verdict.CLEAR, None)


# --- rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "below", "at", "above"),
    [
        # The match is 10 s of an upload of 40 s and of a work of 100 s, with score 0.9.
        ("min_seconds", 10.01, 10.0, 9.99),
        ("min_share_upload", 0.251, 0.25, 0.249),
        ("min_share_reference", 0.101, 0.1, 0.099),
        ("min_score", 0.91, 0.9, 0.89),
    ],
)
def test_a_rule_holds_from_its_limit_on(
    condition: str, below: float, at: float, above: float
) -> None:
    def verdict(limit: float) -> Verdict:
        rule = replace(a_rule(Policy.MONITOR), **{condition: limit})
        return judged(rule, work=a_work(Policy.REVIEW)).verdict

    assert verdict(below) is Verdict.REVIEW  # the match is below the limit
    assert verdict(at) is Verdict.MONITOR
    assert verdict(above) is Verdict.MONITOR


def test_a_rule_for_a_channel_holds_in_it_alone() -> None:
    rule = a_rule(Policy.ALLOW, channel="semantic")
    assert judged(rule, match=a_match(channel=Channel.SEMANTIC)).verdict is Verdict.ALLOW
    assert judged(rule, match=a_match(channel=Channel.COPY)).verdict is Verdict.BLOCK


def test_all_conditions_of_a_rule_must_hold() -> None:
    both = a_rule(Policy.MONITOR, min_seconds=5, min_score=0.95)
    assert judged(both).verdict is Verdict.BLOCK
    assert judged(replace(both, min_score=0.8)).verdict is Verdict.MONITOR


def test_the_first_rule_that_holds_decides() -> None:
    long = a_rule(Policy.BLOCK, 1, min_seconds=30)
    short = a_rule(Policy.MONITOR, 2, min_seconds=5)
    rest = a_rule(Policy.ALLOW, 3)
    work = a_work(Policy.REVIEW)
    assert judged(long, short, rest, work=work).verdict is Verdict.MONITOR
    assert judged(short, long, rest, work=work).verdict is Verdict.MONITOR
    assert judged(long, rest, short, work=work).verdict is Verdict.ALLOW
    minute = a_match(a_segment((0, 60), (0, 60)))
    assert judged(long, short, rest, work=work, match=minute).verdict is Verdict.BLOCK


def test_a_share_of_an_upload_of_unknown_length_is_not_reached() -> None:
    rule = a_rule(Policy.ALLOW, min_share_upload=0.0)
    assert judged(rule, upload=an_upload(duration=None)).verdict is Verdict.BLOCK
    assert judged(rule).verdict is Verdict.ALLOW


def test_seconds_that_two_segments_show_count_once() -> None:
    twice = a_match(a_segment((0, 10), (40, 50)), a_segment((5, 12), (60, 67)))
    assert judged(a_rule(Policy.MONITOR, min_seconds=12), match=twice).verdict is Verdict.MONITOR
    assert judged(a_rule(Policy.MONITOR, min_seconds=12.1), match=twice).verdict is Verdict.BLOCK


def test_the_reason_tells_the_rule_its_conditions_and_what_was_measured() -> None:
    rule = a_rule(
        Policy.MONITOR, 3, channel="copy", min_seconds=8, min_share_upload=0.2, min_score=0.5
    )
    assert judged(rule).reason == (
        "rule 3 of the work: monitor for copies if at least 8.0 s match and at least 20 % of the "
        "upload match and the score is at least 0.50 (here 10.0 s, 25 %, 0.90)"
    )
    unconditional = judged(a_rule(Policy.REVIEW, 4))
    assert unconditional.reason == "rule 4 of the work: review"


def test_where_no_rule_holds_the_reason_says_so() -> None:
    reason = judged(a_rule(Policy.ALLOW, min_seconds=60)).reason
    assert reason == "no rule holds, and the work's policy is block"


def test_a_rule_that_blocks_in_any_channel_only_reviews_look_alikes() -> None:
    flag = judged(a_rule(Policy.BLOCK), match=a_match(channel=Channel.SEMANTIC))
    assert flag.verdict is Verdict.REVIEW
    assert flag.reason.endswith("block, but look-alikes are only reviewed")


# --- exclusions -------------------------------------------------------------------------------


def cut(match: Match, *holes: tuple[float, float]) -> list[tuple[float, float, float, float]]:
    """Return what is left of a match: times of upload and work."""
    rests = without_excluded(match, [an_exclusion(start, end) for start, end in holes])
    segments = () if rests is None else rests.segments
    return [(s.query_start, s.query_end, s.ref_start, s.ref_end) for s in segments]


@pytest.mark.parametrize(
    ("holes", "left"),
    [
        # The match: 10 to 20 s of the upload show 40 to 50 s of the work.
        ([(0, 40)], [(10, 20, 40, 50)]),
        ([(50, 60)], [(10, 20, 40, 50)]),
        ([(0, 43)], [(13, 20, 43, 50)]),
        ([(47, 60)], [(10, 17, 40, 47)]),
        ([(43, 45)], [(10, 13, 40, 43), (15, 20, 45, 50)]),
        ([(43, 45), (44, 47)], [(10, 13, 40, 43), (17, 20, 47, 50)]),
        ([(45, 47), (43, 45)], [(10, 13, 40, 43), (17, 20, 47, 50)]),
        ([(41, 42), (48, 49)], [(10, 11, 40, 41), (12, 18, 42, 48), (19, 20, 49, 50)]),
        ([(40, 50)], []),
        ([(0, 100)], []),
    ],
)
def test_excluded_seconds_are_cut_off(
    holes: list[tuple[float, float]], left: list[tuple[float, float, float, float]]
) -> None:
    assert cut(a_match(), *holes) == left


def test_rests_of_less_than_half_a_second_are_dropped() -> None:
    assert cut(a_match(), (40.5, 49.5)) == [(10, 10.5, 40, 40.5), (19.5, 20, 49.5, 50)]
    assert cut(a_match(), (40.49, 49.51)) == []


def test_half_a_second_is_the_uploads_own() -> None:
    slow = a_match(a_segment((0, 10), (40, 45)))  # played at half speed
    ((start, end, *_),) = cut(slow, (40.3, 45))
    assert (start, end) == (0, pytest.approx(0.6))
    fast = a_match(a_segment((0, 10), (40, 60)))
    assert cut(fast, (40.8, 60)) == []


def test_where_the_work_ended_before_the_upload_did_nothing_is_left() -> None:
    stands_still = a_match(a_segment((10, 20), (100, 100)))
    assert cut(stands_still, (90, 110)) == []
    assert cut(stands_still, (50, 100)) == [(10, 20, 100, 100)]


def test_rests_keep_the_frame_pairs_that_they_show_and_the_match_its_best_score() -> None:
    match = a_match(a_segment(score=0.95), a_segment((30, 40), (70, 80), score=0.7))
    rest = without_excluded(match, [an_exclusion(43, 45)])
    assert rest is not None
    assert [len(one.pairs) for one in rest.segments] == [4, 6, 11]
    assert rest.score == 0.95
    other = without_excluded(match, [an_exclusion(40, 50)])
    assert other is not None
    assert other.score == 0.7


def test_a_match_of_nothing_but_what_is_excluded_is_clear_and_says_why() -> None:
    whole = a_match()
    flag = judged(
        an_exclusion(0, 45, "the studio's ident"),
        an_exclusion(45, 60, "NASA footage"),
        an_exclusion(60, 80, "an insert"),
        match=whole,
    )
    assert flag.verdict is Verdict.CLEAR
    assert flag.match == whole
    assert flag.reason == (
        "it shows nothing of the work but what is excluded from matching (the studio's ident; "
        "NASA footage)"
    )


def test_what_is_left_beside_excluded_footage_is_judged_and_the_rest_told() -> None:
    flag = judged(an_exclusion(43, 45), a_rule(Policy.MONITOR, min_seconds=8.1))
    assert flag.verdict is Verdict.BLOCK  # 8 of the 10 seconds count
    assert flag.reason.endswith("; 2.0 s lie in excluded footage and do not count")
    assert [one.ref_end for one in flag.match.segments] == [43, 50]


def test_a_match_whose_sure_part_is_excluded_may_fall_below_the_operating_point() -> None:
    match = a_match(a_segment(score=0.9), a_segment((30, 40), (70, 80), score=0.4))
    assert judged(match=match).verdict is Verdict.BLOCK
    assert judged(an_exclusion(40, 50), match=match).verdict is Verdict.CLEAR
