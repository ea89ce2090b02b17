"""Simulate a server in trouble, calls that arrive in different ways, and policies side by side.

A `Scenario` describes the server and the calls, a `Column` the policy. `run` simulates one
with the other, and the measures are computed from what it observed. The arrivals and the
server's random numbers depend on the seed and the scenario alone, so that all columns meet the
same trouble.
"""

from __future__ import annotations

import asyncio
import statistics
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from random import Random
from typing import Any

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from attrs import define, field, frozen

from benchmarks.recovery import BUCKET, time_to_recover
from benchmarks.storm.network import Network
from benchmarks.storm.simulation import (
    GRACE,
    Process,
    arrive_at_random,
    finish,
    random_for,
    simulate,
)
from benchmarks.storm.tally import Tally
from resilient import CircuitOpenError, Pipeline, Policy, Retry, RetryPolicy, override
from resilient.testing import LoopClock, Period
from resilient.testing.script.script import Answer

__all__ = [
    "COLUMNS",
    "Arrivals",
    "AtOnce",
    "ClosedLoop",
    "Column",
    "ConsecutiveBreaker",
    "Observed",
    "OneCall",
    "OpenLoop",
    "Scenario",
    "run",
]

# Seconds per slice in which the peak of arrivals is counted.
_SLICE = 0.2

# Seconds after an outage in which the peak of arrivals is looked for.
_AFTER = 30.0

# Seconds after an outage in which goodput is counted.
_LONG_AFTER = 50.0
_RECOVERED = 10.0

_NOTHING = nullcontext()

# Makes one call of a path in one of the processes, chosen by its number.
_Make = Callable[[int, str], Coroutine[Any, Any, bool]]

# Draws the path of a call.
Paths = Callable[[Random], str]


def _one_path(random: Random) -> str:
    return "/meetings"


class Arrivals(ABC):
    """The way in which calls arrive."""

    processes: int

    @abstractmethod
    async def make_calls(self, make: _Make, paths: Paths, random: Random) -> None:
        """Make all calls, and return when they have ended."""


@frozen(kw_only=True)
class OpenLoop(Arrivals):
    """Calls that do not wait for one another: a Poisson process.

    Attributes:
        rate: Calls per second of all processes together.
        seconds: Seconds during which calls begin.
        processes: Processes, each with a state of its own; each call is made in a random one.
            Default 1.
        grace: Seconds that the last calls get to end. Default 60.
    """

    rate: float
    seconds: float
    processes: int = 1
    grace: float = GRACE

    async def make_calls(self, make: _Make, paths: Paths, random: Random) -> None:
        """Make calls as they arrive."""
        await arrive_at_random(
            lambda: make(random.randrange(self.processes), paths(random)),
            rate=self.rate,
            until=self.seconds,
            random=random,
            grace=self.grace,
        )


@frozen(kw_only=True)
class AtOnce(Arrivals):
    """Calls that all begin at the same time.

    Attributes:
        calls: The number of calls.
        processes: Processes among which they are divided evenly. Default 1.
        seconds: Seconds that they get to end. Default 300.
    """

    calls: int
    processes: int = 1
    seconds: float = 300.0

    async def make_calls(self, make: _Make, paths: Paths, random: Random) -> None:
        """Make all calls."""
        calls = [
            asyncio.ensure_future(make(number % self.processes, paths(random)))
            for number in range(self.calls)
        ]
        await finish(calls, 0.0, self.seconds)


@frozen(kw_only=True)
class ClosedLoop(Arrivals):
    """A bulk job: workers take item after item; each item is one call.

    Attributes:
        items: The number of items.
        workers: Workers, each with one call at a time.
        processes: Processes among which they are divided evenly. Default 1.
        seconds: Seconds after which no item is taken. Default 3600.
    """

    items: int
    workers: int
    processes: int = 1
    seconds: float = 3600.0

    async def make_calls(self, make: _Make, paths: Paths, random: Random) -> None:
        """Work on the items until none is left or the time is up."""
        loop = asyncio.get_running_loop()
        left = iter(range(self.items))

        async def work(process: int) -> None:
            for _ in left:
                if loop.time() >= self.seconds:
                    return
                await make(process, paths(random))

        workers = [
            asyncio.ensure_future(work(number % self.processes)) for number in range(self.workers)
        ]
        await finish(workers, self.seconds)


@frozen(kw_only=True)
class Scenario:
    """A server in trouble, and the calls to it.

    Attributes:
        name: The name; with the seed it determines everything random.
        arrivals: The way in which calls arrive.
        server: Makes the server from a generator of random numbers.
        outage: The period that the measures refer to; None, the default, without an outage.
        read_timeout: Seconds without an answer after which aiohttp itself ends an attempt, in
            every column; None, the default, for no limit.
        paths: Draws the path of each call. Default: one path.
        healthy: The paths that are not in trouble, if some are and others not. Default: none.
        limits: Changes the policy of the column, for example its time-outs. Default: none.
        max_wait: Seconds that each call may wait for its turn; None, the default, for what the
            policy says.
    """

    name: str
    arrivals: Arrivals
    server: Callable[[Random], Answer]
    outage: Period | None = None
    read_timeout: float | None = None
    paths: Paths = _one_path
    healthy: frozenset[str] = frozenset()
    limits: Callable[[Policy], Policy] = lambda policy: policy
    max_wait: float | None = None


