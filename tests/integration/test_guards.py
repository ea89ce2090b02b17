"""A guard of one's own on real sockets: fifty callers, few of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

import resilient
from resilient import (
    CircuitBreaker,
    Deadline,
    DeadlineExceededError,
    Pipeline,
    Retry,
    SessionClosedError,
)
from resilient.testing import FaultServer
from tests.guards import Bulkhead
from tests.integration.conftest import Fetch, Held, OpenSession
from tests.integration.support import Doorman, fault_server, retry_policy, turns

pytestmark = pytest.mark.slow

CALLERS, LIMIT = 50, 3


@pytest.fixture
def doorman() -> Doorman:
    return Doorman()


@pytest.fixture
async def server(doorman: Doorman) -> AsyncIterator[FaultServer]:
    async with fault_server(then=doorman) as server:
        yield server


@pytest.fixture
def bulkhead() -> Bulkhead:
    return Bulkhead(LIMIT)


Orders = Callable[[Bulkhead], Any]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    "middlewares",
    [
        lambda guard: guard,
        lambda guard: Pipeline.of(
            Deadline(60), Retry(retry_policy()), guard, CircuitBreaker(), *Pipeline()[4:]
        ),
    ],
)
async def test_few_at_once_in_their_order(
    server: FaultServer,
    doorman: Doorman,
    bulkhead: Bulkhead,
    open_session: OpenSession,
    fetch: Fetch,
    held: Held,
    middlewares: Orders,
    wrapped: bool,
) -> None:
    session = open_session(middlewares(bulkhead), wrapped=wrapped)
    tasks = [
        asyncio.ensure_future(fetch(session, "POST", server.url / str(number), data=b"x"))
        for number in range(CALLERS)
    ]
    await server.wait_for(hits=LIMIT)
    assert len(bulkhead.queue) == CALLERS - LIMIT
    # No connection is held by those who wait.
    assert held(session) == LIMIT
    given_up = range(LIMIT, CALLERS, 7)
    for number in given_up:
        tasks[number].cancel()
    doorman.opened.set()
    await asyncio.wait(tasks)
    served = [number for number in range(CALLERS) if number not in given_up]
    assert [tasks[number].result() for number in served] == [200] * len(served)
    assert all(tasks[number].cancelled() for number in given_up)
    assert sorted(int(path[1:]) for path in doorman.came) == served
    assert doorman.most == LIMIT
    assert (bulkhead.out, len(bulkhead.queue)) == (set(), 0)


async def test_a_permit_comes_back_between_two_attempts(
    server: FaultServer,
    doorman: Doorman,
    bulkhead: Bulkhead,
    open_session: OpenSession,
    fetch: Fetch,
) -> None:
    doorman.statuses = [503] * CALLERS
    doorman.opened.set()
    session = open_session(Retry(retry_policy(budget=None)), bulkhead)
    calls = [fetch(session, "GET", server.url) for _ in range(CALLERS)]
    assert await asyncio.gather(*calls) == [200] * CALLERS
    assert server.hits == 2 * CALLERS
    assert doorman.most <= LIMIT
    assert (bulkhead.out, len(bulkhead.queue)) == (set(), 0)


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_session_that_is_closed_ends_the_waits_of_its_callers_at_once(
    server: FaultServer,
    doorman: Doorman,
    bulkhead: Bulkhead,
    open_session: OpenSession,
    fetch: Fetch,
    wrapped: bool,
) -> None:
    session, other = (open_session(bulkhead, wrapped=wrapped) for _ in range(2))

    def call(session: aiohttp.ClientSession) -> asyncio.Future[Any]:
        return asyncio.ensure_future(fetch(session, "GET", server.url))

    first = [call(other) for _ in range(LIMIT)]
    await server.wait_for(hits=LIMIT)
    waiting, later = [call(session) for _ in range(CALLERS)], call(other)
    await turns(lambda: len(bulkhead.queue) == CALLERS + 1)
    await session.close()
    found = await ended(asyncio.gather(*waiting))
    assert [type(each) for each in found] == [SessionClosedError] * CALLERS
    assert len(bulkhead.queue) == 1
    doorman.opened.set()
    assert await asyncio.gather(*first, later) == [200] * (LIMIT + 1)
    assert server.hits == LIMIT + 1


async def test_a_deadline_ends_a_wait(
    server: FaultServer,
    doorman: Doorman,
    bulkhead: Bulkhead,
    open_session: OpenSession,
    fetch: Fetch,
    clock: Any,
) -> None:
    session = open_session(Deadline(30, clock=clock), bulkhead)
    patient = [asyncio.ensure_future(fetch(session, "GET", server.url)) for _ in range(LIMIT)]
    await server.wait_for(hits=LIMIT)
    with resilient.override(total_timeout=5):
        late = [asyncio.ensure_future(fetch(session, "GET", server.url)) for _ in range(CALLERS)]
    await turns(lambda: len(bulkhead.queue) == CALLERS)
    clock.advance(6)
    found = await ended(asyncio.gather(*late))
    assert [type(each) for each in found] == [DeadlineExceededError] * CALLERS
    assert len(bulkhead.queue) == 0
    doorman.opened.set()
    assert await asyncio.gather(*patient) == [200] * LIMIT
    assert server.hits == LIMIT


async def ended(waiting: Awaitable[Any]) -> Any:
    """It ends without any time that is worth the name."""
    return await asyncio.wait_for(waiting, 2)
