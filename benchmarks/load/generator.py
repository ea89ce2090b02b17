"""Make calls when they are due: an open loop.

A loop that waits for an answer before it makes the next call offers a slow server less load,
and so hides that the server is slow: Gil Tene calls this coordinated omission. Here arrivals
do not depend on answers, and latency counts from when a call was due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from random import Random
from typing import NamedTuple

from benchmarks.load.tally import DROPPED, LATE, UNFINISHED, Tally

__all__ = ["Arrival", "Call", "arrivals", "generate"]

# Seconds after which an overdue call is not made, so that a machine that is too slow does not
# fall behind without end.
_TOO_LATE = 5.0


class Arrival(NamedTuple):
    """A call to make.

    Attributes:
        offset: The time when it is due, in seconds from the start.
        method: The HTTP method.
    """

    offset: float
    method: str


def arrivals(
    *, seed: int, worker: int, workers: int, rate: float, seconds: float, posts: float = 0.0
) -> Iterator[Arrival]:
    """Yield the calls of one worker in order: a Poisson process, the same for the same seed.

    All workers together make a Poisson process again, with the whole rate.

    Args:
        seed: The seed, the same for all workers.
        worker: The number of the worker, from 0.
        workers: The number of workers; each has its share of the rate.
        rate: Calls per second of all workers together.
        seconds: Seconds during which calls arrive.
        posts: The share of POSTs, from 0 to 1. Default 0.
    """
    random = Random(f"{seed}/{worker}")
    offset = random.expovariate(rate / workers)
    while offset < seconds:
        yield Arrival(offset, "POST" if random.random() < posts else "GET")
        offset += random.expovariate(rate / workers)


# Makes a call with a method, and returns the kind of failure, or None.
Call = Callable[[str], Awaitable[str | None]]


async def generate(
    arrivals: Iterable[Arrival], call: Call, *, start: float, most: int, grace: float
) -> Tally:
    """Make calls as they are due.

    Args:
        arrivals: The calls, in order.
        call: Makes one call.
        start: The start that offsets count from, in seconds of the event loop's time.
        most: Calls that may be in progress; a call beyond that is not made.
        grace: Seconds that calls in progress get after the last one was made.

    Returns:
        The counts.
    """
    loop = asyncio.get_running_loop()
    tally = Tally()
    offsets: dict[asyncio.Task[None], float] = {}

    async def make(arrival: Arrival) -> None:
        failure = await call(arrival.method)
        tally.end(arrival.offset, loop.time() - start, failure)

    try:
        for arrival in arrivals:
            due = start + arrival.offset
            # Sleep also when late, so that answers are read in between.
            await asyncio.sleep(max(due - loop.time(), 0.0))
            lateness = max(loop.time() - due, 0.0)
            tally.arrive(arrival.offset, lateness)
            if lateness > _TOO_LATE or len(offsets) >= most:
                reason = LATE if lateness > _TOO_LATE else DROPPED
                tally.skip(reason)
                continue
            task = loop.create_task(make(arrival))
            offsets[task] = arrival.offset
            task.add_done_callback(offsets.pop)
            tally.peak = max(tally.peak, len(offsets))
        if offsets:
            await asyncio.wait(offsets, timeout=grace)
    finally:
        pending = dict(offsets)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    for task, offset in pending.items():
        if task.cancelled():
            tally.end(offset, loop.time() - start, UNFINISHED)
    return tally
