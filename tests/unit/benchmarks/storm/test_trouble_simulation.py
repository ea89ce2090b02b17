"""A server in trouble, small: each kind of arrivals, each measure, each column."""

from random import Random
from typing import Any

import pytest
from attrs import evolve

from benchmarks.storm.network import Refused
from benchmarks.storm.tally import Tally
from benchmarks.storm.trouble_server import ByPath, Latency
from benchmarks.storm.trouble_simulation import (
    COLUMNS,
    AtOnce,
    ClosedLoop,
    Observed,
    OneCall,
    OpenLoop,
    Scenario,
    run,
)
from resilient import Policy
from resilient.testing import Delayed, Hang, Limit, Mixture, Outage, Period, Reply
from resilient.testing.script.script import Answer

NONE, RETRY, CONSECUTIVE, PIPELINE = COLUMNS

OUTAGE = Period(5, 15)
OUT = Delayed(0.02, Reply(503))


def outage(random: Random) -> Answer:
    return Outage(OUTAGE, during=OUT, then=Latency(0.02, random))


DOWN = Scenario(name="down", arrivals=OpenLoop(rate=20, seconds=60), server=outage, outage=OUTAGE)


def observed(scenario: Scenario = DOWN, column: Any = NONE, seed: int = 1) -> Observed:
    return run(scenario, column, seed=seed)


# Arrivals


def test_the_same_seed_gives_the_same_and_another_one_does_not() -> None:
    first = observed(column=PIPELINE)
    assert observed(column=PIPELINE).calls == first.calls
    assert observed(column=PIPELINE, seed=2).calls != first.calls


def test_all_columns_meet_the_same_arrivals() -> None:
    begins = [sorted(call.began for call in observed(column=each).calls) for each in COLUMNS]
    assert begins[0]
    assert all(each == begins[0] for each in begins)


def test_an_open_loop_does_not_wait_for_answers() -> None:
    found = observed(
        evolve(DOWN, arrivals=OpenLoop(rate=20, seconds=10, grace=3), server=lambda _: Hang())
    )
    assert found.begun == pytest.approx(200, rel=0.25)
    assert found.tally.requests == found.begun == found.unfinished
    assert found.success == 0


@pytest.mark.parametrize("processes", [1, 3])
def test_calls_at_once_begin_together(processes: int) -> None:
    scenario = evolve(DOWN, arrivals=AtOnce(calls=50, processes=processes), outage=None)
    found = observed(scenario, PIPELINE)
    assert (found.begun, found.succeeded) == (50, 50)
    assert {call.began for call in found.calls} == {0.0}


def test_a_closed_loop_works_on_its_items_with_a_call_for_each() -> None:
    bulk = Scenario(
        name="bulk", arrivals=ClosedLoop(items=100, workers=4), server=lambda _: Delayed(1.0, OUT)
    )
    found = observed(bulk)
    assert found.begun == len(found.calls) == found.tally.requests == 100
    assert max(call.ended for call in found.calls) == pytest.approx(25 * 1.02)
    short = evolve(bulk, arrivals=ClosedLoop(items=100, workers=4, seconds=3))
    assert observed(short).begun == 12


# The server


def test_a_connection_can_be_refused_in_the_outage() -> None:
    found = observed(evolve(DOWN, server=lambda _: Outage(OUTAGE, during=Refused())))
    failed = [call for call in found.calls if not call.succeeded]
    assert failed
    assert all(OUTAGE.covers(call.began) and call.seconds == 0 for call in failed)
    assert found.load == pytest.approx(100, abs=15)


def test_a_server_that_hangs_is_given_up_by_aiohttp_itself() -> None:
    hanging = evolve(
        DOWN,
        server=lambda random: Outage(OUTAGE, during=Hang(), then=Latency(0.02, random)),
        read_timeout=3.0,
    )
    assert observed(hanging).wasted == pytest.approx(3.0)
    slow = evolve(DOWN, server=lambda _: Delayed(4.0, Reply(200)), read_timeout=3.0)
    assert observed(slow).success == 0


def test_calls_of_one_path_can_be_looked_at_alone() -> None:
    scenario = Scenario(
        name="routes",
        arrivals=OpenLoop(rate=50, seconds=10),
        server=lambda _: ByPath({"/limited": Reply(429)}),
        paths=lambda random: random.choice(("/a", "/b", "/limited")),
        healthy=frozenset({"/a", "/b"}),
    )
    found = observed(scenario)
    assert found.neighbours_success == 100
    assert 50 < found.success < 80
    assert observed(evolve(scenario, healthy=frozenset({"/limited"}))).neighbours_success == 0


# Measures


def test_what_callers_lose_in_an_outage_are_its_seconds() -> None:
    found = observed()
    assert found.lost == pytest.approx(10, rel=0.15)
    assert found.load == pytest.approx(100, rel=0.15)
    assert found.success == pytest.approx(100 * 50 / 60, rel=0.05)
    assert found.wasted == pytest.approx(0.02)
    assert found.recovered_after == 0
    assert found.requests_per_call == 1
    assert found.requests_per_success > 1
    assert found.goodput(5, 15) == pytest.approx(0, abs=0.5)
    assert found.goodput(20, 60) == pytest.approx(20, rel=0.15)
    assert found.median_latency == pytest.approx(0.02, rel=0.2)


