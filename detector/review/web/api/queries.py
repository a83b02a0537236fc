"""Questions: is this clip or this still ours, and where is the scene of a phrase."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import StringConstraints

from detector.review import queries, records
from detector.review.web.access import Reviewer, desk, engine, jobs, settings
from detector.review.web.api.errors import errors
from detector.review.web.api.inputs import SOMETHING, Body
from detector.review.web.api.jobs import ACCEPTED, JobId, accepted
from detector.review.web.api.library_models import Job
from detector.review.web.api.models import CaseSummary
from detector.review.web.api.uploads import NoFields, fields_of, form_of
from detector.review.web.receiving import ReceivedForm, receive

router = APIRouter(tags=["queries"], prefix="/queries")


class Phrase(Body):
    """A scene in words."""

    phrase: Annotated[
        str,
        StringConstraints(min_length=1, max_length=queries.LONGEST_PHRASE, pattern=SOMETHING),
    ]


@router.post(
    "",
    response_model=Job,
    status_code=202,
    responses=errors(409, 413, 507) | ACCEPTED,
    openapi_extra=form_of(NoFields, "file"),
)
async def ask_about_file(request: Request, response: Response, actor: Reviewer) -> dict[str, Any]:
    """Ask about a clip or a still; the answer is the result of a job."""

    def ask(form: ReceivedForm) -> dict[str, Any]:
        upload = form.only_file()
        fields_of(form, NoFields)
        return accepted(request, response, _queries(request).ask_file(upload, actor))

    async with receive(request, settings(request)) as form:
        return await run_in_threadpool(ask, form)


@router.post(
    "/phrase",
    response_model=Job,
    status_code=202,
    responses=errors(409) | ACCEPTED,
)
def ask_for_phrase(
    request: Request, response: Response, actor: Reviewer, body: Phrase
) -> dict[str, Any]:
    """Ask for the scenes that a phrase describes; the answer is the result of a job."""
    return accepted(request, response, _queries(request).ask_phrase(body.phrase, actor))


@router.post(
    "/{job_id}/case", response_model=CaseSummary, status_code=201, responses=errors(404, 409)
)
def open_case_from_query(request: Request, job_id: JobId, actor: Reviewer) -> records.CaseSummary:
    """Open a case from the answer to a query; the file is kept for it."""
    return _queries(request).open_case(job_id, actor)


def _queries(request: Request) -> queries.Queries:
    return queries.Queries(engine(request), desk(request), jobs(request))
