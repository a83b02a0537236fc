"""The audit: what happened, whether the log is whole, and all of it to take away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, Any, TextIO

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from detector.review import audit
from detector.review.web.access import Approver, desk
from detector.review.web.api.inputs import Body, Line, Number
from detector.review.web.api.models import AuditReport, EventPage

router = APIRouter(tags=["audit"], prefix="/audit")

JSON_LINES = "application/jsonl"
_CHUNK = 1 << 16  # characters


class EventsWanted(Body):
    """Which entries."""

    subject: Line | None = None
    """`case:17`, `notice:3`, `work:bikes`, `account:ann` ..."""
    actor: Line | None = None
    """Name of an account."""
    before: Number | None = None
    """Only those with a smaller number."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    """How many at most."""


@router.get("", response_model=EventPage)
def list_events(
    request: Request, actor: Approver, wanted: Annotated[EventsWanted, Query()]
) -> dict[str, Any]:
    """List what happened, newest first; further entries are those `before` the last one."""
    # One more than is shown tells whether there are more.
    found = desk(request).audit.events(
        wanted.subject, wanted.actor, wanted.limit + 1, wanted.before
    )
    shown = found[: wanted.limit]
    before = shown[-1].number if len(found) > len(shown) else None
    return {"items": shown, "limit": wanted.limit, "before": before}


@router.get("/verify", response_model=AuditReport)
def verify_audit(request: Request, actor: Approver) -> audit.AuditReport:
    """Read the whole log, and say whether anything was altered, removed, added or moved."""
    return desk(request).audit.verify()


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"description": "JSON lines, oldest first.", "content": {JSON_LINES: {}}}},
)
def export_audit(request: Request, actor: Approver) -> StreamingResponse:
    """Send the whole log as JSON lines, to be kept where nobody here can write."""
    # Written down first: a slow reader would hold the database's transaction open.
    with ExitStack() as opened:
        file = opened.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline=""))
        desk(request).audit.export(file)
        file.seek(0)
        opened.pop_all()
    name = 'attachment; filename="audit.jsonl"'
    return StreamingResponse(
        _chunks(file), media_type=JSON_LINES, headers={"Content-Disposition": name}
    )


def _chunks(file: TextIO) -> Iterator[str]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
