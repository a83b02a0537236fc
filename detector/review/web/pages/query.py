"""The query page: is this clip or this still ours, and where is the scene of a phrase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response

from detector.moments import Moment, Where
from detector.report_pictures import why_missing
from detector.review.errors import NotFoundError, ReviewError
from detector.review.evidence import (
    UPLOAD,
    AnyEvidence,
    CaseEvidence,
    NoEvidenceError,
    WorkEvidence,
)
from detector.review.jobs import Job, JobState
from detector.review.playback import media_type, playable
from detector.review.queries import LONGEST_PHRASE, Answer, Queries, playable_folder
from detector.review.records import Actor
from detector.review.uploads import Upload
from detector.review.web.pages.rendering import (
    Reviewer,
    desk,
    engine,
    error_page,
    go,
    jobs,
    page,
    settings,
    status_of,
)
from detector.review.web.receiving import is_by_script, receive, sent_to
from detector.text import visible
from detector.types import Likeness

router = APIRouter(include_in_schema=False)

JobId = Annotated[str, Path(min_length=1, max_length=64)]

_OTHERS = 6  # works that were found and are not flagged


@router.get("/query")
def ask(request: Request, actor: Reviewer) -> Response:
    return _ask(request, actor)


@router.post("/query/file")
async def ask_file(request: Request, actor: Reviewer) -> Response:
    """Take a clip or a still; the answer is found in the background."""

    def submit(upload: Upload) -> Job:
        return _queries(request).ask_file(upload, actor)

    try:
        async with receive(request, settings(request)) as form:
            job = await run_in_threadpool(submit, form.only_file())
    except ReviewError as error:
        if is_by_script(request):
            raise
        return await run_in_threadpool(_ask, request, actor, error)
    return sent_to(request, f"/query/{job.id}")


@router.post("/query/phrase")
def ask_phrase(
    request: Request, actor: Reviewer, phrase: Annotated[str, Form(max_length=4 * LONGEST_PHRASE)]
) -> Response:
    try:
        job = _queries(request).ask_phrase(phrase, actor)
    except ReviewError as error:
        return _ask(request, actor, error)
    return go(f"/query/{job.id}")


@router.get("/query/{job_id}")
def show(
    request: Request,
    job_id: JobId,
    actor: Reviewer,
    match: Annotated[int | None, Query(ge=0, le=2**31)] = None,
) -> Response:
    """Show how far a query is, and then its answer."""
    try:
        job = _queries(request).get(job_id, actor)
    except NotFoundError as error:
        return error_page(request, actor, status_of(error), str(error))
    if job.state is not JobState.DONE:
        return page(request, "job.html", actor, job=job, label=job.label, back="/query")
    return _answer(request, job, actor, match=match)


@router.get("/query/{job_id}/upload.mp4")
async def film(request: Request, job_id: JobId, actor: Reviewer) -> Response:
    """Return the clip as one that browsers play, to who asked about it."""
    return await run_sync(_film, request, job_id, actor, limiter=request.app.state.drawing)


@router.post("/query/{job_id}/case")
def open_case(request: Request, job_id: JobId, actor: Reviewer) -> Response:
    try:
        case = _queries(request).open_case(job_id, actor)
    except ReviewError as error:
        return error_page(request, actor, status_of(error), str(error))
    return go(f"/cases/{case.id}")


def _queries(request: Request) -> Queries:
    return Queries(engine(request), desk(request), jobs(request))


def _ask(request: Request, actor: Actor, error: ReviewError | None = None) -> Response:
    return page(
        request,
        "query.html",
        actor,
        status=200 if error is None else status_of(error),
        problem=None if error is None else str(error),
        no_phrases=engine(request).why_no_phrases(),
        longest_phrase=LONGEST_PHRASE,
        notes=engine(request).notes(),
        most_bytes=int(settings(request).review_upload_limit),
        recent=_queries(request).of(actor),
    )


def _film(request: Request, job_id: str, actor: Actor) -> Response:
    upload = _queries(request).answer(job_id, actor).upload
    problem = why_missing(UPLOAD, None if upload is None else str(upload.path))
    if upload is None or problem is not None:
        raise NoEvidenceError(problem or "There is no clip.")
    path = playable(upload.path, playable_folder(upload))
    return FileResponse(path, media_type=media_type(path), headers={"Cache-Control": "no-store"})


# --- the answer -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opening:
    """A moment of the upload, and the segment or appearance that it is of."""

    time: float  # seconds
    segment: int


@dataclass(frozen=True, slots=True)
class _Shown:
    """A work or an upload, and its moments with their numbers in the answer."""

    first: Moment
    case: int | None  # of the upload
    moments: list[tuple[int, Moment]] = field(default_factory=list)

    @property
    def address(self) -> str | None:
        """Of its page, if it has one."""
        if self.first.where is Where.WORK:
            return f"/library/works/{quote(self.first.id, safe='')}"
        return None if self.case is None else f"/cases/{self.case}"


def _answer(request: Request, job: Job, actor: Actor, *, match: int | None) -> Response:
    queries = _queries(request)
    answer = queries.answer(job.id, actor)
    evidence = queries.evidence(answer)
    matches = () if evidence is None else (*evidence.matches, *evidence.others[:_OTHERS])
    found = next((one for one in matches if one.number == match), matches[0] if matches else None)
    return page(
        request,
        "query_result.html",
        actor,
        job=job,
        label=job.label,
        headline=_headline(answer, evidence),
        can_open_case=answer.is_for_people,
        evidence=evidence,
        matches=matches,
        found=found,
        opening=None if found is None else _opening(found),
        upload_video=f"/query/{job.id}/upload.mp4",
        reference_video=None if found is None else _reference_video(found.subject),
        people=answer.found.people,
        works=_shown(answer, Where.WORK, {}),
        uploads=_shown(answer, Where.UPLOAD, queries.cases(answer)),
        left_out=answer.found.left_out,
        pictures=f"/api/v1/queries/{job.id}/moments",
    )


def _shown(answer: Answer, where: Where, cases: Mapping[str, int]) -> list[_Shown]:
    """Return the works or uploads of an answer, each with its moments, in the answer's order."""
    shown: dict[str, _Shown] = {}
    for number, moment in enumerate(answer.found.moments):
        if moment.where is where:
            one = shown.setdefault(moment.digest, _Shown(moment, cases.get(moment.digest)))
            one.moments.append((number, moment))
    return list(shown.values())


