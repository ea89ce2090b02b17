"""Promise 7: a breaker without races. Its states, over real sockets."""

import asyncio
import pickle
from typing import Any

import aiohttp
import pytest

import resilient
from resilient import (
    BreakerPolicy,
    CircuitBreaker,
    CircuitOpenError,
    ServiceUnavailableError,
)
from resilient.testing import FaultServer, Hang, Received, Reply
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import client, fault_server, status_of, turns

DOWN = Reply(503)
EAGER = BreakerPolicy(minimum_calls=1)  # one failure opens it


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


async def test_it_opens_when_half_of_at_least_twenty_calls_failed_and_then_sends_nothing() -> None:
    breaker = CircuitBreaker(clock=FakeClock())
    async with fault_server(*[Reply()] * 10, then=DOWN) as server, client(breaker) as session:
        circuit = breaker.circuit(server.url)
        for _ in range(20):
            assert circuit.state == "closed"
            await status_of(session, server.url)
        assert circuit.state == "open"
        for _ in range(50):
            with pytest.raises(CircuitOpenError):
                await status_of(session, server.url / "elsewhere")
        assert server.hits == 20
        assert server.total_connections == 1


async def test_a_fifth_of_failures_never_opens_it() -> None:
    breaker = CircuitBreaker(clock=FakeClock())
    async with fault_server(*[DOWN, *[Reply()] * 4] * 40) as server, client(breaker) as session:
        for _ in range(200):
            await status_of(session, server.url)
        assert breaker.circuit(server.url).counts.failures == 40
        assert server.hits == 200


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


async def test_of_a_hundred_callers_at_half_open_exactly_the_probes_pass() -> None:
    clock, release = FakeClock(), asyncio.Event()
    breaker = CircuitBreaker(EAGER, clock=clock)

    async def slowly(_: Received) -> Reply:
        await release.wait()
        return Reply()

    async with fault_server() as server, client(breaker) as session:
        await trip(session, server)
        server.script(*[slowly] * 100)
        clock.advance(6)
        calls = asyncio.ensure_future(flood(session, server, 100))
        await asyncio.wait_for(server.wait_for(hits=3), 5)
        await turns(most=50)
        assert server.hits == 3
        assert breaker.circuit(server.url).state == "half_open"
        release.set()
        results = await calls
        assert results.count(200) == 3
        assert len(refused(results)) == 97
        assert {error.state for error in refused(results)} == {"half_open"}
        assert breaker.circuit(server.url).state == "closed"


async def test_one_failed_probe_opens_it_again_for_twice_as_long() -> None:
    clock = FakeClock(draw=0.0)
    breaker = CircuitBreaker(EAGER, clock=clock)
    async with fault_server(then=DOWN) as server, client(breaker) as session:
        for seconds in (5, 10, 20, 40, 60, 60):
            assert await status_of(session, server.url) == 503
            assert breaker.circuit(server.url).retry_after == seconds
            clock.advance(seconds - 0.5)
            with pytest.raises(CircuitOpenError):
                await session.get(server.url)
            clock.advance(0.5)
        assert server.hits == 6


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
    clock = FakeClock()
    breaker = CircuitBreaker(BreakerPolicy(minimum_calls=1, probe_lease=40), clock=clock)
    async with fault_server() as server, client(breaker) as session:
        await trip(session, server)
        server.script(*[Hang()] * 6)
        clock.advance(6)
        hanging = [asyncio.ensure_future(session.get(server.url)) for _ in range(3)]
        await asyncio.wait_for(server.wait_for(waiting=3), 5)
        assert len(refused(await flood(session, server, 10))) == 10
        for task in hanging:  # cancelled: the places are free at once
            task.cancel()
        await asyncio.wait(hanging)
        hanging = [asyncio.ensure_future(session.get(server.url)) for _ in range(3)]
        await asyncio.wait_for(server.wait_for(waiting=3), 5)
        assert len(refused(await flood(session, server, 10))) == 10
        clock.advance(40)  # lost: they are free when the lease is over
        assert (await flood(session, server, 10)).count(200) == 3
        assert breaker.circuit(server.url).state == "closed"
        for task in hanging:
            task.cancel()
        await asyncio.wait(hanging)
        assert breaker.circuit(server.url).state == "closed"


async def test_after_closing_a_flood_is_let_in_gradually_and_a_trickle_is_not_held_back() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(EAGER, clock=clock)
    async with fault_server() as server, client(breaker) as session:
        await trip(session, server)
        clock.advance(6)
        assert (await flood(session, server, 3)).count(200) == 3
        passed = []
        for _ in range(6):
            results = await flood(session, server, 100)
            passed.append(results.count(200))
            assert {error.state for error in refused(results)} <= {"closed"}
            assert {error.retry_after for error in refused(results)} <= {0.5}
            clock.advance(0.5)
        assert passed == [3, 6, 12, 24, 48, 96]
        clock.advance(2)
        assert (await flood(session, server, 100)).count(200) == 100

        await trip(session, server)
        clock.advance(6)
        for _ in range(50):
            assert await status_of(session, server.url) == 200
            clock.advance(0.2)
