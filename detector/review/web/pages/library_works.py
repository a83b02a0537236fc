"""The library's pages of works: one work with all that is said of it, and how it is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from detector.review.accounts import account_of
from detector.review.errors import NotFoundError, ReviewError
from detector.review.jobs import Job
from detector.review.library import ENROL
from detector.review.library_part import today
from detector.review.records import Actor
from detector.review.uploads import Upload
from detector.review.web.pages.inputs import Text
from detector.review.web.pages.library_inputs import Line, WorkId, library, policy_of, said
from detector.review.web.pages.rendering import (
    Approver,
    Reviewer,
    Signed,
    error_page,
    go,
    jobs,
    page,
    settings,
    status_of,
)
from detector.review.web.receiving import ReceivedForm, receive, sent_to
from index.records import Policy
from index.rights_records import CHANNELS, Kind

router = APIRouter(include_in_schema=False)


@router.post("/library/works")
async def add(request: Request, actor: Reviewer) -> Response:
    """Take a film; it is described and enrolled in the background."""

    def submit(film: Upload, form: ReceivedForm) -> Job:
        ours = library(request)
        new = ours.new_film(
            film,
            form.text("id"),
            form.text("title"),
            form.text("owner"),
            policy_of(form.text("policy")),
            actor,
        )
        return jobs(request).submit(
            ENROL,
            new.title,
            account_of(actor),
            lambda report: ours.add_work(film, new, actor, report),
            lambda: film.path.unlink(missing_ok=True),
        )

    async with receive(request, settings(request)) as form:
        job = await run_in_threadpool(submit, form.only_file(), form)
    return sent_to(request, f"/library/jobs/{job.id}")


@router.get("/library/works/{work_id}")
def show(request: Request, work_id: WorkId, actor: Signed, said: str = "") -> Response:
    return work_page(request, work_id, actor, said_code=said)


@router.post("/library/works/{work_id}")
def edit(
    request: Request,
    work_id: WorkId,
    actor: Reviewer,
    title: Line,
    policy: Annotated[Policy, Form()],
    owner: Line = "",
) -> Response:
    try:
        library(request).edit_work(work_id, actor, title=title, owner=owner, policy=policy)
    except ReviewError as error:
        return work_page(request, work_id, actor, error=error)
    return go(work_address(work_id, "edited"))


@router.post("/library/works/{work_id}/remove")
def remove(request: Request, work_id: WorkId, actor: Approver, why: Text = "") -> Response:
    try:
        library(request).remove_work(work_id, actor, why)
    except ReviewError as error:
        return work_page(request, work_id, actor, error=error)
    return go("/library?said=removed")


@router.post("/library/works/{work_id}/cast")
def set_cast(
    request: Request,
    work_id: WorkId,
    actor: Reviewer,
    people: Annotated[list[str], Form()] = [],  # noqa: B006 -- FastAPI copies it
) -> Response:
    try:
        library(request).set_cast(work_id, people, actor)
    except ReviewError as error:
        return work_page(request, work_id, actor, error=error)
    return go(work_address(work_id, "cast"))


def work_page(
    request: Request,
    work_id: str,
    actor: Actor,
    *,
    said_code: str = "",
    error: ReviewError | None = None,
    given: Mapping[str, str] | None = None,
) -> Response:
    """Make the page of a work.

    Parameters
    ----------
    error, given
        What was wrong with a form, and what stood in it.
    """
    ours = library(request)
    try:
        entry = ours.work(work_id)
    except NotFoundError as unknown:
        return error_page(request, actor, status_of(unknown), str(unknown))
    return page(
        request,
        "library_work.html",
        actor,
        status=200 if error is None else status_of(error),
        problem=None if error is None else str(error),
        said=said(said_code),
        entry=entry,
        work=entry.work,
        at=work_address(work_id),
        video=f"/api/v1/works/{quote(work_id, safe='')}/reference.mp4",
        people=ours.people(limit=_MOST_PEOPLE).items,
        policies=list(Policy),
        rule_policies=list(Policy),
        channels=CHANNELS[Kind.WORK],
        given=given or {},
        today=today(),
    )


def work_address(work_id: str, said_code: str = "") -> str:
    """Return where a work's page is."""
    query = f"?said={said_code}" if said_code else ""
    return f"/library/works/{quote(work_id, safe='')}{query}"


_MOST_PEOPLE = 500  # that a cast is chosen from
