"""The bulkhead on real sockets: fifty callers, five at once, and nothing is sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

import resilient
from resilient import (
    Aimd,
    AttemptTimeout,
    Bulkhead,
    BulkheadFullError,
    BulkheadPolicy,
    CircuitBreaker,
    DeadlineExceededError,
    NormalizeErrors,
    Pipeline,
    Reason,
    Retry,
    Service,
    Services,
)
from resilient.testing import FaultServer, Reply
from tests.integration.conftest import Fetch, Held, OpenSession
from tests.integration.support import Doorman, client, fault_server, policy, retry_policy, turns

pytestmark = pytest.mark.slow

CALLERS, LIMIT = 50, 5


@pytest.fixture
def doorman() -> Doorman:
    return Doorman()


@pytest.fixture
async def server(doorman: Doorman) -> AsyncIterator[FaultServer]:
    async with fault_server(then=doorman) as server:
        yield server


async def passing(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    return await handler(request)


def alone() -> list[Any]:
    return [Bulkhead(BulkheadPolicy(max_concurrent=LIMIT))]


def standard() -> list[Any]:
    return [Pipeline(policy(bulkhead=BulkheadPolicy(max_concurrent=LIMIT)))]


def taken_apart() -> list[Any]:
    """With a middleware of the user's own between any two."""
    parts = Pipeline(policy(bulkhead=BulkheadPolicy(max_concurrent=LIMIT)))
    return [each for part in parts for each in (part, passing)]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("middlewares", [alone, standard, taken_apart])
