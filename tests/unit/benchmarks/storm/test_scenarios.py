"""Each scenario, small: what was published comes out, and the seed decides everything."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from attrs import asdict, evolve

from benchmarks.storm import metastable_simulation, rate_limit
from benchmarks.storm.crowd_simulation import Crowd, outage_of, run as run_crowd
from benchmarks.storm.jitter_simulation import JITTERS, backoff, contend
from benchmarks.storm.metastable_simulation import PATIENCE, TRIGGER, run as run_example
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import random_for
from benchmarks.storm.tally import Tally
from benchmarks.storm.throttling_simulation import MIDDLEWARES, fail_at_random
from resilient import Policy
from resilient.retry.schedule import Jitter

NAMED = {each.name: each for each in metastable_simulation.setups(StormSettings())}


def example(name: str, load: float = 280.0, *, seed: int = 1, until: float = 60.0) -> Tally:
    """The example of the metastable failure, a fifteenth of it."""
    setup = evolve(NAMED[name], offered=load / 15, capacity=20.0, processes=2)
    return run_example(setup, until=until, seed=seed)


def crowd(seed: int = 1, **changed: Any) -> Tally:
    given = {"name": "test", "policy": Policy(), "clients": 200, "seconds": 24.0}
    return run_crowd(Crowd(**{**given, **changed}), seed=seed)


def limited(name: str = "without a throttle", seed: int = 1) -> Tally:
    (callers,) = (each for each in rate_limit.groups(StormSettings()) if each.name == name)
    return rate_limit.call_at_once(callers, random_for(seed, "test"))


def throttled(name: str, failures: float, seed: int = 1) -> Tally:
    return fail_at_random(
        MIDDLEWARES[name],
        failures=failures,
        call_rate=100.0,
        calls=600,
        random=random_for(seed, "test"),
    )


@pytest.mark.parametrize(
    "scenario",
    [
        lambda seed: contend(15, "full", random_for(seed, "test")),
        lambda seed: asdict(throttled("our budget", 0.3, seed)),
        lambda seed: asdict(example("breaker", seed=seed, until=30.0)),
        lambda seed: asdict(crowd(seed)),
        lambda seed: asdict(limited(seed=seed)),
    ],
    ids=["jitter", "throttling", "metastable", "crowd", "rate limit"],
)
def test_the_same_seed_gives_the_same_and_another_one_does_not(
    scenario: Callable[[int], object],
) -> None:
    first = scenario(1)
    assert scenario(1) == first
    assert scenario(2) != first


# Jitter


def test_all_who_contend_get_done_and_jitter_spares_most_of_the_calls() -> None:
    calls, times = {}, {}
    for jitter in JITTERS:
        runs = [contend(40, jitter, random_for(1, jitter, number)) for number in range(2)]
        times[jitter] = sum(end for end, _ in runs)
        calls[jitter] = sum(len(writes) for _, writes in runs)
    assert all(calls[jitter] < 0.7 * calls["none"] for jitter in JITTERS if jitter != "none")
    assert all(times[jitter] < 0.3 * times["none"] for jitter in JITTERS if jitter != "none")
    assert times["equal"] > times["full"]


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [
        ("none", [(0.01, 0.01), (0.02, 0.02), (0.04, 0.04)]),
        ("full", [(0, 0.01), (0, 0.02), (0, 0.04)]),
        ("equal", [(0.005, 0.01), (0.01, 0.02), (0.02, 0.04)]),
        ("decorrelated", [(0.005, 0.015), (0.005, 0.045), (0.005, 0.135)]),
    ],
)
def test_the_waits_are_those_that_were_published(
    jitter: Any, expected: list[tuple[float, float]]
) -> None:
    bounds = list(islice(backoff(jitter).bounds(), 3))
    assert bounds == [pytest.approx(each) for each in expected]


# Throttling


def test_when_everything_fails_a_budget_makes_of_three_requests_a_call_little_more_than_one() -> (
    None
):
    assert throttled("no budget", 1.0).requests_per_call == 3
    assert throttled("our budget", 1.0).requests_per_call == pytest.approx(1.06, abs=0.02)
    assert throttled("gRPC's throttling", 1.0).requests_per_call == pytest.approx(1, abs=0.02)


def test_when_little_fails_no_limit_is_in_the_way() -> None:
    for name in MIDDLEWARES:
        assert throttled(name, 0.03).success == 100


def test_where_a_third_fails_a_budget_goes_on_and_grpc_stops() -> None:
    assert throttled("our budget", 0.3).requests_per_call > 1.3
    assert throttled("gRPC's throttling", 0.3).requests_per_call < 1.03


# Metastable failure


def test_with_one_retry_the_outage_outlives_its_trigger() -> None:
    tally = example("one retry")
    before = tally.goodput(2, TRIGGER.start)
    assert sum(before) / len(before) == pytest.approx(280 / 15, rel=0.2)
    assert sum(tally.goodput(TRIGGER.end + 5, 60)) == 0
    arrivals = tally.arrivals(40, 60)
    assert sum(arrivals) / len(arrivals) == pytest.approx(560 / 15, rel=0.1)


def test_below_half_of_what_the_server_can_do_it_recovers() -> None:
    assert example("one retry", 100.0).recovered_at(TRIGGER.end, 60, 0.5 * 100 / 15) is not None


def test_a_breaker_ends_it() -> None:
    tally = example("breaker", until=90.0)
    assert tally.recovered_at(TRIGGER.end, 90, 0.5 * 280 / 15) is not None
    assert tally.refused > 0


def test_what_is_said_to_be_added_is_added() -> None:
    def parts(name: str) -> tuple[bool, bool, bool]:
        policy = NAMED[name].policy
        has_budget = policy.retry is not None and policy.retry.budget is not None
        return has_budget, policy.breaker is not None, policy.total_timeout is not None

    assert parts("one retry") == (False, False, False)
    assert parts("budget") == (True, False, False)
    assert parts("breaker") == (False, True, False)
    assert parts("deadline") == (False, False, True)
    assert parts("budget, breaker, deadline") == (True, True, True)
    own = [name for name in NAMED if name != "standard pipeline"]
    assert {NAMED[name].policy.attempt_timeout for name in own} == {PATIENCE}


# The crowd


def test_a_crowd_goes_on_to_its_end_and_comes_back_soon_after_a_failure() -> None:
    policy = Policy(retry=None, breaker=None)
    tally = crowd(policy=policy)
    period = outage_of(24.0)
    assert (period.start, period.end) == (6, 10)
    calm, storm = tally.arrivals(0, period.start), tally.arrivals(period.start, period.end)
    assert sum(calm) / len(calm) == pytest.approx(200 / 40, rel=0.5)
    assert sum(storm) / len(storm) > 2 * sum(calm) / len(calm)
    assert sum(tally.arrivals(20, 24)) > 0
    assert sum(tally.arrivals(24, 100)) == 0


def test_a_server_that_stalls_brings_them_back_together_unless_there_is_jitter() -> None:
    def peak(jitter: Jitter) -> float:
        policy = evolve(Policy(), breaker=None)
        assert policy.retry is not None
        retry = evolve(policy.retry, backoff=evolve(policy.retry.backoff, jitter=jitter))
        tally = crowd(policy=evolve(policy, retry=retry), stalls=True, clients=1000)
        return max(tally.arrivals(outage_of(24.0).end, 24.0))

    assert peak("none") > 2 * peak("full")


def test_alone_in_its_process_a_client_makes_too_few_calls_for_a_breaker() -> None:
    assert crowd(per_process=1).refused == 0
    assert crowd(per_process=1000, clients=1000).refused > 0


# The rate limit


def test_nobody_comes_back_before_the_server_allows() -> None:
    tally = limited()
    assert tally.arrivals(0, 0.05) == [1000]
    assert sum(tally.arrivals(0.05, 1.0)) == 0
    assert sum(tally.arrivals(1.0, 1.5)) > 0


def test_enough_attempts_bring_everybody_through() -> None:
    assert limited("five attempts, without a throttle").succeeded == 50
    assert limited().succeeded < 50


def test_a_throttle_brings_more_through_than_a_retry_alone() -> None:
    assert limited().succeeded < limited("standard pipeline").succeeded
