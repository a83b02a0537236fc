"""Programs that use the desk's API, each with the token of somebody who works there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.testclient import httpx

from detector.review.desk import Desk
from detector.review.engine import Engine
from detector.review.jobs import Job
from detector.review.records import COMMAND_LINE

API = "/api/v1"
HOST = "http://localhost"
CODES = {
    400: "bad_request",
    401: "sign_in_needed",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid",
}


class Program:
    """A program that comes with a token."""

    def __init__(self, app: FastAPI, secret: str | None) -> None:
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        self.http = TestClient(app, base_url=HOST, headers=headers)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send any request."""
        return self.http.request(method, API + path, **more)

    def get(self, path: str, **query: Any) -> Any:
        """Return what is answered to a question."""
        return _content(self.ask("GET", path, params=query), 200)

    def do(self, method: str, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        """Return what is answered to a change."""
        return _content(self.ask(method, path, json=body, **more), status)

    def send(self, path: str, files: Any, fields: Any = None) -> Any:
        """Send files, and return the job that was begun with them."""
        answer = self.ask("POST", path, files=files, data=fields or {})
        job = _content(answer, 202)
        assert answer.headers["Location"] == f"{API}/jobs/{job['id']}"
        return job

    def refused(self, status: int, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Return the error that is answered; its shape is that of all errors."""
        answer = self.ask(method, path, **more)
        assert answer.status_code == status, answer.text
        return error_in(answer)


def error_in(answer: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer; its shape is that of all errors."""
    body = answer.json()
    assert list(body) == ["error"], body
    error: dict[str, Any] = body["error"]
    assert {"code", "message"} <= set(error) <= {"code", "message", "problems"}, error
    assert error["code"] == CODES[answer.status_code]
    assert error["message"]
    for problem in error.get("problems", ()):
        assert set(problem) == {"where", "message"}
        assert problem["message"]
    return error


def _content(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


@dataclass(frozen=True)
class Api:
    """A desk with its application, and programs of all who work there."""

    app: FastAPI
    desk: Desk
    engine: Engine

    def program(self, name: str | None) -> Program:
        """Start a program with the token of an account; None: without one."""
        if name is None:
            return Program(self.app, None)
        account = self.desk.accounts.by_name(name)
        _, secret = self.desk.accounts.add_token(account.id, "test", COMMAND_LINE)
        return Program(self.app, secret)

    def finished(self, job: dict[str, Any]) -> Job:
        """Wait until a job has ended."""
        ended: Job = self.app.state.jobs.wait(job["id"], timeout_s=120)
        assert ended.state.has_ended
        return ended
