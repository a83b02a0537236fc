"""Statements of reasons (DSA, Article 17) as the DSA Transparency Database takes them.

Names and values are those of the database's API (version 2 of its schema, July 2025). It wants no
personal data (Article 24(5)): no statement names a person, an uploader or a file, nor repeats what
a reviewer has written. What the uploader must be told besides, such as how to contest the decision
(Article 17(3)(f)), has no field there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from detector.review.errors import InvalidError
from detector.review.notice_drafts import Facts, facts_of
from detector.review.records import Action, Approval, Case, CaseState, Decision, Reason
from detector.text import amount, visible

EEA = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE",
    "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
"""Countries of the European Economic Area: where a removal applies."""

_MOST_FACTS = 5000  # characters
_MOST_EXPLANATION = 2000
_MOST_GROUND = 500
_PUID = re.compile(r"[A-Za-z0-9_-]{1,500}")
_LANGUAGE = re.compile(r"[A-Z]{2}")
_FIRST_CONTENT = date(2000, 1, 1)
_FIRST_APPLICATION = date(2020, 1, 1)
_MOST_NAMED = 10  # works; of more their number is given


class Visibility(StrEnum):
    """What was done to the content: `decision_visibility`."""

    REMOVED = "DECISION_VISIBILITY_CONTENT_REMOVED"
    DISABLED = "DECISION_VISIBILITY_CONTENT_DISABLED"
    DEMOTED = "DECISION_VISIBILITY_CONTENT_DEMOTED"
    AGE_RESTRICTED = "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED"
    INTERACTION_RESTRICTED = "DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED"
    LABELLED = "DECISION_VISIBILITY_CONTENT_LABELLED"


class Ground(StrEnum):
    """Why it may be done: `decision_ground`."""

    ILLEGAL = "DECISION_GROUND_ILLEGAL_CONTENT"
    INCOMPATIBLE = "DECISION_GROUND_INCOMPATIBLE_CONTENT"


class ContentType(StrEnum):
    """What the content is: `content_type`."""

    VIDEO = "CONTENT_TYPE_VIDEO"
    SYNTHETIC = "CONTENT_TYPE_SYNTHETIC_MEDIA"


class Category(StrEnum):
    """What it is about, of the categories that works and likenesses come under: `category`."""

    INTELLECTUAL_PROPERTY = "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS"
    PRIVACY = "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS"
    CYBER_VIOLENCE = "STATEMENT_CATEGORY_CYBER_VIOLENCE"


class Keyword(StrEnum):
    """More exactly: `category_specification`."""

    COPYRIGHT = "KEYWORD_COPYRIGHT_INFRINGEMENT"
    DEEPFAKE = "KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE"
    OTHER = "KEYWORD_OTHER"


class Source(StrEnum):
    """Who has brought it up: `source_type`."""

    ARTICLE_16 = "SOURCE_ARTICLE_16"
    TRUSTED_FLAGGER = "SOURCE_TRUSTED_FLAGGER"
    OTHER_NOTIFICATION = "SOURCE_TYPE_OTHER_NOTIFICATION"
    VOLUNTARY = "SOURCE_VOLUNTARY"


class Automation(StrEnum):
    """How far a machine has decided: `automated_decision`."""

    FULLY = "AUTOMATED_DECISION_FULLY"
    PARTIALLY = "AUTOMATED_DECISION_PARTIALLY"
    NONE = "AUTOMATED_DECISION_NOT_AUTOMATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementOfReasons:
    """A statement that the database would take.

    Attributes
    ----------
    content_date
        When the content was uploaded or posted.
    application_date
        From when the decision applies.
    source_identity
        Who has notified, where that is strictly necessary; nothing for `Source.VOLUNTARY`.
    puid
        Number of the statement on the platform: letters, digits, ``-`` and ``_``.

    Raises
    ------
    InvalidError
        The database would refuse it; the message says why.
    """

    decision_visibility: tuple[Visibility, ...]
    decision_ground: Ground
    illegal_content_legal_ground: str
    illegal_content_explanation: str
    content_type: tuple[ContentType, ...]
    category: Category
    category_specification: tuple[Keyword, ...]
    category_specification_other: str | None = None
    territorial_scope: tuple[str, ...]
    content_language: str | None = None
    content_date: date
    application_date: date
    decision_facts: str
    source_type: Source
    source_identity: str | None = None
    automated_detection: bool
    automated_decision: Automation
    puid: str

    def __post_init__(self) -> None:
        texts: Mapping[str, tuple[str | None, int]] = {
            "illegal_content_legal_ground": (self.illegal_content_legal_ground, _MOST_GROUND),
            "illegal_content_explanation": (self.illegal_content_explanation, _MOST_EXPLANATION),
            "decision_facts": (self.decision_facts, _MOST_FACTS),
            "category_specification_other": (self.category_specification_other, _MOST_GROUND),
            "source_identity": (self.source_identity, _MOST_GROUND),
        }
        wrong = [
            f"{name} has 1 to {most} characters"
            for name, (text, most) in texts.items()
            if text is not None and not (text.strip() and len(text) <= most)
        ]
        lists = ("decision_visibility", "content_type", "territorial_scope")
        wrong += [f"{name} is empty" for name in lists if not getattr(self, name)]
        if unknown := set(self.territorial_scope) - set(EEA):
            wrong.append(f"territorial_scope names countries of the EEA, not {sorted(unknown)}")
        if self.content_language is not None and not _LANGUAGE.fullmatch(self.content_language):
            wrong.append("content_language is a code of ISO 639-1 such as EN")
        if self.content_date < _FIRST_CONTENT:
            wrong.append(f"content_date is {_FIRST_CONTENT} or later")
        if self.application_date < _FIRST_APPLICATION:
            wrong.append(f"application_date is {_FIRST_APPLICATION} or later")
        if self.application_date < self.content_date:
            wrong.append("content_date is after the decision about the content")
        if self.source_type is Source.VOLUNTARY and self.source_identity is not None:
            wrong.append("source_identity is for notices: say which source_type it was")
        if not _PUID.fullmatch(self.puid):
            wrong.append("puid has 1 to 500 letters, digits, '-' and '_'")
        if wrong:
            raise InvalidError("the statement of reasons is not valid: " + "; ".join(wrong))

    def to_json(self) -> dict[str, Any]:
        """Return the fields that have a value, as plain JSON values."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        values["automated_detection"] = "Yes" if self.automated_detection else "No"
        return {name: _plain(value) for name, value in values.items()}


