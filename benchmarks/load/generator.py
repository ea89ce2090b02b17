"""When calls arrive: whether they are answered or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from random import Random
from typing import NamedTuple

from benchmarks.load.tally import DROPPED, LATE, UNFINISHED, Tally

__all__ = ["Arrival", "Call", "arrivals", "generate"]


class Arrival(NamedTuple):
    """A call that is to be made.

    Attributes:
        offset: When, in seconds from the start.
        method: How.
    """

    offset: float
    method: str


def arrivals(
    *, seed: int, worker: int, workers: int, rate: float, seconds: float, posts: float = 0.0
) -> Iterator[Arrival]:
    """The calls of one worker, in order: a Poisson process, the same for the same seed.

    What several workers make is again a Poisson process, of all their rates together.

    Args:
        seed: Of all workers.
        worker: Which of them, from 0.
        workers: How many there are; each has its share of the rate.
        rate: Calls a second of all of them.
        seconds: For how long.
        posts: The share of POSTs.
    """
    random = Random(f"{seed}/{worker}")
    offset = random.expovariate(rate / workers)
    while offset < seconds:
        yield Arrival(offset, "POST" if random.random() < posts else "GET")
        offset += random.expovariate(rate / workers)


# Seconds after which a call that is due is not made any more: a machine that is too slow must
# not take ever longer.
_TOO_LATE = 5.0

# Makes a call with a method, and tells what became of it: a kind of failure, or None.
Call = Callable[[str], Awaitable[str | None]]


async def generate(
    arrivals: Iterable[Arrival], call: Call, *, start: float, most: int, grace: float
) -> Tally:
    """Make calls as they are due.

    Args:
        arrivals: When and how, in order.
        call: Makes one.
        start: What arrivals are counted from, in seconds of the event loop's time.
        most: How many may be in progress; a call that is due beyond that is not made.
        grace: Seconds for those in progress after the last one was made.

    Returns:
        What became of them.
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
            # Also when it is late: answers are to be read in between.
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
