"""Promise 7: a breaker without races. Its states, over real sockets."""

import asyncio
import itertools
import pickle
from typing import Any

import aiohttp
import pytest

import resilient
from resilient import (
    BreakerPolicy,
    CircuitBreaker,
    CircuitOpenError,
    Pipeline,
    ServiceUnavailableError,
)
from resilient.testing import FaultServer, Hang, LoopClock, Received, Reply, run_in_virtual_time
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import client, fault_server, policy, status_of, turns

DOWN = Reply(503)
# One failure opens it, for five seconds, and nobody waits.
EAGER = BreakerPolicy(failures=1, open_for=5, patience=0)


def refused(results: list[Any]) -> list[CircuitOpenError]:
    return [result for result in results if isinstance(result, CircuitOpenError)]


async def flood(session: aiohttp.ClientSession, server: FaultServer, callers: int) -> list[Any]:
    calls = (status_of(session, server.url) for _ in range(callers))
    async with asyncio.timeout(5):
        return await asyncio.gather(*calls, return_exceptions=True)


async def trip(session: aiohttp.ClientSession, server: FaultServer) -> None:
    server.script(DOWN)
    assert await status_of(session, server.url) == 503
    server.clear()


async def recover(session: aiohttp.ClientSession, server: FaultServer, clock: FakeClock) -> None:
    for _ in range(5):
        assert await status_of(session, server.url) == 200
        clock.advance(1)


async def test_a_total_outage_opens_it_at_the_twentieth_failure_and_then_nothing_is_sent() -> None:
    breaker = CircuitBreaker(BreakerPolicy(patience=0), clock=FakeClock())
    async with fault_server(*[Reply()] * 100, then=DOWN) as server, client(breaker) as session:
        circuit = breaker.circuit(server.url)
        for _ in range(120):
            assert circuit.state == "closed"
            await status_of(session, server.url)
        assert circuit.state == "open"
        for _ in range(50):
            with pytest.raises(CircuitOpenError):
                await status_of(session, server.url / "elsewhere")
        assert server.hits == 120
        assert server.total_connections == 1


@pytest.mark.parametrize("good", [1, 4])
async def test_failures_among_successes_never_open_it(good: int) -> None:
    breaker = CircuitBreaker(clock=FakeClock())
    steps = [DOWN, *[Reply()] * good] * 40
    async with fault_server(*steps) as server, client(breaker) as session:
        for _ in steps:
            await status_of(session, server.url)
        assert breaker.circuit(server.url).state == "closed"
        assert server.hits == len(steps)


async def test_a_refusal_says_what_when_and_why_and_is_a_connection_error_of_aiohttp() -> None:
    clock = FakeClock(draw=0.0)
    async with fault_server() as server, client(CircuitBreaker(EAGER, clock=clock)) as session:
        await trip(session, server)
        clock.advance(2)
        with pytest.raises(aiohttp.ClientConnectionError) as caught:
            await session.get(server.url.with_query("token=s3cret").with_user("me"))
        error = caught.value
        assert isinstance(error, CircuitOpenError)
        assert (error.key, error.state, error.retry_after) == (str(server.url.origin()), "open", 3)
        assert "in 3 s" in str(error)
        assert "s3cret" not in str(error) + repr(error)
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), copy.retry_after) == (str(error), 3)
        assert server.hits == 0


async def test_of_a_hundred_callers_at_half_open_exactly_one_passes_and_one_more_a_gap() -> None:
    clock, release = FakeClock(draw=0.0), asyncio.Event()
    breaker = CircuitBreaker(EAGER, clock=clock)

    async def slowly(_: Received) -> Reply:
        await release.wait()
        return Reply()

    async with fault_server() as server, client(breaker) as session:
        await trip(session, server)
        server.script(*[slowly] * 100)
        clock.advance(6)
        floods = []
        for hits in (1, 2, 3):
            floods.append(asyncio.ensure_future(flood(session, server, 100)))
            await asyncio.wait_for(server.wait_for(hits=hits), 5)
            await turns(most=50)
            assert server.hits == hits
            clock.advance(5)
        assert breaker.circuit(server.url).state == "half_open"
        release.set()
        results = list(itertools.chain(*await asyncio.gather(*floods)))
        assert results.count(200) == 3
        assert len(refused(results)) == 297
        assert {error.state for error in refused(results)} == {"half_open"}


