"""The desk's pages, one module for each subject."""

from __future__ import annotations

from detector.review.web.pages import (
    accounts,
    audit,
    cases,
    library,
    notices,
    query,
    queue,
    sign_in,
)

ROUTERS = (
    sign_in.router,
    queue.router,
    cases.router,
    notices.router,
    query.router,
    library.router,
    audit.router,
    accounts.router,
)
"""Of all pages."""
