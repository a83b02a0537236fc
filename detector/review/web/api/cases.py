"""Cases: the queue, what was found, and what is decided."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from detector.report_pictures import why_not_here
from detector.review import records
from detector.review.errors import DatabaseError, NotFoundError
from detector.review.evidence import UPLOAD
from detector.review.provenance import Provenance as ReadProvenance
from detector.review.provenance import TrustListError, read_provenance
from detector.review.records import Action, CaseFilter, CaseState, Reason, Sort
from detector.review.statement import Source, statement_of_reasons
from detector.review.web.access import Approver, Reviewer, Signed, desk, settings
from detector.review.web.api.errors import errors
from detector.review.web.api.inputs import (
    Body,
    CaseId,
    Day,
    Flag,
    Id,
    Line,
    Moment,
    Number,
    Paging,
    Part,
    Said,
    Share,
    Text,
    page,
    part_of,
)
from detector.review.web.api.models import (
    Case,
    CaseSummary,
    Counts,
    Decided,
    Decision,
    Event,
    Page,
    Provenance,
    StatementOfReasons,
)
from detector.types import Channel, Verdict

router = APIRouter(tags=["cases"])

_MOST_EARLIER = 10_000  # cases of one uploader that anybody looks through


class Wanted(Body):
    """Which cases, in which order; what is not said is not asked."""

    state: Annotated[tuple[CaseState, ...], Field(max_length=10)] = ()
    """Any of these; none: all."""
    channel: Channel | None = None
    verdict: Verdict | None = None
    min_score: Share | None = None
    max_score: Share | None = None
    owner: Line | None = None
    work: Id | None = None
    """Id of a work that was found."""
    person: Id | None = None
    """Id of a person who was found."""
    uploader: Line | None = None
    source: Line | None = None
    """Part of the path or URL, upper or lower case."""
    opened_before: Moment | None = None
    opened_after: Moment | None = None
    claimed_by: Number | None = None
    """Number of the account that works on it."""
    is_claimed: bool | None = None
    """By anybody."""
    sort: Sort = Sort.GRAVEST

    def filter(self) -> CaseFilter:
        """Return what the store is asked for."""
        given = self.model_dump(include=set(CaseFilter.__dataclass_fields__))
        return CaseFilter(states=self.state, **given)


class WantedPart(Wanted, Paging):
    """Which cases, and which part of their list."""


class Comment(Body):
    """A remark."""

    comment: Text = ""


class Why(Body):
    """Why something is done, for whoever comes next."""

    why: Said


class Refused(Body):
    """Why a decision is refused."""

    comment: Said


class StatementFacts(Body):
    """What a case does not know of its upload, and its statement of reasons says."""

    content_date: Day | None = None
    """When it was posted; needed where the case does not know."""
    content_language: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    """By ISO 639-1."""
    is_synthetic: bool = False
    """Whether it is known to be made or altered by a machine."""
    source: Source = Source.VOLUNTARY
    """Who has brought it up."""
    source_identity: Line | None = None
    """Who that was, where it is strictly necessary to say."""


class Decide(Body):
    """What is decided, and why."""

    action: Action
    reason: Reason
    """One that goes with the action."""
    comment: Text = ""
    alike: Flag = False
    """Also all free cases from the same source with the same findings."""


# --- to look at -------------------------------------------------------------------------------


@router.get("/cases", response_model=Page[CaseSummary])
def list_cases(request: Request, actor: Signed, wanted: Annotated[WantedPart, Query()]) -> Any:
    """List the cases that are wanted."""
    found = desk(request).cases.find(wanted.filter(), wanted.sort, wanted.limit, wanted.offset)
    return page(found.items, found.total, wanted)


@router.get("/counts", response_model=Counts)
def count_cases(request: Request, actor: Signed) -> dict[str, Any]:
    """Count the cases in each state."""
    return {"cases": desk(request).cases.counts()}


@router.get("/cases/{case_id}", response_model=Case, responses=errors(404))
def get_case(request: Request, case_id: CaseId, actor: Signed) -> records.Case:
    """Return a case with its scan's result and all decisions."""
    return desk(request).cases.get(case_id)


@router.get("/cases/{case_id}/history", response_model=Page[Event], responses=errors(404))
def list_case_history(request: Request, case_id: CaseId, actor: Signed, part: Part) -> Any:
    """List what happened to a case, newest first."""
    cases = desk(request).cases
    cases.get(case_id)
    return part_of(cases.history(case_id), part)


@router.get("/cases/{case_id}/earlier", response_model=Page[CaseSummary], responses=errors(404))
def list_earlier_cases(request: Request, case_id: CaseId, actor: Signed, part: Part) -> Any:
    """List other cases of the same uploader, newest first."""
    return part_of(desk(request).cases.earlier(case_id, _MOST_EARLIER), part)


