"""The desk's API: the same operations as its pages, for programs.

Every list comes in parts (`models.Page`), every error in one shape (`errors.ErrorBody`). Who asks
is known by a token, or by the session of a page.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from detector.review.web.api import (
    accounts,
    audit,
    cases,
    jobs,
    library,
    notices,
    queries,
    rights,
    webhooks,
)
from detector.review.web.api.errors import errors


def _name(route: APIRoute) -> str:
    return route.name


router = APIRouter(
    # It lets everybody pass: who may do what is for the operations to say, see `access`.
    dependencies=[Depends(HTTPBearer(auto_error=False, scheme_name="token"))],
    responses=errors(400, 401, 403, 422),
    generate_unique_id_function=_name,
)
for _part in (cases, notices, library, rights, queries, jobs, audit, accounts, webhooks):
    router.include_router(_part.router)
