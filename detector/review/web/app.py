"""The desk as an application: its pages, its API, and what runs beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.staticfiles import StaticFiles

from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.jobs import Jobs
from detector.review.sender import Sender
from detector.review.web import errors
from detector.review.web.api import router as api
from detector.review.web.films import Films
from detector.review.web.gate import MOST_OF_FORMS, Gate
from detector.review.web.media import router as media
from detector.review.web.metrics import DeskMetrics, Meter
from detector.review.web.metrics import router as metrics
from detector.review.web.pages import ROUTERS
from detector.review.web.pages.rendering import STATIC
from detector.review.web.security import check_csrf
from detector.settings import Settings

_PREFIX = "/api/v1"
_DRAWN_AT_ONCE = 2  # pictures: each is described or decoded for a while


def create_app(
    settings: Settings,
    desk: Desk | None = None,
    engine: Engine | None = None,
    *,
    secure: bool = False,
    hosts: Iterable[str] = (),
) -> FastAPI:
    """Make the application of a workspace's desk.

    Parameters
    ----------
    desk, engine
        Opened, and closed when the application ends, unless given.
    secure
        Whether it is served with TLS: the session's cookie is sent over nothing else then.
    hosts
        Names and addresses that it goes by besides loopback's, see `Gate`.

    Raises
    ------
    DatabaseError, index.errors.ReferenceIndexError
        The desk or the index cannot be opened.
    """
    owned = ExitStack()
    with ExitStack() as opened:
        desk = desk or opened.enter_context(Desk.open(settings))
        engine = engine or opened.enter_context(Engine.open(settings))
        owned = opened.pop_all()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with owned:
            sender = Sender(app.state.desk.webhooks)
            sender.start()
            try:
                yield
            finally:
                app.state.films.close()
                # Each waits for what it is at, which is not to hold up the others' last answers.
                await run_in_threadpool(app.state.jobs.close)
                await run_in_threadpool(sender.close)

    app = FastAPI(
        title="matchcut: takedown desk",
        version="1",
        lifespan=lifespan,
        dependencies=[Depends(check_csrf)],
        openapi_url=f"{_PREFIX}/openapi.json",
        docs_url=None,  # they would run scripts of another site
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.desk = desk
    app.state.engine = engine
    app.state.jobs = Jobs()
    app.state.films = Films(settings)
    app.state.drawing = CapacityLimiter(_DRAWN_AT_ONCE)
    app.state.secure = secure
    app.state.metrics = DeskMetrics(app.state, _PREFIX)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(api, prefix=_PREFIX)
    app.include_router(media, prefix=_PREFIX)
    app.include_router(metrics)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    errors.install(app)
    most_of_files = settings.review_upload_limit + MOST_OF_FORMS
    app.add_middleware(Gate, hosts=tuple(hosts), most_of_files=most_of_files, secure=secure)
    app.add_middleware(Meter, metrics=app.state.metrics)  # outermost: counts what is refused, too
    return app