def test_measures_of_calls_that_were_made_up() -> None:
    tally = Tally(0.2)
    for now in [*[6.0] * 10, *[15.1] * 40, *[50.0] * 100]:
        tally.arrived(now)
    calls = [OneCall(0.0, 1.0, "/", True), OneCall(6.0, 9.0, "/", False)]
    found = Observed(DOWN, tally, calls, begun=4)
    assert (found.lost, found.unfinished, found.success) == (3 / 20, 2, 25)
    assert found.load == pytest.approx(100 * 10 / 200)
    assert found.peak == pytest.approx(40 / 4)
    assert (found.wasted, found.median_latency, found.finished_at) == (3.0, 1.0, 1.0)
    assert (found.requests_per_call, found.requests_per_success) == (150 / 4, 150)


def test_without_any_success_there_is_no_price_of_one() -> None:
    found = Observed(DOWN, Tally(0.2), [], begun=0)
    assert found.requests_per_success == float("inf")
    assert (found.success, found.wasted, found.median_latency, found.finished_at) == (0, 0, 0, 0)


# Columns


def failing(share: float) -> Scenario:
    def server(random: Random) -> Answer:
        return Mixture({OUT: share}, otherwise=Latency(0.02, random), seed=random.randrange(2**32))

    return Scenario(name="failing", arrivals=OpenLoop(rate=50, seconds=60), server=server)


def test_a_retry_has_three_attempts_and_no_budget() -> None:
    found = observed(failing(1.0), RETRY)
    assert (found.success, found.requests_per_call) == (0, 3)
    assert observed(failing(0.2), RETRY).success == pytest.approx(99.2, abs=0.8)
    assert observed(failing(0.2), NONE).success == pytest.approx(80, abs=4)


def test_a_consecutive_breaker_opens_after_five_failures_and_is_not_asked_again() -> None:
    found = observed(failing(1.0), CONSECUTIVE)
    # Those that were under way when it opened, and the probes after 30 s.
    assert 5 <= found.tally.requests < 20
    assert found.tally.refused > 2900
    # A success in between begins the count again; five in a row come soon all the same.
    assert observed(failing(0.5), CONSECUTIVE).success < 20


def test_a_consecutive_breaker_refuses_for_thirty_seconds_and_then_closes() -> None:
    found = observed(evolve(DOWN, arrivals=OpenLoop(rate=20, seconds=80)), CONSECUTIVE)
    assert found.lost == pytest.approx(30, rel=0.1)
    assert found.goodput(5, 35) == pytest.approx(0, abs=0.5)
    assert found.goodput(40, 80) == pytest.approx(20, rel=0.1)


def test_an_open_consecutive_breaker_learns_nothing_from_calls_that_began_earlier() -> None:
    slow = evolve(
        DOWN,
        arrivals=OpenLoop(rate=20, seconds=80),
        server=lambda random: Outage(OUTAGE, during=OUT, then=Latency(8.0, random)),
    )
    found = observed(slow, CONSECUTIVE)
    assert found.goodput(20, 35) == 0
    assert found.tally.arrivals(6, 35) == [0.0] * len(found.tally.arrivals(6, 35))


def test_a_run_that_does_not_recover_is_counted_to_its_end() -> None:
    found = observed(evolve(DOWN, arrivals=OpenLoop(rate=20, seconds=30)), CONSECUTIVE)
    assert found.recovered_after is None
    assert found.recovered_within == 15


def test_of_the_healthy_paths_the_calls_in_the_outage_count() -> None:
    calls = [OneCall(began, began + 1, "/well", began < 5) for began in (1.0, 6.0, 20.0)]
    scenario = evolve(DOWN, healthy=frozenset({"/well"}))
    assert Observed(scenario, Tally(0.2), calls, 3).neighbours_success == 0
    assert Observed(evolve(scenario, outage=None), Tally(0.2), calls, 3).neighbours_success == (
        pytest.approx(100 / 3)
    )


def test_requests_that_were_on_their_way_with_the_first_are_no_further_ones() -> None:
    tally = Tally(0.2)
    for now in (4.0, 6.05, 6.15, 6.25, 6.5, 14.9, 15.1):
        tally.arrived(now)
    assert Observed(DOWN, tally).further_requests == pytest.approx(2)
    assert Observed(DOWN, Tally(0.2)).further_requests == 0


def test_a_call_can_be_allowed_a_longer_wait_than_its_policy_says() -> None:
    def limits(policy: Policy) -> Policy:
        assert policy.throttle is not None
        return evolve(policy, throttle=evolve(policy.throttle, max_wait=1.0))

    limited = Scenario(
        name="limited",
        arrivals=AtOnce(calls=12),
        server=lambda _: Delayed(0.02, Limit("1/s", burst=1)),
        limits=limits,
    )
    hasty, patient = (observed(evolve(limited, max_wait=wait), PIPELINE) for wait in (None, 90.0))
    assert hasty.succeeded < patient.succeeded


def test_a_scenario_can_change_the_limits_of_the_pipeline() -> None:
    def limits(policy: Policy) -> Policy:
        return evolve(policy, total_timeout=2.0, attempt_timeout=1.0, retry=None)

    slow = Scenario(
        name="slow",
        arrivals=AtOnce(calls=3),
        server=lambda _: Delayed(20.0, Reply(200)),
        limits=limits,
    )
    assert observed(slow, PIPELINE).wasted == pytest.approx(1.0)
    assert observed(slow, NONE).success == 100


def test_a_window_is_kept_to_by_those_who_wait() -> None:
    bulk = Scenario(
        name="window",
        arrivals=ClosedLoop(items=30, workers=2),
        server=lambda _: Limit("10/5s", window=True, then=Delayed(0.1, Reply(200))),
    )
    found = observed(bulk, RETRY)
    assert found.succeeded == 30
    assert found.finished_at > 10
