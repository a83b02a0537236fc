from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from detector.media import UnreadableMediaError
from detector.review.errors import ConflictError, NotFoundError
from detector.review.jobs import LIFETIME, MOST_KEPT, MOST_UNFINISHED, Jobs, JobState, Report

ANNA, BEN = 1, 2  # accounts
WAIT_S = 20.0


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    with Jobs() as jobs:
        yield jobs


class Gate:
    """A job that stands still until it is opened."""

    def __init__(self, progress: float = 0.5) -> None:
        self._progress = progress
        self.is_running, self._may_go_on = threading.Event(), threading.Event()

    def run(self, report: Report) -> str:
        report(self._progress, "half way")
        self.is_running.set()
        assert self._may_go_on.wait(WAIT_S)
        report(0.75, "further")
        return "through"

    def open(self) -> None:
        self._may_go_on.set()


def test_a_job_returns_what_its_function_did(jobs: Jobs) -> None:
    job = jobs.submit("query", "clip.mp4", ANNA, lambda report: 6 * 7)
    done = jobs.wait(job.id, WAIT_S)
    assert (done.state, done.result, done.progress) == (JobState.DONE, 42, 1.0)
    assert (done.kind, done.label, done.account_id) == ("query", "clip.mp4", ANNA)
    assert done.ended_at is not None


def test_progress_is_seen_while_it_runs(jobs: Jobs) -> None:
    gate = Gate()
    job = jobs.submit("query", "clip.mp4", ANNA, gate.run)
    assert gate.is_running.wait(WAIT_S)
    running = jobs.get(job.id)
    assert (running.state, running.progress, running.note) == (JobState.RUNNING, 0.5, "half way")
    gate.open()
    assert jobs.wait(job.id, WAIT_S).result == "through"


@pytest.mark.parametrize(("told", "shown"), [(-1.0, 0.0), (7.0, 1.0), (float("nan"), 0.0)])
def test_progress_is_a_share(jobs: Jobs, told: float, shown: float) -> None:
    gate = Gate(told)
    job = jobs.submit("query", "clip.mp4", ANNA, gate.run)
    assert gate.is_running.wait(WAIT_S)
    assert jobs.get(job.id).progress == shown
    gate.open()


def test_jobs_run_one_at_a_time_and_in_order(jobs: Jobs) -> None:
    gate, order = Gate(), []
    first = jobs.submit("query", "1", ANNA, gate.run)
    assert gate.is_running.wait(WAIT_S)
    others = [
        jobs.submit("query", str(n), BEN, lambda report, n=n: order.append(n)) for n in (2, 3)
    ]
    assert [jobs.get(job.id).state for job in others] == 2 * [JobState.WAITING]
    gate.open()
    for job in (first, *others):
        assert jobs.wait(job.id, WAIT_S).state is JobState.DONE
    assert order == [2, 3]


def test_an_expected_failure_is_told_in_its_words(jobs: Jobs) -> None:
    def run(report: Report) -> None:
        raise UnreadableMediaError("the file is empty")

    job = jobs.wait(jobs.submit("query", "clip.mp4", ANNA, run).id, WAIT_S)
    assert (job.state, job.error, job.result) == (JobState.FAILED, "the file is empty", None)


