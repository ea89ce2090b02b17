"""What the tests over real sockets share: time that does not pass, sessions, a look for leaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

import resilient
from resilient.testing import FakeClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

OpenSession = Callable[..., aiohttp.ClientSession]
Fetch = Callable[..., Awaitable["int | Exception"]]
Held = Callable[[aiohttp.ClientSession], int]


@pytest.fixture
def clock() -> FakeClock:
    """A clock on which time passes with the loop's, and sleeps return at once."""
    return FakeClock(today=NOON, speed=1)


@pytest.fixture(autouse=True)
async def no_leaks() -> AsyncIterator[None]:
    """No task and no complaint of the event loop's may remain, once the sessions are closed."""
    complaints: list[dict[str, Any]] = []

    def complain(_: object, context: dict[str, Any]) -> None:
        # aiohttp 3.12 shields this future from the writer that was cancelled, and forgets it.
        if str(context.get("exception")) != "Connection lost":
            complaints.append(context)

    asyncio.get_running_loop().set_exception_handler(complain)
    yield
    for _ in range(5):  # transports close in the loop's next turns
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert complaints == []


@pytest.fixture
async def open_session(no_leaks: None) -> AsyncIterator[OpenSession]:
    """Opens sessions with middlewares, `wrapped` or not; at the end none may hold a connection."""
    async with contextlib.AsyncExitStack() as stack:
        opened: list[aiohttp.ClientSession] = []

        def open_(
            *middlewares: Any, wrapped: bool = False, **options: Any
        ) -> aiohttp.ClientSession:
            options.setdefault("middlewares", () if wrapped else middlewares)
            session = aiohttp.ClientSession(**options)
            stack.push_async_callback(session.close)
            if wrapped:
                session = resilient.wrap(session, *middlewares)
                stack.push_async_callback(session.close)
            opened.append(session)
            return session

        yield open_
        assert [_held(session) for session in opened] == [0] * len(opened)


@pytest.fixture
async def plain(open_session: OpenSession) -> aiohttp.ClientSession:
    """A session without any middleware."""
    return open_session()


@pytest.fixture
def fetch() -> Fetch:
    """Makes a request and reads the answer; gives its status, or the exception."""

    async def fetch(
        session: aiohttp.ClientSession, method: str, url: object, **options: Any
    ) -> int | Exception:
        try:
            async with session.request(method, url, **options) as response:  # type: ignore[arg-type]  # on purpose
                await response.read()
                return response.status
        except Exception as error:
            return error

    return fetch


@pytest.fixture
def held() -> Held:
    """How many connections are out of a session's pool."""
    return _held


def _held(session: aiohttp.ClientSession) -> int:
    connector = session.connector
    return 0 if connector is None else len(connector._acquired)
