"""What the integration tests share: clients and servers that must leave nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

import resilient
from resilient import Backoff, Policy, RetryPolicy
from resilient.testing import Answer, FaultServer, Received, Reply
from resilient.testing.script.script import OK
from resilient.testing.time.clocks import FakeClock

__all__ = [
    "UNDER",
    "Doorman",
    "Hedge",
    "Teller",
    "after",
    "client",
    "fault_server",
    "given_back",
    "passing",
    "policy",
    "redirect",
    "retry_policy",
    "status_of",
    "turns",
    "within",
    "wrapped",
]


class Doorman:
    """Answers when it is told to, and counts who is there."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.inside = self.most = 0
        self.came: list[str] = []
        self.statuses: list[int] = []

    async def __call__(self, request: Received) -> Reply:
        self.came.append(request.path)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.opened.wait()
        finally:
            self.inside -= 1
        return Reply(self.statuses.pop() if self.statuses else 200)


class Teller:
    """A middleware that keeps what passed through it, by URL path."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        self.seen.append(f"{request.method} {request.url.path}")
        return await handler(request)


class Hedge:
    """A middleware of others that has a request under way twice, and hands over the first answer.

    Args:
        delay: Seconds until the second begins.
        leave: Whether the one that is late goes on; by default it is cancelled.
    """

    def __init__(self, delay: float = 0.0, *, leave: bool = False) -> None:
        self._delay = delay
        self._leave = leave
        self._left: set[asyncio.Future[ClientResponse]] = set()

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        first = asyncio.ensure_future(handler(request))
        if self._delay:
            await asyncio.sleep(self._delay)
        both = [first, asyncio.ensure_future(handler(request))]
        done, late = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        quicker = done.pop()
        self._left |= done | late
        if not self._leave:
            for each in late:
                each.cancel()
            await self.close()
        return await quicker

    async def close(self) -> None:
        """Wait for those that were late, and close what they have brought."""
        for each in await asyncio.gather(*self._left, return_exceptions=True):
            if isinstance(each, ClientResponse):
                each.close()
        self._left.clear()


def retry_policy(**changes: Any) -> RetryPolicy:
    """Three attempts, a millisecond apart."""
    return RetryPolicy(**{"backoff": Backoff(base=0.001, jitter="none"), **changes})


def policy(**changes: Any) -> Policy:
    """The standard policy with waits of milliseconds."""
    return Policy(**{"retry": retry_policy(), **changes})


def redirect(to: object, status: int = 302) -> Reply:
    return Reply(status, headers={"Location": str(to)})


@asynccontextmanager
async def fault_server(*steps: Answer, then: Answer = OK) -> AsyncIterator[FaultServer]:
    """A server at which no connection may be left when its block ends well."""
    async with FaultServer(*steps, then=then) as server:
        yield server
        await asyncio.wait_for(server.wait_for(connections=0), 5)


@asynccontextmanager
async def client(
    *middlewares: ClientMiddlewareType, **options: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose connections must all have been given back when its block ends well."""
    async with aiohttp.ClientSession(middlewares=middlewares, **options) as session:
        yield session
        await given_back(session)


@asynccontextmanager
async def wrapped(
    *middlewares: ClientMiddlewareType, **options: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain session with middlewares put under it."""
    async with client(**options) as original, resilient.wrap(original, *middlewares) as session:
        yield session


@asynccontextmanager
async def passing(clock: FakeClock, server: FaultServer) -> AsyncIterator[None]:
    """Let a second pass on the clock whenever nothing has reached the server for a while."""

    async def pass_time() -> None:
        while True:
            before = server.hits
            await asyncio.sleep(0.001)
            if server.hits == before:
                clock.advance(1)

    task = asyncio.create_task(pass_time())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def given_back(session: aiohttp.ClientSession) -> None:
    """See that no connection of the session is held by anyone."""
    connector: Any = session.connector
    await turns(lambda: not connector._acquired)
    assert not connector._acquired


async def turns(reached: Callable[[], bool] = lambda: False, most: int = 20) -> None:
    """Let the event loop go round, until something is so or often enough."""
    for _ in range(most):
        if reached():
            return
        await asyncio.sleep(0)


async def status_of(session: aiohttp.ClientSession, url: object, **options: Any) -> int:
    """The status of a GET, its body read."""
    async with session.get(str(url), **options) as response:
        await response.read()
        return response.status


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What happens here takes no longer, on the loop's clock."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    yield
    assert loop.time() - started < seconds


def after(clock: FakeClock, seconds: float, reply: Reply) -> Any:
    """An answer that takes so long on the clock."""

    def answer(_: Received) -> Reply:
        clock.advance(seconds)
        return reply

    return answer


# A test of what holds for middlewares of a session, and for those that `wrap` puts there.
UNDER = pytest.mark.parametrize("under", [client, wrapped])
