"""What a case page shows besides its text: the videos, pictures of frames, and faces.

A picture that cannot be had is answered with the reason, in the API's shape: the page's scripts
show it in the picture's place.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from detector.review.evidence import REFERENCE, UPLOAD, NoEvidenceError, match_of
from detector.review.matrix import matrix_picture
from detector.review.pictures import face_enrolled, face_in_upload, pair_picture
from detector.review.queries import Queries
from detector.review.records import Actor, Case, NewEvent
from detector.review.web.access import Reviewer, Signed, desk, engine, jobs, settings
from detector.review.web.api.errors import errors
from detector.review.web.api.inputs import CaseId, Id
from detector.review.web.api.jobs import JobId
from detector.review.web.films import Films
from index.errors import UnknownWorkError


def _name(route: APIRoute) -> str:
    return route.name


router = APIRouter(
    tags=["evidence"],
    dependencies=[Depends(HTTPBearer(auto_error=False, scheme_name="token"))],
    responses=errors(401, 404, 422),
    generate_unique_id_function=_name,
)

WorkId = Annotated[Id, Path(description="Id of the work.")]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="Counted from 0, as listed.")]

# A film is asked for piece by piece and a page opened again and again: the browser may keep them,
# though it has to ask whether they are still so.
_FILM = {"Cache-Control": "private, no-cache"}
_PICTURE = {"Cache-Control": "private, max-age=300"}
_FACE = {"Cache-Control": "no-store"}  # biometric data

_Made = TypeVar("_Made")


class Side(StrEnum):
    """Which of two pictures."""

    UPLOAD = "upload"
    REFERENCE = "reference"


def _body(kind: str, description: str) -> dict[int | str, dict[str, Any]]:
    content = {kind: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"content": content, "description": description}}


_VIDEO: dict[int | str, dict[str, Any]] = {
    **_body("video/mp4", "The film, or the part of it that the `Range` header asks for."),
    206: {"description": "Part of the film."},
    416: {"description": "The film has no such part."},
}
_JPEG = _body("image/jpeg", "The picture.")


# --- films ------------------------------------------------------------------------------------


@router.head("/cases/{case_id}/upload.mp4", include_in_schema=False)
@router.get("/cases/{case_id}/upload.mp4", response_class=FileResponse, responses=_VIDEO)
async def get_upload_film(request: Request, case_id: CaseId, actor: Signed) -> Response:
    """Return the upload as a film that browsers play, whole or in part."""
    del actor
    case = await run_in_threadpool(desk(request).cases.get, case_id)
    return await _film(request, UPLOAD, case.source)


@router.head("/works/{work_id}/reference.mp4", include_in_schema=False)
@router.get("/works/{work_id}/reference.mp4", response_class=FileResponse, responses=_VIDEO)
async def get_reference_film(request: Request, work_id: WorkId, actor: Signed) -> Response:
    """Return a work's reference file as a film that browsers play, whole or in part."""
    del actor
    try:
        work = await run_in_threadpool(engine(request).index.work, work_id)
    except UnknownWorkError as error:
        raise NoEvidenceError("This work is not enrolled any more.") from error
    return await _film(request, REFERENCE, work.source)


async def _film(request: Request, role: str, source: str | None) -> Response:
    film = await cast(Films, request.app.state.films).open(role, source)
    return FileResponse(film.path, media_type=film.media_type, headers=_FILM)


# --- pictures ---------------------------------------------------------------------------------


@router.get(
    "/cases/{case_id}/matches/{match}/matrix.png",
    response_class=Response,
    responses=_body("image/png", "The picture."),
)
async def get_matrix(request: Request, case_id: CaseId, match: Number, actor: Signed) -> Response:
    """Draw how alike each moment of the upload is to each moment of the work."""
    del actor

    def draw() -> bytes:
        case = desk(request).cases.get(case_id)
        match_of(case, match)  # before any model is loaded
        ours = engine(request)
        return matrix_picture(case, match, ours.index, ours.descriptors(), settings(request))

    return Response(await _drawn(request, draw), media_type="image/png", headers=_PICTURE)


@router.get(
    "/cases/{case_id}/matches/{match}/segments/{segment}/pairs/{pair}/{side}.jpg",
    response_class=Response,
    responses=_JPEG,
)
async def get_frame(
    request: Request,
    case_id: CaseId,
    match: Number,
    segment: Number,
    pair: Number,
    side: Side,
    actor: Signed,
) -> Response:
    """Return one of two frames that were found alike, outlined where the work's picture lies."""
    del actor

    def draw() -> bytes:
        case = desk(request).cases.get(case_id)
        index = engine(request).index
        made = pair_picture(case, match, segment, pair, index, settings(request))
        jpeg = made.upload if side is Side.UPLOAD else made.reference
        if jpeg is None:
            raise NoEvidenceError(" ".join(made.notes))
        return jpeg

    return Response(await _drawn(request, draw), media_type="image/jpeg", headers=_PICTURE)


@router.get(
    "/cases/{case_id}/matches/{match}/appearances/{appearance}/{side}.jpg",
    response_class=Response,
    responses=_JPEG | errors(403),
)
async def get_face(
    request: Request,
    case_id: CaseId,
    match: Number,
    appearance: Number,
    side: Side,
    actor: Reviewer,
) -> Response:
    """Return a face in the upload, or the enrolled one that it is most like.

    For reviewers; each look is an event of its own in the audit.
    """

    def draw() -> bytes:
        case = desk(request).cases.get(case_id)
        jpeg = _face(request, case, match, appearance, side)
        # Before it is shown: a look that cannot be written down is none.
        _tell(request, actor, case, match, appearance, side)
        return jpeg

    return Response(await _drawn(request, draw), media_type="image/jpeg", headers=_FACE)


@router.get(
    "/queries/{job_id}/moments/{moment}.jpg",
    response_class=Response,
    responses=_JPEG | errors(403, 409),
)
async def get_moment(request: Request, job_id: JobId, moment: Number, actor: Reviewer) -> Response:
    """Return what is on screen at a moment that the answer to one's own query lists."""
    queries = Queries(engine(request), desk(request), jobs(request))
    jpeg = await _drawn(request, lambda: queries.picture(job_id, moment, actor))
    return Response(jpeg, media_type="image/jpeg", headers=_PICTURE)


def _face(request: Request, case: Case, match: int, appearance: int, side: Side) -> bytes:
    if side is Side.UPLOAD:
        return face_in_upload(case, match, appearance, settings(request))
    cipher = engine(request).cipher()
    if cipher is None:
        raise NoEvidenceError("The key of the enrolled faces is not here, so none can be shown.")
    return face_enrolled(case, match, appearance, engine(request).index, cipher)


def _tell(
    request: Request, actor: Actor, case: Case, match: int, appearance: int, side: Side
) -> None:
    seen = {
        "person": match_of(case, match).ref_id,
        "match": match,
        "appearance": appearance,
        "side": side.value,
    }
    event = NewEvent(
        "person.viewed", f"case:{case.id}", after=seen, evidence={"upload": case.digest}
    )
    desk(request).audit.record(actor, event)


async def _drawn(request: Request, draw: Callable[[], _Made]) -> _Made:
    """Draw in a thread of its own, a few at a time, so that pages are not kept waiting."""
    return await run_sync(draw, limiter=cast(CapacityLimiter, request.app.state.drawing))