async def test_a_failed_probe_opens_it_again_for_longer() -> None:
    clock = FakeClock(draw=0.0)
    breaker = CircuitBreaker(BreakerPolicy(failures=1, patience=0), clock=clock)
    spells = (0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875, 5, 5)
    async with fault_server(then=DOWN) as server, client(breaker) as session:
        for seconds in spells:
            assert await status_of(session, server.url) == 503
            assert breaker.circuit(server.url).retry_after == seconds
            clock.advance(seconds - 0.25)
            with pytest.raises(CircuitOpenError):
                await session.get(server.url)
            clock.advance(0.25)
        assert server.hits == len(spells)


@pytest.mark.parametrize(("asked", "seconds"), [("1", 5), ("30", 30), ("3600", 60), ("soon", 5)])
@pytest.mark.parametrize("normalised", [False, True])
async def test_the_servers_retry_after_is_a_floor_within_the_maximum(
    asked: str, seconds: float, normalised: bool
) -> None:
    clock = FakeClock(draw=0.0)
    inner = [resilient.NormalizeErrors()] if normalised else []
    breaker = CircuitBreaker(EAGER, clock=clock)
    answer = Reply(503, headers={"Retry-After": asked})
    async with fault_server(answer) as server, client(breaker, *inner) as session:
        try:
            await status_of(session, server.url)
        except ServiceUnavailableError:
            assert normalised
        assert breaker.circuit(server.url).retry_after == seconds


async def test_answers_to_calls_from_before_it_opened_change_nothing() -> None:
    clock, release = FakeClock(), asyncio.Event()
    breaker = CircuitBreaker(EAGER, clock=clock)

    async def late(request: Received) -> Reply:
        await release.wait()
        return Reply(int(request.path.strip("/")))

    async with fault_server(*[late] * 20) as server, client(breaker) as session:
        early = [
            asyncio.ensure_future(status_of(session, server.url / status))
            for status in ["200", "503"] * 10
        ]
        await server.wait_for(hits=20)
        await trip(session, server)
        circuit = breaker.circuit(server.url)
        before = circuit.state, circuit.counts, circuit.retry_after
        release.set()
        await asyncio.gather(*early)
        assert (circuit.state, circuit.counts, circuit.retry_after) == before
        with pytest.raises(CircuitOpenError):
            await session.get(server.url)


async def test_lost_and_cancelled_probes_do_not_wedge_it() -> None:
    clock = FakeClock(draw=0.0)
    lease = BreakerPolicy(failures=1, open_for=5, patience=0, probes=1, probe_lease=40)
    breaker = CircuitBreaker(lease, clock=clock)
    async with fault_server() as server, client(breaker) as session:
        await trip(session, server)
        server.script(*[Hang()] * 2)
        clock.advance(6)
        hanging = []
        for hits in (1, 2):
            hanging.append(asyncio.ensure_future(session.get(server.url)))
            await asyncio.wait_for(server.wait_for(hits=hits), 5)
            assert len(refused(await flood(session, server, 10))) == 10
            if hits == 1:  # cancelled: the place is free at once
                hanging[0].cancel()
                await asyncio.wait(hanging)
        clock.advance(40)  # lost: it is free when the lease is over
        await recover(session, server, clock)
        assert breaker.circuit(server.url).state == "closed"
        hanging[1].cancel()
        await asyncio.wait(hanging)
        assert breaker.circuit(server.url).state == "closed"


