"""Measure one policy in one scenario: start a server, make calls, collect the counts of both."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from attrs import frozen

from benchmarks.contenders import Contender
from benchmarks.load.scenarios import Scenario
from benchmarks.load.settings import LoadSettings
from benchmarks.load.tally import Tally
from benchmarks.load.worker import GRACE, Job
from benchmarks.load.worker_pool import WorkerPool
from resilient.errors import ConfigError
from resilient.testing import FaultServerProcess

if sys.platform != "win32":
    import resource

__all__ = ["Run", "run"]

# Seconds for jobs to reach the workers before the first call.
_LEAD = 0.2

# Seconds beyond the longest time of a run after which it counts as failed.
_SLACK = 20.0

# Connections that all workers together may open, if the limit of open files allows them, and
# open files that are left for other purposes.
_CONNECTIONS = 800
_OTHER_FILES = 50

# Calls that may be in progress; most of them wait for a retry and have no connection.
_IN_PROGRESS = 8_000


@frozen
class Run:
    """The measurements of one policy in one scenario.

    Attributes:
        scenario: The scenario.
        contender: The policy.
        workers: Processes that made calls, each with a pipeline of its own.
        tally: The counts of the calls.
        hits: Requests that reached the server.
        arrivals: The times at which they did, in seconds from the start, in order.
        connections: Connections that all workers together might open; None if unknown.
    """

    scenario: Scenario
    contender: Contender
    workers: int
    tally: Tally
    hits: int
    arrivals: tuple[float, ...]
    connections: int | None = None

    @property
    def successes(self) -> int:
        """Calls that succeeded."""
        return len(self.tally.succeeded)

    @property
    def success(self) -> float:
        """The share of calls that succeeded, in percent."""
        return 100 * self.successes / max(self.tally.calls, 1)

    @property
    def requests_per_call(self) -> float:
        """Requests that reached the server per call."""
        return self.hits / max(self.tally.calls, 1)


def run(
    scenario: Scenario,
    contender: Contender,
    settings: LoadSettings,
    pool: WorkerPool,
    on_progress: Callable[[float], object],
) -> Run:
    """Measure one policy in one scenario.

    Args:
        scenario: The scenario.
        contender: The policy.
        settings: The seed, the port and the patience to use.
        pool: The processes that make the calls.
        on_progress: Called now and then with the seconds that have passed since the last time.

    Raises:
        ConfigError: The port is taken; a policy cannot be sent to the workers.
        RuntimeError: A process has ended, or took too long.
    """
    connections = max(_connections() // pool.workers, 1)
    server = FaultServerProcess(**scenario.server(settings.seed), port=settings.port, record=True)
    with ExitStack() as stack:
        _start(server, settings.port)
        stack.push(server)
        start = time.monotonic() + _LEAD
        jobs = [
            Job(
                policy=contender.policy,
                url=server.url,
                start=start,
                seed=settings.seed,
                worker=worker,
                workers=pool.workers,
                rate=scenario.rate,
                seconds=scenario.seconds,
                posts=scenario.posts,
                patience=settings.patience,
                read_timeout=scenario.read_timeout,
                connections=connections,
                in_progress=max(_IN_PROGRESS // pool.workers, 1),
            )
            for worker in range(pool.workers)
        ]
        limit = _LEAD + scenario.seconds + settings.patience + GRACE + _SLACK
        tally = pool.run_jobs(jobs, timeout=limit, on_progress=on_progress)
        hits = server.stats().hits
        arrivals = sorted(each.time - start for each in server.requests())
    return Run(
        scenario,
        contender,
        pool.workers,
        tally,
        hits,
        tuple(arrivals),
        connections=connections * pool.workers,
    )


def _connections() -> int:
    if sys.platform == "win32":
        return _CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _CONNECTIONS
    return min(_CONNECTIONS, files - _OTHER_FILES)


def _start(server: FaultServerProcess, port: int) -> None:
    try:
        server.start()
    except OSError as error:
        if not port:
            raise
        raise ConfigError(
            f"port {port} is taken, or not to be had ({error}): "
            "choose another one, or 0 for any that is free"
        ) from error
