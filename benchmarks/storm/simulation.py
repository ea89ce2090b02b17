"""Simulate in virtual time: processes with a pipeline each, and calls through them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest
from attrs import define, field
from yarl import URL

from benchmarks.storm.tally import Tally
from resilient import CircuitOpenError, Pipeline, Policy, ResilientError
from resilient.testing import LoopClock, run_in_virtual_time

__all__ = [
    "GRACE",
    "Process",
    "arrive_at_random",
    "finish",
    "pipelines",
    "random_for",
    "simulate",
]

_ORIGIN = URL("http://api.example")
_PATH = "/meetings"

# Seconds that calls under way get when no more begin.
GRACE = 60.0

_T = TypeVar("_T")


def random_for(seed: int, *what: object) -> Random:
    """Return a generator of random numbers that depends only on the seed and on its purpose."""
    return Random("/".join(map(str, (seed, *what))))


def pipelines(policy: Policy, count: int, random: Random) -> list[Pipeline]:
    """Return pipelines that share a policy and no state, as those of separate processes do."""
    return [Pipeline(policy, clock=LoopClock(draw=random.random)) for _ in range(count)]


def simulate(main: Callable[[aiohttp.ClientSession], Awaitable[_T]]) -> _T:
    """Run a coroutine function in virtual time from zero; no request of its session is sent."""

    async def run() -> _T:
        # A request needs a session to belong to; the session opens no socket.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            return await main(session)

    with _errors_only():
        return run_in_virtual_time(run())


@contextmanager
def _errors_only() -> Iterator[None]:
    """Log errors only, each message once.

    Circuits open by the thousand here, which is no news. A broken hook of the user's policy is,
    but once is enough.
    """
    logger = logging.getLogger("resilient")
    level, once = logger.level, _FirstOnly()
    logger.setLevel(logging.ERROR)
    logger.addFilter(once)
    try:
        yield
    finally:
        logger.removeFilter(once)
        logger.setLevel(level)


class _FirstOnly(logging.Filter):
    """Passes each message the first time: each of many processes would repeat it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass the record if its message is new."""
        message = record.getMessage()
        is_new = message not in self._said
        self._said.add(message)
        return is_new


@define(eq=False)
class Process:
    """A client process: a chain of middlewares, and requests that go through it.

    A request is used again for a later call. It is as good as new, since middlewares remove from
    it whatever they kept there when the call ends.

    Attributes:
        session: The session that the requests belong to.
        middleware: The chain of middlewares.
        handler: The handler at the end of the chain.
        tally: Counts the calls.
        method: The method of the requests. Default GET.
    """

    session: aiohttp.ClientSession
    middleware: ClientMiddlewareType
    handler: ClientHandlerType
    tally: Tally
    method: str = "GET"
    _idle: dict[str, list[ClientRequest]] = field(factory=dict, init=False)

    async def call(self, path: str = _PATH) -> bool:
        """Make a call, count it, and return True if it succeeded."""
        loop = asyncio.get_running_loop()
        idle = self._idle.setdefault(path, [])
        request = idle.pop() if idle else self._new_request(path, loop)
        well = refused = False
        try:
            response = await self.middleware(request, self.handler)
            well = response.status < 400
        except (ResilientError, aiohttp.ClientError, TimeoutError) as error:
            refused = isinstance(error, CircuitOpenError)
        idle.append(request)
        self.tally.ended(loop.time(), well=well, refused=refused)
        return well

    def _new_request(self, path: str, loop: asyncio.AbstractEventLoop) -> ClientRequest:
        url = _ORIGIN.with_path(path)
        return ClientRequest(self.method, url, loop=loop, session=self.session)


async def arrive_at_random(
    call: Callable[[], Coroutine[Any, Any, bool]],
    *,
    rate: float,
    until: float,
    random: Random,
    grace: float = GRACE,
) -> None:
    """Make calls that do not wait for one another, then wait for the last of them.

    They arrive as a Poisson process, however slowly answers come.

    Args:
        call: Makes one call.
        rate: Calls per second that begin.
        until: The time after which none begins.
        random: Draws the times.
        grace: Seconds that calls under way then get. Default 60.
    """
    loop = asyncio.get_running_loop()
    # The event loop alone would not keep the tasks alive.
    calls: set[asyncio.Task[bool]] = set()
    over = loop.create_future()

    def forget(task: asyncio.Task[bool]) -> None:
        # A task that failed is kept, so that its error is raised at the end.
        if task.cancelled() or task.exception() is None:
            calls.discard(task)

    # A timer for each call, and no task that sleeps: simulations spend their time here.
    def arrive() -> None:
        task = loop.create_task(call())
        calls.add(task)
        task.add_done_callback(forget)
        await_next()

    def await_next() -> None:
        when = loop.time() + random.expovariate(rate)
        if when < until:
            loop.call_at(when, arrive)
        else:
            loop.call_at(until, over.set_result, None)

    await_next()
    await over
    await finish(calls, until, grace)


async def finish(tasks: Iterable[asyncio.Task[Any]], until: float, grace: float = GRACE) -> None:
    """Wait for tasks until `grace` seconds after `until`, then cancel the rest.

    Some policies retry for ever.
    """
    tasks = set(tasks)
    if tasks:
        seconds = until + grace - asyncio.get_running_loop().time()
        done, left = await asyncio.wait(tasks, timeout=max(0.0, seconds))
        for task in left:
            task.cancel()
        for task in done:
            task.result()
        await asyncio.gather(*left, return_exceptions=True)
