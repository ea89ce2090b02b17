"""The far side of a `Crew`: a process that makes its share of the calls."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from attrs import frozen
from yarl import URL

import resilient
from benchmarks.load.arrivals import arrivals
from benchmarks.load.caller import calling
from benchmarks.load.generator import generate
from benchmarks.load.tally import Tally
from resilient.testing.server.pipe import Pipe

__all__ = ["Order", "main"]

# Seconds between two looks whether the parent is still there.
_LOOK = 0.5

# Seconds beyond a call's patience in which it has to be over.
GRACE = 1.0


@frozen(kw_only=True)
class Order:
    """What a worker is to do.

    Attributes:
        policy: Under which the calls are made.
        url: Where they go.
        start: When they begin, on the clock that the processes of a machine share.
        seed: Of the arrivals.
        worker: Which worker this is, from 0.
        workers: How many there are.
        rate: Calls a second of all of them.
        seconds: For how long.
        posts: The share of POSTs.
        patience: Seconds for a whole call.
        read_timeout: Seconds without a byte.
        connections: How many this worker may open.
        in_progress: How many calls it may have in progress.
    """

    policy: resilient.Policy
    url: URL
    start: float
    seed: int
    worker: int
    workers: int
    rate: float
    seconds: float
    posts: float
    patience: float
    read_timeout: float | None
    connections: int
    in_progress: int


def main() -> None:
    """Carry out orders until there are no more; None asks whether it is ready for them."""
    pipe = Pipe.of_this_process("a policy")
    openings = _Openings()
    while True:
        try:
            order: Order | None = pipe.read()
            if order is None:
                pipe.answer(None)
                continue
            before = openings.count
            tally = asyncio.run(_carry_out(order))
            tally.openings = openings.count - before
            pipe.answer(tally)
        except EOFError:
            break
        except Exception as error:
            pipe.answer(error, failed=True)


async def _carry_out(order: Order) -> Tally:
    watch = asyncio.create_task(_end_with(os.getppid()))
    try:
        async with calling(
            order.policy,
            order.url,
            patience=order.patience,
            read_timeout=order.read_timeout,
            connections=order.connections,
        ) as call:
            return await generate(
                arrivals(
                    seed=order.seed,
                    worker=order.worker,
                    workers=order.workers,
                    rate=order.rate,
                    seconds=order.seconds,
                    posts=order.posts,
                ),
                call,
                start=order.start,
                most=order.in_progress,
                grace=order.patience + GRACE,
            )
    finally:
        watch.cancel()


async def _end_with(parent: int) -> None:
    """Nobody reads the pipe during a run, so nothing else would tell that the parent is gone."""
    while os.getppid() == parent:  # noqa: ASYNC110 (no event tells of it)
        await asyncio.sleep(_LOOK)
    sys.stderr.flush()
    os._exit(1)


class _Openings(logging.Handler):
    """Counts circuits that open, by what is logged of them: listeners cost time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0
        logger = logging.getLogger("resilient")
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Count it, and let nothing else go unheard."""
        fields = getattr(record, "resilient", {})
        if fields.get("event") == "transition":
            self.count += fields.get("after") == "open"
        elif logging.lastResort is not None:
            logging.lastResort.handle(record)
