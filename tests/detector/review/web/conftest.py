"""Desks with real scanned cases, to be looked at or worked with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from desk_examples import CHEAP, PASSWORD
from desk_office import NAMES, SUBMISSIONS, Office, open_office
from fastapi import FastAPI

from detector.output import from_json
from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.records import COMMAND_LINE
from detector.review.web.app import create_app
from detector.settings import Settings


@pytest.fixture(scope="session")
def cases_home(scanned_desk, tmp_path_factory) -> tuple[Path, Mapping[str, int]]:
    """Make a workspace with accounts, and with cases of what was scanned; do not change it."""
    home = tmp_path_factory.mktemp("cases") / "home"
    shutil.copytree(scanned_desk.home, home)
    numbers = {}
    with Desk.at(f"sqlite:///{home / 'review.sqlite'}", CHEAP) as desk:
        for name, (full_name, role) in NAMES.items():
            desk.accounts.add(name, full_name, role, PASSWORD, COMMAND_LINE)
        for stem, case in scanned_desk.cases.items():
            result = replace(from_json(dict(case.result)), submission=SUBMISSIONS[stem])
            versions = {"matchcut": "0.1.0", "copy": "sscd", "work:bikes": "0" * 64}
            opened = desk.cases.open_case(result, case.digest, versions, COMMAND_LINE)
            assert opened is not None
            numbers[stem] = opened.id
    return home, numbers


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Make an application that serves one desk after another."""
    settings = Settings(home=tmp_path_factory.mktemp("application"))
    with Desk.open(settings) as desk, Engine.open(settings) as engine:
        app = create_app(settings, desk, engine)
        app.state.jobs.close()
    return app


@pytest.fixture
def own_home(cases_home, tmp_path) -> tuple[Path, Mapping[str, int]]:
    """Return a copy of the workspace for this test alone."""
    home, cases = cases_home
    shutil.copytree(home, tmp_path / "home")
    return tmp_path / "home", cases


@pytest.fixture
def office(own_home, application) -> Iterator[Office]:
    """Open a desk with real cases of this test alone."""
    with open_office(*own_home, app=application) as office:
        yield office


@pytest.fixture(scope="session")
def shown(cases_home, tmp_path_factory) -> Iterator[Office]:
    """Open a desk with real cases to look at; do not change it."""
    home, cases = cases_home
    copy = tmp_path_factory.mktemp("shown") / "home"
    shutil.copytree(home, copy)
    with open_office(copy, cases) as office:
        yield office