@frozen
class Column:
    """A policy to compare.

    Attributes:
        name: The name of the column.
        make: Makes the middleware of one process: from its clock, and the function that changes
            the limits of a policy.
    """

    name: str
    make: Callable[[LoopClock, Callable[[Policy], Policy]], ClientMiddlewareType]


class ConsecutiveBreaker:
    """The breaker that most libraries have: it opens after failures in a row, for a fixed time.

    Then it lets one call through: a success closes it, a failure opens it again. Every 5xx and
    every exception is a failure; any other answer is a success. Outcomes of calls that began before
    it opened change nothing while it is open.

    Attributes:
        failures: Failures in a row that open it. Default 5.
        open_for: Seconds that it stays open. Default 30.
    """

    def __init__(self, failures: int = 5, open_for: float = 30.0) -> None:
        self.failures = failures
        self.open_for = open_for
        self._in_a_row = 0
        self._open_until = 0.0
        self._probing = False

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Refuse the call, or make it and count its outcome."""
        now = asyncio.get_running_loop().time()
        is_probe = self._in_a_row >= self.failures
        if is_probe and (self._probing or now < self._open_until):
            raise CircuitOpenError("all", max(0.0, self._open_until - now))
        self._probing = self._probing or is_probe
        failed = True
        try:
            response = await handler(request)
            failed = response.status >= 500
            return response
        finally:
            self._learn(is_probe, failed)

    def _learn(self, is_probe: bool, failed: bool) -> None:
        is_open = self._in_a_row >= self.failures
        if is_probe:
            self._probing = False
        elif is_open:
            return
        self._in_a_row = self._in_a_row + 1 if failed else 0
        if self._in_a_row >= self.failures:
            self._open_until = asyncio.get_running_loop().time() + self.open_for


def _none(clock: LoopClock, limits: Callable[[Policy], Policy]) -> ClientMiddlewareType:
    return Pipeline.of()


def _retry(clock: LoopClock, limits: Callable[[Policy], Policy]) -> ClientMiddlewareType:
    return Retry(RetryPolicy(budget=None), clock=clock)


def _consecutive(clock: LoopClock, limits: Callable[[Policy], Policy]) -> ClientMiddlewareType:
    return Pipeline.of(_retry(clock, limits), ConsecutiveBreaker())


def _pipeline(clock: LoopClock, limits: Callable[[Policy], Policy]) -> ClientMiddlewareType:
    return Pipeline(limits(Policy()), clock=clock)


COLUMNS = (
    Column("none", _none),
    Column("retry", _retry),
    Column("consecutive breaker", _consecutive),
    Column("pipeline", _pipeline),
)


@frozen
class OneCall:
    """A call that has ended.

    Attributes:
        began: The time when it began, in seconds from the start.
        ended: The time when it ended.
        path: Its path.
        succeeded: True if it got a status below 400.
    """

    began: float
    ended: float
    path: str
    succeeded: bool

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.ended - self.began


@define
class Observed:
    """The observations of one run, and the measures that are computed from them.

    Attributes:
        scenario: The scenario.
        tally: Counts of requests and calls over time.
        calls: The calls that have ended.
        begun: Calls that have begun.
    """

    scenario: Scenario
    tally: Tally
    calls: list[OneCall] = field(factory=list)
    begun: int = 0

    @property
    def neighbours_success(self) -> float:
        """The share of the calls of healthy paths that succeeded, in percent; 100 without one.

        With an outage, those that began in it count; calls without an end do not.
        """
        outage = self.scenario.outage or Period()
        healthy = self.scenario.healthy
        ends = [
            call.succeeded
            for call in self.calls
            if call.path in healthy and outage.covers(call.began)
        ]
        return 100 * statistics.fmean(ends) if ends else 100.0

    @property
    def unfinished(self) -> int:
        """Calls that had not ended when the simulation did."""
        return self.begun - len(self.calls)

    @property
    def succeeded(self) -> int:
        """Calls that succeeded."""
        return sum(call.succeeded for call in self.calls)

    @property
    def success(self) -> float:
        """The share of calls that succeeded, in percent; calls without an end count as failed."""
        return 100 * self.succeeded / max(self.begun, 1)

    @property
    def requests_per_call(self) -> float:
        """Requests that arrived per call."""
        return self.tally.requests / max(self.begun, 1)

    @property
    def requests_per_success(self) -> float:
        """Requests that arrived per call that succeeded; infinite without a success."""
        return self.tally.requests / self.succeeded if self.succeeded else float("inf")

    @property
    def lost(self) -> float:
        """Failed calls, as seconds of the arrival rate."""
        return (self.begun - self.succeeded) / self._rate

    @property
    def load(self) -> float:
        """Requests that arrived in the outage, in percent of the calls that normally begin then."""
        outage = self._outage
        return 100 * self._arrived_in_outage / (self._rate * (outage.end - outage.start))

    @property
    def peak(self) -> float:
        """The most requests in 0.2 s within 30 s after the outage, as a multiple of the rate."""
        end = self._outage.end
        return max(self.tally.arrivals(end, end + _AFTER)) / self._rate

    @property
    def recovered_after(self) -> float | None:
        """Seconds from the end of the outage until calls that begin then succeed; None if never.

        Accurate to half a second; see `time_to_recover`.
        """
        offered = Counter(int(call.began // BUCKET) for call in self.calls)
        good = Counter(int(call.began // BUCKET) for call in self.calls if call.succeeded)
        return time_to_recover(offered, good, end=self._outage.end, until=self._arrivals.seconds)

    @property
    def recovered_within(self) -> float:
        """Seconds as in `recovered_after`; those until the end of the run if it never did."""
        after = self.recovered_after
        return self._arrivals.seconds - self._outage.end if after is None else after

    @property
    def wasted(self) -> float:
        """The mean seconds that a failed call took; 0 without one."""
        return statistics.fmean(
            [call.seconds for call in self.calls if not call.succeeded] or [0.0]
        )

    @property
    def median_latency(self) -> float:
        """The median seconds that a successful call took; 0 without one."""
        return statistics.median([call.seconds for call in self.calls if call.succeeded] or [0.0])

    @property
    def finished_at(self) -> float:
        """The time of the last success, in seconds from the start; 0 without one."""
        return max((call.ended for call in self.calls if call.succeeded), default=0.0)

    def goodput(self, start: float, end: float) -> float:
        """Return the calls per second that succeeded between two times."""
        done = sum(call.succeeded and start <= call.ended < end for call in self.calls)
        return done / (end - start)

    @property
    def goodput_throughout(self) -> float:
        """The calls per second that succeeded while calls began, of an open loop."""
        return self.goodput(0.0, self._arrivals.seconds)

    @property
    def goodput_after(self) -> float:
        """The calls per second that succeeded in 50 s, from 10 s after the outage on.

        How long the recovery takes is what `not done` and `success` tell.
        """
        begin = self._outage.end + _RECOVERED
        return self.goodput(begin, begin + _LONG_AFTER)

    @property
    def further_requests(self) -> float:
        """Requests that arrived in the outage when the first of them had been answered for long.

        They arrived at least 0.2 s after it; the answers take a tenth of that.
        """
        outage = self._outage
        arrived = self.tally.arrivals(outage.start, outage.end)
        first = next((place for place, rate in enumerate(arrived) if rate), 0)
        return sum(arrived[first + 2 :]) * _SLICE

    @property
    def _arrived_in_outage(self) -> float:
        outage = self._outage
        return sum(self.tally.arrivals(outage.start, outage.end)) * _SLICE

    @property
    def _arrivals(self) -> OpenLoop:
        arrivals = self.scenario.arrivals
        assert isinstance(arrivals, OpenLoop), "only an open loop has a rate and a time"
        return arrivals

    @property
    def _rate(self) -> float:
        return self._arrivals.rate

    @property
    def _outage(self) -> Period:
        assert self.scenario.outage is not None, "the scenario has no outage"
        return self.scenario.outage


def _waiting_at_most(max_wait: float | None) -> AbstractContextManager[None]:
    """Return the context in which a call may wait for its turn for so many seconds."""
    return _NOTHING if max_wait is None else override(max_wait=max_wait)


def run(scenario: Scenario, column: Column, *, seed: int) -> Observed:
    """Simulate a scenario with the policy of a column.

    Args:
        scenario: The server and the calls.
        column: The policy.
        seed: The seed of everything random.
    """
    observed = Observed(scenario, Tally(_SLICE))
    arrivals = random_for(seed, "trouble", scenario.name, "arrivals")
    server = random_for(seed, "trouble", scenario.name, "server")
    draws = random_for(seed, "trouble", scenario.name, column.name)
    network = Network(scenario.server(server), observed.tally, read_timeout=scenario.read_timeout)

    async def main(session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        processes = [
            Process(
                session,
                column.make(LoopClock(draw=draws.random), scenario.limits),
                network,
                observed.tally,
            )
            for _ in range(scenario.arrivals.processes)
        ]

        async def make(process: int, path: str) -> bool:
            observed.begun += 1
            began = loop.time()
            with _waiting_at_most(scenario.max_wait):
                succeeded = await processes[process].call(path)
            observed.calls.append(OneCall(began, loop.time(), path, succeeded))
            return succeeded

        await scenario.arrivals.make_calls(make, scenario.paths, arrivals)

    simulate(main)
    return observed