def statement_of_reasons(
    case: Case,
    *,
    content_date: date | None = None,
    content_language: str | None = None,
    is_synthetic: bool = False,
    source: Source = Source.VOLUNTARY,
    source_identity: str | None = None,
) -> dict[str, Any]:
    """Draft the statement of reasons for the decision that stands about a case.

    Parameters
    ----------
    content_date
        When the upload was posted, where the case does not know.
    content_language
        Code of ISO 639-1, if it is known.
    is_synthetic
        Whether the upload is known to be made or altered by a machine.
    source
        Who brought it up; unless said otherwise, the platform's own look.

    Raises
    ------
    InvalidError
        There is nothing to give reasons for: the case is not decided, or its decision takes
        nothing down; or the date of the upload is not known, or a value cannot be taken.
    """
    made = _standing(case)
    posted = content_date or _posted(case)
    if posted is None:
        raise InvalidError(
            f"it is not known when the upload of case {case.id} was posted: give content_date "
            "(YYYY-MM-DD)"
        )
    is_likeness = made.reason is Reason.LIKENESS
    category, keyword, other = Category.INTELLECTUAL_PROPERTY, Keyword.COPYRIGHT, None
    if is_likeness and is_synthetic:
        category, keyword = Category.CYBER_VIOLENCE, Keyword.DEEPFAKE
    elif is_likeness:
        category, keyword = Category.PRIVACY, Keyword.OTHER
        other = "Use of a person's likeness without their consent"
    types = (ContentType.VIDEO, ContentType.SYNTHETIC) if is_synthetic else (ContentType.VIDEO,)
    return StatementOfReasons(
        decision_visibility=(Visibility.REMOVED,),
        decision_ground=Ground.ILLEGAL,
        illegal_content_legal_ground=_IMAGE_RIGHT if is_likeness else _COPYRIGHT,
        illegal_content_explanation=_EXPLANATIONS[made.reason],
        content_type=types,
        category=category,
        category_specification=(keyword,),
        category_specification_other=other,
        territorial_scope=EEA,
        content_language=content_language,
        content_date=posted,
        application_date=(made.approval_at or made.decided_at).astimezone(UTC).date(),
        decision_facts=_in_words(facts_of(case), made),
        source_type=source,
        source_identity=source_identity,
        automated_detection=True,
        automated_decision=Automation.NONE,  # no case is decided but by somebody
        puid=f"case-{case.id}-decision-{made.id}",
    ).to_json()


