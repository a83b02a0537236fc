"""Figures of a long scan for Prometheus: in a file for the node exporter, or on a port.

Labels are words of this program alone: no file, work or person is named.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
    write_to_textfile,
)

from detector.inputs import InputError
from detector.types import ScanResult, Status

_EVERY_S = 5.0
_LOOPBACK = "127.0.0.1"
_log = logging.getLogger(__name__)


class Watching(Protocol):
    """Hands on results, and counts each."""

    def __call__(self, results: Iterable[ScanResult], more: int = 0) -> Iterator[ScanResult]:
        """Hand on the results of so many uploads more than were known to wait."""


class ScanMetrics:
    """What is counted of one scan.

    Parameters
    ----------
    waiting
        How many uploads are to be scanned.

    Attributes
    ----------
    registry
        With all metrics.
    """

    def __init__(self, waiting: int) -> None:
        # Twice as many lines, for what the scan's start tells.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        # Without a name of its own it would clash with the node exporter's.
        ProcessCollector("matchcut_scan", registry=self.registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"matchcut_scan_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"matchcut_scan_{name}", text, registry=self.registry)

        Info("matchcut_build", "What runs.", registry=self.registry).info(
            {"version": version("matchcut")}
        )
        self._uploads = counter(
            "uploads", "Uploads done, by how much could be read and what was found.",
            "status", "verdict",
        )  # fmt: skip
        self._video = counter("video_seconds", "Seconds of video in uploads that could be read.")
        self._stages = counter("stage_seconds", "Seconds of work.", "stage")
        self._faults = counter("faults", "What could not be read.", "kind")
        self._waiting = gauge("uploads_waiting", "Uploads that are not done yet.")
        self._started = gauge("started_timestamp_seconds", "When the scan began.")
        self._latest = gauge(
            "latest_upload_timestamp_seconds", "When an upload was last done; first, the start."
        )
        self._ended = gauge("ended_timestamp_seconds", "When the scan ended; 0: it runs, or died.")
        self._waiting.set(waiting)
        self._started.set_to_current_time()
        self._latest.set_to_current_time()

    def watching(self, results: Iterable[ScanResult], more: int = 0) -> Iterator[ScanResult]:
        """Hand on results, and count each; `more` uploads than were known were waiting."""
        self._waiting.inc(more)
        for result in results:
            self.count(result)
            yield result

    def count(self, result: ScanResult) -> None:
        """Count an upload as done."""
        self._uploads.labels(result.status.value, result.verdict.value).inc()
        self._video.inc(result.duration or 0.0)
        for stage, seconds in result.timings.items():
            self._stages.labels(stage).inc(seconds)
        if result.status is not Status.OK:
            self._faults.labels(result.fault or result.status).inc()
        if result.frames.undecodable:
            self._faults.labels("packet").inc(result.frames.undecodable)
        self._waiting.dec()
        self._latest.set_to_current_time()

    def end(self) -> None:
        """Take it that the scan has ended."""
        self._ended.set_to_current_time()


@contextmanager
def published(file: Path | None, port: int | None, waiting: int) -> Iterator[Watching]:
    """Show what is counted while the block runs, and at its end.

    Parameters
    ----------
    file
        Ends in ``.prom``; written every few seconds, each time as a whole.
    port
        On this machine alone; 0: one that is free.
    waiting
        How many uploads are to be scanned.

    Raises
    ------
    InputError
        The file cannot be written, or the port is taken.
    """
    metrics = ScanMetrics(waiting)
    with ExitStack() as shown:
        if file is not None:
            shown.enter_context(_written(metrics, file))
        if port is not None:
            shown.enter_context(_served(metrics, port))
        yield metrics.watching
        metrics.end()


@contextmanager
def _served(metrics: ScanMetrics, port: int) -> Iterator[None]:
    try:
        server, thread = start_http_server(port, _LOOPBACK, metrics.registry)
    except OSError as error:
        raise InputError(
            f"metrics cannot be served on port {port} ({error}): give another --metrics-port"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _written(metrics: ScanMetrics, file: Path) -> Iterator[None]:
    if file.suffix != ".prom":
        raise InputError(
            f"--metrics {file}: the node exporter reads files whose names end in .prom"
        )
    try:
        write_to_textfile(str(file), metrics.registry)
    except OSError as error:
        raise InputError(f"the metrics file {file} cannot be written: {error.strerror}") from error
    over = threading.Event()
    thread = threading.Thread(target=_write_on, args=(metrics, file, over), name="metrics")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _write_on(metrics: ScanMetrics, file: Path, over: threading.Event) -> None:
    """Write every few seconds, and a last time when it is over."""
    said = ""
    while True:
        is_last = over.wait(_EVERY_S)
        try:
            write_to_textfile(str(file), metrics.registry)
            said = ""
        except OSError as error:  # a full disk is no reason to end a scan
            if str(error) != said:
                said = str(error)
                _log.warning("the metrics file %s cannot be written: %s", file, error)
        if is_last:
            return
