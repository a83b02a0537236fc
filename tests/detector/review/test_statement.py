from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from desk_examples import Staff, a_flag, a_result, digest_of_source, open_case

from detector.review.desk import Desk
from detector.review.errors import InvalidError
from detector.review.records import (
    REASONS,
    Action,
    Approval,
    Case,
    CaseState,
    Decision,
    Reason,
)
from detector.review.statement import (
    EEA,
    Automation,
    Category,
    ContentType,
    Ground,
    Keyword,
    Source,
    StatementOfReasons,
    Visibility,
    statement_of_reasons,
)
from detector.types import Appearance, Box, Channel, Flag, Likeness, Match, Verdict
from tests.detector.review.conftest import case_of

POSTED = datetime(2026, 5, 30, 23, 0, tzinfo=UTC)
DECIDED = datetime(2026, 6, 2, 9, 0, tzinfo=UTC)


def a_decision(
    action: Action = Action.BLOCK, reason: Reason = Reason.EDITED_COPY, **changes: Any
) -> Decision:
    facts: dict[str, Any] = {
        "comment": "Mallory did it again",
        "account_id": 1,
        "name": "anna",
        "decided_at": DECIDED,
        "approval": Approval.NOT_NEEDED,
    }
    return Decision(5, 17, action, reason, **(facts | changes))


def a_case(
    *decisions: Decision,
    flags: tuple[Flag, ...] = (),
    state: CaseState = CaseState.DECIDED,
    submitted_at: datetime | None = POSTED,
) -> Case:
    result = a_result(
        "uploads/mallory-clip.mp4",
        *flags,
        uploader="mallory",
        url="https://video.example/mallory/17",
        submitted_at=submitted_at,
    )
    case = case_of(result, digest_of_source("a"), 17)
    return replace(case, state=state, decisions=decisions or (a_decision(),))


def a_person() -> Flag:
    seen = Appearance(0, 3, 0.9, Likeness.LIKELY, 0.6, 6.0, 3.0, 6, 1.0, Box(0, 0, 1, 1), 0)
    match = Match("brigitte-helm", Channel.FACE, 0.9, appearances=(seen,))
    return Flag(match, Verdict.REVIEW, "", "Brigitte Helm", "consent form 12/2026")


LIKENESS = a_decision(
    Action.BLOCK,
    Reason.LIKENESS,
    approval=Approval.APPROVED,
    approval_by="carol",
    approval_at=datetime(2026, 6, 3, 8, 0, tzinfo=UTC),
)


def test_a_blocked_copy_in_the_words_of_the_database() -> None:
    assert statement_of_reasons(a_case()) == {
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"],
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
        "illegal_content_legal_ground": "Directive 2001/29/EC, Articles 2 and 3 (rights of "
        "reproduction and of communication to the public), as transposed by the member states",
        "illegal_content_explanation": "The video holds footage of a protected work with changes "
        "to its pictures, its speed or its order. Nobody who holds the right has allowed that it "
        "is reproduced and made available to the public, in this or another form.",
        "content_type": ["CONTENT_TYPE_VIDEO"],
        "category": "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
        "category_specification": ["KEYWORD_COPYRIGHT_INFRINGEMENT"],
        "territorial_scope": list(EEA),
        "content_date": "2026-05-30",
        "application_date": "2026-06-02",
        "decision_facts": "The video's pictures were compared by machine with reference material "
        "of protected works and persons. Found: 4.0 s of footage of “Metropolis”. A member of "
        "staff has decided on this evidence to remove the video (edited copy).",
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
        "puid": "case-17-decision-5",
    }


def test_a_blocked_likeness_names_nobody() -> None:
    """The database takes no personal data."""
    case = a_case(LIKENESS, flags=(a_person(),))
    values = statement_of_reasons(case)

    assert values["category"] == Category.PRIVACY
    assert values["category_specification"] == [Keyword.OTHER]
    assert "likeness" in values["category_specification_other"]
    assert values["application_date"] == "2026-06-03"  # the day of the approval
    assert "a second person has approved it" in values["decision_facts"]
    written = json.dumps(values).lower()
    for name in ("brigitte", "helm", "mallory", "anna", "carol", "consent form"):
        assert name not in written


def test_a_replica_of_a_person_is_synthetic_media() -> None:
    values = statement_of_reasons(a_case(LIKENESS, flags=(a_person(),)), is_synthetic=True)
    assert values["content_type"] == [ContentType.VIDEO, ContentType.SYNTHETIC]
    assert values["category"] == Category.CYBER_VIOLENCE
    assert values["category_specification"] == [Keyword.DEEPFAKE]
    assert "category_specification_other" not in values


@pytest.mark.parametrize("reason", REASONS[Action.BLOCK])
def test_every_reason_to_block_can_be_given(reason: Reason) -> None:
    values = statement_of_reasons(a_case(a_decision(reason=reason)))
    assert values["illegal_content_explanation"]
    assert reason.value in values["decision_facts"]


