"""One policy in one scenario: a server, calls, and what both of them have seen."""

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

# Seconds beyond what a run takes at most, after which something is wrong with it.
_SLACK = 20.0

# Connections that all workers together may open, if the server may have as many files, and
# some for other things.
_CONNECTIONS = 800
_OTHER_FILES = 50

# Calls that may be in progress, most of which wait for a retry and have no connection.
_IN_PROGRESS = 8_000


@frozen
class Run:
    """What was seen of a policy in a scenario.

    Attributes:
        scenario: The scenario.
        contender: The policy.
        workers: How many processes made calls, each with a pipeline of its own.
        tally: What became of the calls.
        hits: Requests that reached the server.
        arrivals: When they did, in seconds from the start, in order.
        connections: How many all workers together might have open; None if nobody counted.
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
        """Calls that ended well."""
        return len(self.tally.succeeded)

    @property
    def success(self) -> float:
        """Their share of the calls, in per cent."""
        return 100 * self.successes / max(self.tally.calls, 1)

    @property
    def requests_per_call(self) -> float:
        """Requests that reached the server for each call."""
        return self.hits / max(self.tally.calls, 1)


def run(
    scenario: Scenario,
    contender: Contender,
    settings: LoadSettings,
    pool: WorkerPool,
    told: Callable[[float], object],
) -> Run:
    """Measure one.

    Args:
        scenario: The trouble.
        contender: The policy.
        settings: The seed, the port and the patience.
        pool: Who makes the calls.
        told: Told now and then how many more seconds have passed.

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
        tally = pool.run_jobs(jobs, timeout=limit, told=told)
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
