"""Notices: drafted from a case, signed by a named person, approved by another, sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData

from detector.review.errors import NotFoundError, ReviewError
from detector.review.notice_store import MOST_RECIPIENT, MOST_TEXT
from detector.review.notices import (
    Element,
    IncompleteNoticeError,
    PdfUnavailableError,
    draft_values,
    elements,
    facts_of,
    problems,
    render_pdf,
)
from detector.review.records import Actor, NoticeKind, NoticeState
from detector.review.web.headers import DOCUMENT_POLICY
from detector.review.web.pages.inputs import CaseId
from detector.review.web.pages.rendering import (
    Approver,
    Reviewer,
    Said,
    Signed,
    desk,
    error_page,
    go,
    page,
    status_of,
)

router = APIRouter(include_in_schema=False)

NoticeId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Text = Annotated[str, Form()]  # how long it may be is the store's to say, in words

_LIMIT = 50
_FURTHEST = 1_000_000
_SAID = {
    "drafted": "The draft is made: fill in what is missing, then sign.",
    "saved": "The draft is kept.",
    "signed": "Signed. Another person must approve it before it is sent.",
    "approved": "Approved: it may be sent now.",
    "sent": "Marked as sent.",
    "withdrawn": "Withdrawn.",
    "counter": "The counter-notice is kept.",
}


async def _form(request: Request) -> FormData:
    return await request.form()


Given = Annotated[FormData, Depends(_form)]


@router.get("/notices")
def notices(
    request: Request,
    actor: Signed,
    state: NoticeState | None = None,
    offset: Annotated[int, Query(ge=0, le=_FURTHEST)] = 0,
) -> Response:
    found = desk(request).notices.find(state=state, limit=_LIMIT, offset=offset)

    def query(changes: dict[str, Any]) -> str:
        given = {"state": state.value if state else None, "offset": offset or None} | changes
        return "/notices?" + "&".join(f"{k}={v}" for k, v in given.items() if v)

    return page(
        request,
        "notices.html",
        actor,
        notices=found.items,
        total=found.total,
        limit=_LIMIT,
        offset=offset,
        query=query,
        state=state,
        states=list(NoticeState),
    )


@router.get("/cases/{case_id}/notices/new")
def choose(
    request: Request, case_id: CaseId, actor: Reviewer, kind: NoticeKind | None = None
) -> Response:
    """Say which kinds of notice there are; a draft is made by a button."""
    try:
        case = desk(request).cases.get(case_id)
    except NotFoundError as error:
        return error_page(request, actor, status_of(error), str(error))
    return page(request, "notice_new.html", actor, case=case, kinds=list(NoticeKind), chosen=kind)


@router.post("/cases/{case_id}/notices")
def draft(
    request: Request, case_id: CaseId, actor: Reviewer, kind: Annotated[NoticeKind, Form()]
) -> Response:
    store = desk(request)
    try:
        values = draft_values(kind, facts_of(store.cases.get(case_id)))
        made = store.notices.draft(case_id, kind, values, actor)
    except ReviewError as error:
        return error_page(request, actor, status_of(error), str(error))
    return go(f"/notices/{made.id}?said=drafted")


@router.get("/notices/{notice_id}")
def show(request: Request, notice_id: NoticeId, actor: Signed, said: str = "") -> Response:
    return _page(request, notice_id, actor, said=said)


@router.post("/notices/{notice_id}/save")
def save(request: Request, notice_id: NoticeId, actor: Reviewer, form: Given) -> Response:
    values: Mapping[str, Any] | None = None
    try:
        notice = desk(request).notices.get(notice_id)
        values = _values(notice.kind, form)
        desk(request).notices.update(notice_id, values, actor)
    except ReviewError as error:
        return _page(request, notice_id, actor, error=error, values=values)
    return go(f"/notices/{notice_id}?said=saved")


@router.post("/notices/{notice_id}/sign")
def sign(request: Request, notice_id: NoticeId, actor: Reviewer, form: Given) -> Response:
    """Keep what was filled in, and sign that."""
    values: Mapping[str, Any] | None = None
    try:
        notice = desk(request).notices.get(notice_id)
        values = _values(notice.kind, form)
        desk(request).notices.update(notice_id, values, actor)
        desk(request).notices.sign(notice_id, actor, str(form.get("full_name", "")).strip())
    except ReviewError as error:
        return _page(request, notice_id, actor, error=error, values=values)
    return go(f"/notices/{notice_id}?said=signed")


@router.post("/notices/{notice_id}/approve")
def approve(request: Request, notice_id: NoticeId, actor: Approver) -> Response:
    try:
        desk(request).notices.approve(notice_id, actor)
    except ReviewError as error:
        return _page(request, notice_id, actor, error=error)
    return go(f"/notices/{notice_id}?said=approved")


@router.post("/notices/{notice_id}/sent")
def sent(request: Request, notice_id: NoticeId, actor: Reviewer, to: Text) -> Response:
    try:
        desk(request).notices.sent(notice_id, actor, to)
    except ReviewError as error:
        return _page(request, notice_id, actor, error=error)
    return go(f"/notices/{notice_id}?said=sent")


@router.post("/notices/{notice_id}/withdraw")
def withdraw(request: Request, notice_id: NoticeId, actor: Reviewer, why: Text) -> Response:
    try:
        desk(request).notices.withdraw(notice_id, actor, why)
    except ReviewError as error:
        return _page(request, notice_id, actor, error=error)
    return go(f"/notices/{notice_id}?said=withdrawn")


@router.post("/notices/{notice_id}/counter")
def counter(
    request: Request,
    notice_id: NoticeId,
    actor: Reviewer,
    received_at: Annotated[date, Form()],
    text: Text,
) -> Response:
    try:
        desk(request).notices.counter(notice_id, received_at, text, actor)
    except ReviewError as error:
        return _page(request, notice_id, actor, error=error)
    return go(f"/notices/{notice_id}?said=counter")


@router.get("/notices/{notice_id}/preview")
def preview(request: Request, notice_id: NoticeId, actor: Signed) -> Response:
    try:
        document = desk(request).notices.shown(notice_id)
    except ReviewError as error:
        return error_page(request, actor, status_of(error), str(error))
    headers = {"Content-Security-Policy": DOCUMENT_POLICY}
    return HTMLResponse(document, headers=headers)


@router.get("/notices/{notice_id}/notice.pdf")
def pdf(request: Request, notice_id: NoticeId, actor: Signed) -> Response:
    try:
        is_signed = desk(request).notices.get(notice_id).document_digest is not None
        content = render_pdf(desk(request).notices.shown(notice_id))
    except PdfUnavailableError as error:
        return error_page(request, actor, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    except ReviewError as error:
        return error_page(request, actor, status_of(error), str(error))
    name = f"notice-{notice_id}{'' if is_signed else '-draft'}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _page(
    request: Request,
    notice_id: int,
    actor: Actor,
    *,
    said: str = "",
    error: ReviewError | None = None,
    values: Mapping[str, Any] | None = None,
) -> Response:
    try:
        notice = desk(request).notices.get(notice_id)
    except NotFoundError as gone:
        return error_page(request, actor, status_of(gone), str(gone))
    is_draft = notice.state is NoticeState.DRAFT
    # What was filled in is shown again, unless it is signed by now: then only that counts.
    shown = values if values is not None and is_draft else notice.values
    missing = problems(notice.kind, shown) if is_draft else ()
    by_element: dict[str, list[str]] = {}
    for one in missing:
        by_element.setdefault(one.element, []).append(one.message)
    text = _SAID.get(said)
    return page(
        request,
        "notice.html",
        actor,
        status=HTTPStatus.OK if error is None else status_of(error),
        problem=None if error is None else _in_short(error),
        said=None if text is None else Said(text),
        notice=notice,
        elements=elements(notice.kind),
        values=shown,
        missing=by_element,
        is_asked=error is not None,
        is_signer=notice.signed_account is not None and notice.signed_account == actor.account_id,
        most_text=MOST_TEXT,
        most_recipient=MOST_RECIPIENT,
        today=datetime.now(UTC).date().isoformat(),
        full_name=_full_name(request, actor),
    )


def _in_short(error: ReviewError) -> str:
    """Say what is wrong; what is missing is told one by one on the page itself."""
    if not isinstance(error, IncompleteNoticeError):
        return str(error)
    count = len(error.problems)
    elements_are = "an element is" if count == 1 else f"{count} elements are"
    return f"It cannot be signed yet: {elements_are} missing or wrong. The draft is kept."


def _full_name(request: Request, actor: Actor) -> str:
    if actor.account_id is None:
        return actor.name
    return desk(request).accounts.get(actor.account_id).full_name


def _values(kind: NoticeKind, form: FormData) -> dict[str, Any]:
    """Read the elements of a notice from its form."""
    return {element.name: _value(element, form) for element in elements(kind)}


def _value(element: Element, form: FormData) -> Any:
    text = str(form.get(element.name, "")).replace("\r\n", "\n").strip()
    if element.kind == "check":
        return element.name in form
    if element.kind == "lines":
        return [line.strip() for line in text.split("\n") if line.strip()]
    return text
