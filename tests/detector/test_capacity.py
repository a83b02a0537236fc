from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import detector.describe
from detector.evaluation.capacity import DAY, HOUR, SAMPLES, Fleet, Floats, Work, simulate
from detector.evaluation.capacity_costs import (
    BATCH,
    Costs,
    CostsError,
    Stage,
    read_costs,
    stages_of,
    with_stages,
    work_of,
)
from detector.evaluation.capacity_demand import GB, Demand, Hardware, Terms
from detector.evaluation.capacity_plan import NoPlanError, Plan, daily_curve, draw_day, plan_for


def work(arrivals: Floats, seconds: Floats, cores: float = 1.0, search: float = 0.0) -> Work:
    """Uploads of one phase each."""
    return Work(
        arrivals,
        seconds[:, np.newaxis],
        np.full((len(seconds), 1), cores),
        np.full(len(seconds), search),
    )


def poisson(count: int, per_second: float, seed: int = 1) -> Floats:
    return np.cumsum(np.random.default_rng(seed).exponential(1 / per_second, count))


def exponential(count: int, mean: float, seed: int = 2) -> Floats:
    return np.random.default_rng(seed).exponential(mean, count)


def erlang_c_wait(servers: int, load: float, service: float) -> float:
    """Mean wait of M/M/c; `load` is per server."""
    offered = servers * load
    terms = [offered**k / math.factorial(k) for k in range(servers)]
    last = offered**servers / math.factorial(servers) / (1 - load)
    return last / (sum(terms) + last) * service / (servers * (1 - load))


# --- laws of queues -----------------------------------------------------------------------------


@pytest.mark.parametrize("servers", [1, 4])
def test_waiting_for_a_worker_is_that_of_m_m_c(servers: int) -> None:
    count, service, load = 60_000, 5.0, 0.7
    seconds = exponential(count, service)
    uploads = work(poisson(count, servers * load / service), seconds)
    outcome = simulate(uploads, Fleet(1, cores=servers, workers=servers))
    wait = (outcome.latency - seconds).mean()
    assert wait == pytest.approx(erlang_c_wait(servers, load, service), rel=0.06)


def test_workers_of_all_machines_share_one_queue() -> None:
    count, service, load = 60_000, 5.0, 0.7
    seconds = exponential(count, service)
    uploads = work(poisson(count, 4 * load / service), seconds)
    outcome = simulate(uploads, Fleet(4, cores=1, workers=1))
    wait = (outcome.latency - seconds).mean()
    assert wait == pytest.approx(erlang_c_wait(4, load, service), rel=0.06)


def test_waiting_for_a_single_worker_is_that_of_m_d_1() -> None:
    count, service, load = 60_000, 5.0, 0.7
    uploads = work(poisson(count, load / service), np.full(count, service))
    outcome = simulate(uploads, Fleet(1, cores=1, workers=1))
    formula = load * service / (2 * (1 - load))  # Pollaczek and Khinchine
    assert (outcome.latency - service).mean() == pytest.approx(formula, rel=0.05)


def test_sharing_a_core_makes_uploads_slower_as_processor_sharing_does() -> None:
    count, service, load = 60_000, 5.0, 0.6
    uploads = work(poisson(count, load / service), exponential(count, service))
    outcome = simulate(uploads, Fleet(1, cores=1, workers=10_000))
    assert outcome.latency.mean() == pytest.approx(service / (1 - load), rel=0.05)


def test_the_vector_service_has_a_queue_of_its_own() -> None:
    count, service, load = 60_000, 5.0, 0.7
    uploads = work(poisson(count, 2 * load / service), np.full(count, 1e-6))
    uploads = replace(uploads, search=exponential(count, service))
    outcome = simulate(uploads, Fleet(1, cores=8, workers=10_000, servers=2))
    wait = (outcome.latency - uploads.alone).mean()
    assert wait == pytest.approx(erlang_c_wait(2, load, service), rel=0.06)


