"""Figures of the desk for Prometheus, at ``/metrics``: for any account, as a rule by a token.

Labels are words of this program alone: routes as they are written in the code, and states. No
upload, work, person or account is named.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from http import HTTPMethod, HTTPStatus
from importlib.metadata import version

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.review.jobs import JobState
from detector.review.web.access import Signed
from detector.review.web.security import METRICS

_METHODS = frozenset(HTTPMethod)
_OTHER = "other"  # whatever else a stranger sends
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

router = APIRouter(include_in_schema=False)


@router.get(METRICS)
def show_metrics(request: Request, actor: Signed) -> Response:
    """Show the desk's figures in Prometheus' text format."""
    metrics: DeskMetrics = request.app.state.metrics
    text = generate_latest(metrics.registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class DeskMetrics:
    """What is counted of a desk while it is served.

    Parameters
    ----------
    state
        The application's, with ``desk`` and ``jobs``, which are asked whenever somebody looks.
    prefix
        Of the API's addresses.

    Attributes
    ----------
    registry
        With all metrics.
    """

    def __init__(self, state: State, prefix: str) -> None:
        self._prefix = prefix
        # Twice as many lines, for what the process's start tells.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "matchcut_desk_requests",
            "Requests that were answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "matchcut_desk_request_seconds",
            "Until an answer began.",
            ("route", "method"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.registry.register(_Stock(state))

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        route = self._route(scope)
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route, method).observe(seconds)

    def _route(self, scope: Scope) -> str:
        """Return the pattern of the address that a request was for."""
        path = getattr(scope.get("route"), "path", None)
        if path is None:
            return "/static" if scope["path"].startswith("/static/") else _OTHER
        # The route of a router that was included does not know under which prefix.
        is_api = scope["path"].startswith(f"{self._prefix}/") and not path.startswith(self._prefix)
        return f"{self._prefix}{path}" if is_api else str(path)


class Meter:
    """Counts requests, and the time until each is answered."""

    def __init__(self, app: ASGIApp, metrics: DeskMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        # What fails here is answered further out.
        status, seconds = int(HTTPStatus.INTERNAL_SERVER_ERROR), 0.0

        async def noted(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - began
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._metrics.count(scope, status, seconds or time.perf_counter() - began)


class _Stock(Collector):
    """What there is at the desk at the moment."""

    def __init__(self, state: State) -> None:
        self._state = state

    def describe(self) -> list[Metric]:
        return []  # else it would be collected once to find out

    def collect(self) -> Iterator[Metric]:
        desk, jobs = self._state.desk, self._state.jobs.counts()
        build = {"version": version("matchcut")}
        yield InfoMetricFamily("matchcut_build", "What runs.", build)
        cases = GaugeMetricFamily("matchcut_desk_cases", "Cases.", labels=["state"])
        for state, count in desk.cases.counts().items():
            cases.add_metric([state.value], count)
        yield cases
        work = GaugeMetricFamily(
            "matchcut_desk_jobs", "Jobs that have not ended.", labels=["state"]
        )
        for state in (JobState.WAITING, JobState.RUNNING):
            work.add_metric([state.value], jobs[state])
        yield work
        yield GaugeMetricFamily(
            "matchcut_desk_webhook_messages_pending",
            "Messages to webhooks that have not arrived.",
            desk.webhooks.pending(),
        )
        yield GaugeMetricFamily(
            "matchcut_desk_audit_entries", "Entries of the audit.", desk.audit.length()
        )
        if desk.audit.verified is not None:
            at, problems = desk.audit.verified
            yield GaugeMetricFamily(
                "matchcut_desk_audit_verified_timestamp_seconds",
                "When this desk last checked the whole audit.",
                at.timestamp(),
            )
            yield GaugeMetricFamily(
                "matchcut_desk_audit_problems", "What that check found.", problems
            )
