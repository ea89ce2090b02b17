"""Promise 9: nothing is global. What is shared is an object that somebody passed."""

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import ClientSession

from resilient import (
    AttemptTimeout,
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    ErrorPolicy,
    NormalizeErrors,
    Pipeline,
    Policy,
    Retry,
    RetryBudget,
    RetryPolicy,
    ServiceUnavailableError,
    parse_error,
    wrap,
)
from resilient.testing import FaultServer, Reply
from resilient.testing.event_log import EventLog
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import client, fault_server, policy, retry_policy, status_of, wrapped

HAIR_TRIGGER = BreakerPolicy(consecutive_failures=1, open_for=60, max_open_for=60, patience=0)
NO_BUDGET = BudgetPolicy(ratio=0.001, capacity=1, min_per_second=0)


async def fail(session: ClientSession, server: FaultServer) -> Exception:
    with pytest.raises((ServiceUnavailableError, CircuitOpenError)) as caught:
        await status_of(session, server.url)
    return caught.value


@pytest.mark.parametrize("under", [client, wrapped])
async def test_two_pipelines_of_one_policy_share_nothing(under: Any) -> None:
    shared = Policy(
        retry=retry_policy(budget=NO_BUDGET, max_attempts=2),
        breaker=BreakerPolicy(consecutive_failures=3, open_for=60, max_open_for=60, patience=0),
    )
    before = repr(shared)
    async with (
        fault_server(then=Reply(503)) as server,
        under(Pipeline(shared)) as one,
        under(Pipeline(shared)) as another,
    ):
        # One retry is in the budget of each, and the third failure opens the breaker of each.
        for session in (one, another):
            server.clear()
            assert len((await fail(session, server)).attempts) == 2  # type: ignore[attr-defined]  # on purpose
            error = await fail(session, server)
            assert "budget" in error.stop_reason or "open" in error.stop_reason  # type: ignore[attr-defined]  # on purpose
            assert isinstance(await fail(session, server), CircuitOpenError)
            assert server.hits == 3
    assert repr(shared) == before
    assert shared == Policy(
        retry=retry_policy(budget=NO_BUDGET, max_attempts=2),
        breaker=BreakerPolicy(consecutive_failures=3, open_for=60, max_open_for=60, patience=0),
    )


async def test_the_default_pipelines_share_nothing() -> None:
    one, another = Pipeline(), Pipeline()
    assert one != another
    for mine, theirs in zip(one, another, strict=True):
        assert type(mine) is type(theirs)
        assert mine is not theirs
        assert mine != theirs
        hash(mine)


async def test_a_middleware_that_is_shared_shares_its_state() -> None:
    breaker = CircuitBreaker(HAIR_TRIGGER)
    async with fault_server(then=Reply(503)) as server:
        async with client(breaker) as one, wrapped(NormalizeErrors(), breaker) as another:
            assert await status_of(one, server.url) == 503
            assert isinstance(await fail(another, server), CircuitOpenError)
        assert server.hits == 1


async def test_a_pipeline_that_is_shared_shares_its_state() -> None:
    pipeline = Pipeline(policy(breaker=HAIR_TRIGGER))
    async with fault_server(then=Reply(503)) as server:
        async with client(pipeline) as one, wrapped(pipeline) as another:
            assert isinstance(await fail(one, server), ServiceUnavailableError)
            assert isinstance(await fail(another, server), CircuitOpenError)
        assert server.hits == 1


async def test_a_budget_is_shared_if_it_is_passed() -> None:
    budget = RetryBudget(NO_BUDGET)
    async with (
        fault_server(then=Reply(503)) as server,
        client(Retry(retry_policy(), budget=budget)) as one,
    ):
        assert await status_of(one, server.url) == 503
        assert server.hits == 2
        async with client(Pipeline(policy(), budget=budget)) as another:
            await fail(another, server)
        assert server.hits == 3
        async with client(Retry(retry_policy(budget=NO_BUDGET))) as apart:
            assert await status_of(apart, server.url) == 503
        assert server.hits == 5


