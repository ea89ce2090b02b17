"""A run in virtual time: processes with a pipeline each, and those who call through them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
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
    "pipelines",
    "randomness",
    "see_through",
    "simulate",
]

_URL = URL("http://api.example/meetings")

# Seconds for calls that are under way when no more begin.
GRACE = 60.0

_T = TypeVar("_T")


def randomness(seed: int, *what: object) -> Random:
    """Random numbers that depend on the seed and on what they are for, and on nothing else."""
    return Random("/".join(map(str, (seed, *what))))


def pipelines(policy: Policy, count: int, random: Random) -> list[Pipeline]:
    """Pipelines that share a policy and no state, as those of so many processes do."""
    return [Pipeline(policy, clock=LoopClock(draw=random.random)) for _ in range(count)]


def simulate(main: Callable[[aiohttp.ClientSession], Awaitable[_T]]) -> _T:
    """Run something in virtual time, from zero, with a session that no request leaves."""

    async def run() -> _T:
        # A request needs the session that it belongs to; there is no socket in it.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            return await main(session)

    with _silence():
        return run_in_virtual_time(run())


@contextmanager
def _silence() -> Iterator[None]:
    """Keep quiet of circuits that open: they do by the thousand, and not for real.

    What is said of a hook of the user's that is broken is not to be missed, but once is enough.
    """
    logger = logging.getLogger("resilient")
    level, once = logger.level, _Once()
    logger.setLevel(logging.ERROR)
    logger.addFilter(once)
    try:
        yield
    finally:
        logger.removeFilter(once)
        logger.setLevel(level)


class _Once(logging.Filter):
    """Lets each message through the first time: each of many processes would say it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is new."""
        message = record.getMessage()
        is_new = message not in self._said
        self._said.add(message)
        return is_new


@define(eq=False)
class Process:
    """One process of the clients': a chain of middlewares, and its requests.

    A request that is over is used again for a later call. To the middlewares it is as new:
    what they keep on it they take along when the call is over.

    Attributes:
        session: What the requests belong to.
        middleware: The chain.
        handler: What it ends in.
        tally: What becomes of the calls is counted here.
        method: Of the requests.
    """

    session: aiohttp.ClientSession
    middleware: ClientMiddlewareType
    handler: ClientHandlerType
    tally: Tally
    method: str = "GET"
    _idle: list[ClientRequest] = field(factory=list, init=False)

    async def call(self) -> bool:
        """Make a call; whether it went well."""
        loop = asyncio.get_running_loop()
        request = self._idle.pop() if self._idle else self._new_request(loop)
        well = refused = False
        try:
            response = await self.middleware(request, self.handler)
            well = response.status < 400
        except (ResilientError, aiohttp.ClientError, TimeoutError) as error:
            refused = isinstance(error, CircuitOpenError)
        self._idle.append(request)
        self.tally.ended(loop.time(), well=well, refused=refused)
        return well

    def _new_request(self, loop: asyncio.AbstractEventLoop) -> ClientRequest:
        return ClientRequest(self.method, _URL, loop=loop, session=self.session)


async def arrive_at_random(
    processes: list[Process], *, rate: float, until: float, random: Random
) -> None:
    """Make calls in all processes that do not wait for one another, then see the last through.

    They arrive as a Poisson process does, at whatever pace the answers come: slowness
    does not slow them down.

    Args:
        processes: Each call is made in one of them, at random.
        rate: Calls a second that begin.
        until: When no more begin; those under way have `GRACE` seconds more.
        random: Says when, and in which process.
    """
    loop = asyncio.get_running_loop()
    # The loop alone would not keep them alive.
    calls: set[asyncio.Task[bool]] = set()

    def forget(call: asyncio.Task[bool]) -> None:
        # One that broke is kept, to be raised in the end.
        if call.cancelled() or call.exception() is None:
            calls.discard(call)

    while True:
        await asyncio.sleep(random.expovariate(rate))
        if loop.time() >= until:
            break
        call = loop.create_task(random.choice(processes).call())
        calls.add(call)
        call.add_done_callback(forget)
    await see_through(calls, until)


async def see_through(tasks: Iterable[asyncio.Task[Any]], until: float) -> None:
    """Wait for tasks, `GRACE` seconds longer than until then, and cancel what is left.

    Some policies try for ever.
    """
    tasks = set(tasks)
    if tasks:
        seconds = until + GRACE - asyncio.get_running_loop().time()
        done, left = await asyncio.wait(tasks, timeout=max(0.0, seconds))
        for task in left:
            task.cancel()
        for task in done:
            task.result()
        await asyncio.gather(*left, return_exceptions=True)
