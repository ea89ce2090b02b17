"""Promise 4: closing the session ends waits at once, with aiohttp's words as a typed error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from resilient import (
    APIError,
    Backoff,
    Pipeline,
    Reason,
    ResilientError,
    Retry,
    RetryPolicy,
    SessionClosedError,
    wrap,
)
from resilient.testing import FaultServer, Reply
from tests.integration.support import policy, turns

SLOW = RetryPolicy(backoff=Backoff(base=60, cap=60, jitter="none"), budget=None)

Close = Callable[[aiohttp.ClientSession, aiohttp.ClientSession], Awaitable[Any]]

CLOSINGS: dict[str, tuple[bool, Close]] = {
    "the session": (False, lambda session, _: session.close()),
    "its connector": (False, lambda session, _: _closed(session.connector)),
    "the wrapped session": (True, lambda session, _: session.close()),
    "the original of a wrapped one": (True, lambda _, original: original.close()),
}


async def _closed(connector: Any) -> None:
    await connector.close()


@pytest.mark.parametrize(("is_wrapped", "close"), CLOSINGS.values(), ids=CLOSINGS)
@pytest.mark.parametrize("middleware", [lambda: Retry(SLOW), lambda: Pipeline(policy(retry=SLOW))])
async def test_a_wait_between_attempts_ends_at_once(
    middleware: Callable[[], Any], is_wrapped: bool, close: Close
) -> None:
    async with FaultServer(then=Reply(503)) as server:
        original = aiohttp.ClientSession(middlewares=() if is_wrapped else [middleware()])
        session = wrap(original, middleware()) if is_wrapped else original
        calls = [asyncio.ensure_future(session.get(server.url)) for _ in range(3)]
        await server.wait_for(hits=3)
        await asyncio.sleep(0.01)
        await close(session, original)
        await asyncio.wait(calls, timeout=1)
        for call in calls:
            assert call.done()
            error = call.exception()
            assert isinstance(error, SessionClosedError)
            assert isinstance(error, aiohttp.ClientConnectionError)
            assert isinstance(error, RuntimeError)
            assert isinstance(error, ResilientError)
            assert "Session is closed" in str(error)
            assert error.stop_code is Reason.SESSION_CLOSED
            assert [attempt.status for attempt in error.attempts] == [503]
            assert error.__cause__ is None or isinstance(error.__cause__, APIError)
        await session.close()
        await original.close()
        assert server.hits == 3


async def test_a_session_that_borrows_its_connector_is_noticed_when_the_wait_is_over() -> None:
    quick = RetryPolicy(backoff=Backoff(base=0.05, jitter="none"), budget=None)
    async with FaultServer(then=Reply(503)) as server, aiohttp.TCPConnector() as connector:
        session = aiohttp.ClientSession(
            connector=connector, connector_owner=False, middlewares=[Retry(quick)]
        )
        call = asyncio.ensure_future(session.get(server.url))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.01)
        await session.close()
        with pytest.raises(SessionClosedError):
            await call
        assert server.hits == 1


async def test_closing_another_session_of_the_connector_ends_nothing() -> None:
    quick = RetryPolicy(backoff=Backoff(base=0.02, jitter="none"), budget=None)
    async with FaultServer(Reply(503)) as server, aiohttp.ClientSession() as original:
        one, other = wrap(original, Retry(quick)), wrap(original, Retry(quick))
        call = asyncio.ensure_future(one.get(server.url))
        await server.wait_for(hits=1)
        await other.close()
        response = await call
        assert response.status == 200
        response.release()


@pytest.mark.parametrize("cleanup", [True, False])
async def test_a_wait_leaves_nothing_behind_in_the_connector(cleanup: bool) -> None:
    quick = RetryPolicy(backoff=Backoff(base=0.001, jitter="none"), budget=None)
    async with (
        FaultServer(Reply(503), Reply(503)) as server,
        aiohttp.ClientSession(middlewares=[Retry(quick)]) as session,
    ):
        async with session.get(server.url) as response:
            assert response.status == 200
        connector: Any = session.connector
        if cleanup:
            connector._cleanup_closed()
        assert connector._cleanup_closed_transports == []


async def test_a_clean_up_of_the_connector_ends_no_wait_and_is_survived() -> None:
    async with FaultServer(then=Reply(503)) as server:
        session = aiohttp.ClientSession(middlewares=[Retry(SLOW)])
        call = asyncio.ensure_future(session.get(server.url))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.01)
        connector: Any = session.connector
        connector._cleanup_closed()
        await turns(most=5)
        assert not call.done()
        await session.close()
        with pytest.raises(SessionClosedError):
            await call


async def test_a_cancelled_wait_is_cancelled_also_if_the_session_is_closed_then() -> None:
    async with FaultServer(then=Reply(503)) as server:
        session = aiohttp.ClientSession(middlewares=[Retry(SLOW)])
        call = asyncio.ensure_future(session.get(server.url))
        await server.wait_for(hits=1)
        await asyncio.sleep(0.01)
        call.cancel()
        await session.close()
        with pytest.raises(asyncio.CancelledError):
            await call
