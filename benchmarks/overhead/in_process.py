"""Make calls without a socket, around a handler or through a session, and time them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from statistics import median
from time import thread_time
from typing import Any

from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    TCPConnector,
)
from attrs import frozen
from yarl import URL

from benchmarks.overhead.wrapper import Wrapper

__all__ = ["CallFixture", "Calls", "call_fixture", "cost_of", "session_calls"]

# Calls that are prepared ahead: enough to hide the cost of the clock, few enough to stay in the
# cache as the one request of a real call does.
_AT_A_TIME = 50


@frozen
class Calls:
    """Calls that can be made one after another.

    Attributes:
        call: Makes a call.
        arguments: Prepares the arguments of so many calls; each is used once.
    """

    call: Callable[[Any], Awaitable[object]]
    arguments: Callable[[int], Sequence[Any]]


@frozen
class CallFixture:
    """The session, URL and response that timed calls use.

    Attributes:
        session: A session with a connection to the server of `url` in its pool, as under load,
            so that a middleware that looks at the pool finds one.
        url: The URL of the requests.
        response: The response that the handlers return; it has been read.
    """

    session: ClientSession
    url: URL
    response: ClientResponse

    async def at_once(self, request: ClientRequest) -> ClientResponse:
        """Handle a request without suspending."""
        return self.response

    async def suspending(self, request: ClientRequest) -> ClientResponse:
        """Handle a request and suspend once, as any real handler does at least."""
        await asyncio.sleep(0)
        return self.response

    def requests(self, count: int, method: str = "GET") -> list[ClientRequest]:
        """Return new requests; none is used twice, since a call leaves attributes on it."""
        loop = asyncio.get_running_loop()
        return [
            ClientRequest(method, self.url, loop=loop, session=self.session) for _ in range(count)
        ]

    def around(self, handler: ClientHandlerType, wrapper: Wrapper) -> Calls:
        """Return calls through a wrapper around one of the handlers."""

        def arguments(count: int) -> list[ClientRequest]:
            return self.requests(count, wrapper.method)

        return Calls(wrapper.wrap(handler), arguments)


@asynccontextmanager
async def call_fixture(url: URL) -> AsyncIterator[CallFixture]:
    """Yield a fixture; its session made a call, which leaves its connection in the pool."""
    # Idle connections are kept: one that is dropped between rounds would change the figures.
    connector = TCPConnector(keepalive_timeout=3600)
    async with ClientSession(connector=connector) as session:
        async with session.get(url) as response:
            await response.read()
        yield CallFixture(session, url, response)


@asynccontextmanager
async def session_calls(fixture: CallFixture, wrapper: Wrapper) -> AsyncIterator[Calls]:
    """Yield calls of a session that sends nothing, with a wrapper around.

    Its innermost middleware has the response of the fixture. Those around it find the connections
    of the fixture's session.
    """

    response = fixture.response

    async def answer(request: ClientRequest, _: ClientHandlerType) -> ClientResponse:
        response._released = False  # by the call before, after which it could not be read again
        return response

    connector = fixture.session.connector
    async with (
        ClientSession(connector=connector, connector_owner=False, middlewares=[answer]) as session,
        wrapper.client(session) as fetch,
    ):
        yield Calls(fetch, lambda count: [fixture.url] * count)


async def cost_of(calls: Calls, number: int) -> float:
    """Return the seconds of this thread's CPU time for one call, as the median of batches.

    Nothing here waits, so CPU time is the cost of the call without that of other processes.

    Args:
        calls: The calls to time.
        number: The approximate number of calls in all batches together.
    """
    batches = max(number // _AT_A_TIME, 1)
    taken = [await _timed(calls.call, calls.arguments(_AT_A_TIME)) for _ in range(batches)]
    return median(taken) / _AT_A_TIME


async def _timed(call: Callable[[Any], Awaitable[object]], arguments: Sequence[Any]) -> float:
    began = thread_time()
    for argument in arguments:
        await call(argument)
    return thread_time() - began
