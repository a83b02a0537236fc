"""Rights: what owners allow, want done, and claim nothing for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, StringConstraints

from detector.review.library import Library
from detector.review.web.access import Reviewer, Signed, desk, engine
from detector.review.web.api.errors import errors
from detector.review.web.api.inputs import (
    NO_NUL,
    SOMETHING,
    Body,
    Day,
    Id,
    JsonSeconds,
    JsonShare,
    page,
)
from detector.review.web.api.library import Removal, Search
from detector.review.web.api.library_models import Exclusion, Licence, Rule
from detector.review.web.api.models import Page
from detector.types import Channel
from index import rights_records
from index.records import Policy
from index.rights_records import Kind

router = APIRouter(tags=["rights"])

# The catalogue counts by 32 bits.
RightNumber = Annotated[int, Field(ge=1, le=2**31 - 1), Path(description="Its number.")]
_Line = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=SOMETHING)]
_Country = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$")]


class NewLicence(Body):
    """What an owner allows."""

    kind: Kind
    ref_id: Id
    """Id of the work or the person."""
    document: _Line
    """Where it is written: number of a contract, name of a file."""
    licensee: Annotated[str, StringConstraints(max_length=300, pattern=NO_NUL)] = ""
    """Account name of the uploader who may; empty: anybody."""
    channels: Annotated[tuple[Channel, ...], Field(max_length=3)] = ()
    """What they may do; none: all."""
    territories: Annotated[tuple[_Country, ...], Field(max_length=300)] = ()
    """Where, by ISO 3166-1 alpha-2; none: the whole world."""
    starts: Day | None = None
    ends: Day | None = None
    """The last day."""


class NewRule(Body):
    """What is wanted done where some conditions hold."""

    kind: Kind
    ref_id: Id
    """Id of the work or the person."""
    policy: Policy
    """Not block for people and for look-alikes."""
    channel: Channel | None = None
    """Only for matches in this channel."""
    min_seconds: JsonSeconds | None = None
    """Only if so many seconds of the upload match."""
    min_share_upload: JsonShare | None = None
    min_share_reference: JsonShare | None = None
    min_score: JsonShare | None = None


class NewExclusion(Body):
    """Seconds of a work that its owner claims nothing for."""

    work_id: Id
    start: JsonSeconds
    end: JsonSeconds
    why: _Line


@router.get("/licences", response_model=Page[Licence])
def list_licences(request: Request, actor: Signed, wanted: Annotated[Search, Query()]) -> Any:
    """List licences."""
    found = _library(request).licences(wanted.search, wanted.limit, wanted.offset)
    return page(found.items, found.total, wanted)


@router.post("/licences", response_model=Licence, status_code=201, responses=errors(404, 409))
def add_licence(request: Request, actor: Reviewer, body: NewLicence) -> rights_records.Licence:
    """Write down what an owner allows: what it covers is not flagged from now on."""
    return _library(request).add_licence(
        body.kind,
        body.ref_id,
        actor,
        document=body.document,
        licensee=body.licensee,
        channels=body.channels,
        territories=body.territories,
        starts=body.starts,
        ends=body.ends,
    )


@router.delete("/licences/{number}", status_code=204, responses=errors(404, 409))
def remove_licence(
    request: Request, number: RightNumber, actor: Reviewer, removal: Annotated[Removal, Query()]
) -> None:
    """Forget a licence: what it covered is flagged from now on."""
    _library(request).remove_licence(number, actor, removal.why)


@router.get("/rules", response_model=Page[Rule])
def list_rules(request: Request, actor: Signed, wanted: Annotated[Search, Query()]) -> Any:
    """List rules."""
    found = _library(request).rules(wanted.search, wanted.limit, wanted.offset)
    return page(found.items, found.total, wanted)


@router.post("/rules", response_model=Rule, status_code=201, responses=errors(404, 409))
def add_rule(request: Request, actor: Reviewer, body: NewRule) -> rights_records.Rule:
    """Write down what is wanted done where some conditions hold."""
    return _library(request).add_rule(
        body.kind,
        body.ref_id,
        actor,
        policy=body.policy,
        channel=body.channel,
        min_seconds=body.min_seconds,
        min_share_upload=body.min_share_upload,
        min_share_reference=body.min_share_reference,
        min_score=body.min_score,
    )


@router.delete("/rules/{number}", status_code=204, responses=errors(404, 409))
def remove_rule(
    request: Request, number: RightNumber, actor: Reviewer, removal: Annotated[Removal, Query()]
) -> None:
    """Forget a rule."""
    _library(request).remove_rule(number, actor, removal.why)


@router.get("/exclusions", response_model=Page[Exclusion])
def list_exclusions(request: Request, actor: Signed, wanted: Annotated[Search, Query()]) -> Any:
    """List exclusions."""
    found = _library(request).exclusions(wanted.search, wanted.limit, wanted.offset)
    return page(found.items, found.total, wanted)


@router.post("/exclusions", response_model=Exclusion, status_code=201, responses=errors(404, 409))
def add_exclusion(
    request: Request, actor: Reviewer, body: NewExclusion
) -> rights_records.Exclusion:
    """Write down seconds of a work that do not count from now on."""
    return _library(request).add_exclusion(
        body.work_id, actor, start=body.start, end=body.end, why=body.why
    )


@router.delete("/exclusions/{number}", status_code=204, responses=errors(404, 409))
def remove_exclusion(
    request: Request, number: RightNumber, actor: Reviewer, removal: Annotated[Removal, Query()]
) -> None:
    """Forget an exclusion: these seconds count again."""
    _library(request).remove_exclusion(number, actor, removal.why)


def _library(request: Request) -> Library:
    return Library(engine(request), desk(request))