def test_cores_are_as_busy_as_the_work_that_is_offered() -> None:
    arrivals, lengths = draw_day(Demand(per_hour=100, peak=2.0), 1.0, seed=3)
    uploads = work_of(arrivals, lengths, Costs(), 2.0)
    outcome = simulate(uploads, Fleet(2, cores=4, workers=4))
    assert outcome.processor == pytest.approx(uploads.processor, rel=1e-6)
    # Of what came in the last minutes some is done after the day.
    assert outcome.busy.mean() == pytest.approx(uploads.processor / (2 * 4 * DAY), rel=0.01)


# --- phases and cores ---------------------------------------------------------------------------


def test_an_upload_alone_takes_its_phases_and_its_search() -> None:
    seconds, cores = np.array([[1.0, 4.0, 2.0]]), np.array([[1.0, 2.0, 1.0]])
    uploads = Work(np.array([10.0]), seconds, cores, np.array([3.0]))
    outcome = simulate(uploads, Fleet(1, cores=2, workers=1))
    assert outcome.latency.tolist() == [pytest.approx(10.0)]
    assert outcome.processor == pytest.approx(1 + 8 + 2)


def test_workers_beyond_the_cores_share_them() -> None:
    uploads = work(np.zeros(4), np.full(4, 10.0))
    fast = simulate(uploads, Fleet(1, cores=4, workers=4))
    shared = simulate(uploads, Fleet(1, cores=2, workers=4))
    assert fast.latency.tolist() == pytest.approx([10.0] * 4)
    assert shared.latency.tolist() == pytest.approx([20.0] * 4)


def test_phases_that_want_more_cores_than_there_are_take_longer() -> None:
    outcome = simulate(work(np.zeros(1), np.array([10.0]), cores=4.0), Fleet(1, 2, 1))
    assert outcome.latency.tolist() == [pytest.approx(20.0)]


def test_who_waits_for_the_vector_service_keeps_a_worker_and_no_core() -> None:
    uploads = work(np.zeros(2), np.full(2, 1.0), search=5.0)
    one = simulate(uploads, Fleet(1, cores=1, workers=1, servers=2))
    two = simulate(uploads, Fleet(1, cores=1, workers=2, servers=2))
    assert one.latency.tolist() == pytest.approx([6.0, 12.0])
    assert two.latency.tolist() == pytest.approx([7.0, 7.0])  # both search, then share the core


def test_decoding_and_describing_overlap_but_for_the_first_and_the_last_batch() -> None:
    costs = replace(
        Costs(), decode=Stage(0.1, 0.1), describe=Stage(0.04, 0.02), upload=Stage(0.5, 1.0)
    )
    long = work_of(np.zeros(1), np.array([320.0]), costs, 2.0)  # 640 frames: 20 batches
    assert long.seconds.tolist() == [pytest.approx([32 / 20, 32 * 19 / 20, 12.8 / 20 + 1.0])]
    assert long.cores[0, 1] == pytest.approx((32 + 25.6) / 32)
    short = work_of(np.zeros(1), np.array([2.0]), costs, 2.0)  # 16 frames: a batch
    assert short.seconds.tolist() == [pytest.approx([0.2, 0.0, 0.32 + 1.0])]
    assert short.processor == pytest.approx(2 * 0.1 + 16 * 0.04 + 0.5)


def test_batches_are_those_of_the_program() -> None:
    assert detector.describe._BATCH == BATCH


# --- machines that die --------------------------------------------------------------------------


def test_no_work_is_lost_when_machines_die() -> None:
    count = 3000
    uploads = work(poisson(count, 1 / 20), exponential(count, 60.0))
    fleet = Fleet(3, cores=2, workers=3, mean_up=HOUR / 2, mean_down=300.0)
    outcome = simulate(uploads, fleet, seed=5)
    assert np.isfinite(outcome.latency).all()
    assert (outcome.latency >= uploads.alone - 1e-6).all()
    assert outcome.retries > 50
    assert outcome.processor > uploads.processor  # some was done twice


