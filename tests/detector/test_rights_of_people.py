"""A likeness alone leads at most to a review by people."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rights_examples import (
    NO_RIGHTS,
    TODAY,
    a_licence,
    a_person,
    a_rule,
    an_upload,
    seen,
)

from detector.rights import judge_likeness
from detector.types import Likeness, Verdict
from index.person_records import LIKENESS_POLICIES
from index.records import Policy
from index.rights_records import Kind, Rights

OF_ANNA = {"kind": Kind.PERSON, "ref_id": "anna"}


@pytest.mark.parametrize("policy", LIKENESS_POLICIES)
def test_a_likely_face_leads_to_what_the_person_wants(policy: Policy) -> None:
    shown = seen(Likeness.RESEMBLES, Likeness.LIKELY)
    flag = judge_likeness(shown, a_person(policy), NO_RIGHTS, an_upload())
    assert flag.verdict == Verdict(policy.value)
    assert flag.verdict is not Verdict.BLOCK
    assert policy.value in flag.reason
    assert (flag.title, flag.owner) == ("Anna Magnani", "Her estate")


@pytest.mark.parametrize("policy", LIKENESS_POLICIES)
def test_a_face_that_resembles_leads_to_nothing(policy: Policy) -> None:
    shown = seen(Likeness.RESEMBLES, Likeness.RESEMBLES)
    rights = Rights(rules=(a_rule(Policy.REVIEW, **OF_ANNA),))
    flag = judge_likeness(shown, a_person(policy), rights, an_upload())
    assert flag.verdict is Verdict.CLEAR
    assert "resembles" in flag.reason


def test_a_licensed_likeness_is_allowed_and_the_licence_recorded() -> None:
    rights = Rights((a_licence(5, licensee="studio_a", **OF_ANNA),))
    flag = judge_likeness(seen(), a_person(), rights, an_upload("studio_a"))
    assert (flag.verdict, flag.licence) == (Verdict.ALLOW, "contract 5")
    other = judge_likeness(seen(), a_person(), rights, an_upload("studio_b"))
    assert (other.verdict, other.licence) == (Verdict.REVIEW, None)
    assert other.nearly == ("licence 5 (contract 5) is for studio_a, and the uploader is studio_b",)


def test_a_licence_that_is_over_covers_a_likeness_no_more() -> None:
    rights = Rights((a_licence(ends=TODAY, **OF_ANNA),))
    assert judge_likeness(seen(), a_person(), rights, an_upload()).verdict is Verdict.ALLOW
    tomorrow = an_upload(today=TODAY + timedelta(days=1))
    flag = judge_likeness(seen(), a_person(), rights, tomorrow)
    assert flag.verdict is Verdict.REVIEW
    assert flag.nearly == ("licence 1 (contract 1) ended on 2026-03-15",)


def test_only_likely_appearances_count_as_seconds() -> None:
    rule = a_rule(Policy.MONITOR, min_seconds=2, **OF_ANNA)
    likely, resembles = Likeness.LIKELY, Likeness.RESEMBLES
    rights = Rights(rules=(rule,))
    short = judge_likeness(seen(likely, resembles), a_person(), rights, an_upload())
    assert short.verdict is Verdict.REVIEW
    long = judge_likeness(seen(likely, likely, resembles), a_person(), rights, an_upload())
    assert long.verdict is Verdict.MONITOR
    assert long.reason == ("rule 1 of the person: monitor if at least 2.0 s match (here 2.0 s)")


def test_a_rule_may_speak_of_faces() -> None:
    rights = Rights(rules=(a_rule(Policy.ALLOW, channel="face", min_score=0.9, **OF_ANNA),))
    flag = judge_likeness(seen(score=0.95), a_person(), rights, an_upload())
    assert flag.verdict is Verdict.ALLOW
    assert flag.reason.startswith("rule 1 of the person: allow for a likeness if the score")
    assert judge_likeness(seen(score=0.8), a_person(), rights, an_upload()).verdict is (
        Verdict.REVIEW
    )
