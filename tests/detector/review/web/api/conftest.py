"""The API of a desk on each kind of database, with an enrolled work and person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from library_examples import enrol_examples
from programs import Api, Program
from sqlalchemy import make_url

from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.jobs import Jobs
from detector.review.web.app import create_app
from detector.review.web.films import Films
from detector.settings import Settings
from index.reference_index import ReferenceIndex


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Make an application once for all tests: FastAPI prepares its routes for half a second."""
    settings = Settings(home=tmp_path_factory.mktemp("application"))
    with Desk.open(settings) as desk, Engine.open(settings) as engine:
        app = create_app(settings, desk, engine)
        app.state.jobs.close()
    return app


@pytest.fixture
def api(
    application: FastAPI, desk: Desk, staff: object, database_url: str, tmp_path: Path
) -> Iterator[Api]:
    """Return a desk whose catalogue is in the same database, as on a server."""
    is_server = make_url(database_url).get_backend_name() == "postgresql"
    settings = Settings(home=tmp_path / "home", database_url=database_url if is_server else None)
    with Engine.open(settings) as engine, Jobs() as jobs:
        state = application.state
        state.settings, state.desk, state.engine, state.jobs = settings, desk, engine, jobs
        state.films = Films(settings)
        yield Api(application, desk, engine)
        state.films.close()


@pytest.fixture
def viewer(api: Api) -> Program:
    return api.program("vera")


@pytest.fixture
def reviewer(api: Api) -> Program:
    return api.program("anna")


@pytest.fixture
def approver(api: Api) -> Program:
    return api.program("carol")


@pytest.fixture
def admin(api: Api) -> Program:
    return api.program("dora")


@pytest.fixture
def library(api: Api) -> ReferenceIndex:
    """Enrol a film and a person, by vectors that nothing was looked at for."""
    return enrol_examples(api.engine)
