"""The library: works and people that are protected."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, StringConstraints

from detector.review import library
from detector.review.accounts import account_of
from detector.review.library import ENROL, MOST_PHOTOS
from detector.review.web.access import Approver, Reviewer, Signed, desk, engine, jobs, settings
from detector.review.web.api.errors import errors
from detector.review.web.api.inputs import NO_NUL, Body, Day, Id, Paging, Text, page
from detector.review.web.api.jobs import ACCEPTED, accepted
from detector.review.web.api.library_models import Job, Person, PersonInFull, Work, WorkInFull
from detector.review.web.api.models import Page
from detector.review.web.api.uploads import fields_of, form_of
from detector.review.web.receiving import ReceivedForm, receive
from index.person_records import Person as EnrolledPerson
from index.records import Policy
from index.records import Work as EnrolledWork

router = APIRouter()

WorkId = Annotated[Id, Path(description="Id of the work.")]
PersonId = Annotated[Id, Path(description="Id of the person.")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=NO_NUL)]
_Field = Annotated[str, StringConstraints(max_length=300)]  # of a form, which holds no NUL
_Empty = Annotated[str, StringConstraints(max_length=300, pattern=NO_NUL)]


class Search(Paging):
    """What is searched for, and which part of the list."""

    search: Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)] = ""
    """A text that one of the names contains, upper or lower case."""


class Removal(Body):
    """Why something is removed."""

    why: Text = ""


class NewWork(Body):
    """What is said of a film that is to be protected."""

    id: Annotated[str, StringConstraints(max_length=128)] = ""
    """Made of the file's name if it is empty."""
    title: _Field = ""
    """The same."""
    owner: _Field = ""
    policy: Policy = Policy.REVIEW


class WorkChange(Body):
    """What is to be said of a work; what is not said stays."""

    title: _Name | None = None
    owner: _Empty | None = None
    """An empty text: nobody is known."""
    policy: Policy | None = None
    cast: Annotated[list[Id], Field(max_length=1000)] | None = None
    """Ids of people, in the place of who is in the cast."""


class NewPerson(Body):
    """What is said of somebody whose likeness is to be protected."""

    id: Annotated[str, StringConstraints(max_length=128)] = ""
    """Made of the name if it is empty."""
    name: _Field
    authority: _Field
    """Who allows that this face is processed, and by what: a contract, a consent."""
    retain_until: Day
    """The last day on which they may be matched."""
    policy: Policy = Policy.REVIEW
    """Not block: a likeness alone never leads to an automatic action."""
    face: Annotated[str, StringConstraints(max_length=64)] = ""
    """Which face, where a photo shows several."""


class MorePhotos(Body):
    """What is said of further photos of a person."""

    face: Annotated[str, StringConstraints(max_length=64)] = ""
    """Which face, where a photo shows several."""


class PersonChange(Body):
    """What is to be said of a person; what is not said stays."""

    name: _Name | None = None
    authority: _Name | None = None
    retain_until: Day | None = None
    policy: Policy | None = None


# --- works ------------------------------------------------------------------------------------


@router.get("/works", response_model=Page[Work], tags=["works"])
def list_works(request: Request, actor: Signed, wanted: Annotated[Search, Query()]) -> Any:
    """List works by title."""
    found = _library(request).works(wanted.search, wanted.limit, wanted.offset)
    return page(found.items, found.total, wanted)


@router.post(
    "/works",
    response_model=Job,
    status_code=202,
    responses=errors(409, 413, 507) | ACCEPTED,
    openapi_extra=form_of(NewWork, "file"),
    tags=["works"],
)
async def add_work(request: Request, response: Response, actor: Reviewer) -> dict[str, Any]:
    """Protect a film; it is described and enrolled by a job."""

    def begin(form: ReceivedForm) -> dict[str, Any]:
        film, said, ours = form.only_file(), fields_of(form, NewWork), _library(request)
        new = ours.new_film(film, said.id, said.title, said.owner, said.policy, actor)
        job = jobs(request).submit(
            ENROL,
            new.title,
            account_of(actor),
            lambda report: ours.add_work(film, new, actor, report),
            lambda: film.path.unlink(missing_ok=True),
        )
        return accepted(request, response, job)

    async with receive(request, settings(request)) as form:
        return await run_in_threadpool(begin, form)


@router.get("/works/{work_id}", response_model=WorkInFull, responses=errors(404), tags=["works"])
def get_work(request: Request, work_id: WorkId, actor: Signed) -> library.WorkEntry:
    """Return a work with its channels, cast and rights."""
    return _library(request).work(work_id)


