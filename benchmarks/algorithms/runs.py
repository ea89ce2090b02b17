"""Run each algorithm in virtual time: the same seed, so the same course each time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Final

import aiohttp
from aiohttp import ClientMiddlewareType
from attrs import define, evolve, field

from benchmarks.storm.network import Network
from benchmarks.storm.simulation import Process, arrive_at_random, finish, random_for, simulate
from benchmarks.storm.tally import Tally
from benchmarks.storm.trouble_server import Latency
from resilient import (
    Aimd,
    Backoff,
    Bulkhead,
    BulkheadPolicy,
    Pipeline,
    Policy,
    Retry,
    RetryPolicy,
)
from resilient.retry.schedule import Jitter
from resilient.telemetry.events import Event, TransitionEvent
from resilient.testing import BrownOut, Limit, LoopClock, Outage, Period, Reply
from resilient.testing.script.script import Answer, Chooser, Delayed, choose
from resilient.testing.server.received import Received

__all__ = [
    "CROWD_DOWN",
    "LIMIT",
    "OFFERED",
    "OUTAGE",
    "SLICE",
    "WEAK",
    "BulkheadRun",
    "CircuitRun",
    "Course",
    "ThrottleRun",
    "run_backoff",
    "run_budget",
    "run_bulkhead",
    "run_circuit",
    "run_throttle",
]

_SEED: Final = 1

# Seconds in which things are counted.
SLICE: Final = 0.5
_LATENCY: Final = 0.05

CROWD_DOWN: Final = Period(0.0, 6.0)
OUTAGE: Final = Period(10.0, 22.0)
OFFERED: Final = 50.0
LIMIT: Final = 10
WEAK: Final = Period(15.0, 30.0)


@define
class Course:
    """Something that is counted over time.

    Attributes:
        seconds: The length of the run.
        width: The seconds of a slice.
    """

    seconds: float
    width: float = SLICE
    _counts: Counter[int] = field(factory=Counter, init=False)

    def count(self, now: float) -> None:
        """Count one at a time."""
        self._counts[int(now / self.width)] += 1

    @property
    def times(self) -> list[float]:
        """The middle of each slice."""
        return [(index + 0.5) * self.width for index in range(round(self.seconds / self.width))]

    @property
    def rates(self) -> list[float]:
        """How many there were per second, in each slice."""
        slices = range(round(self.seconds / self.width))
        return [self._counts[index] / self.width for index in slices]


@define(eq=False)
class _Watched(Chooser):
    """Counts the answers of a server by their status, when their requests arrive.

    Attributes:
        then: The server.
        seconds: The length of the run.
        arrived: All requests.
        limited: Those that get a 429.
    """

    then: Answer
    seconds: float
    arrived: Course = field(init=False)
    limited: Course = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.arrived, self.limited = Course(self.seconds), Course(self.seconds)

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request."""
        seconds, answer = choose(self.then, received)
        self.arrived.count(received.time)
        if isinstance(answer, Reply) and answer.status == 429:
            self.limited.count(received.time)
        return Delayed(seconds, answer)


