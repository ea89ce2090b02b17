"""Processes, and calls through them."""

import asyncio
import logging

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from benchmarks.storm.network import Network
from benchmarks.storm.simulation import (
    GRACE,
    Process,
    arrive_at_random,
    finish,
    pipelines,
    random_for,
    simulate,
)
from benchmarks.storm.tally import Tally
from resilient import BreakerPolicy, Policy, RetryPolicy
from resilient.testing import BrownOut, Reply
from tests.unit.benchmarks.storm.support import pass_through


def test_randomness_depends_on_the_seed_and_on_what_it_is_for() -> None:
    first = random_for(1, "a", 2).random()
    assert random_for(1, "a", 2).random() == first
    assert random_for(2, "a", 2).random() != first
    assert random_for(1, "b", 2).random() != first


def test_arrivals_do_not_wait_for_answers() -> None:
    tally = Tally()

    async def main(session: aiohttp.ClientSession) -> float:
        process = Process(session, pass_through, Network(BrownOut(0.2), tally), tally)
        await arrive_at_random(process.call, rate=50.0, until=4.0, random=random_for(1, "arrivals"))
        return asyncio.get_running_loop().time()

    ended = simulate(main)
    # The server answers five a second, and all are waited for.
    assert ended > 30
    assert tally.requests == tally.calls == tally.succeeded
    assert 150 < tally.requests < 250
    assert tally.arrivals(4, ended) == [0] * round(ended - 4)


def test_calls_that_never_end_are_ended() -> None:
    tally = Tally()

    async def main(session: aiohttp.ClientSession) -> float:
        process = Process(session, pass_through, Network(BrownOut(1e6), tally), tally)
        await arrive_at_random(process.call, rate=5.0, until=4.0, random=random_for(1, "ends"))
        return asyncio.get_running_loop().time()

    assert simulate(main) == pytest.approx(4.0 + GRACE)
    assert tally.requests > 0
    assert tally.calls == 0


@pytest.mark.parametrize("at_random", [True, False])
def test_what_goes_wrong_in_a_call_comes_out(at_random: bool) -> None:
    async def broken(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        raise ZeroDivisionError

    async def main(session: aiohttp.ClientSession) -> None:
        tally = Tally()
        process = Process(session, broken, Network(Reply(200), tally), tally)
        if at_random:
            await arrive_at_random(
                process.call, rate=5.0, until=4.0, random=random_for(1, "broken")
            )
        else:
            await finish([asyncio.ensure_future(process.call())], 1.0)

    with pytest.raises(ZeroDivisionError):
        simulate(main)


def test_processes_share_a_policy_and_no_circuit() -> None:
    tally = Tally()
    policy = Policy(retry=None, breaker=BreakerPolicy(failures=1, patience=0))

    async def main(session: aiohttp.ClientSession) -> None:
        network = Network(Reply(503), tally)
        first, second = (
            Process(session, pipeline, network, tally)
            for pipeline in pipelines(policy, 2, random_for(1, "processes"))
        )
        assert not await first.call()
        assert not await first.call()
        assert (tally.requests, tally.refused) == (1, 1)
        assert not await second.call()
        assert (tally.requests, tally.refused) == (2, 1)

    simulate(main)


def test_a_request_that_is_used_again_is_as_new() -> None:
    tally = Tally()

    async def main(session: aiohttp.ClientSession) -> None:
        (pipeline,) = pipelines(Policy(), 1, random_for(1, "again"))
        process = Process(session, pipeline, Network(Reply(503), tally), tally)
        for calls in range(1, 4):
            await process.call()
            assert tally.requests == 3 * calls
        assert len(process._idle) == 1

    simulate(main)


def test_circuits_that_open_are_not_logged_and_others_are_again_afterwards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(session: aiohttp.ClientSession) -> None:
        policy = Policy(breaker=BreakerPolicy(failures=1, patience=0))
        (pipeline,) = pipelines(policy, 1, random_for(1, "log"))
        tally = Tally()
        await Process(session, pipeline, Network(Reply(503), tally), tally).call()

    simulate(main)
    assert not caplog.records
    logging.getLogger("resilient").warning("heard")
    assert caplog.messages == ["heard"]


def test_a_broken_hook_is_said_once_for_all_processes(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a fault of the user's")

    policy = Policy(retry=RetryPolicy(judge=broken))

    async def main(session: aiohttp.ClientSession) -> None:
        tally = Tally()
        for pipeline in pipelines(policy, 3, random_for(1, "broken")):
            await Process(session, pipeline, Network(Reply(200), tally), tally).call()

    for _ in range(2):
        caplog.clear()
        simulate(main)
        (record,) = caplog.records
        assert "raised; the call goes on without it" in record.getMessage()
