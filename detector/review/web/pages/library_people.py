"""The library's pages of people: one person with all that is said of them, and how it is changed.

No picture of a face is shown here: who looks at one does so for a case, and it is recorded there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from detector.review.accounts import account_of
from detector.review.errors import InvalidError, NotFoundError, ReviewError
from detector.review.jobs import Job, Report
from detector.review.library import ENROL, MOST_PHOTOS, AddedFaces
from detector.review.library_part import today
from detector.review.records import Actor
from detector.review.uploads import Upload
from detector.review.web.pages.inputs import Text
from detector.review.web.pages.library_inputs import (
    Line,
    PersonId,
    day_of,
    library,
    policy_of,
    said,
)
from detector.review.web.pages.rendering import (
    Approver,
    Signed,
    error_page,
    go,
    jobs,
    page,
    settings,
    status_of,
)
from detector.review.web.receiving import ReceivedForm, receive, sent_to
from index.person_records import LIKENESS_POLICIES
from index.records import Policy
from index.rights_records import CHANNELS, Kind

router = APIRouter(include_in_schema=False)


@router.post("/library/people")
async def add(request: Request, actor: Approver) -> Response:
    """Take photos and clips of a person; they are looked at in the background, and deleted."""

    def submit(photos: Sequence[Upload], form: ReceivedForm) -> Job:
        ours = library(request)
        until = day_of(form.text("retain_until"), "until when")
        if until is None:
            raise InvalidError("say until when the person may be matched: their last day")
        new = ours.new_person(
            form.text("id"),
            form.text("name"),
            form.text("authority"),
            until,
            policy_of(form.text("policy")),
            actor,
        )
        face = _face(form)
        return _submit(
            request,
            actor,
            new.name,
            photos,
            lambda report: ours.add_person(photos, new, actor, face, report),
        )

    async with receive(request, settings(request), MOST_PHOTOS) as form:
        form.only_file()
        job = await run_in_threadpool(submit, form.files, form)
    return sent_to(request, f"/library/jobs/{job.id}")


@router.get("/library/people/{person_id}")
def show(
    request: Request,
    person_id: PersonId,
    actor: Signed,
    said: str = "",
    job: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    return person_page(request, person_id, actor, said_code=said, job_id=job)


@router.post("/library/people/{person_id}")
def edit(
    request: Request,
    person_id: PersonId,
    actor: Approver,
    name: Line,
    authority: Line,
    policy: Annotated[Policy, Form()],
    retain_until: Line,
) -> Response:
    try:
        library(request).edit_person(
            person_id,
            actor,
            name=name,
            authority=authority,
            retain_until=day_of(retain_until, "until when"),
            policy=policy,
        )
    except ReviewError as error:
        return person_page(request, person_id, actor, error=error)
    return go(person_address(person_id, "edited"))


@router.post("/library/people/{person_id}/photos")
async def add_photos(request: Request, person_id: PersonId, actor: Approver) -> Response:
    """Take more photos and clips of a person who is enrolled."""

    def submit(photos: Sequence[Upload], form: ReceivedForm) -> Job:
        ours = library(request)
        person, face = ours.person(person_id).person, _face(form)
        return _submit(
            request,
            actor,
            person.name,
            photos,
            lambda report: ours.add_faces(person_id, photos, actor, face, report),
        )

    async with receive(request, settings(request), MOST_PHOTOS) as form:
        form.only_file()
        job = await run_in_threadpool(submit, form.files, form)
    return sent_to(request, f"/library/jobs/{job.id}")


@router.post("/library/people/{person_id}/remove")
def remove(request: Request, person_id: PersonId, actor: Approver, why: Text = "") -> Response:
    try:
        library(request).remove_person(person_id, actor, why)
    except ReviewError as error:
        return person_page(request, person_id, actor, error=error)
    return go("/library/people?said=removed")


def person_page(
    request: Request,
    person_id: str,
    actor: Actor,
    *,
    said_code: str = "",
    job_id: str = "",
    error: ReviewError | None = None,
    given: Mapping[str, str] | None = None,
) -> Response:
    """Make the page of a person.

    Parameters
    ----------
    job_id
        The job that has just added faces, to tell of what came with it.
    error, given
        What was wrong with a form, and what stood in it.
    """
    try:
        entry = library(request).person(person_id)
    except NotFoundError as unknown:
        return error_page(request, actor, status_of(unknown), str(unknown))
    return page(
        request,
        "library_person.html",
        actor,
        status=200 if error is None else status_of(error),
        problem=None if error is None else str(error),
        said=said(said_code),
        entry=entry,
        person=entry.person,
        warnings=_warnings(request, job_id, actor),
        at=person_address(person_id),
        policies=LIKENESS_POLICIES,
        rule_policies=LIKENESS_POLICIES,
        channels=CHANNELS[Kind.PERSON],
        most_photos=MOST_PHOTOS,
        most_bytes=int(settings(request).review_upload_limit),
        given=given or {},
        today=today(),
    )


def person_address(person_id: str, said_code: str = "") -> str:
    """Return where a person's page is."""
    query = f"?said={said_code}" if said_code else ""
    return f"/library/people/{quote(person_id, safe='')}{query}"


def _face(form: ReceivedForm) -> str | None:
    """Return which face is meant, where a file shows several."""
    return form.text("face").strip() or None


def _submit(
    request: Request,
    actor: Actor,
    label: str,
    photos: Sequence[Upload],
    run: Callable[[Report], AddedFaces],
) -> Job:
    def clean_up() -> None:
        for photo in photos:
            photo.path.unlink(missing_ok=True)

    return jobs(request).submit(ENROL, label, account_of(actor), run, clean_up)


def _warnings(request: Request, job_id: str, actor: Actor) -> tuple[str, ...]:
    if not job_id:
        return ()
    try:
        result = jobs(request).get(job_id, account_of(actor)).result
    except NotFoundError:
        return ()
    return result.warnings if isinstance(result, AddedFaces) else ()
