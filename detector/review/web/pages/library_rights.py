"""The library's forms for what owners allow, want done, and claim nothing for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from detector.review.errors import NotFoundError, ReviewError
from detector.review.records import Actor
from detector.review.web.pages.inputs import Number, Text, storable
from detector.review.web.pages.library_inputs import (
    PersonId,
    WorkId,
    day_of,
    library,
    listed,
    number_of,
    policy_of,
    seconds_of,
    share_of,
)
from detector.review.web.pages.library_people import person_address, person_page
from detector.review.web.pages.library_works import work_address, work_page
from detector.review.web.pages.rendering import Reviewer, error_page, go, status_of
from index.rights_records import Exclusion, Kind, Licence, Rule

router = APIRouter(include_in_schema=False)

_LONGEST = 4000  # characters of a field


async def _form(request: Request) -> FormData:
    return await request.form()


Given = Annotated[FormData, Depends(_form)]


@router.post("/library/works/{ref_id}/licences")
def licence_of_work(request: Request, ref_id: WorkId, actor: Reviewer, form: Given) -> Response:
    return _add(request, Kind.WORK, ref_id, actor, form, "licence", _add_licence)


@router.post("/library/people/{ref_id}/licences")
def licence_of_person(request: Request, ref_id: PersonId, actor: Reviewer, form: Given) -> Response:
    return _add(request, Kind.PERSON, ref_id, actor, form, "licence", _add_licence)


@router.post("/library/works/{ref_id}/rules")
def rule_of_work(request: Request, ref_id: WorkId, actor: Reviewer, form: Given) -> Response:
    return _add(request, Kind.WORK, ref_id, actor, form, "rule", _add_rule)


@router.post("/library/people/{ref_id}/rules")
def rule_of_person(request: Request, ref_id: PersonId, actor: Reviewer, form: Given) -> Response:
    return _add(request, Kind.PERSON, ref_id, actor, form, "rule", _add_rule)


@router.post("/library/works/{ref_id}/exclusions")
def exclusion(request: Request, ref_id: WorkId, actor: Reviewer, form: Given) -> Response:
    return _add(request, Kind.WORK, ref_id, actor, form, "exclusion", _add_exclusion)


@router.post("/library/licences/{number}/remove")
def remove_licence(request: Request, number: Number, actor: Reviewer, why: Text = "") -> Response:
    return _remove(request, actor, lambda: library(request).remove_licence(number, actor, why))


@router.post("/library/rules/{number}/remove")
def remove_rule(request: Request, number: Number, actor: Reviewer, why: Text = "") -> Response:
    return _remove(request, actor, lambda: library(request).remove_rule(number, actor, why))


@router.post("/library/exclusions/{number}/remove")
def remove_exclusion(request: Request, number: Number, actor: Reviewer, why: Text = "") -> Response:
    return _remove(request, actor, lambda: library(request).remove_exclusion(number, actor, why))


def _add_licence(
    request: Request, kind: Kind, ref_id: str, actor: Actor, given: dict[str, str]
) -> None:
    library(request).add_licence(
        kind,
        ref_id,
        actor,
        document=given.get("document", ""),
        licensee=given.get("licensee", ""),
        channels=listed(given.get("channels", "")),
        territories=listed(given.get("territories", "")),
        starts=day_of(given.get("starts", ""), "first day"),
        ends=day_of(given.get("ends", ""), "last day"),
    )


def _add_rule(
    request: Request, kind: Kind, ref_id: str, actor: Actor, given: dict[str, str]
) -> None:
    library(request).add_rule(
        kind,
        ref_id,
        actor,
        policy=policy_of(given.get("policy", "")),
        channel=given.get("channel") or None,
        min_seconds=number_of(given.get("min_seconds", ""), "seconds"),
        min_share_upload=share_of(given.get("min_share_upload", ""), "share of the upload"),
        min_share_reference=share_of(given.get("min_share_reference", ""), "share of the work"),
        min_score=number_of(given.get("min_score", ""), "score"),
    )


def _add_exclusion(
    request: Request, kind: Kind, ref_id: str, actor: Actor, given: dict[str, str]
) -> None:
    del kind
    library(request).add_exclusion(
        ref_id,
        actor,
        start=seconds_of(given.get("start", ""), "start"),
        end=seconds_of(given.get("end", ""), "end"),
        why=given.get("why", ""),
    )


def _add(
    request: Request,
    kind: Kind,
    ref_id: str,
    actor: Actor,
    form: FormData,
    what: str,
    add: Callable[[Request, Kind, str, Actor, dict[str, str]], None],
) -> Response:
    """Write something down, and open the page of what it is of; what was wrong is shown there."""
    given: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            text = str(storable(value))[:_LONGEST]
            given[name] = f"{given[name]},{text}" if name in given else text
    try:
        add(request, kind, ref_id, actor, given)
    except ReviewError as error:
        make = work_page if kind is Kind.WORK else person_page
        return make(request, ref_id, actor, error=error, given={**given, "of": what})
    return go(_address(kind, ref_id, what))


def _remove(
    request: Request, actor: Actor, remove: Callable[[], Licence | Rule | Exclusion]
) -> Response:
    try:
        removed = remove()
    except (NotFoundError, ReviewError) as error:
        return error_page(request, actor, status_of(error), str(error))
    if isinstance(removed, Exclusion):
        return go(work_address(removed.work_id, "removed"))
    return go(_address(removed.kind, removed.ref_id, "removed"))


def _address(kind: Kind, ref_id: str, said_code: str) -> str:
    if kind is Kind.WORK:
        return work_address(ref_id, said_code)
    return person_address(ref_id, said_code)