def test_a_notice_that_led_to_it_is_named_as_the_source() -> None:
    values = statement_of_reasons(
        a_case(),
        source=Source.ARTICLE_16,
        source_identity="Rights Desk GmbH",
        content_language="DE",
    )
    assert values["source_type"] == "SOURCE_ARTICLE_16"
    assert values["source_identity"] == "Rights Desk GmbH"
    assert values["content_language"] == "DE"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (a_case(state=CaseState.OPEN), "once it is decided"),
        (a_case(a_decision(undone_at=DECIDED)), "once it is decided"),
        (
            a_case(a_decision(approval=Approval.WAITING), state=CaseState.TO_APPROVE),
            "is to approve",
        ),
        (a_case(a_decision(Action.DISMISS, Reason.FAIR_USE)), "was dismissed"),
        (a_case(a_decision(Action.MONITOR, Reason.MINOR_USE)), "restricts nothing"),
        (a_case(a_decision(Action.NOTICE)), "restricts nothing"),
    ],
)
def test_without_a_decision_that_takes_it_down_there_are_no_reasons(case: Case, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        statement_of_reasons(case)


def test_the_decision_that_stands_counts() -> None:
    undone = a_decision(Action.DISMISS, Reason.FALSE_MATCH, undone_at=DECIDED)
    refused = a_decision(Action.BLOCK, Reason.LOOK_ALIKE, approval=Approval.REFUSED)
    standing = replace(a_decision(reason=Reason.FULL_COPY), id=9)
    values = statement_of_reasons(a_case(undone, refused, standing))
    assert values["puid"] == "case-17-decision-9"
    assert "(full copy)" in values["decision_facts"]


def test_when_it_was_posted_has_to_be_known() -> None:
    case = a_case(submitted_at=None)
    with pytest.raises(InvalidError, match="give content_date"):
        statement_of_reasons(case)
    values = statement_of_reasons(case, content_date=date(2026, 4, 1))
    assert values["content_date"] == "2026-04-01"


def test_of_very_many_works_the_first_are_named() -> None:
    flags = tuple(a_flag(f"work-{n}", title="T" * 1000) for n in range(80))
    values = statement_of_reasons(a_case(flags=flags))
    assert "and 70 more" in values["decision_facts"]
    assert len(values["decision_facts"]) <= 5000


def a_statement(**changes: Any) -> StatementOfReasons:
    facts: dict[str, Any] = {
        "decision_visibility": (Visibility.REMOVED,),
        "decision_ground": Ground.ILLEGAL,
        "illegal_content_legal_ground": "Directive 2001/29/EC",
        "illegal_content_explanation": "It is a copy.",
        "content_type": (ContentType.VIDEO,),
        "category": Category.INTELLECTUAL_PROPERTY,
        "category_specification": (Keyword.COPYRIGHT,),
        "territorial_scope": ("DE", "FR"),
        "content_date": date(2026, 5, 30),
        "application_date": date(2026, 6, 2),
        "decision_facts": "It was found.",
        "source_type": Source.VOLUNTARY,
        "automated_detection": False,
        "automated_decision": Automation.NONE,
        "puid": "17",
    }
    return StatementOfReasons(**(facts | changes))


def test_a_statement_is_plain_values() -> None:
    values = a_statement().to_json()
    assert values["territorial_scope"] == ["DE", "FR"]
    assert values["automated_detection"] == "No"
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("decision_visibility", ()),
        ("content_type", ()),
        ("territorial_scope", ()),
        ("territorial_scope", ("DE", "US")),
        ("territorial_scope", ("EL",)),
        ("illegal_content_legal_ground", "x" * 501),
        ("illegal_content_explanation", "x" * 2001),
        ("illegal_content_explanation", " "),
        ("decision_facts", ""),
        ("decision_facts", "x" * 5001),
        ("content_language", "de"),
        ("content_language", "DEU"),
        ("content_date", date(1999, 12, 31)),
        ("application_date", date(2019, 12, 31)),
        ("source_identity", "Rights Desk GmbH"),
        ("puid", "case 17"),
        ("puid", ""),
        ("puid", "x" * 501),
    ],
)
def test_what_the_database_refuses_is_no_statement(name: str, value: object) -> None:
    with pytest.raises(InvalidError, match=name):
        a_statement(**{name: value})


def test_content_is_not_posted_after_the_decision() -> None:
    with pytest.raises(InvalidError, match="content_date is after"):
        a_statement(content_date=date(2026, 6, 3))


def test_a_case_of_the_desk(desk: Desk, staff: Staff) -> None:
    case = open_case(desk, submitted_at=datetime(2025, 1, 31, tzinfo=UTC))
    desk.cases.claim(case.id, staff.anna)
    with pytest.raises(InvalidError, match="once it is decided"):
        statement_of_reasons(desk.cases.get(case.id))
    made = desk.cases.decide(case.id, staff.anna, Action.BLOCK, Reason.PARTIAL_COPY)

    values = statement_of_reasons(desk.cases.get(case.id))
    assert values["puid"] == f"case-{case.id}-decision-{made.id}"
    assert values["content_date"] == "2025-01-31"