def run_backoff(jitter: Jitter, clients: int = 300) -> Course:
    """Let a crowd call a server that is down, each client by itself; return what arrives."""
    random = random_for(_SEED, "backoff")
    arrived = Course(12.0, 0.1)
    server = Outage(CROWD_DOWN, during=Reply(503), then=Reply(200))
    policy = RetryPolicy(
        max_attempts=6, budget=None, backoff=Backoff(base=0.5, cap=20.0, jitter=jitter)
    )

    async def main(session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        network = Network(_Counted(server, arrived), Tally())

        async def call() -> None:
            await asyncio.sleep(random.uniform(0.0, 0.2))
            retry = Retry(policy, clock=LoopClock(draw=random.random))
            await Process(session, retry, network, Tally()).call()

        await finish([loop.create_task(call()) for _ in range(clients)], arrived.seconds)

    simulate(main)
    return arrived


@define(eq=False)
class _Counted(Chooser):
    """Counts the requests to a server."""

    then: Answer
    arrived: Course

    def __call__(self, received: Received) -> Answer:
        """Return the answer for a request."""
        self.arrived.count(received.time)
        return self.then


def _arrivals(
    make: Callable[[Random], ClientMiddlewareType],
    server: Answer,
    rates: Iterable[tuple[float, float]],
    begun: Course,
    well: Course,
) -> None:
    """Make calls through one middleware, at one rate after another: (calls per second, until)."""
    # The same arrivals for each middleware.
    arrivals, draws = random_for(_SEED, "arrivals"), random_for(_SEED, "draws")

    async def main(session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        process = Process(session, make(draws), Network(server, Tally()), Tally())

        async def call() -> bool:
            begun.count(loop.time())
            succeeded = await process.call()
            if succeeded:
                well.count(loop.time())
            return succeeded

        waiting = []
        for rate, until in rates:
            # Those of the time before go on beside these.
            arriving = arrive_at_random(call, rate=rate, until=until, random=arrivals)
            waiting.append(loop.create_task(arriving))
            await asyncio.sleep(until - loop.time())
        await asyncio.gather(*waiting)

    simulate(main)


@define
class CircuitRun:
    """A circuit through an outage.

    Attributes:
        begun: Calls that begin.
        arrived: Requests that the server gets.
        well: Calls that end well.
        states: When the circuit changed its state, and to which.
    """

    begun: Course
    arrived: Course
    well: Course
    states: list[tuple[float, str]]


def run_circuit() -> CircuitRun:
    """Run the standard pipeline through an outage."""
    seconds = 36.0
    states = [(0.0, "closed")]

    def listen(event: Event) -> None:
        if isinstance(event, TransitionEvent) and event.after != states[-1][1]:
            states.append((asyncio.get_running_loop().time(), event.after))

    def make(random: Random) -> ClientMiddlewareType:
        return Pipeline(Policy(), listeners=(listen,), clock=LoopClock(draw=random.random))

    latency = Latency(_LATENCY, random_for(_SEED, "latency"))
    server = _Watched(Outage(OUTAGE, during=Reply(503), then=latency), seconds)
    begun, well = Course(seconds), Course(seconds)
    _arrivals(make, server, [(OFFERED, seconds)], begun, well)
    return CircuitRun(begun, server.arrived, well, states)


@define
class ThrottleRun:
    """Calls beyond a limit of the rate.

    Attributes:
        begun: Calls that begin.
        arrived: Requests that the server gets.
        limited: Those of them that it answers with 429.
    """

    begun: Course
    arrived: Course
    limited: Course


def run_throttle(*, throttled: bool) -> ThrottleRun:
    """Make more calls for a while than a server lets through, with a throttle or without."""
    seconds = 36.0
    policy = Policy() if throttled else evolve(Policy(), throttle=None)

    def make(random: Random) -> ClientMiddlewareType:
        return Pipeline(policy, clock=LoopClock(draw=random.random))

    latency = Latency(_LATENCY, random_for(_SEED, "latency"))
    server = _Watched(Limit(f"{LIMIT}/s", then=latency), seconds)
    begun = Course(seconds)
    # Half of the limit, twice the limit, and half of it again.
    rates = [(LIMIT / 2, 6.0), (LIMIT * 2.0, 16.0), (LIMIT / 2, seconds)]
    _arrivals(make, server, rates, begun, Course(seconds))
    return ThrottleRun(begun, server.arrived, server.limited)


def run_budget(*, has_budget: bool) -> tuple[Course, Course]:
    """Retry through an outage, with the standard budget or none.

    Returns:
        Calls that begin, and requests that the server gets.
    """
    seconds = 36.0
    policy = RetryPolicy() if has_budget else RetryPolicy(budget=None)

    def make(random: Random) -> ClientMiddlewareType:
        return Retry(policy, clock=LoopClock(draw=random.random))

    latency = Latency(_LATENCY, random_for(_SEED, "latency"))
    server = _Watched(Outage(OUTAGE, during=Reply(503), then=latency), seconds)
    begun = Course(seconds)
    _arrivals(make, server, [(OFFERED, seconds)], begun, Course(seconds))
    return begun, server.arrived


@define
class BulkheadRun:
    """An adaptive limit while a server becomes weak.

    Attributes:
        times: When the places were looked at.
        limits: How many attempts could be under way.
        in_use: How many were.
        waiting: How many waited for a place.
    """

    times: list[float] = field(factory=list)
    limits: list[float] = field(factory=list)
    in_use: list[float] = field(factory=list)
    waiting: list[float] = field(factory=list)


def run_bulkhead(callers: int = 60, strong: int = 40, weak: int = 12) -> BulkheadRun:
    """Let many callers share a server that can do less for a while: beyond that it fails.

    Args:
        callers: Callers, each with one call at a time.
        strong: Requests that the server can work on at once.
        weak: The same while it is weak.
    """
    seconds, found = 45.0, BulkheadRun()
    random = random_for(_SEED, "bulkhead")
    clock = LoopClock(draw=random.random)
    bulkhead = Bulkhead(BulkheadPolicy(adaptive=Aimd()), clock=clock)
    can_do = partial(BrownOut, 0.2)
    server = Outage(
        WEAK,
        during=can_do(workers=weak, capacity=weak),
        then=can_do(workers=strong, capacity=strong),
    )

    async def main(session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        process = Process(session, bulkhead, Network(server, Tally()), Tally())

        async def work() -> None:
            while loop.time() < seconds:
                await process.call()
                await asyncio.sleep(random.uniform(0.0, 0.05))

        async def look() -> None:
            # Until shortly before the end, when one caller after the other goes.
            while loop.time() < seconds - 1:
                await asyncio.sleep(SLICE / 2)
                (places,) = bulkhead.places
                found.times.append(loop.time())
                found.limits.append(places.limit)
                found.in_use.append(places.in_use)
                found.waiting.append(places.waiting)

        tasks = [loop.create_task(work()) for _ in range(callers)]
        await finish([*tasks, loop.create_task(look())], seconds)

    simulate(main)
    return found
