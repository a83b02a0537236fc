"""The case page: what was found, and what is decided about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path as FilePath
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from detector.report import choose_pairs
from detector.report_pictures import why_not_here
from detector.review.decisions import UNDO_WINDOW
from detector.review.errors import NotFoundError, ReviewError
from detector.review.evidence import (
    UPLOAD,
    AnyEvidence,
    CaseEvidence,
    PairEvidence,
    PersonEvidence,
    SegmentEvidence,
    WorkEvidence,
    case_evidence,
)
from detector.review.provenance import TrustListError, read_provenance
from detector.review.records import (
    REASONS,
    Action,
    Actor,
    Approval,
    Case,
    CaseState,
    Decision,
    Event,
    Reason,
    Role,
)
from detector.review.web.access import (
    Approver,
    Reviewer,
    Signed,
    desk,
    engine,
    settings,
)
from detector.review.web.pages.inputs import CaseId, Text
from detector.review.web.pages.queue import next_case, what_was_said
from detector.review.web.pages.rendering import Said, error_page, go, page, part, status_of
from detector.review.web.pages.wanted import Wanted
from detector.text import visible
from detector.types import Channel, Verdict

router = APIRouter(include_in_schema=False)

_PAIRS = 3  # that are shown at once
_OTHERS = 6  # works that were found and are not flagged
_KEYS = {Action.BLOCK: "b", Action.NOTICE: "n", Action.MONITOR: "m", Action.DISMISS: "d"}
_SUGGESTED = {Channel.FACE: Reason.LIKENESS, Channel.SEMANTIC: Reason.LOOK_ALIKE}
_API = "/api/v1"


@router.get("/cases/{case_id}")
def show(
    request: Request,
    case_id: CaseId,
    actor: Signed,
    match: Annotated[int | None, Query(ge=0, le=2**31)] = None,
    said: str = "",
    of: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    try:
        return _page(request, case_id, actor, match=match, said=what_was_said(said, of))
    except NotFoundError as error:
        return error_page(request, actor, status_of(error), str(error))


@router.get("/cases/{case_id}/provenance")
def provenance(request: Request, case_id: CaseId, actor: Signed) -> Response:
    """Read the content credentials, which takes as long as to read the file."""
    del actor
    case = desk(request).cases.get(case_id)
    problem = why_not_here(UPLOAD, case.source)
    found = None
    if problem is None:
        try:
            found = read_provenance(FilePath(case.source), settings(request).trust_list)
        except TrustListError as error:
            problem = str(error)
    return part("provenance.html", found=found, problem=problem)


@router.post("/cases/{case_id}/claim")
def claim(request: Request, case_id: CaseId, actor: Reviewer) -> Response:
    cases = desk(request).cases
    return _do(request, case_id, actor, "claimed", lambda: cases.claim(case_id, actor))


@router.post("/cases/{case_id}/release")
def release(request: Request, case_id: CaseId, actor: Reviewer) -> Response:
    cases = desk(request).cases
    return _do(request, case_id, actor, "released", lambda: cases.release(case_id, actor))


@router.post("/cases/{case_id}/undo")
def undo(request: Request, case_id: CaseId, actor: Reviewer) -> Response:
    cases = desk(request).cases
    return _do(request, case_id, actor, "undone", lambda: cases.undo(case_id, actor))


@router.post("/cases/{case_id}/approve")
def approve(request: Request, case_id: CaseId, actor: Approver, comment: Text = "") -> Response:
    cases = desk(request).cases
    return _do(request, case_id, actor, "approved", lambda: cases.approve(case_id, actor, comment))


@router.post("/cases/{case_id}/refuse")
def refuse(request: Request, case_id: CaseId, actor: Approver, comment: Text = "") -> Response:
    cases = desk(request).cases
    return _do(request, case_id, actor, "refused", lambda: cases.refuse(case_id, actor, comment))


@router.post("/cases/{case_id}/skip")
def skip(request: Request, case_id: CaseId, actor: Reviewer) -> Response:
    """Leave a case for today, and take the next."""
    cases = desk(request).cases
    return _do(
        request, case_id, actor, "skipped", lambda: cases.skip(case_id, actor), then_next=True
    )


@router.post("/cases/{case_id}/escalate")
def escalate(request: Request, case_id: CaseId, actor: Reviewer, why: Text = "") -> Response:
    """Hand a case to an approver, and take the next."""
    cases = desk(request).cases

    def hand_over() -> None:
        cases.claim(case_id, actor)
        cases.escalate(case_id, actor, why)

    return _do(request, case_id, actor, "escalated", hand_over, then_next=True)


@router.post("/cases/{case_id}/decide")
def decide(
    request: Request,
    case_id: CaseId,
    actor: Reviewer,
    action: Annotated[Action, Form()],
    reason: Annotated[Reason, Form()],
    comment: Text = "",
    alike: Annotated[bool, Form()] = False,
    then_next: Annotated[bool, Form()] = False,
) -> Response:
    """Decide a case, and where that is wanted all that are like it; one that is free is claimed."""
    cases = desk(request).cases

    def work_through() -> str:
        cases.claim(case_id, actor)
        if alike:
            decided = cases.decide_alike(case_id, actor, action, reason, comment)
            return f"alike-{len(decided)}"
        made = cases.decide(case_id, actor, action, reason, comment)
        return "waits" if made.approval is Approval.WAITING else action.value

    return _do(request, case_id, actor, None, work_through, then_next=then_next)


def _do(
    request: Request,
    case_id: int,
    actor: Actor,
    said: str | None,
    operation: Callable[[], object],
    *,
    then_next: bool = False,
) -> Response:
    """Do something with a case, and open it again or the next; or say why it is not possible.

    Parameters
    ----------
    said
        What is said to be done; None: what the operation returns.
    """
    try:
        done = operation()
    except NotFoundError as error:
        return error_page(request, actor, status_of(error), str(error))
    except ReviewError as error:
        return _page(request, case_id, actor, match=_match(request), error=error)
    wanted = Wanted.of(request.query_params)
    said = said or str(done)
    if then_next:
        return go(next_case(request, actor, wanted, said, case_id))
    query = wanted.address(match=_match(request), said=said, of=case_id)
    return go(f"/cases/{case_id}{query}")


def _match(request: Request) -> int | None:
    """Return which finding the page showed that a form was on."""
    number = request.query_params.get("match", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


# --- the page ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opening:
    """A moment of the upload, and the segment or appearance that it is of."""

    time: float  # seconds
    segment: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which of the findings a page shows, and its strongest pairs."""

    found: AnyEvidence | None
    matches: tuple[AnyEvidence, ...]
    pairs: list[tuple[SegmentEvidence, PairEvidence]]
    other_pairs: list[tuple[SegmentEvidence, PairEvidence]]

    def opening(self) -> _Opening | None:
        """Return where the videos stand when the page is opened."""
        if isinstance(self.found, PersonEvidence):
            seen = [one for one in self.found.appearances if one.has_pictures]
            return _Opening(seen[0].appearance.time, 0) if seen else None
        if self.pairs:
            segment, one = self.pairs[0]
            return _Opening(one.pair.query_time, segment.number)
        return None

    @property
    def number(self) -> int | None:
        """Return the number of the finding that is shown; None for what is shown anyhow."""
        is_usual = self.found is None or self.found is self.matches[0]
        return None if is_usual or self.found is None else self.found.number

    def neighbour(self, step: int) -> int | None:
        """Return the number of the finding beside the one that is shown."""
        numbers = [one.number for one in self.matches]
        if self.found is None or self.found.number not in numbers:
            return None
        at = numbers.index(self.found.number) + step
        return numbers[at] if 0 <= at < len(numbers) else None