@router.get("/cases/{case_id}/provenance", response_model=Provenance, responses=errors(404, 503))
def read_case_provenance(request: Request, case_id: CaseId, actor: Signed) -> ReadProvenance:
    """Read the content credentials of the upload, which takes as long as to read the file."""
    case = desk(request).cases.get(case_id)
    problem = why_not_here(UPLOAD, case.source)
    if problem is not None:
        raise NotFoundError(problem)
    try:
        return read_provenance(Path(case.source), settings(request).trust_list)
    except TrustListError as error:
        raise DatabaseError(str(error)) from error


@router.get(
    "/cases/{case_id}/statement-of-reasons",
    response_model=StatementOfReasons,
    response_model_exclude_none=True,
    responses=errors(404),
)
def get_statement_of_reasons(
    request: Request, case_id: CaseId, actor: Signed, said: Annotated[StatementFacts, Query()]
) -> dict[str, Any]:
    """Draft the statement of reasons for the decision that takes the upload down."""
    return statement_of_reasons(
        desk(request).cases.get(case_id),
        content_date=said.content_date,
        content_language=said.content_language,
        is_synthetic=said.is_synthetic,
        source=said.source,
        source_identity=said.source_identity,
    )


# --- to work on -------------------------------------------------------------------------------


@router.post(
    "/cases/take-next",
    response_model=CaseSummary,
    responses={204: {"description": "No such case waits for anybody."}},
)
def take_next_case(request: Request, actor: Reviewer, wanted: Annotated[Wanted, Query()]) -> Any:
    """Claim the next case that is wanted, free, and was not skipped lately."""
    found = desk(request).cases.claim_next(wanted.filter(), wanted.sort, actor)
    return Response(status_code=204) if found is None else found


@router.post("/cases/{case_id}/claim", response_model=CaseSummary, responses=errors(404, 409))
def claim_case(request: Request, case_id: CaseId, actor: Reviewer) -> records.CaseSummary:
    """Claim a case, so that nobody else works on it for half an hour; or renew one's claim."""
    return desk(request).cases.claim(case_id, actor)


@router.post("/cases/{case_id}/release", status_code=204, responses=errors(404, 409))
def release_case(request: Request, case_id: CaseId, actor: Reviewer) -> None:
    """Give a claimed case back."""
    desk(request).cases.release(case_id, actor)


@router.post("/cases/{case_id}/skip", status_code=204, responses=errors(404))
def skip_case(request: Request, case_id: CaseId, actor: Reviewer) -> None:
    """Give a case back, and not be given it again by take-next for half a day."""
    desk(request).cases.skip(case_id, actor)


@router.post("/cases/{case_id}/undo", response_model=CaseSummary, responses=errors(404, 409))
def undo_decision(request: Request, case_id: CaseId, actor: Reviewer) -> records.CaseSummary:
    """Take back one's own decision of the last ten minutes; the case is claimed again."""
    return desk(request).cases.undo(case_id, actor)


@router.post("/cases/{case_id}/escalate", response_model=CaseSummary, responses=errors(404, 409))
def escalate_case(
    request: Request, case_id: CaseId, actor: Reviewer, body: Why
) -> records.CaseSummary:
    """Hand a case to an approver; one that is free is claimed first."""
    cases = desk(request).cases
    cases.claim(case_id, actor)
    return cases.escalate(case_id, actor, body.why)


@router.post("/cases/{case_id}/decide", response_model=Decided, responses=errors(404, 409))
def decide_case(
    request: Request, case_id: CaseId, actor: Reviewer, body: Decide
) -> Mapping[str, list[records.Decision]]:
    """Decide a case; one that is free is claimed first."""
    cases = desk(request).cases
    cases.claim(case_id, actor)
    decide = cases.decide_alike if body.alike else cases.decide
    made = decide(case_id, actor, body.action, body.reason, body.comment)
    return {"decisions": made if isinstance(made, list) else [made]}


@router.post("/cases/{case_id}/approve", response_model=Decision, responses=errors(404, 409))
def approve_decision(
    request: Request,
    case_id: CaseId,
    actor: Approver,
    body: Comment = Comment(),  # noqa: B008
) -> records.Decision:
    """Approve, as a second person, what somebody else has decided."""
    return desk(request).cases.approve(case_id, actor, body.comment)


@router.post("/cases/{case_id}/refuse", response_model=Decision, responses=errors(404, 409))
def refuse_decision(
    request: Request, case_id: CaseId, actor: Approver, body: Refused
) -> records.Decision:
    """Refuse, as a second person, what somebody else has decided; the case is open again."""
    return desk(request).cases.refuse(case_id, actor, body.comment)
