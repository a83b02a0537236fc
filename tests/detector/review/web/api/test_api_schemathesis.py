"""The API against requests that nobody thought of, made from its own document by Schemathesis.

Whatever comes in, there is no server error, and every answer is one that the document speaks of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from desk_examples import CHEAP, a_likeness, hire, open_case
from library_examples import enrol_examples
from notice_examples import complete
from schemathesis.engine import events, from_schema
from sqlalchemy import make_url

from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.records import COMMAND_LINE, NoticeKind
from detector.review.web.app import create_app
from detector.settings import Settings

_HOST = "testserver"  # as Schemathesis calls what it asks


class Fuzzed:
    """A desk that may be asked anything, and what it has answered."""

    def __init__(self, app: Any, desk: Desk) -> None:
        self.app = app
        self._desk = desk
        self._secret = ""
        self.statuses: Counter[int] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request; what runs beside the application does not."""
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{step}"
                await send({"type": f"lifespan.{step}.complete"})
            return

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1
            await send(message)

        await self.app(scope, receive, counted)

    def admin(self) -> dict[str, str]:
        """Return an admin's token, whatever the requests before have done to the last one."""
        accounts = self._desk.accounts
        if accounts.by_token(self._secret) is None:
            account = accounts.by_name("dora")
            accounts.activate(account.id, COMMAND_LINE)
            _, self._secret = accounts.add_token(account.id, "fuzz", COMMAND_LINE)
        return {"Authorization": f"Bearer {self._secret}"}


@contextmanager
def fuzzed(home: Path, url: str) -> Iterator[Fuzzed]:
    """Open a desk with cases, notices, a work and a person."""
    is_server = make_url(url).get_backend_name() == "postgresql"
    settings = Settings(home=home, database_url=url if is_server else None)
    with Desk.at(url, CHEAP) as desk, Engine.open(settings) as engine:
        staff = hire(desk)
        first = open_case(desk, "uploads/a.mp4", uploader="ferris")
        open_case(desk, "uploads/b.mp4", a_likeness(), uploader="ferris")
        made = desk.notices.draft(first.id, NoticeKind.DMCA, complete(NoticeKind.DMCA), staff.anna)
        desk.notices.sign(made.id, staff.anna, "Anna Albers")
        desk.notices.approve(made.id, staff.carol)
        desk.notices.draft(first.id, NoticeKind.DSA, {}, staff.anna)
        enrol_examples(engine)
        app = create_app(engine.settings, desk, engine, hosts=[_HOST])
        yield Fuzzed(app, desk)
        app.state.jobs.close()


def asked(desk: Fuzzed, phases: Sequence[str], mode: str, examples: int = 1) -> list[str]:
    """Ask every operation, and return what is wrong with the answers, with how to ask again.

    Parameters
    ----------
    phases
        What Schemathesis does: ``coverage`` goes to the bounds of all that the document says, one
        by one; ``fuzzing`` and ``stateful`` try what comes to mind.
    mode
        ``positive``: what the document allows; ``negative``: what it does not; or ``all``.
    examples
        How many of an operation the latter phases try.
    """
    config = {
        "seed": 1,
        "generation": {
            "mode": mode,
            "max-examples": examples,
            "deterministic": True,
            "database": "none",
        },
        "suppress-health-check": ["all"],
        "phases": {
            "examples": {"enabled": "examples" in phases},
            "coverage": {"enabled": "coverage" in phases, "unexpected-methods": []},
            "fuzzing": {"enabled": "fuzzing" in phases},
            "stateful": {"enabled": "stateful" in phases},
        },
        "checks": {
            # A document cannot say all that is asked of a request: that a reason goes with the
            # action, that there is such a work, that a day is over.
            "positive_data_acceptance": {"enabled": False},
            # What a job is to make is not there yet when the job is accepted.
            "ensure_resource_availability": {"enabled": False},
            # FastAPI names the methods of the first route of a path only.
            "allow_header_conformance": {"enabled": False},
        },
    }
    document = schemathesis.openapi.from_asgi(
        "/api/v1/openapi.json",
        desk,
        config=schemathesis.Config.from_dict(config),
        headers=desk.admin(),
    )

    @document.auth(refresh_interval=None)
    class Token:
        def get(self, case: Any, context: Any) -> dict[str, str]:
            return desk.admin()

        def set(self, case: Any, data: dict[str, str], context: Any) -> None:
            case.headers.update(data)

    return [line for event in from_schema(document).execute() for line in _wrong(event)]


def _wrong(event: Any) -> Iterator[str]:
    if isinstance(event, events.NonFatalError | events.FatalError):
        yield str(event)
    if isinstance(event, events.ScenarioFinished):
        for checks in event.recorder.checks.values():
            for check in checks:
                if check.failure_info is not None:
                    found = check.failure_info
                    yield f"{event.label}: {found.failure.message}\n{found.code_sample}"


def test_every_answer_is_one_that_the_document_speaks_of(tmp_path):
    """To requests at the bounds of what is allowed; for others see `test_api_errors`, and below."""
    with fuzzed(tmp_path, f"sqlite:///{tmp_path}/review.sqlite") as desk:
        assert asked(desk, ["coverage"], "positive") == []
        operations = sum(map(len, desk.app.openapi()["paths"].values()))
        assert sum(desk.statuses.values()) > 10 * operations
        assert {200, 201, 202, 204, 401, 404, 409, 422} <= set(desk.statuses)


@pytest.mark.slow
def test_every_answer_to_many_requests(request, database_url, tmp_path, capsys):
    if "slow" not in request.config.option.markexpr:
        pytest.skip("takes 10 minutes: run it with `pytest -m slow`")
    with fuzzed(tmp_path, database_url) as desk:
        assert asked(desk, ["examples", "coverage", "fuzzing", "stateful"], "all", 100) == []
        with capsys.disabled():
            print(f"{sum(desk.statuses.values())} requests: {dict(desk.statuses)}")  # noqa: T201
