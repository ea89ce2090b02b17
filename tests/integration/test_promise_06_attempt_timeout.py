"""Promise 6: an attempt has a limit of its own; what runs into it may be repeated."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    BreakerPolicy,
    CircuitBreaker,
    ConnectionFailedError,
    DeadlineExceededError,
    ErrorPolicy,
    Pipeline,
    Retry,
    override,
    pipeline_of,
)
from resilient.testing import Answer, FaultServer, Hang, Reply
from resilient.testing.script.script import OK
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    client,
    fault_server,
    passing,
    policy,
    retry_policy,
    status_of,
    turns,
    wrapped,
)


@asynccontextmanager
async def limited(
    *steps: Answer, then: Answer = OK, under: Any = client, connector: Any = None, **changes: Any
) -> AsyncIterator[tuple[FaultServer, aiohttp.ClientSession]]:
    """A server, and a session with ten seconds for an attempt, which pass while nothing happens."""
    clock = FakeClock()
    pipeline = Pipeline(policy(**{"attempt_timeout": 10, **changes}), clock=clock)
    async with (
        fault_server(*steps, then=then) as server,
        under(pipeline, connector=connector) as session,
        passing(clock, server),
    ):
        yield server, session


@pytest.mark.parametrize("under", [client, wrapped])
async def test_a_get_that_hangs_is_attempted_again(under: Any) -> None:
    async with limited(Hang(), Hang(), under=under) as (server, session):
        assert await status_of(session, server.url) == 200
        assert server.hits == 3


async def test_a_post_that_hangs_is_not() -> None:
    async with limited(then=Hang()) as (server, session):
        with pytest.raises(AttemptTimeoutError) as caught:
            await session.post(server.url)
        assert server.hits == 1
    assert "may have been carried out" in str(caught.value.stop_reason)


async def test_the_error_is_a_timeout_and_says_what_it_was_allowed() -> None:
    async with limited(then=Hang(), retry=None) as (server, session):
        for expected in (TimeoutError, aiohttp.ServerTimeoutError, aiohttp.ClientError):
            with pytest.raises(expected) as caught:
                await status_of(session, server.url)
            assert isinstance(caught.value, AttemptTimeoutError)
            assert caught.value.timeout == 10
            assert "within 10 s" in str(caught.value)
            assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        assert server.hits == 3


async def test_after_the_last_attempt_the_error_tells_of_all() -> None:
    async with limited(then=Hang()) as (server, session):
        with pytest.raises(AttemptTimeoutError) as caught:
            await status_of(session, server.url)
    assert [attempt.error for attempt in caught.value.attempts] == ["AttemptTimeoutError"] * 3
    assert [attempt.duration for attempt in caught.value.attempts] == pytest.approx([10, 10, 10])
    assert len(caught.value.__notes__) == 3
    assert caught.value.stop_reason == "no attempt is left of 3"


async def test_time_outs_of_attempts_open_the_breaker() -> None:
    breaker = BreakerPolicy(consecutive_failures=2, open_for=60, max_open_for=60, patience=0)
    async with limited(then=Hang(), breaker=breaker) as (server, session):
        with pytest.raises(AttemptTimeoutError) as caught:
            await status_of(session, server.url)
        assert server.hits == 2
        assert pipeline_of(session).breaker.circuit(str(server.url)).state == "open"
    assert "the circuit is open" in str(caught.value.stop_reason)


@pytest.mark.parametrize("total", [10, None], ids=["cut by the deadline", "by its own limit"])
async def test_an_attempt_that_ran_out_of_time_is_a_failure_whatever_cut_it(
    total: float | None,
) -> None:
    limits = {"total_timeout": total, "attempt_timeout": None if total else 10}
    async with limited(then=Hang(), retry=None, **limits) as (server, session):
        with pytest.raises((DeadlineExceededError, AttemptTimeoutError)):
            await status_of(session, server.url)
        counts = pipeline_of(session).breaker.circuit(str(server.url)).counts
    assert (counts.calls, counts.failures) == (1, 1)


async def test_outside_the_breaker_an_attempt_that_ran_out_of_time_is_a_failure_too() -> None:
    async with fault_server(then=Hang()) as server:
        breaker = CircuitBreaker()
        async with client(Pipeline.of(AttemptTimeout(0.02), breaker)) as session:
            with pytest.raises(AttemptTimeoutError):
                await status_of(session, server.url)
        assert breaker.circuit(str(server.url)).counts.failures == 1


async def test_a_cancelled_attempt_is_neither_failure_nor_success() -> None:
    async with fault_server(then=Hang()) as server:
        pipeline = Pipeline(policy())
        async with client(pipeline) as session:
            call = asyncio.create_task(status_of(session, server.url))
            await server.wait_for(hits=1)
            call.cancel()
            await asyncio.wait([call])
        counts = pipeline.breaker.circuit(str(server.url)).counts
    assert (counts.calls, counts.failures) == (0, 0)


@pytest.mark.parametrize(("given", "limit"), [(5, 5), (None, 10), (20, 20)])
async def test_an_override_changes_the_limit_of_an_attempt(given: float, limit: float) -> None:
    async with limited(then=Hang()) as (server, session):
        with override(attempt_timeout=given), pytest.raises(AttemptTimeoutError) as caught:
            await status_of(session, server.url)
        assert server.hits == 3
    assert caught.value.timeout == limit
    assert [attempt.duration for attempt in caught.value.attempts] == pytest.approx([limit] * 3)


async def test_an_override_can_lift_the_limit_of_an_attempt() -> None:
    async with limited(then=Hang(0.03), total_timeout=None) as (server, session):
        with override(attempt_timeout=math.inf), pytest.raises(ConnectionFailedError):
            await session.post(server.url)


async def test_the_limit_does_not_reach_into_the_error_body_in_the_standard_order() -> None:
    clock = FakeClock()
    slow = Reply(500, json={"message": "slow"}, body_delay=0.02)
    async with fault_server(then=slow) as server:
        pipeline = Pipeline(
            policy(attempt_timeout=1, retry=None, errors=ErrorPolicy(read_timeout=50)), clock=clock
        )
        async with client(pipeline) as session:
            with pytest.raises(aiohttp.ClientResponseError, match="slow"):
                await status_of(session, server.url)


async def test_a_body_read_within_the_attempt_counts_against_its_time() -> None:
    stalled = Reply(200, body=b"xx", body_delay=9)
    reading = retry_policy(read_body_up_to=100)
    async with limited(stalled, stalled, Reply(200, body=b"ok"), retry=reading) as (server, s):
        async with s.get(server.url) as response:
            assert await response.read() == b"ok"
        assert server.hits == 3


async def test_a_stream_handed_over_takes_as_long_as_it_likes() -> None:
    async with (
        limited(Reply(200, body=b"abc", chunk_delay=0.015)) as (server, session),
        session.get(server.url) as response,
    ):
        assert await response.read() == b"abc"


async def test_attempts_of_many_calls_end_each_in_its_own_time() -> None:
    """One timer serves them all; each must be cut on its own, and no other."""
    clock = FakeClock()
    alone = Pipeline(policy(retry=None, attempt_timeout=10, breaker=None), clock=clock)
    async with (
        fault_server(then=Hang()) as server,
        client(alone, connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        calls = []
        for number in range(1, 11):
            calls.append(asyncio.create_task(status_of(session, server.url)))
            await server.wait_for(hits=number)
            clock.advance(0.5)
        for number in range(10):
            await turns(most=5)
            assert [call.done() for call in calls] == [each < number for each in range(10)]
            clock.advance(5.25 if number == 0 else 0.5)
        await asyncio.wait(calls)
        assert {type(call.exception()) for call in calls} == {AttemptTimeoutError}
        assert server.hits == 10


@pytest.mark.parametrize("limit", [5, 10], ids=["a shorter one", "the same"])
async def test_a_request_within_a_request_has_a_limit_of_its_own(limit: float) -> None:
    ended: list[type[BaseException]] = []

    async def fetch_token(request: Any, handler: Any) -> Any:
        if request.url.path != "/token":
            with override(attempt_timeout=limit, max_attempts=1):
                try:
                    await session.get(server.url / "token")
                except AttemptTimeoutError as error:
                    ended.append(type(error))
                except BaseException as error:
                    ended.append(type(error))
                    raise
        return await handler(request)

    clock = FakeClock()
    order: list[Any] = [
        Retry(retry_policy(), clock=clock),
        AttemptTimeout(10, clock=clock),
        fetch_token,
    ]
    async with fault_server() as server, client(*order) as session, passing(clock, server):
        server.route("/token", then=Hang())
        if limit == 5:
            assert await status_of(session, server.url) == 200
            assert ended == [AttemptTimeoutError]
        else:
            # The limit of the request around it was set before, and runs out first.
            with pytest.raises(AttemptTimeoutError):
                await status_of(session, server.url)
            assert ended == [asyncio.CancelledError] * 3
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_request_made_on_the_way_out_of_a_time_out_may_run_out_of_time_too() -> None:
    async def report(request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except asyncio.CancelledError:
            if request.url.path != "/report":
                with pytest.raises(AttemptTimeoutError):
                    await session.get(server.url / "report")
            raise

    clock = FakeClock()
    order: list[Any] = [AttemptTimeout(10, clock=clock), report]
    async with (
        fault_server(then=Hang()) as server,
        client(*order) as session,
        passing(clock, server),
    ):
        with pytest.raises(AttemptTimeoutError):
            await status_of(session, server.url)
        assert server.hits == 2
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
