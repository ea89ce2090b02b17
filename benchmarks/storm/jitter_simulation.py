"""Simulate clients that contend for one row: optimistic concurrency control.

After the simulator that was published with "Exponential Backoff And Jitter"
(aws-samples/aws-arch-backoff-simulator). Each client reads the version of the row, then
writes with it; the write is refused if another client's write came in between.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import get_args

import aiohttp
from aiohttp import ClientRequest, ClientResponse
from attrs import define, field

from benchmarks.storm.network import Replies
from benchmarks.storm.simulation import Process, simulate
from benchmarks.storm.tally import Tally
from resilient import Backoff, Retry, RetryPolicy
from resilient.retry.schedule import Jitter
from resilient.testing import LoopClock
from resilient.testing.script.faults import Reply

__all__ = ["JITTERS", "Row", "backoff", "contend"]

JITTERS: tuple[Jitter, ...] = get_args(Jitter)

# Seconds: the settings of the published simulator.
_BASE, _CAP = 0.005, 2.0

_WRITTEN = Reply(200)
_CONFLICT = Reply(409)

# Seconds that one message takes: a normal distribution.
_DELAY_MEAN = 0.010
_DELAY_DEVIATION = 0.002


@define(eq=False)
class Row:
    """A handler that reads the version of the row and writes with it: 200, or 409 if too late.

    Attributes:
        random: Draws the time that each message takes.
        writes: The times at which writes arrived, in seconds.
        version: The number of changes so far.
    """

    random: Random
    writes: list[float] = field(factory=list)
    version: int = 0
    _replies: Replies = field(factory=Replies)

    async def __call__(self, request: ClientRequest) -> ClientResponse:
        """Read, then write."""
        await self._messages(1)
        version = self.version
        await self._messages(2)
        self.writes.append(asyncio.get_running_loop().time())
        reply = _CONFLICT if version != self.version else _WRITTEN
        self.version += reply is _WRITTEN
        response = self._replies.copy(reply) or await self._replies.parse(request, reply)
        request.response = response
        await self._messages(1)
        return response

    async def _messages(self, count: int) -> None:
        """Wait until this many messages have arrived, one after another."""
        delays = (abs(self.random.gauss(_DELAY_MEAN, _DELAY_DEVIATION)) for _ in range(count))
        await asyncio.sleep(sum(delays))


def backoff(jitter: Jitter) -> Backoff:
    """Return the backoff that was published under this name.

    Its first wait is twice the base, except for the decorrelated one.
    """
    base = _BASE if jitter == "decorrelated" else _BASE * 2
    return Backoff(base=base, cap=_CAP, jitter=jitter)


def contend(clients: int, jitter: Jitter, random: Random) -> tuple[float, list[float]]:
    """Let clients change the row once each, every one with a `Retry` of its own.

    Returns:
        The time at which the last client was done, and the times at which writes arrived, in
        seconds.
    """
    policy = RetryPolicy(
        # No client gives up; none of them needs nearly as many.
        max_attempts=100_000,
        statuses={409},
        budget=None,
        backoff=backoff(jitter),
    )
    row = Row(random)

    async def main(session: aiohttp.ClientSession) -> float:
        tally = Tally()
        clock = LoopClock(draw=random.random)
        processes = [
            Process(session, Retry(policy, clock=clock), row, tally, method="PUT")
            for _ in range(clients)
        ]
        await asyncio.gather(*(process.call() for process in processes))
        assert row.version == tally.succeeded == clients
        return asyncio.get_running_loop().time()

    return simulate(main), row.writes