def _page(
    request: Request,
    case_id: int,
    actor: Actor,
    *,
    match: int | None = None,
    said: Said | None = None,
    error: ReviewError | None = None,
) -> Response:
    store = desk(request)
    case = store.cases.get(case_id)
    damage, evidence, shown = None, None, _Shown(None, (), [], [])
    try:
        evidence = case_evidence(case, engine(request).index, settings(request))
    except (ValueError, KeyError, TypeError) as wrong:
        damage = f"What the scan said cannot be read ({wrong}): scan the upload again."
    else:
        shown = _choose(evidence, match)
    wanted = Wanted.of(request.query_params)
    found = shown.found
    standing = _standing(case)
    is_own = standing is not None and standing.account_id == actor.account_id
    return page(
        request,
        "case.html",
        actor,
        status=200 if error is None else status_of(error),
        problem=None if error is None else str(error),
        said=said,
        kept=wanted.address(),
        here=wanted.address(match=shown.number),
        case=case,
        headline=_headline(case, evidence),
        damage=damage,
        evidence=evidence,
        found=found,
        matches=shown.matches,
        before=shown.neighbour(-1),
        after=shown.neighbour(1),
        match_link=lambda number: f"/cases/{case.id}" + wanted.address(match=number),
        opening=shown.opening(),
        pairs=shown.pairs,
        other_pairs=shown.other_pairs,
        media=f"{_API}/cases/{case.id}",
        reference_video=None if found is None else _reference_video(found),
        earlier=store.cases.earlier(case.id),
        history=_grouped(store.cases.history(case.id)),
        notices=store.notices.of_case(case.id),
        decision=standing,
        actions=[(action, key, REASONS[action]) for action, key in _KEYS.items()],
        suggested=_SUGGESTED.get(found.channel) if found is not None else None,
        only_likeness=all(one.channel is not Channel.COPY for one in case.subjects),
        is_mine=case.claim is not None and case.claim.account_id == actor.account_id,
        is_elsewhere=case.claim is not None and case.claim.account_id != actor.account_id,
        can_undo=is_own and _can_undo(standing),
        can_approve=actor.role.may(Role.APPROVER) and not is_own,
    )