async def test_a_server_that_hangs_opens_it_and_is_found_to_be_well_again() -> None:
    breaker = CircuitBreaker(BreakerPolicy(failures=5, open_for=0.05, max_open_for=0.05))
    limit = resilient.AttemptTimeout(0.05)
    async with FaultServer(*[Hang()] * 8) as server, client(breaker, limit) as session:
        circuit = breaker.circuit(server.url)
        results = await flood(session, server, 8)
        assert len([each for each in results if isinstance(each, TimeoutError)]) == 8
        assert circuit.state == "open"
        assert (await flood(session, server, 8)).count(200) == 8
        assert circuit.state == "closed"
        assert server.hits == 16


# -- callers who wait: scenarios in virtual time


async def traffic(
    session: aiohttp.ClientSession, server: FaultServer, rate: float, seconds: float, **options: Any
) -> list[tuple[float, float, Any]]:
    """Calls at a rate: when each began and ended, and the status or exception that it came to."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def call(number: int) -> tuple[float, float, Any]:
        await asyncio.sleep(number / rate)
        began = loop.time() - start
        came: Any
        try:
            async with session.request("GET", server.url, **options) as response:
                came = response.status
        except Exception as error:
            came = error
        return began, loop.time() - start, came

    return list(await asyncio.gather(*(call(number) for number in range(int(rate * seconds)))))


def test_in_an_outage_callers_wait_for_the_verdict_and_the_server_gets_probes_only() -> None:
    async def scenario() -> None:
        breaker = CircuitBreaker(clock=LoopClock(draw=0.0))
        loop = asyncio.get_running_loop()
        start = loop.time()

        def answer(_: Received) -> Reply:
            return DOWN if 2 <= loop.time() - start < 6 else Reply()

        async with FaultServer(then=answer) as server, client(breaker) as session:
            calls = await traffic(session, server, 50, 12)
            arrived = [each.time - start for each in server.requests]
        lost = [came for _, _, came in calls if came != 200]
        # Of 200 calls in the outage 20 open the circuit, and six probes at most follow.
        in_outage = len([each for each in arrived if 2 <= each < 6])
        assert in_outage <= 20 + 6
        assert len(lost) < 200
        assert {type(came) for came in lost} <= {int, CircuitOpenError}
        # All is well a second after the server is.
        assert all(came == 200 for began, _, came in calls if began > 7)
        assert max(ended - began for began, ended, _ in calls) <= 5.1

    run_in_virtual_time(scenario())


def test_over_a_deploy_of_a_second_hardly_anything_is_lost() -> None:
    async def scenario() -> None:
        pipeline = Pipeline(policy(), clock=LoopClock(draw=0.0))
        async with FaultServer() as server, client(pipeline) as session:
            # Connections are refused for 1.2 s.
            calls = asyncio.ensure_future(traffic(session, server, 50, 6))
            await asyncio.sleep(2)
            await server.stop_listening()
            await asyncio.sleep(1.2)
            await server.resume_listening()
            came = [each for _, _, each in await calls]
        assert came.count(200) >= len(came) - 10

    run_in_virtual_time(scenario())


def test_posts_wait_and_are_sent_once() -> None:
    async def scenario() -> None:
        breaker = CircuitBreaker(BreakerPolicy(failures=3), clock=LoopClock(draw=0.0))
        async with FaultServer(*[DOWN] * 4) as server, client(breaker) as session:
            for _ in range(3):
                await status_of(session, server.url)
            assert breaker.circuit(server.url).state == "open"

            async def post(number: int) -> int:
                async with session.post(server.url, data=f"{number}") as response:
                    return response.status

            # The first is the next probe, which fails.
            statuses = await asyncio.gather(*(post(number) for number in range(10)))
            assert statuses == [503, *[200] * 9]
            bodies = [each.body for each in server.requests if each.method == "POST"]
            assert bodies == [str(number).encode() for number in range(10)]

    run_in_virtual_time(scenario())