def _opening(found: AnyEvidence) -> _Opening | None:
    """Return where the videos stand when the page is opened: at what is most alike."""
    if isinstance(found, WorkEvidence):
        pairs = [(one.pair, segment) for segment in found.segments for one in segment.pairs]
        if not pairs:
            return None
        pair, segment = max(pairs, key=lambda one: one[0].similarity)
        return _Opening(pair.query_time, segment.number)
    seen = [one for one in found.appearances if one.has_pictures]
    return _Opening(seen[0].appearance.time, 0) if seen else None


def _reference_video(work_id: str) -> str:
    return f"/api/v1/works/{quote(work_id, safe='')}/reference.mp4"


def _headline(answer: Answer, evidence: CaseEvidence | None) -> str:
    """Say in a line what was found."""
    if evidence is not None:
        sentences = [visible(one.headline) for one in evidence.matches[:2]]
        more = len(evidence.matches) - len(sentences)
        found = "; ".join(sentences) + (f"; and {more} more" if more else "")
        return found or "Nothing in it is to be acted on"
    likely = [visible(one.name) for one in answer.found.people if one.likeness is Likeness.LIKELY]
    if likely:
        return f"Likely in it: {', '.join(likely)}"
    if answer.found.moments or answer.found.people:
        return "What is most like it"
    return "Nothing of it is known"