@router.patch("/works/{work_id}", response_model=Work, responses=errors(404, 409), tags=["works"])
def change_work(
    request: Request, work_id: WorkId, actor: Reviewer, body: WorkChange
) -> EnrolledWork:
    """Change what is said of a work."""
    ours = _library(request)
    if body.cast is not None:
        ours.set_cast(work_id, body.cast, actor)
    return ours.edit_work(work_id, actor, title=body.title, owner=body.owner, policy=body.policy)


@router.delete("/works/{work_id}", status_code=204, responses=errors(404, 409), tags=["works"])
def remove_work(
    request: Request, work_id: WorkId, actor: Approver, removal: Annotated[Removal, Query()]
) -> None:
    """Protect a work no more: its rights are forgotten, too."""
    _library(request).remove_work(work_id, actor, removal.why)


# --- people -----------------------------------------------------------------------------------


@router.get("/people", response_model=Page[Person], tags=["people"])
def list_people(request: Request, actor: Signed, wanted: Annotated[Search, Query()]) -> Any:
    """List people by name."""
    found = _library(request).people(wanted.search, wanted.limit, wanted.offset)
    return page(found.items, found.total, wanted)


@router.post(
    "/people",
    response_model=Job,
    status_code=202,
    responses=errors(409, 413, 507) | ACCEPTED,
    openapi_extra=form_of(NewPerson, "photos", many=True),
    tags=["people"],
)
async def add_person(request: Request, response: Response, actor: Approver) -> dict[str, Any]:
    """Protect a person's likeness; the photos are looked at by a job, and deleted then."""

    def begin(form: ReceivedForm) -> dict[str, Any]:
        form.only_file()
        said, ours = fields_of(form, NewPerson), _library(request)
        new = ours.new_person(
            said.id, said.name, said.authority, said.retain_until, said.policy, actor
        )
        job = jobs(request).submit(
            ENROL,
            new.name,
            account_of(actor),
            lambda report: ours.add_person(form.files, new, actor, said.face or None, report),
            lambda: _delete(form),
        )
        return accepted(request, response, job)

    async with receive(request, settings(request), MOST_PHOTOS) as form:
        return await run_in_threadpool(begin, form)


@router.get(
    "/people/{person_id}", response_model=PersonInFull, responses=errors(404), tags=["people"]
)
def get_person(request: Request, person_id: PersonId, actor: Signed) -> library.PersonEntry:
    """Return a person with their works and rights; nothing of their face."""
    return _library(request).person(person_id)


@router.post(
    "/people/{person_id}/photos",
    response_model=Job,
    status_code=202,
    responses=errors(404, 409, 413, 507) | ACCEPTED,
    openapi_extra=form_of(MorePhotos, "photos", many=True),
    tags=["people"],
)
async def add_photos(
    request: Request, response: Response, person_id: PersonId, actor: Approver
) -> dict[str, Any]:
    """Add faces to a person; the photos are looked at by a job, and deleted then."""

    def begin(form: ReceivedForm) -> dict[str, Any]:
        form.only_file()
        said, ours = fields_of(form, MorePhotos), _library(request)
        person = ours.person(person_id).person
        job = jobs(request).submit(
            ENROL,
            person.name,
            account_of(actor),
            lambda report: ours.add_faces(person.id, form.files, actor, said.face or None, report),
            lambda: _delete(form),
        )
        return accepted(request, response, job)

    async with receive(request, settings(request), MOST_PHOTOS) as form:
        return await run_in_threadpool(begin, form)


@router.patch(
    "/people/{person_id}", response_model=Person, responses=errors(404, 409), tags=["people"]
)
def change_person(
    request: Request, person_id: PersonId, actor: Approver, body: PersonChange
) -> EnrolledPerson:
    """Change what is said of a person."""
    return _library(request).edit_person(
        person_id,
        actor,
        name=body.name,
        authority=body.authority,
        retain_until=body.retain_until,
        policy=body.policy,
    )


@router.delete("/people/{person_id}", status_code=204, responses=errors(404, 409), tags=["people"])
def remove_person(
    request: Request,
    person_id: PersonId,
    actor: Approver,
    removal: Annotated[Removal, Query()],
) -> None:
    """Erase a person: nothing is left of their faces."""
    _library(request).remove_person(person_id, actor, removal.why)


def _library(request: Request) -> library.Library:
    return library.Library(engine(request), desk(request))


def _delete(form: ReceivedForm) -> None:
    for photo in form.files:
        photo.path.unlink(missing_ok=True)