def test_a_search_for_an_upload_whose_machine_died_is_not_its_answer() -> None:
    uploads = work(np.zeros(1), np.array([1.0]), search=100.0)
    fleet = Fleet(2, cores=1, workers=1, servers=2, mean_down=HOUR, one_dies_at=50.0)
    outcome = simulate(uploads, fleet)
    assert outcome.retries == 1
    assert outcome.latency.tolist() == [pytest.approx(50 + 101)]  # on the other machine


def test_what_died_goes_before_what_waits() -> None:
    uploads = work(np.array([0.0, 1.0, 2.0]), np.full(3, 10.0))
    outcome = simulate(uploads, Fleet(1, 1, 1, mean_down=2.0, one_dies_at=5.0))
    assert outcome.latency.tolist() == pytest.approx([17.0, 26.0, 35.0])


def test_a_day_is_the_same_for_the_same_seed() -> None:
    uploads = work(poisson(500, 1 / 20), exponential(500, 60.0))
    fleet = Fleet(2, cores=2, workers=3, mean_up=HOUR, mean_down=60.0)
    first, again, other = (simulate(uploads, fleet, seed) for seed in (1, 1, 2))
    assert first.latency.tolist() == again.latency.tolist()
    assert first.latency.tolist() != other.latency.tolist()


def test_a_fleet_that_never_gets_done_is_given_up() -> None:
    uploads = work(np.zeros(100), np.full(100, DAY))
    outcome = simulate(uploads, Fleet(1, 1, 1))
    assert np.isinf(outcome.latency).sum() == 92
    assert math.isinf(outcome.percentile(95))


def test_nothing_comes() -> None:
    nothing = np.empty(0)
    outcome = simulate(work(nothing, nothing), Fleet(2, 4, 4))
    assert (outcome.processor, outcome.longest_queue, outcome.ended) == (0.0, 0, DAY)
    assert outcome.queue.tolist() == outcome.busy.tolist() == [0.0] * SAMPLES
    assert math.isnan(outcome.percentile(50))


def test_more_machines_never_make_it_much_slower() -> None:
    arrivals, lengths = draw_day(Demand(per_hour=300, peak=2.5), 1.0, seed=4)
    uploads = work_of(arrivals, lengths, Costs(), 2.0)
    means = [simulate(uploads, Fleet(n, 2, 3)).latency.mean() for n in range(1, 7)]
    for fewer, more in pairwise(means):
        assert more <= 1.01 * fewer
    assert means[0] > 2 * means[-1]


