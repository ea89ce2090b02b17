"""What a call costs around a handler, with no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from time import thread_time

from aiohttp import ClientRequest, ClientResponse, ClientSession
from attrs import frozen
from yarl import URL

__all__ = ["CallFixture", "cost_of", "make_call_fixture"]

# Requests are made ahead, so many at a time: enough for the clock not to show, few enough to
# stay in the cache as the one request of a real call does.
_AT_A_TIME = 50


@frozen
class CallFixture:
    """What a call needs.

    Attributes:
        session: One that has a connection to the server of `url` in its pool. A session
            under load has, and a middleware that looks at the pool finds it there.
        url: What the requests are for.
        response: What handlers return; it is read.
    """

    session: ClientSession
    url: URL
    response: ClientResponse

    async def at_once(self, request: ClientRequest) -> ClientResponse:
        """A handler that returns without a wait."""
        return self.response

    async def suspending(self, request: ClientRequest) -> ClientResponse:
        """A handler that lets the event loop go round once, as any real one does at least."""
        await asyncio.sleep(0)
        return self.response

    def requests(self, count: int) -> list[ClientRequest]:
        """New requests. (A call leaves things on its request, so that none is used twice.)"""
        loop = asyncio.get_running_loop()
        return [
            ClientRequest("GET", self.url, loop=loop, session=self.session) for _ in range(count)
        ]


async def make_call_fixture(session: ClientSession, url: URL) -> CallFixture:
    """Make a call, which leaves its connection in the pool."""
    async with session.get(url) as response:
        await response.read()
    return CallFixture(session, url, response)


async def cost_of(
    fixture: CallFixture, call: Callable[[ClientRequest], Awaitable[object]], calls: int
) -> float:
    """Seconds of this thread's time for one call: the median of batches of about so many in all.

    Not of the clock's: nothing here waits for anything, and what other processes take is no
    cost of the call.
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