def test_an_unexpected_failure_goes_to_the_log_and_stops_nobody_else(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    job = jobs.submit("query", "clip.mp4", ANNA, lambda report: {}["secret"])
    failed = jobs.wait(job.id, WAIT_S)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert "secret" not in failed.error
    assert "KeyError: 'secret'" in caplog.text
    after = jobs.submit("query", "clip.mp4", ANNA, lambda report: "fine")
    assert jobs.wait(after.id, WAIT_S).result == "fine"


def test_nobody_sees_the_jobs_of_others(jobs: Jobs) -> None:
    job = jobs.submit("query", "clip.mp4", ANNA, lambda report: None)
    assert jobs.get(job.id, ANNA).id == job.id
    with pytest.raises(NotFoundError):
        jobs.get(job.id, BEN)
    assert [one.id for one in jobs.of(ANNA)] == [job.id]
    assert jobs.of(BEN) == ()
    with pytest.raises(NotFoundError):
        jobs.get("guessed")


def test_one_account_cannot_keep_all_others_waiting(jobs: Jobs) -> None:
    gate = Gate()
    for _ in range(MOST_UNFINISHED):
        jobs.submit("query", "clip.mp4", ANNA, gate.run)
    with pytest.raises(ConflictError, match="have not ended"):
        jobs.submit("query", "clip.mp4", ANNA, gate.run)
    jobs.submit("query", "clip.mp4", BEN, gate.run)
    gate.open()


def test_what_came_of_a_job_is_forgotten_and_cleaned_up_after_an_hour(jobs: Jobs) -> None:
    cleaned = []
    job = jobs.submit("query", "1", ANNA, lambda report: "answer", lambda: cleaned.append("1"))
    ended = jobs.wait(job.id, WAIT_S).ended_at
    assert ended is not None
    assert jobs.forget(ended + LIFETIME - timedelta(seconds=1)) == 0
    assert jobs.get(job.id).result == "answer"
    assert jobs.forget(ended + LIFETIME) == 1
    assert cleaned == ["1"]
    with pytest.raises(NotFoundError, match="forgotten"):
        jobs.get(job.id)


def test_what_has_not_ended_is_not_forgotten(jobs: Jobs) -> None:
    gate = Gate()
    job = jobs.submit("query", "1", ANNA, gate.run)
    assert gate.is_running.wait(WAIT_S)
    assert jobs.forget(datetime.now(UTC) + 10 * LIFETIME) == 0
    gate.open()
    assert jobs.wait(job.id, WAIT_S).result == "through"


def test_of_many_jobs_of_an_account_the_oldest_are_forgotten(jobs: Jobs) -> None:
    cleaned: list[int] = []
    others = jobs.wait(jobs.submit("query", "", BEN, lambda report: "kept").id, WAIT_S)
    for n in range(MOST_KEPT + 2):
        job = jobs.submit("query", "", ANNA, lambda report: None, lambda n=n: cleaned.append(n))
        jobs.wait(job.id, WAIT_S)
    assert len(jobs.of(ANNA)) == MOST_KEPT
    assert cleaned == [0, 1]
    assert jobs.get(others.id).result == "kept"


def test_forgetting_happens_by_itself() -> None:
    cleaned = threading.Event()
    with Jobs(lifetime=timedelta(0)) as jobs:
        job = jobs.submit("query", "1", ANNA, lambda report: None, cleaned.set)
        assert cleaned.wait(WAIT_S)
        with pytest.raises(NotFoundError):
            jobs.get(job.id)


def test_closing_ends_what_runs_and_cleans_up_after_all() -> None:
    begun, cleaned = threading.Event(), []

    def run_for_ever(report: Report) -> None:
        while True:
            report(0.5, "on and on")
            begun.set()

    with Jobs() as jobs:
        for n in (1, 2):
            jobs.submit("query", str(n), ANNA, run_for_ever, lambda n=n: cleaned.append(n))
        assert begun.wait(WAIT_S)
    assert cleaned == [1, 2]
    assert jobs.of(ANNA) == ()
    with pytest.raises(ConflictError, match="closing"):
        jobs.submit("query", "3", ANNA, run_for_ever)


def test_what_cannot_be_cleaned_up_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise PermissionError("read-only")

    cleaned = threading.Event()
    with Jobs() as jobs:
        jobs.submit("query", "1", ANNA, lambda report: None, fail)
        jobs.submit("query", "2", ANNA, lambda report: None, cleaned.set)
    assert cleaned.is_set()
    assert "read-only" in caplog.text