async def test_waits_of_calls_at_once_do_not_advance_each_other() -> None:
    clock = FakeClock()
    waits = retry_policy(backoff=Backoff(base=1, jitter="none"), max_attempts=4, budget=None)
    async with (
        fault_server(then=Reply(503)) as server,
        client(Retry(waits, clock=clock)) as session,
    ):
        await asyncio.gather(*(status_of(session, server.url) for _ in range(10)))
    assert sorted(clock.sleeps) == [1] * 10 + [2] * 10 + [4] * 10


async def test_the_session_that_was_wrapped_and_its_other_copies_know_nothing_of_it() -> None:
    async with (
        fault_server(then=Reply(503)) as server,
        client() as original,
        wrap(original, Pipeline(policy(breaker=HAIR_TRIGGER))) as one,
    ):
        await fail(one, server)
        assert await status_of(original, server.url) == 503
        async with wrap(original, Pipeline(policy(breaker=HAIR_TRIGGER))) as another:
            assert isinstance(await fail(another, server), ServiceUnavailableError)


async def test_listeners_hear_of_their_own_pipeline_only() -> None:
    mine, theirs = EventLog(), EventLog()
    async with fault_server(Reply(503)) as server:
        one = Pipeline(policy(name="mine"), listeners=[mine])
        async with client(one) as session, client(Pipeline(policy(), listeners=[theirs])) as other:
            assert await status_of(session, server.url) == 200
            assert {event.name for event in mine.events} == {"mine"}
            assert theirs.events == []
            assert await status_of(other, server.url) == 200


def test_a_parser_that_is_given_is_known_nowhere_else() -> None:
    body = b'{"oops": "mine"}'
    before = parse_error(500, {}, body)

    def mine(*_: object) -> None:
        return None

    ErrorPolicy(parsers=[mine, "flat"])
    assert parse_error(500, {}, body) == before


MIDDLEWARES: dict[str, Callable[[], Any]] = {
    "Deadline": lambda: Deadline(5),
    "Retry": Retry,
    "CircuitBreaker": CircuitBreaker,
    "AttemptTimeout": lambda: AttemptTimeout(5),
    "Pipeline": Pipeline,
}


async def in_a_loop_of_its_own(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What a coroutine comes to in another thread with an event loop of its own."""

    def run() -> Any:
        with warnings.catch_warnings():
            return asyncio.run(call())

    return await asyncio.to_thread(run)


@pytest.mark.parametrize("name", MIDDLEWARES)
async def test_a_second_event_loop_is_told_that_state_belongs_to_the_first(name: str) -> None:
    middleware = MIDDLEWARES[name]()

    async with fault_server() as server:
        url = server.url

        async def elsewhere() -> str:
            async with ClientSession(middlewares=[middleware]) as session:
                try:
                    return str(await status_of(session, url))
                except RuntimeError as error:
                    return str(error)

        async with client(middleware) as session:
            assert await status_of(session, url) == 200
            said = await in_a_loop_of_its_own(elsewhere)
            assert "belongs to another event loop" in said
            assert (name if name != "Pipeline" else "Deadline") in said
            assert server.hits == 1
            assert await status_of(session, url) == 200


@pytest.mark.parametrize("name", MIDDLEWARES)
async def test_before_its_first_use_a_middleware_belongs_to_no_loop(name: str) -> None:
    middleware = MIDDLEWARES[name]()
    async with fault_server() as server:

        async def elsewhere() -> int:
            async with ClientSession(middlewares=[middleware]) as session:
                return await status_of(session, server.url)

        assert await in_a_loop_of_its_own(elsewhere) == 200


async def test_values_and_what_keeps_no_state_serve_every_loop() -> None:
    errors = NormalizeErrors()
    shared = Policy(retry=RetryPolicy(max_attempts=2))

    async with fault_server() as server:

        async def elsewhere() -> int:
            async with ClientSession(middlewares=[Pipeline(shared), errors]) as session:
                return await status_of(session, server.url)

        async with client(Pipeline(shared), errors) as session:
            assert await status_of(session, server.url) == 200
            assert await in_a_loop_of_its_own(elsewhere) == 200