def _standing(case: Case) -> Decision | None:
    """Return the decision that stands, or waits for approval."""
    if case.state not in {CaseState.DECIDED, CaseState.TO_APPROVE}:
        return None
    made = (one for one in reversed(case.decisions) if one.undone_at is None)
    return next((one for one in made if one.approval is not Approval.REFUSED), None)


def _can_undo(standing: Decision | None) -> bool:
    """Whether a decision is young enough to be taken back by who made it."""
    return (
        standing is not None
        and standing.approval is not Approval.APPROVED
        and datetime.now(UTC) - standing.decided_at < UNDO_WINDOW
    )


@dataclass(frozen=True, slots=True)
class _Happened:
    """What happened to a case, perhaps several times in a row."""

    event: Event  # the last of them
    times: int


def _grouped(events: Iterable[Event]) -> list[_Happened]:
    """Draw together what somebody did again and again: each look at a face is an event."""
    same = groupby(events, lambda event: (event.actor, event.action, event.why))
    groups = (tuple(group) for _, group in same)
    return [_Happened(group[0], len(group)) for group in groups]


def _choose(evidence: CaseEvidence, match: int | None) -> _Shown:
    allowed = [one for one in evidence.others if one.flag.verdict is Verdict.ALLOW]
    below = [one for one in evidence.others if one.flag.verdict is not Verdict.ALLOW]
    matches = (*evidence.matches, *allowed, *below[:_OTHERS])
    found = next((one for one in matches if one.number == match), matches[0] if matches else None)
    if not isinstance(found, WorkEvidence):
        return _Shown(found, matches, [], [])
    chosen = choose_pairs(found.flag.match, _PAIRS)
    pairs: list[tuple[SegmentEvidence, PairEvidence]] = []
    others: list[tuple[SegmentEvidence, PairEvidence]] = []
    for segment in found.segments:
        for one in segment.pairs:
            is_chosen = one.pair in chosen[segment.number]
            (pairs if is_chosen else others).append((segment, one))
    return _Shown(found, matches, pairs, others)


def _headline(case: Case, evidence: CaseEvidence | None) -> str:
    """Say in a line what was found."""
    if evidence is None or not evidence.matches:
        return visible(case.name)
    sentences = [visible(one.headline) for one in evidence.matches[:2]]
    more = len(evidence.matches) - len(sentences)
    return "; ".join(sentences) + (f"; and {more} more" if more else "")


def _reference_video(found: AnyEvidence) -> str:
    return f"{_API}/works/{quote(found.subject, safe='')}/reference.mp4"
