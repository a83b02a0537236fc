"""What the machine knows of a case, and writes into the draft of a notice.

It writes what was found and where; what somebody has to consider, look up or state is left to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from detector.output import from_json
from detector.report import edits_of
from detector.report_people import likely
from detector.review.notice_elements import Element, elements
from detector.review.records import Case, NoticeKind
from detector.text import amount, clock, visible
from detector.timeline import covered
from detector.types import Channel, Flag, Submission


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of the upload."""

    start: float  # seconds
    end: float


@dataclass(frozen=True, slots=True)
class WorkPassage(Passage):
    """A stretch of the upload that shows a stretch of a work."""

    work_start: float  # seconds
    work_end: float
    edits: tuple[str, ...]  # what was done to the work


@dataclass(frozen=True, slots=True)
class FoundWork:
    """A work that was flagged in the upload."""

    title: str
    owner: str | None
    is_copy: bool  # False: scenes that only look alike
    seconds: float  # of the upload
    passages: tuple[WorkPassage, ...]  # in order of upload time


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """A person who was flagged in the upload, and is likely seen."""

    name: str
    authority: str | None  # who speaks for them, and by what
    seconds: float  # of the upload
    passages: tuple[Passage, ...]  # in order of time


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a case, as far as a notice may say it."""

    case_id: int
    submission: Submission  # of the upload
    works: tuple[FoundWork, ...]
    people: tuple[FoundPerson, ...]


def facts_of(case: Case) -> Facts:
    """Gather what a notice may say of a case: what was flagged, and of faces only the likely ones.

    Raises
    ------
    ValueError, KeyError
        The case's result is not what `detector.output.to_json` wrote.
    """
    flagged = [flag for flag in from_json(dict(case.result)).flags if flag.verdict.is_flagged]
    people = [_person(flag) for flag in flagged if flag.match.channel is Channel.FACE]
    works = [_work(flag) for flag in flagged if flag.match.channel is not Channel.FACE]
    return Facts(
        case.id,
        case.submission,
        tuple(one for one in works if one.passages),
        tuple(one for one in people if one.passages),
    )


def draft_values(kind: NoticeKind, facts: Facts) -> dict[str, Any]:
    """Fill in what the machine knows; all other elements are there, and empty.

    No statement is ticked and no question is answered: these are left to whoever signs.
    """
    values = {one.name: _empty(one) for one in elements(kind)}
    if facts.submission.url:
        values["material"] = [visible(facts.submission.url)]
    if kind is NoticeKind.DMCA:
        values["works"] = _works_in_words(facts)
        values["owner"] = _joined(one.owner for one in facts.works)
        values["passages"] = _work_passages(facts)
    elif kind is NoticeKind.DSA:
        values["works"] = _works_in_words(facts) + _names(facts)
        values["passages"] = _work_passages(facts) + _person_passages(facts)
        values["facts"] = _in_words(facts)
    else:
        values["people"] = _names(facts)
        values["mandate"] = _joined(one.authority for one in facts.people)
        values["passages"] = _person_passages(facts)
    return values


def _empty(element: Element) -> Any:
    return {"check": False, "lines": []}.get(element.kind, "")


# --- facts --------------------------------------------------------------------------------------


def _work(flag: Flag) -> FoundWork:
    segments = flag.match.segments
    return FoundWork(
        flag.title,
        flag.owner,
        flag.match.channel is Channel.COPY,
        covered((one.query_start, one.query_end) for one in segments),
        tuple(
            WorkPassage(one.query_start, one.query_end, one.ref_start, one.ref_end, edits_of(one))
            for one in segments
        ),
    )


def _person(flag: Flag) -> FoundPerson:
    seen = likely(flag)
    return FoundPerson(
        flag.title,
        flag.owner,
        covered((one.start, one.end) for one in seen),
        tuple(Passage(one.start, one.end) for one in seen),
    )


# --- words --------------------------------------------------------------------------------------


def _works_in_words(facts: Facts) -> list[str]:
    lines = [
        visible(one.title) + (f", owned by {visible(one.owner)}" if one.owner else "")
        for one in facts.works
    ]
    return list(dict.fromkeys(lines))  # a work may be flagged in two channels


def _names(facts: Facts) -> list[str]:
    return list(dict.fromkeys(visible(one.name) for one in facts.people))


def _joined(names: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(visible(name) for name in names if name))


def _work_passages(facts: Facts) -> list[str]:
    lines = []
    for work in facts.works:
        verb = "shows" if work.is_copy else "resembles"
        for one in work.passages:
            edits = f" ({', '.join(one.edits)})" if one.edits else ""
            at = _span(one.work_start, one.work_end)
            line = f"{_span(one.start, one.end)} {verb} {at} of {visible(work.title)}{edits}"
            lines.append(line)
    return lines


def _person_passages(facts: Facts) -> list[str]:
    return [
        f"{_span(one.start, one.end)} shows the likeness of {visible(person.name)}"
        for person in facts.people
        for one in person.passages
    ]


def _in_words(facts: Facts) -> str:
    """Say what was found and how, in a sentence for each work and person."""
    sentences = []
    for work in facts.works:
        owner = f", owned by {visible(work.owner)}," if work.owner else ""
        what = "of footage taken from" if work.is_copy else "of scenes that resemble"
        sentences.append(
            f"The material has {amount(work.seconds)} {what} {visible(work.title)}{owner} in "
            f"{_counted(work.passages)}."
        )
    for person in facts.people:
        sentences.append(
            f"The material shows the likeness of {visible(person.name)} for "
            f"{amount(person.seconds)} in {_counted(person.passages)}."
        )
    if sentences:
        sentences.append("This was found by comparing its pictures with reference material.")
    return "\n".join(sentences)


def _counted(passages: Sequence[Passage]) -> str:
    return "1 passage" if len(passages) == 1 else f"{len(passages)} passages"


def _span(start: float, end: float) -> str:
    return f"{clock(start)} to {clock(end)}"