async def test_posts_wait_for_their_turn_and_are_sent_once(
    server: FaultServer,
    doorman: Doorman,
    open_session: OpenSession,
    fetch: Fetch,
    held: Held,
    middlewares: Any,
    wrapped: bool,
) -> None:
    session = open_session(*middlewares(), wrapped=wrapped)
    tasks = [
        asyncio.ensure_future(fetch(session, "POST", server.url / str(number), data=b"x"))
        for number in range(CALLERS)
    ]
    await server.wait_for(hits=LIMIT)
    # Nothing of those who wait is sent, and they hold no connection.
    assert held(session) == LIMIT
    assert server.hits == LIMIT
    doorman.opened.set()
    assert await asyncio.gather(*tasks) == [200] * CALLERS
    assert sorted(int(path[1:]) for path in doorman.came) == list(range(CALLERS))
    assert doorman.most == LIMIT


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("places", [1, 2])
async def test_a_call_that_is_made_inside_an_attempt_does_not_wait_for_its_place(
    server: FaultServer,
    doorman: Doorman,
    open_session: OpenSession,
    fetch: Fetch,
    places: int,
    wrapped: bool,
) -> None:
    """A middleware that fetches a token at the same origin, through the same session."""

    async def token(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if request.url.path != "/token":
            assert await fetch(session, "GET", server.url / "token") == 200
        return await handler(request)

    doorman.opened.set()
    bulkhead = Bulkhead(BulkheadPolicy(max_concurrent=places))
    session = open_session(bulkhead, token, wrapped=wrapped)
    calls = (fetch(session, "GET", server.url) for _ in range(CALLERS))
    assert await asyncio.wait_for(asyncio.gather(*calls), 5) == [200] * CALLERS
    assert doorman.most <= places
    assert bulkhead.places == ()


@pytest.mark.parametrize("by", ["pipelines", "services"])
async def test_a_bulkhead_is_shared_by_passing_it(
    server: FaultServer, doorman: Doorman, open_session: OpenSession, fetch: Fetch, by: str
) -> None:
    shared = Bulkhead(BulkheadPolicy(max_concurrent=LIMIT))
    made: list[Any]
    if by == "pipelines":
        made = [Pipeline(policy(name=name), bulkhead=shared) for name in "ab"]
    else:
        services = [
            Service(name, str(server.url / name), policy(bulkhead=BulkheadPolicy()))
            for name in "ab"
        ]
        made = [Services(services, bulkhead=shared)] * 2
    sessions = [open_session(each) for each in made]
    tasks = [
        asyncio.ensure_future(fetch(session, "GET", server.url / name / "x"))
        for session, name in zip(sessions, "ab", strict=True)
        for _ in range(CALLERS // 2)
    ]
    await server.wait_for(hits=LIMIT)
    (places,) = shared.places
    assert (places.limit, places.in_use, places.waiting) == (LIMIT, LIMIT, CALLERS - LIMIT)
    doorman.opened.set()
    assert await asyncio.gather(*tasks) == [200] * CALLERS
    assert doorman.most == LIMIT
    assert len(shared.places) == 0


@pytest.mark.parametrize("middlewares", [standard, taken_apart])
async def test_a_refusal_is_neither_repeated_nor_a_failure_of_the_server(
    server: FaultServer,
    doorman: Doorman,
    open_session: OpenSession,
    fetch: Fetch,
    middlewares: Any,
) -> None:
    made = middlewares()
    parts = Pipeline.of(*made)
    session = open_session(*made)
    tasks = [asyncio.ensure_future(fetch(session, "GET", server.url)) for _ in range(LIMIT)]
    await server.wait_for(hits=LIMIT)
    with resilient.override(max_wait=0):
        refused = [await fetch(session, "GET", server.url) for _ in range(CALLERS)]
    for each in refused:
        assert isinstance(each, BulkheadFullError)
        assert each.stop_code is Reason.BULKHEAD_FULL
        assert each.attempts == ()
    assert parts.breaker.circuit(server.url).counts.calls == 0
    doorman.opened.set()
    assert await asyncio.gather(*tasks) == [200] * LIMIT
    assert server.hits == LIMIT


async def test_an_attempt_that_was_refused_later_ends_in_what_the_server_said(
    server: FaultServer, doorman: Doorman, open_session: OpenSession, fetch: Fetch
) -> None:
    bulkhead = Bulkhead(BulkheadPolicy(max_concurrent=1, max_wait=0))

    async def taking(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Somebody else takes the place between two attempts."""
        try:
            return await handler(request)
        finally:
            others.append(asyncio.ensure_future(fetch(other, "GET", server.url / "other")))
            await server.wait_for(hits=2)

    others: list[asyncio.Future[Any]] = []
    doorman.statuses = [503]
    other = open_session(bulkhead)
    session = open_session(Retry(retry_policy()), taking, bulkhead, NormalizeErrors())
    task = asyncio.ensure_future(fetch(session, "GET", server.url))
    await server.wait_for(hits=1)
    doorman.opened.set()
    await turns(lambda: doorman.inside == 0)
    doorman.opened.clear()
    error = await task
    assert isinstance(error, resilient.ServiceUnavailableError)
    assert [each.status for each in error.attempts] == [503]
    assert error.stop_code is Reason.BULKHEAD_FULL
    doorman.opened.set()
    await asyncio.gather(*others)


@pytest.mark.parametrize(("status", "places"), [(200, 0), (503, 1)])
async def test_reading_a_good_body_keeps_no_place_and_that_of_an_error_does(
    fetch: Fetch, status: int, places: int
) -> None:
    bulkhead = Bulkhead(BulkheadPolicy(max_concurrent=1))
    slow = Reply(status, body=b"x", body_delay=0.1)
    async with (
        fault_server(slow) as server,
        client(bulkhead, passing, NormalizeErrors()) as session,
    ):
        task = asyncio.ensure_future(fetch(session, "GET", server.url))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.03)
        assert not task.done()
        assert len(bulkhead.places) == places
        found = await task
        assert getattr(found, "status", found) == status


async def test_a_deadline_ends_a_wait_and_its_turn_goes_on(
    server: FaultServer, doorman: Doorman, open_session: OpenSession, fetch: Fetch, clock: Any
) -> None:
    made = Pipeline(policy(bulkhead=BulkheadPolicy(max_concurrent=1)), clock=clock)
    session = open_session(made)
    first = asyncio.ensure_future(fetch(session, "GET", server.url))
    await server.wait_for(hits=1)
    with resilient.override(total_timeout=5):
        second = asyncio.ensure_future(fetch(session, "GET", server.url))
        await turns(lambda: made.bulkhead.places[0].waiting == 1)
    third = asyncio.ensure_future(fetch(session, "GET", server.url))
    await turns(lambda: made.bulkhead.places[0].waiting == 2)
    clock.advance(6)
    assert isinstance(await asyncio.wait_for(second, 2), DeadlineExceededError)
    doorman.opened.set()
    assert [await first, await third] == [200, 200]
    assert server.hits == 2


async def test_a_server_that_hangs_is_asked_by_fewer_and_fewer_until_it_answers(
    doorman: Doorman, server: FaultServer, fetch: Fetch
) -> None:
    bulkhead = Bulkhead(BulkheadPolicy(adaptive=Aimd(initial=20)))

    async def crowd(session: aiohttp.ClientSession) -> set[Any]:
        found = await asyncio.gather(*[fetch(session, "GET", server.url) for _ in range(100)])
        return {each if isinstance(each, int) else type(each) for each in found}

    async with client(bulkhead, AttemptTimeout(0.1)) as session:
        assert await crowd(session) == {resilient.AttemptTimeoutError}
        # 20 + 18 + 16 + 14 + 12 + 10 + 9 are 99.
        fallen = bulkhead.places[0].limit
        assert fallen < 10
    doorman.opened.set()
    async with client(bulkhead) as session:
        assert await crowd(session) == {200}
        assert bulkhead.places[0].limit > fallen


async def test_a_closed_session_ends_its_waits(
    server: FaultServer, doorman: Doorman, open_session: OpenSession, fetch: Fetch
) -> None:
    bulkhead = Bulkhead(BulkheadPolicy(max_concurrent=1))
    session, other = (open_session(bulkhead) for _ in range(2))
    first = asyncio.ensure_future(fetch(other, "GET", server.url))
    await server.wait_for(hits=1)
    waiting = [asyncio.ensure_future(fetch(session, "GET", server.url)) for _ in range(CALLERS)]
    await turns(lambda: bulkhead.places[0].waiting == CALLERS)
    await session.close()
    found = await asyncio.wait_for(asyncio.gather(*waiting), 2)
    assert {type(each) for each in found} == {resilient.SessionClosedError}
    assert bulkhead.places[0].waiting == 0
    doorman.opened.set()
    assert await first == 200


def test_of_breakers_and_bulkheads_in_a_row_nobody_warns(recwarn: Any) -> None:
    Pipeline.of(CircuitBreaker(), Bulkhead(), Bulkhead())
    assert [str(each.message) for each in recwarn] == []


async def test_sessions_of_the_same_bulkhead_may_be_of_any_kind(
    server: FaultServer, doorman: Doorman, fetch: Fetch, open_session: OpenSession
) -> None:
    doorman.opened.set()
    bulkhead = Bulkhead(BulkheadPolicy(max_concurrent=2))
    sessions: list[aiohttp.ClientSession] = [
        open_session(bulkhead),
        open_session(Pipeline(policy(), bulkhead=bulkhead), wrapped=True),
        open_session(Pipeline.of(bulkhead, AttemptTimeout(5))),
    ]
    calls = [fetch(each, "GET", server.url) for each in sessions for _ in range(10)]
    assert await asyncio.gather(*calls) == [200] * 30
    assert doorman.most <= 2
