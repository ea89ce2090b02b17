"""What the integration tests share: a clock in the hand, and clients that must leave nothing."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

import resilient
from resilient import Backoff, Event, Policy, RetryPolicy
from resilient.testing import Answer, FaultServer, Reply
from resilient.testing.script import OK

__all__ = [
    "HandClock",
    "Recorder",
    "Teller",
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


class _Timer:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def fire(self) -> None:
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()

    def cancel(self) -> None:
        self.callback = None


class HandClock:
    """A `Clock` that stands still until somebody moves it; sleeping moves it.

    Attributes:
        slept: The waits that were asked for.
    """

    def __init__(self, start: float = 0.0, drawn: float = 0.5) -> None:
        self.at = start
        self.drawn = drawn
        self.slept: list[float] = []
        self._timers: list[tuple[float, int, _Timer]] = []
        self._serial = itertools.count()

    def time(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at % 1e6)

    def random(self) -> float:
        return self.drawn

    def call_at(self, when: float, callback: Callable[[], object]) -> _Timer:
        timer = _Timer(callback)
        if when <= self.at:
            asyncio.get_running_loop().call_soon(timer.fire)
        else:
            heapq.heappush(self._timers, (when, next(self._serial), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move on, and run what falls due on the way."""
        end = self.at + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self.at = max(self.at, when)
            timer.fire()
        self.at = end

    @property
    def armed(self) -> int:
        """How many timers are set."""
        return sum(timer.callback is not None for _, _, timer in self._timers)


class Recorder:
    """A listener that keeps the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


class Teller:
    """A middleware that keeps what passed through it, by URL path."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        self.seen.append(f"{request.method} {request.url.path}")
        return await handler(request)


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
async def passing(clock: HandClock, server: FaultServer) -> AsyncIterator[None]:
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
