"""Time calls around a handler, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from time import thread_time

from aiohttp import ClientRequest, ClientResponse, ClientSession
from attrs import frozen
from yarl import URL

__all__ = ["CallFixture", "cost_of", "make_call_fixture"]

# Requests that are made ahead: enough to hide the cost of the clock, few enough to stay in the
# cache as the one request of a real call does.
_AT_A_TIME = 50


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

    def requests(self, count: int) -> list[ClientRequest]:
        """Return new requests; none is used twice, since a call leaves attributes on it."""
        loop = asyncio.get_running_loop()
        return [
            ClientRequest("GET", self.url, loop=loop, session=self.session) for _ in range(count)
        ]


async def make_call_fixture(session: ClientSession, url: URL) -> CallFixture:
    """Make a call, which leaves its connection in the pool, and return the fixture."""
    async with session.get(url) as response:
        await response.read()
    return CallFixture(session, url, response)


async def cost_of(
    fixture: CallFixture, call: Callable[[ClientRequest], Awaitable[object]], calls: int
) -> float:
    """Return the seconds of this thread's CPU time for one call, as the median of batches.

    Nothing here waits, so CPU time is the cost of the call without that of other processes.

    Args:
        fixture: Makes the requests.
        call: The call to time.
        calls: The approximate number of calls in all batches together.
    """
    batches = max(calls // _AT_A_TIME, 1)
    taken = [await _timed(call, fixture.requests(_AT_A_TIME)) for _ in range(batches)]
    return median(taken) / _AT_A_TIME


async def _timed(
    call: Callable[[ClientRequest], Awaitable[object]], requests: Sequence[ClientRequest]
) -> float:
    began = thread_time()
    for request in requests:
        await call(request)
    return thread_time() - began