@pytest.mark.parametrize("broken", [{"machines": 0}, {"workers": 0}, {"cores": 0}, {"servers": 0}])
def test_a_fleet_that_could_do_nothing_is_refused(broken: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Fleet(**{"machines": 1, "cores": 1, "workers": 1, **broken})


# --- the day ------------------------------------------------------------------------------------


@pytest.mark.parametrize("peak", [1.0, 1.5, 3.0, 10.0])
def test_the_curve_has_its_mean_and_its_peak_at_noon(peak: float) -> None:
    curve = daily_curve(peak)
    assert curve.mean() == pytest.approx(1.0)
    assert curve.max() == pytest.approx(peak, rel=0.005)
    assert curve[SAMPLES // 2] == pytest.approx(curve.max())


def test_uploads_come_as_often_and_are_as_long_as_was_asked_for() -> None:
    demand = Demand(per_hour=2000, mean_length=120, spread=90, peak=2.0)
    arrivals, lengths = draw_day(demand, 0.5, seed=1)
    assert len(arrivals) == pytest.approx(24_000, rel=0.02)
    assert (np.diff(arrivals) >= 0).all()
    assert lengths.mean() == pytest.approx(120, rel=0.03)
    assert lengths.std() == pytest.approx(90, rel=0.06)
    at_noon = ((arrivals > DAY / 2 - HOUR / 2) & (arrivals < DAY / 2 + HOUR / 2)).sum()
    assert at_noon == pytest.approx(2 * 1000, rel=0.06)


# --- plans --------------------------------------------------------------------------------------

SMALL = Demand(per_hour=200.0, reference_hours=1000.0)
TERMS = Terms(scanning=Hardware(2, 16 * GB, 50.0), workers=2)


def value(plan: Plan, name: str) -> float:
    return next(line.value for line in plan.arithmetic if line.name == name)


def test_a_plan_keeps_to_the_target_with_the_fewest_machines() -> None:
    plan = plan_for(SMALL, TERMS, Costs())
    assert plan.machines > 1
    assert plan.p50 is not None
    assert plan.p95 is not None
    assert plan.p50 < plan.p95 <= TERMS.p95
    assert plan.p95_with_one_less is None or plan.p95_with_one_less > TERMS.p95
    assert plan.p95_if_one_dies is None or plan.p95_if_one_dies >= plan.p95
    assert plan.price_per_month == plan.machines * 50.0
    assert plan.price_per_1000 == pytest.approx(plan.price_per_month / (200 * 730) * 1000)
    offered = value(plan, "cores for scanning") / (plan.machines * 2)
    assert plan.utilisation == pytest.approx(offered, rel=0.1)
    assert plan_for(SMALL, TERMS, Costs()) == plan


def test_of_a_large_platform_a_part_is_simulated_and_needs_as_many_machines() -> None:
    demand = replace(SMALL, per_hour=700.0)
    terms = replace(TERMS, scanning=Hardware(1, 16 * GB, 25.0), workers=1)
    whole = plan_for(demand, terms, Costs())
    part = plan_for(demand, replace(terms, simulated=5000), Costs())
    assert whole.simulated == 1
    assert part.simulated < 0.7
    assert whole.machines <= part.machines <= 1.2 * whole.machines


def test_the_arithmetic_of_bytes_and_queries() -> None:
    demand = replace(SMALL, mean_length=600.0, spread=0.0, keep_days=10.0)
    plan = plan_for(demand, TERMS, Costs())
    assert value(plan, "reference frames") == 1000 * 3600 * 2
    assert value(plan, "index") == 7_200_000 * 528
    assert value(plan, "reference embeddings, on disk") == 7_200_000 * 2056
    assert value(plan, "frames of an upload") == pytest.approx(1200)
    kept = value(plan, "embeddings kept of uploads, on disk")
    assert kept == pytest.approx(200 * 24 * 10 * 1200 * 1040)
    assert value(plan, "queries") == pytest.approx(200 * 1200 / 3600)
    assert value(plan, "queries at the peak") == pytest.approx(2 * 200 * 1200 / 3600)
    assert plan.service.machines == 0  # 3.8 GB fit into each machine that scans


def test_vectors_that_do_not_fit_have_machines_of_their_own() -> None:
    demand = replace(SMALL, per_hour=20.0, reference_hours=100_000.0)
    plan = plan_for(demand, TERMS, Costs())
    index = 100_000 * 3600 * 2 * 528
    assert plan.service.shards == math.ceil(index / (0.8 * 256 * GB)) == 2
    assert plan.service.spare == 1
    assert plan.service.machines == 2 * plan.service.replicas
    frame = Costs().search_frame(360e6) / 16
    assert plan.service.frame == pytest.approx(frame)
    peak = value(plan, "queries at the peak") * frame
    assert plan.service.replicas - 1 >= peak / 0.7
    assert plan.price_per_month == plan.machines * 50 + plan.service.machines * 800
    assert any("extrapolated" in warning for warning in plan.warnings)


def test_a_platform_without_uploads_needs_one_machine() -> None:
    plan = plan_for(replace(SMALL, per_hour=0.0), TERMS, Costs())
    assert (plan.machines, plan.p50, plan.p95, plan.price_per_1000) == (1, None, None, None)
    assert plan.utilisation == 0


def test_a_target_that_no_upload_keeps_alone_is_refused_with_the_reason() -> None:
    with pytest.raises(NoPlanError, match="all to themselves, 95 of 100 take up to"):
        plan_for(SMALL, replace(TERMS, p95=5.0), Costs())


@pytest.mark.parametrize("broken", [{"peak": 0.5}, {"per_hour": -1.0}, {"mean_length": 0.0}])
def test_a_demand_that_is_none_is_refused(broken: dict[str, float]) -> None:
    with pytest.raises(NoPlanError):
        plan_for(replace(SMALL, **broken), TERMS, Costs())


# --- costs --------------------------------------------------------------------------------------


def test_searching_costs_what_was_measured_and_grows_with_the_vectors_outside() -> None:
    costs = replace(Costs(), search=((1e4, 0.001), (1e6, 0.004), (1e8, 0.1)))
    assert costs.search_frame(1e6) == pytest.approx(0.004)
    assert costs.search_frame(1e5) == pytest.approx(0.002)  # half way, on logarithmic scales
    assert costs.search_frame(1e3) == pytest.approx(0.0001)
    assert costs.search_frame(1e9) == pytest.approx(1.0)
    assert costs.search_frame(0) == 0


def test_costs_are_read_from_what_the_benchmarks_write(tmp_path: Path) -> None:
    scan, index = tmp_path / "scan.json", tmp_path / "index.json"
    work_s = {"decode": 20.0, "layout": 2.0, "describe": 18.0, "search": 3.0, "verify": 5.0}
    thorough = {
        "work_s": work_s,
        "video_s": 600.0,
        "sampled": 1200,
        "processor_s": 60.0,
        "readers_processor_s": 22.0,
    }
    scan.write_text(json.dumps({"uploads": 10, "thorough": thorough}))
    rows = [
        {"vectors": 1_000_000, "p50_ms": 45.0, "bytes_per_vector": 1040},
        {"vectors": 10_000, "p50_ms": 9.0, "bytes_per_vector": 2056},
    ]
    index.write_text(json.dumps({"cores_used": 2, "frames_of_a_search": 30, "sizes": rows}))
    costs = read_costs(read_costs(Costs(), scan), index)
    assert costs.decode == Stage(22 / 600, 20 / 600)
    assert costs.describe.seconds == pytest.approx(20 / 1200)
    assert costs.describe.processor == pytest.approx((60 - 22 - 5) / 1200)
    assert costs.upload == Stage(5 / 10, 5 / 10)  # a search depends on the vectors, not on this
    assert costs.search_frame(10_000) == pytest.approx(0.0006)
    assert costs.bytes_of(500_000) == 2056
    assert costs.bytes_of(5_000_000) == 1040


def test_costs_that_were_checked_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    stages = {
        name: {"processor": 0.5, "seconds": 0.25} for name in ("decode", "describe", "upload")
    }
    path.write_text(json.dumps({"costs": stages}))
    assert read_costs(Costs(), path).decode == Stage(0.5, 0.25)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"sizes": []}', '{"costs": {"decode": {}}}'])
def test_a_file_that_tells_no_costs_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(CostsError, match="tells no costs"):
        read_costs(Costs(), path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CostsError, match=r"gone\.json cannot be read"):
        read_costs(Costs(), tmp_path / "gone.json")


def test_without_the_readers_time_stages_share_the_processor_by_theirs() -> None:
    spent = {"decode": 10.0, "describe": 20.0, "verify": 10.0}
    stages = stages_of(spent, seconds=100.0, frames=200, uploads=5, processor=60.0)
    costs = with_stages(Costs(), stages)
    assert costs.decode == Stage(0.15, 0.1)
    assert costs.describe.processor == pytest.approx(0.15)
    assert costs.upload.processor == pytest.approx(3.0)
