"""The audit: everything that happened, newest first."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from detector.review.web.access import Approver, desk
from detector.review.web.pages.rendering import page

router = APIRouter(include_in_schema=False)

_LIMIT = 100


@router.get("/audit")
def audit(
    request: Request,
    actor: Approver,
    subject: Annotated[str, Query(max_length=200)] = "",
    by: Annotated[str, Query(max_length=64)] = "",
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    subject, by = (text.strip().replace("\0", "") for text in (subject, by))
    events = desk(request).audit.events(
        subject=subject or None, actor=by or None, limit=_LIMIT + 1, before=before
    )
    shown = events[:_LIMIT]
    return page(
        request,
        "audit.html",
        actor,
        events=shown,
        subject=subject,
        by=by,
        further=shown[-1].number if len(events) > _LIMIT else None,
        as_text=lambda values: json.dumps(dict(values), indent=1, ensure_ascii=False),
    )
