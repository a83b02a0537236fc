"""What the pages and the API work with: the parts of the application, and who asks."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.jobs import Jobs
from detector.review.records import Actor, Role
from detector.review.web.security import current_actor, require
from detector.settings import Settings

Signed = Annotated[Actor, Depends(current_actor)]
"""Any account."""
Reviewer = Annotated[Actor, Depends(require(Role.REVIEWER))]
Approver = Annotated[Actor, Depends(require(Role.APPROVER))]
Admin = Annotated[Actor, Depends(require(Role.ADMIN))]


def desk(request: Request) -> Desk:
    return cast(Desk, request.app.state.desk)


def engine(request: Request) -> Engine:
    return cast(Engine, request.app.state.engine)


def jobs(request: Request) -> Jobs:
    return cast(Jobs, request.app.state.jobs)


def settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)
