"""The library: lists of what is protected and allowed, and what is being added to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from detector.review.accounts import account_of
from detector.review.errors import NotFoundError
from detector.review.jobs import JobState
from detector.review.library import ENROL, MOST_PHOTOS, AddedFaces, AddedWork
from detector.review.library_part import Page, today
from detector.review.records import Actor
from detector.review.web.pages import library_people, library_rights, library_works
from detector.review.web.pages.inputs import storable
from detector.review.web.pages.library_inputs import library, said
from detector.review.web.pages.library_people import person_address
from detector.review.web.pages.library_works import work_address
from detector.review.web.pages.rendering import (
    Signed,
    engine,
    error_page,
    go,
    jobs,
    page,
    settings,
    status_of,
)
from index.person_records import LIKENESS_POLICIES
from index.records import Policy
from index.rights_records import Kind

router = APIRouter(include_in_schema=False)
router.include_router(library_works.router)
router.include_router(library_people.router)
router.include_router(library_rights.router)

_LIMIT = 50  # of a page
_TABS = {
    "works": "Works",
    "people": "People",
    "licences": "Licences",
    "rules": "Rules",
    "exclusions": "Exclusions",
}

Search = Annotated[str, Query(max_length=200)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class _Tab:
    address: str
    name: str
    is_open: bool


@router.get("/library")
def works(
    request: Request, actor: Signed, search: Search = "", offset: Offset = 0, said: str = ""
) -> Response:
    found = library(request).works(str(storable(search)), _LIMIT, offset)
    index = engine(request).index
    return _list(
        request,
        actor,
        "works",
        found,
        search,
        offset,
        said,
        channels={work.id: sorted(index.channels(work.number)) for work in found.items},
        policies=list(Policy),
    )


@router.get("/library/people")
def people(
    request: Request, actor: Signed, search: Search = "", offset: Offset = 0, said: str = ""
) -> Response:
    found = library(request).people(str(storable(search)), _LIMIT, offset)
    return _list(
        request,
        actor,
        "people",
        found,
        search,
        offset,
        said,
        policies=LIKENESS_POLICIES,
        most_photos=MOST_PHOTOS,
    )


@router.get("/library/licences")
def licences(request: Request, actor: Signed, search: Search = "", offset: Offset = 0) -> Response:
    found = library(request).licences(str(storable(search)), _LIMIT, offset)
    return _list(request, actor, "licences", found, search, offset)


@router.get("/library/rules")
def rules(request: Request, actor: Signed, search: Search = "", offset: Offset = 0) -> Response:
    found = library(request).rules(str(storable(search)), _LIMIT, offset)
    return _list(request, actor, "rules", found, search, offset)


@router.get("/library/exclusions")
def exclusions(
    request: Request, actor: Signed, search: Search = "", offset: Offset = 0
) -> Response:
    found = library(request).exclusions(str(storable(search)), _LIMIT, offset)
    return _list(request, actor, "exclusions", found, search, offset)


@router.get("/library/jobs/{job_id}")
def job(
    request: Request, job_id: Annotated[str, Path(min_length=1, max_length=64)], actor: Signed
) -> Response:
    """Show how far it is to add something, and then what was added."""
    try:
        found = jobs(request).get(job_id, account_of(actor))
        if found.kind != ENROL:
            raise NotFoundError("there is no such job, or what came of it has been forgotten")
    except NotFoundError as error:
        return error_page(request, actor, status_of(error), str(error))
    if found.state is JobState.DONE:
        if isinstance(found.result, AddedWork):
            return go(work_address(found.result.work.id, "added"))
        if isinstance(found.result, AddedFaces):
            return go(f"{person_address(found.result.person.id, 'added')}&job={found.id}")
    return page(request, "job.html", actor, job=found, label=found.label, back="/library")


def _list(
    request: Request,
    actor: Actor,
    tab: str,
    found: Page[Any],
    search: str,
    offset: int,
    said_code: str = "",
    **values: Any,
) -> Response:
    def query(changes: dict[str, Any]) -> str:
        wanted = {"search": search, **changes}
        return f"{_address(tab)}?{urlencode({k: v for k, v in wanted.items() if v})}"

    return page(
        request,
        "library.html",
        actor,
        said=said(said_code),
        tab=tab,
        tabs=[_Tab(_address(one), name, one == tab) for one, name in _TABS.items()],
        items=found.items,
        total=found.total,
        limit=_LIMIT,
        offset=offset,
        search=search,
        query=query,
        here=_address(tab),
        today=today(),
        most_bytes=int(settings(request).review_upload_limit),
        address_of=lambda kind, ref_id: (
            work_address(ref_id) if kind == Kind.WORK else person_address(ref_id)
        ),
        **values,
    )


def _address(tab: str) -> str:
    return "/library" if tab == "works" else f"/library/{tab}"
