"""Work in the background: how far it is, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import StringConstraints

from detector.output import to_json
from detector.review import jobs as work
from detector.review.accounts import account_of
from detector.review.library import ENROL
from detector.review.queries import KIND, Answer
from detector.review.web.access import Signed, jobs
from detector.review.web.api.errors import errors
from detector.review.web.api.inputs import Part, part_of
from detector.review.web.api.library_models import Job
from detector.review.web.api.models import Page

router = APIRouter(tags=["jobs"], prefix="/jobs")

JobId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Path(description="Id of the job, as it was answered."),
]
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "headers": {
            "Location": {
                "description": "Address of the job.",
                "schema": {"type": "string"},
                "required": True,
            }
        }
    }
}
"""What is said of an operation that begins a job."""


@router.get("", response_model=Page[Job])
def list_jobs(request: Request, actor: Signed, part: Part) -> Any:
    """List one's own jobs of the last hour, newest first."""
    own = jobs(request).of(account_of(actor))
    return part_of([as_sent(one) for one in own], part)


@router.get("/{job_id}", response_model=Job, responses=errors(404))
def get_job(request: Request, job_id: JobId, actor: Signed) -> dict[str, Any]:
    """Return one of one's own jobs as it is now; once it is done with its result."""
    return as_sent(jobs(request).get(job_id, account_of(actor)))


def accepted(request: Request, response: Response, job: work.Job) -> dict[str, Any]:
    """Answer that a job has begun."""
    response.headers["Location"] = request.url_for("get_job", job_id=job.id).path
    return as_sent(job)


def as_sent(job: work.Job) -> dict[str, Any]:
    """Return a job as it is sent."""
    names = ("id", "kind", "label", "state", "progress", "note", "error", "created_at")
    values = {name: getattr(job, name) for name in names}
    return values | {"location": _page(job), "result": _result(job.result)}


def _page(job: work.Job) -> str | None:
    pages = {KIND: "/query", ENROL: "/library/jobs"}
    return f"{pages[job.kind]}/{job.id}" if job.kind in pages else None


def _result(result: object) -> object:
    if not isinstance(result, Answer):
        return result
    found, scanned = result.found, None
    if found.result is not None and result.upload is not None:
        # Where the file lies in the workspace is nobody's business.
        upload = result.upload
        scanned = to_json(replace(found.result, source=upload.name, query_id=upload.stem))
    return {
        "result": scanned,
        "people": found.people,
        "moments": found.moments,
        "left_out": found.left_out,
        "is_for_people": result.is_for_people,
    }
