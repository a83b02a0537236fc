"""Notices: drafted from a case, signed by a named person, approved by another, sent."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import Field, StrictBool, StringConstraints

from detector.review import notices, records
from detector.review.notice_store import MOST_RECIPIENT, MOST_TEXT
from detector.review.records import NoticeKind, NoticeState
from detector.review.web.access import Approver, Reviewer, Signed, desk
from detector.review.web.api.errors import Problem, errors
from detector.review.web.api.inputs import (
    SOMETHING,
    Body,
    CaseId,
    Day,
    Line,
    Number,
    Paging,
    Part,
    page,
    part_of,
)
from detector.review.web.api.models import Element, Notice, NoticeInFull, Page
from detector.review.web.headers import DOCUMENT_POLICY

router = APIRouter(tags=["notices"])

NoticeId = Annotated[Number, Path(description="Number of the notice.")]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=MOST_TEXT, pattern=SOMETHING)]
_Said = Annotated[str, StringConstraints(max_length=MOST_TEXT)]
_Lines = Annotated[list[_Said], Field(max_length=1000)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Values = Annotated[dict[_Name, StrictBool | _Said | _Lines], Field(max_length=100)]
"""By name of the element: true or false, a text, or a list of lines, as its kind says."""

_PDF = "application/pdf"


class NewNotice(Body):
    """A notice that is to be drafted."""

    kind: NoticeKind
    values: Values = Field(default_factory=dict)
    """What takes the place of what the case tells."""


class Contents(Body):
    """What a draft is to say."""

    values: Values
    """All of it: what is left out is empty."""


class Signing(Body):
    """A signature."""

    full_name: Line
    """One's own, as it stands in one's account."""


class Sent(Body):
    """Where a notice went."""

    to: Annotated[
        str, StringConstraints(min_length=1, max_length=MOST_RECIPIENT, pattern=SOMETHING)
    ]
    """In a line."""


class Withdrawal(Body):
    """Why a notice is given up."""

    why: LongText


class Counter(Body):
    """What the uploader answered."""

    received_at: Day
    text: LongText


class NoticesWanted(Paging):
    """Which notices, and which part of their list."""

    state: NoticeState | None = None


# --- to look at -------------------------------------------------------------------------------


@router.get("/notices", response_model=Page[Notice])
def list_notices(request: Request, actor: Signed, wanted: Annotated[NoticesWanted, Query()]) -> Any:
    """List all notices, or those in a state, newest first."""
    found = desk(request).notices.find(wanted.state, wanted.limit, wanted.offset)
    return page(found.items, found.total, wanted)


@router.get("/cases/{case_id}/notices", response_model=Page[Notice], responses=errors(404))
def list_notices_of_case(request: Request, case_id: CaseId, actor: Signed, part: Part) -> Any:
    """List the notices of a case, oldest first."""
    desk(request).cases.get(case_id)
    return part_of(desk(request).notices.of_case(case_id), part)


@router.get("/notice-kinds/{kind}/elements", response_model=Page[Element])
def list_notice_elements(kind: NoticeKind, actor: Signed, part: Part) -> Any:
    """List what a notice of a kind consists of, in the order of the document."""
    return part_of(notices.elements(kind), part)


@router.get("/notices/{notice_id}", response_model=NoticeInFull, responses=errors(404))
def get_notice(request: Request, notice_id: NoticeId, actor: Signed) -> dict[str, Any]:
    """Return a notice; of a draft also what keeps it from being signed."""
    return _in_full(desk(request).notices.get(notice_id))


@router.get(
    "/notices/{notice_id}/document.html",
    response_class=Response,  # one with a type of its own would have errors be of that type, too
    responses=errors(404, 409) | {200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def get_notice_document(request: Request, notice_id: NoticeId, actor: Signed) -> HTMLResponse:
    """Return the document as it was signed, or the draft as it stands."""
    headers = {"Content-Security-Policy": DOCUMENT_POLICY}
    return HTMLResponse(desk(request).notices.shown(notice_id), headers=headers)


@router.get(
    "/notices/{notice_id}/document.pdf",
    response_class=Response,
    responses=errors(404, 409, 503)
    | {200: {"content": {_PDF: {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_notice_pdf(request: Request, notice_id: NoticeId, actor: Signed) -> Response:
    """Return the same as a PDF file."""
    name = f'attachment; filename="notice-{notice_id}.pdf"'
    content = notices.render_pdf(desk(request).notices.shown(notice_id))
    return Response(content, media_type=_PDF, headers={"Content-Disposition": name})


# --- to work on -------------------------------------------------------------------------------


@router.post(
    "/cases/{case_id}/notices",
    response_model=NoticeInFull,
    status_code=201,
    responses=errors(404),
)
def draft_notice(
    request: Request, case_id: CaseId, actor: Reviewer, body: NewNotice
) -> dict[str, Any]:
    """Draft a notice: what the case tells is filled in, and nothing is ticked."""
    store = desk(request)
    known = notices.draft_values(body.kind, notices.facts_of(store.cases.get(case_id)))
    return _in_full(store.notices.draft(case_id, body.kind, known | body.values, actor))


@router.put("/notices/{notice_id}", response_model=NoticeInFull, responses=errors(404, 409))
def write_notice(
    request: Request, notice_id: NoticeId, actor: Reviewer, body: Contents
) -> dict[str, Any]:
    """Replace what a draft says."""
    return _in_full(desk(request).notices.update(notice_id, body.values, actor))


@router.post("/notices/{notice_id}/sign", response_model=Notice, responses=errors(404, 409))
def sign_notice(
    request: Request, notice_id: NoticeId, actor: Reviewer, body: Signing
) -> records.Notice:
    """Sign a draft as oneself, and so make its statements; nobody can change it afterwards."""
    return desk(request).notices.sign(notice_id, actor, body.full_name)


@router.post("/notices/{notice_id}/approve", response_model=Notice, responses=errors(404, 409))
def approve_notice(request: Request, notice_id: NoticeId, actor: Approver) -> records.Notice:
    """Approve, as a second person, what somebody else has signed."""
    return desk(request).notices.approve(notice_id, actor)


@router.post("/notices/{notice_id}/sent", response_model=Notice, responses=errors(404, 409))
def mark_notice_sent(
    request: Request, notice_id: NoticeId, actor: Reviewer, body: Sent
) -> records.Notice:
    """Write down that an approved notice was sent, and to whom."""
    return desk(request).notices.sent(notice_id, actor, body.to)


@router.post("/notices/{notice_id}/withdraw", response_model=Notice, responses=errors(404, 409))
def withdraw_notice(
    request: Request, notice_id: NoticeId, actor: Reviewer, body: Withdrawal
) -> records.Notice:
    """Give up a notice that was not sent; it stays on record."""
    return desk(request).notices.withdraw(notice_id, actor, body.why)


@router.post("/notices/{notice_id}/counter", response_model=Notice, responses=errors(404, 409))
def record_counter_notice(
    request: Request, notice_id: NoticeId, actor: Reviewer, body: Counter
) -> records.Notice:
    """Write down a counter-notice to a sent notice; a later one starts the clock anew."""
    return desk(request).notices.counter(notice_id, body.received_at, body.text, actor)


def _in_full(notice: records.Notice) -> dict[str, Any]:
    is_draft = notice.state is NoticeState.DRAFT
    missing = notices.problems(notice.kind, notice.values) if is_draft else ()
    listed = [Problem(where=one.element, message=one.message) for one in missing]
    return Notice.model_validate(notice).model_dump() | {"problems": listed}
