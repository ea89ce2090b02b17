"""Promise 1, stale connections: one that the server has closed gets a second attempt at once.

It is the race for which aiohttp has its hidden second request: the server closes an idle
connection just when the client takes it out of its pool.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from resilient import (
    Backoff,
    BreakerPolicy,
    BudgetPolicy,
    CircuitBreaker,
    ConnectionFailedError,
    NormalizeErrors,
    NotFoundError,
    Reason,
    Retry,
    RetryPolicy,
    attempts_of,
    override,
)
from resilient.testing import Answer, Disconnect, FakeClock, FaultServer, Reply, Reset

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession


def retry(clock: FakeClock, attempts: int, budget: BudgetPolicy | None = None) -> Retry:
    backoff = Backoff(base=1, jitter="none")
    return Retry(RetryPolicy(max_attempts=attempts, backoff=backoff, budget=budget), clock=clock)


@pytest.mark.parametrize("fault", [Disconnect("accept"), Reset("accept")], ids=str)
@pytest.mark.parametrize("budget", [None, BudgetPolicy(ratio=0.01, min_per_second=0)], ids=str)
@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
async def test_a_stale_pooled_connection_gets_one_second_attempt_at_once(
    wrapped: bool,
    fault: Answer,
    budget: BudgetPolicy | None,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
) -> None:
    async with FaultServer() as server:
        session = open_session(retry(clock, 3, budget), wrapped=wrapped)
        assert await fetch(session, "GET", server.url) == 200
        server.script(fault)
        assert await fetch(session, "GET", server.url) == 200
        assert server.hits == 3
    assert clock.sleeps == []


async def test_a_stale_connection_costs_no_budget_and_says_nothing_of_the_server(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    broke = BudgetPolicy(ratio=0.001, min_per_second=0)
    breaker = CircuitBreaker(BreakerPolicy(failures=1), clock=clock)
    session = open_session(retry(clock, 3, broke), breaker)
    async with FaultServer() as server:
        assert await fetch(session, "GET", server.url) == 200
        server.script(Disconnect("accept"))
        assert await fetch(session, "GET", server.url) == 200
        assert breaker.circuit(server.url).state == "closed"


async def test_a_stale_connection_of_a_post_is_not_repeated(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 3))
    async with FaultServer() as server:
        assert await fetch(session, "POST", server.url) == 200
        server.script(Disconnect("accept"))
        assert type(await fetch(session, "POST", server.url)) is ConnectionFailedError
        assert server.hits == 2


@pytest.mark.parametrize("max_attempts", [1, 2, 3])
async def test_a_stale_connection_is_made_up_for_and_costs_no_attempt(
    max_attempts: int, open_session: OpenSession, clock: FakeClock
) -> None:
    session = open_session(retry(clock, max_attempts))
    async with FaultServer() as server:
        async with session.get(server.url) as response:
            await response.read()
        server.script(Disconnect("accept"))
        async with session.get(server.url) as response:
            assert response.status == 200
            swallowed, sent_again = attempts_of(response)
        assert (swallowed.number, sent_again.number) == (1, 1)
        assert (swallowed.waited, swallowed.code) == (0.0, Reason.STALE_CONNECTION)
        assert "sent again at once" in str(swallowed.reason)
        assert server.hits == 3
    assert clock.sleeps == []


async def test_a_stale_connection_is_made_up_for_once_a_hop(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 1))
    async with FaultServer() as server:
        assert await fetch(session, "GET", server.url) == 200
        server.script(Disconnect("accept"), Disconnect("accept"))
        assert type(await fetch(session, "GET", server.url)) is ConnectionFailedError
        assert server.hits == 3


async def test_a_request_is_not_sent_again_on_another_stale_connection(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 1))
    async with FaultServer(then=Reply(delay=0.01)) as server:
        # Twenty connections are left idle, and are closed behind our back.
        await asyncio.gather(*(fetch(session, "GET", server.url) for _ in range(20)))
        assert server.total_connections == 20
        connector: Any = session.connector
        for protocol, _ in next(iter(connector._conns.values())):
            protocol.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        assert await fetch(session, "GET", server.url) == 200
        assert server.total_connections == 21


async def test_the_users_no_keeps_a_stale_connection_from_being_made_up_for(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 1))
    async with FaultServer() as server:
        assert await fetch(session, "GET", server.url) == 200
        server.script(Disconnect("accept"))
        with override(idempotent=False):
            assert type(await fetch(session, "GET", server.url)) is ConnectionFailedError
        assert server.hits == 2


async def test_only_the_first_failure_on_a_pooled_connection_is_excused(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 3))
    async with FaultServer(then=Reply(delay=0.01)) as server:
        await asyncio.gather(*(fetch(session, "GET", server.url) for _ in range(2)))
        assert server.total_connections == 2
        server.script(Disconnect("accept"), Disconnect("accept"))
        assert await fetch(session, "GET", server.url) == 200
        assert server.hits == 5
    assert clock.sleeps == [1.0]


@pytest.mark.parametrize("fault", [Disconnect(), Reset()], ids=str)
async def test_a_failure_on_a_fresh_connection_is_waited_for(
    fault: Answer, open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 3))
    async with FaultServer(fault) as server:
        assert await fetch(session, "GET", server.url) == 200
    assert clock.sleeps == [1.0]


async def test_a_pool_of_closed_connections_does_not_make_a_fresh_one_stale(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    breaker = CircuitBreaker(BreakerPolicy(failures=1, open_for=0.1), clock=clock)
    session = open_session(retry(clock, 3), breaker)
    async with FaultServer() as server:
        assert await fetch(session, "GET", server.url) == 200
        await server.stop_listening()
        await server.resume_listening()
        await fetch(session, "HEAD", "http://127.0.0.1:1")  # the loop sees the connection close
        clock.sleeps.clear()
        server.script(Disconnect())
        assert await fetch(session, "GET", server.url) == 200
        # The failure counted: a probe went well since.
        assert breaker.circuit(server.url).state == "half_open"
    assert clock.sleeps == [1.0]


async def test_a_fresh_connection_beside_an_idle_one_is_not_taken_for_stale(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 3))
    async with FaultServer() as server:
        assert await fetch(session, "GET", server.url) == 200
        # Both see the idle connection; the first gets it, and the other a new one.
        server.script(Reply(), Disconnect())
        statuses = await asyncio.gather(*(fetch(session, "GET", server.url) for _ in range(2)))
        assert statuses == [200, 200]
        assert server.total_connections == 2
    assert clock.sleeps == [1.0]


async def test_a_connection_that_brought_an_error_may_be_stale_later(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 3), NormalizeErrors(clock=clock))
    async with FaultServer(Reply(404)) as server:
        assert type(await fetch(session, "GET", server.url)) is NotFoundError
        server.script(Disconnect("accept"))
        assert await fetch(session, "GET", server.url) == 200
        assert server.hits == 3
    assert clock.sleeps == []


async def test_a_connection_that_only_others_have_used_counts_as_fresh(
    open_session: OpenSession, fetch: Fetch, clock: FakeClock
) -> None:
    session = open_session(retry(clock, 3))
    async with FaultServer() as server:
        async with session.get(server.url, middlewares=()) as response:
            await response.read()
        server.script(Disconnect("accept"))
        assert await fetch(session, "GET", server.url) == 200
        assert server.hits == 3
    assert clock.sleeps == [1.0]
