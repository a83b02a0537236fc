"""The desk's application with the people who work at it, and their browsers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from desk_examples import CHEAP, PASSWORD
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.testclient import httpx

from detector.output import from_json
from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.jobs import Jobs
from detector.review.records import COMMAND_LINE, Actor, Role, Via
from detector.review.web.app import create_app
from detector.review.web.films import Films
from detector.settings import Settings
from detector.types import Submission

HOST = "127.0.0.1:8080"
NAMES = MappingProxyType(
    {
        "vera": ("Vera Viewer", Role.VIEWER),
        "rosa": ("Rosa Reviewer", Role.REVIEWER),
        "rob": ("Rob Reviewer", Role.REVIEWER),
        "anna": ("Anna Approver", Role.APPROVER),
        "ada": ("Ada Admin", Role.ADMIN),
    }
)
SUBMISSIONS = MappingProxyType(
    {
        "bikes-sped-up": Submission("ferris", "DE", "https://videos.example/watch/1"),
        "best-scenes-compilation": Submission("ferris", "US"),
        "interview": Submission(None),
    }
)


class Browser:
    """Somebody's browser: it keeps cookies, and sends the forms of the desk's pages."""

    def __init__(self, app: FastAPI, name: str | None = None) -> None:
        self.http = TestClient(app, base_url=f"http://{HOST}", follow_redirects=False)
        self.csrf = ""
        if name is not None:
            answer = self.sign_in(name)
            assert answer.status_code == 303, answer.text

    def sign_in(self, name: str, password: str = PASSWORD, next: str = "/") -> httpx.Response:  # noqa: A002
        """Sign in, and learn the session's secret from a page."""
        form = {"name": name, "password": password, "next": next}
        answer = self.http.post("/sign-in", data=form)
        if answer.status_code == 303:
            self.csrf = csrf_in(self.get("/").text)
        return answer

    def get(self, path: str, **more: object) -> httpx.Response:
        return self.http.get(path, **more)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form as a page of the desk does."""
        headers = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
        return self.http.post(path, data={"csrf": self.csrf} | fields, headers=headers)

    def follow(self, path: str, **fields: str) -> str:
        """Send a form, and return the page that it leads to."""
        answer = self.post(path, **fields)
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"]).text


def csrf_in(page: str) -> str:
    """Return the session's secret that stands in a page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@dataclass(frozen=True)
class Office:
    """A desk with cases, its application, and the people who work at it."""

    app: FastAPI
    desk: Desk
    engine: Engine
    settings: Settings
    cases: Mapping[str, int]  # number by stem of the upload

    def browser(self, name: str | None = None) -> Browser:
        """Open a browser, signed in if a name is given."""
        return Browser(self.app, name)

    def actor(self, name: str) -> Actor:
        return Actor.of(self.desk.accounts.by_name(name), Via.WEB)

    def add_case(self, stem: str, source: Path | str, **changes: object) -> int:
        """Open a case like one of the scanned, but of another file; return its number."""
        result = from_json(dict(self.desk.cases.get(self.cases[stem]).result))
        digest = hashlib.sha256(str(source).encode()).hexdigest()
        result = replace(result, source=str(source), **changes)
        opened = self.desk.cases.open_case(result, digest, {"matchcut": "0.1.0"}, COMMAND_LINE)
        assert opened is not None
        return opened.id


@contextmanager
def open_office(
    home: Path,
    cases: Mapping[str, int],
    settings: Settings | None = None,
    app: FastAPI | None = None,
    **options: object,
) -> Iterator[Office]:
    """Open the desk of a workspace.

    Parameters
    ----------
    app
        An application that is made to serve this desk: a new one takes half a second.
    options
        Of a new application.
    """
    settings = settings or Settings(home=home, copy_size=224)
    desk = Desk.at(f"sqlite:///{home / 'review.sqlite'}", CHEAP)
    with desk, Engine.open(settings) as engine:
        if app is None:
            app = create_app(settings, desk, engine, **options)
        else:
            app.state.settings, app.state.desk, app.state.engine = settings, desk, engine
            app.state.jobs, app.state.films = Jobs(), Films(settings)
        try:
            yield Office(app, desk, engine, settings, cases)
        finally:
            app.state.films.close()
            app.state.jobs.close()
