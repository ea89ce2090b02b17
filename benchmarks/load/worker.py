"""One call under a policy, and what to call what became of it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientTimeout, TCPConnector
from attrs import frozen
from yarl import URL

import resilient
from benchmarks.load.generator import Call, arrivals, generate
from benchmarks.load.tally import Tally
from resilient.testing.server.pipe import Pipe

__all__ = ["Job", "main", "open_caller"]


@asynccontextmanager
async def open_caller(
    policy: resilient.Policy,
    url: URL,
    *,
    patience: float,
    read_timeout: float | None,
    connections: int,
) -> AsyncIterator[Call]:
    """Calls to a URL through a session of its own, under a policy whose state is new.

    Args:
        policy: One without any part is aiohttp alone.
        url: What is called.
        patience: Seconds for a whole call, attempts and waits included: aiohttp's own limit,
            so that the policies that have none cannot hang.
        read_timeout: Seconds without a byte, aiohttp's own, too; None for no limit.
        connections: How many may be open.
    """
    timeout = ClientTimeout(total=patience, sock_read=read_timeout)
    connector = TCPConnector(limit=connections)
    async with ClientSession(connector=connector, timeout=timeout) as bare:
        pipeline = resilient.Pipeline(policy)
        session = resilient.wrap(bare, pipeline) if len(pipeline) else bare

        async def call(method: str) -> str | None:
            data = b"{}" if method == "POST" else None
            try:
                async with session.request(method, url, data=data) as response:
                    await response.read()
            except Exception as error:
                return _failure_name(error)
            return None if response.status < 400 else f"{response.status}"

        yield call


def _failure_name(error: Exception) -> str:
    """The status, for one that is an answer of the server's; else the class."""
    if isinstance(error, resilient.APIError):
        return f"{error.status}"
    return type(error).__name__


# Seconds between two looks whether the parent is still there.
_PARENT_CHECK = 0.5

# Seconds beyond a call's patience in which it has to be over.
GRACE = 1.0


@frozen(kw_only=True)
class Job:
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
    """Carry out jobs until there are no more; None asks whether it is ready for them."""
    pipe = Pipe.of_this_process("a policy")
    openings = _OpeningCounter()
    while True:
        try:
            job: Job | None = pipe.read()
            if job is None:
                pipe.answer(None)
                continue
            before = openings.count
            tally = asyncio.run(_run_job(job))
            tally.openings = openings.count - before
            pipe.answer(tally)
        except EOFError:
            break
        except Exception as error:
            pipe.answer(error, failed=True)


async def _run_job(job: Job) -> Tally:
    watch = asyncio.create_task(_exit_with_parent(os.getppid()))
    try:
        async with open_caller(
            job.policy,
            job.url,
            patience=job.patience,
            read_timeout=job.read_timeout,
            connections=job.connections,
        ) as call:
            return await generate(
                arrivals(
                    seed=job.seed,
                    worker=job.worker,
                    workers=job.workers,
                    rate=job.rate,
                    seconds=job.seconds,
                    posts=job.posts,
                ),
                call,
                start=job.start,
                most=job.in_progress,
                grace=job.patience + GRACE,
            )
    finally:
        watch.cancel()


async def _exit_with_parent(parent: int) -> None:
    """Nobody reads the pipe during a run, so nothing else would tell that the parent is gone."""
    while os.getppid() == parent:  # noqa: ASYNC110 (no event tells of it)
        await asyncio.sleep(_PARENT_CHECK)
    sys.stderr.flush()
    os._exit(1)


class _OpeningCounter(logging.Handler):
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