_COPYRIGHT = (
    "Directive 2001/29/EC, Articles 2 and 3 (rights of reproduction and of communication to the "
    "public), as transposed by the member states"
)
_IMAGE_RIGHT = (
    "Right to one's own image under the law of the member states (such as § 22 KunstUrhG in "
    "Germany, Article 9 of the Code civil in France)"
)
_EXPLANATIONS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.FULL_COPY: "The video is a copy of a protected work. Nobody who holds the right "
        "has allowed that it is reproduced and made available to the public.",
        Reason.PARTIAL_COPY: "The video holds parts of a protected work. Nobody who holds the "
        "right has allowed that they are reproduced and made available to the public.",
        Reason.EDITED_COPY: "The video holds footage of a protected work with changes to its "
        "pictures, its speed or its order. Nobody who holds the right has allowed that it is "
        "reproduced and made available to the public, in this or another form.",
        Reason.LOOK_ALIKE: "The video recreates scenes of a protected work closely enough to "
        "reproduce its protected expression. Nobody who holds the right has allowed that.",
        Reason.LIKENESS: "The video shows the likeness of a person. Neither that person nor who "
        "speaks for them has consented to that.",
        Reason.LICENCE_EXPIRED: "The video holds footage of a protected work. The licence under "
        "which it could be used has ended.",
    }
)


def _standing(case: Case) -> Decision:
    """Return the decision that takes the upload down; `InvalidError` if there is none."""
    standing = [
        one
        for one in case.decisions
        if one.undone_at is None and one.approval in {Approval.NOT_NEEDED, Approval.APPROVED}
    ]
    if case.state is not CaseState.DECIDED or not standing:
        raise InvalidError(
            f"case {case.id} is {case.state}: there is a statement of reasons once it is decided"
        )
    made = standing[-1]
    if made.action is Action.DISMISS:
        raise InvalidError(f"case {case.id} was dismissed: there is nothing to give reasons for")
    if made.action is not Action.BLOCK:
        raise InvalidError(
            f"the decision about case {case.id} is {made.action}, which restricts nothing here: "
            "only who takes an upload down gives reasons for it (DSA, Article 17)"
        )
    return made


def _posted(case: Case) -> date | None:
    at = case.submission.submitted_at
    return None if at is None else at.astimezone(UTC).date()


def _in_words(facts: Facts, made: Decision) -> str:
    found = [
        f"{amount(one.seconds)} {'of footage of' if one.is_copy else 'of scenes that resemble'} "
        f"“{_short(one.title)}”"
        for one in facts.works
    ]
    found += [
        f"{amount(one.seconds)} with the likeness of a person whose rights are asserted"
        for one in facts.people
    ]
    what = _listed(found) if found else "nothing that still counts"
    second = ", and a second person has approved it" if made.approval is Approval.APPROVED else ""
    return (
        "The video's pictures were compared by machine with reference material of protected works "
        f"and persons. Found: {what}. A member of staff has decided on this evidence to remove "
        f"the video ({made.reason}){second}."
    )


def _listed(found: Sequence[str]) -> str:
    named, rest = found[:_MOST_NAMED], len(found) - _MOST_NAMED
    return "; ".join([*named, f"and {rest} more"] if rest > 0 else named)


def _short(title: str, most: int = 200) -> str:
    shown = visible(title)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, StrEnum) else value
