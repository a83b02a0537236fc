"""However many want a case at the same moment, one of them has it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import pytest
from desk_examples import CHEAP, PASSWORD, open_case

from detector.review.desk import Desk
from detector.review.errors import ConflictError
from detector.review.records import COMMAND_LINE, Actor, CaseFilter, Role, Sort, Via

PROCESSES = 2
THREADS = 10  # in each process, each somebody else
FEW, MANY = 1_000, 10_000  # claims in all; many take a minute

Taken = list[tuple[int, int]]  # case and account


def claim_at_random(
    url: str, actors: list[Actor], cases: int, start: Barrier, taken: Queue[Taken]
) -> None:
    """Try to have every case five times, as several people at once; say what one got."""

    def work(actor: Actor) -> Taken:
        chance = random.Random(actor.account_id)
        got = []
        for _ in range(5):
            for case_id in chance.sample(range(1, cases + 1), cases):
                try:
                    case = desk.cases.claim(case_id, actor)
                except ConflictError:
                    continue
                assert case.claim is not None
                got.append((case.id, case.claim.account_id))
        return got

    with Desk.at(url, CHEAP) as desk, ThreadPoolExecutor(len(actors)) as threads:
        start.wait()
        taken.put([one for got in threads.map(work, actors) for one in got])


def hire_reviewers(desk: Desk) -> list[Actor]:
    """Make as many accounts as claim at the same time."""
    names = [f"reviewer-{number}" for number in range(PROCESSES * THREADS)]
    return [
        Actor.of(desk.accounts.add(name, name, Role.REVIEWER, PASSWORD, COMMAND_LINE), Via.API)
        for name in names
    ]


def claimed(desk: Desk) -> list[str]:
    """Return the subjects of all claims that are in the audit."""
    events = desk.audit.events(limit=10_000)
    return [event.subject for event in events if event.action == "case.claimed"]


@pytest.mark.parametrize("claims", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_thousands_of_claims_on_a_hundredth_of_them_cases(request, desk, database_url, claims):
    if claims == MANY and "slow" not in request.config.option.markexpr:
        pytest.skip("takes a minute: run it with `pytest -m slow`")
    count = claims // 100
    for number in range(count):
        open_case(desk, f"{number}.mp4")
    actors = hire_reviewers(desk)
    context = get_context("spawn")
    start, taken = context.Barrier(PROCESSES), context.Queue()
    processes = [
        context.Process(
            target=claim_at_random,
            args=(database_url, actors[number::PROCESSES], count, start, taken),
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    got = [one for _ in processes for one in taken.get(timeout=600)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    owners = dict(got)
    assert sorted(owners) == list(range(1, count + 1))  # every case is somebody's
    assert set(got) == set(owners.items())  # and nobody else was ever told that it is theirs
    found = desk.cases.find(CaseFilter(is_claimed=True), limit=count).items
    assert {case.id: case.claim.account_id for case in found} == owners
    assert len(set(owners.values())) > 1
    assert sorted(claimed(desk)) == sorted(f"case:{number}" for number in owners)
    assert desk.audit.verify().problems == ()


def test_twenty_people_take_the_next_case_until_none_is_left(desk):
    cases = [open_case(desk, f"{number}.mp4").id for number in range(30)]

    def work(actor: Actor) -> list[int]:
        got = []
        while case := desk.cases.claim_next(CaseFilter(), Sort.GRAVEST, actor):
            got.append(case.id)
        return got

    actors = hire_reviewers(desk)
    with ThreadPoolExecutor(len(actors)) as threads:
        got = [case_id for mine in threads.map(work, actors) for case_id in mine]
    assert sorted(got) == cases
    assert len(claimed(desk)) == len(cases)
