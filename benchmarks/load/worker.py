"""Make calls in a process of its own: the code that a `WorkerPool` runs."""

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

# Seconds between two checks that the parent is still alive.
_PARENT_CHECK = 0.5

# Seconds that a call may take beyond its patience.
GRACE = 1.0


@asynccontextmanager
async def open_caller(
    policy: resilient.Policy,
    url: URL,
    *,
    patience: float,
    read_timeout: float | None,
    connections: int,
) -> AsyncIterator[Call]:
    """Open a session under a policy, and yield a function that makes one call.

    The function takes a method, and returns the kind of failure or None.

    Args:
        policy: The policy; one without any part is aiohttp alone.
        url: The URL to call.
        patience: Seconds for a whole call, attempts and waits included. It is aiohttp's own
            limit, so that policies without a limit cannot hang.
        read_timeout: Seconds without a byte, also aiohttp's own limit; None for none.
        connections: Connections that may be open.
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
    """Return the status if the server answered, else the name of the class."""
    if isinstance(error, resilient.APIError):
        return f"{error.status}"
    return type(error).__name__


@frozen(kw_only=True)
class Job:
    """The job of one worker.

    Attributes:
        policy: The policy of its calls.
        url: The URL to call.
        start: The time of the start, on the monotonic clock that all processes share.
        seed: The seed of the arrivals.
        worker: The number of this worker, from 0.
        workers: The number of workers.
        rate: Calls per second of all workers together.
        seconds: Seconds during which calls arrive.
        posts: The share of POSTs, from 0 to 1.
        patience: Seconds for a whole call.
        read_timeout: Seconds without a byte; None for no limit.
        connections: Connections that this worker may open.
        in_progress: Calls that this worker may have in progress.
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
    """Carry out jobs until there are no more; None asks if the worker is ready."""
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
    """End this process with its parent: the pipe is not read during a run, so it cannot tell."""
    while os.getppid() == parent:  # noqa: ASYNC110 (no event tells of it)
        await asyncio.sleep(_PARENT_CHECK)
    sys.stderr.flush()
    os._exit(1)


class _OpeningCounter(logging.Handler):
    """Counts circuits that open, from their log records, since listeners would cost time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0
        logger = logging.getLogger("resilient")
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Count an opening; pass any other record on."""
        fields = getattr(record, "resilient", {})
        if fields.get("event") == "transition":
            self.count += fields.get("after") == "open"
        elif logging.lastResort is not None:
            logging.lastResort.handle(record)
