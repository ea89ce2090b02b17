"""Simulate clients that call now and then, and the outage that they go through."""

from __future__ import annotations

import asyncio
from random import Random

import aiohttp
from attrs import evolve, frozen

from benchmarks.storm.network import Network, Stalled
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import Process, finish, pipelines, random_for, simulate
from benchmarks.storm.tally import Tally
from resilient import Backoff, BreakerPolicy, Policy, RetryPolicy
from resilient.testing import BrownOut, Outage, Period, Reply

__all__ = [
    "PER_PROCESS",
    "RETRY_PAUSE",
    "SLICE",
    "USUAL_PAUSE",
    "Crowd",
    "crowds",
    "outage_of",
    "run",
]

PER_PROCESS = 100

# Mean seconds between two calls of a client: after a success, and after a failure.
USUAL_PAUSE = 40.0
RETRY_PAUSE = 1.0

# Seconds of a worker's time for one request. The server has twice the workers that the normal
# load needs.
_SERVICE_TIME = 0.05
_HEADROOM = 2.0

# Seconds per slice of the tally.
SLICE = 0.1

_NO_PATIENCE = evolve(Policy(), breaker=BreakerPolicy(patience=0.0))
_NO_JITTER = evolve(Policy(), retry=RetryPolicy(backoff=Backoff(jitter="none")))
_RETRY_ALONE = Policy(
    errors=None,
    total_timeout=None,
    throttle=None,
    breaker=None,
    attempt_timeout=None,
    retry=RetryPolicy(budget=None),
)
_RETRY_ALONE_NO_JITTER = evolve(
    _RETRY_ALONE, retry=RetryPolicy(budget=None, backoff=Backoff(jitter="none"))
)


@frozen(kw_only=True)
class Crowd:
    """Clients under one policy.

    Attributes:
        name: The name of its row.
        policy: The policy of each process.
        clients: The number of clients.
        per_process: Clients that share a process, and with it a pipeline.
        seconds: Simulated seconds during which calls begin.
        stalls: In the outage the server holds every request and fails all of them at its end.
            If False, it answers 503 at once.
    """

    name: str
    policy: Policy
    clients: int
    per_process: int = PER_PROCESS
    seconds: float
    stalls: bool = False

    @property
    def rate(self) -> float:
        """Calls per second of all clients together while nothing is wrong."""
        return self.clients / USUAL_PAUSE


def crowds(settings: StormSettings) -> tuple[Crowd, ...]:
    """Return the crowds to compare, the standard pipeline first."""

    def crowd(
        name: str, policy: Policy, *, stalls: bool = False, per_process: int = PER_PROCESS
    ) -> Crowd:
        return Crowd(
            name=name,
            policy=policy,
            clients=settings.clients,
            per_process=per_process,
            seconds=settings.seconds,
            stalls=stalls,
        )

    return (
        crowd("standard pipeline", Policy()),
        crowd("without patience", _NO_PATIENCE),
        crowd("a pipeline for each client", Policy(), per_process=1),
        crowd("retry alone", _RETRY_ALONE),
        *(crowd(own.name, own.policy) for own in settings.own),
        crowd("standard pipeline", Policy(), stalls=True),
        crowd("without jitter", _NO_JITTER, stalls=True),
        crowd("retry alone", _RETRY_ALONE, stalls=True),
        crowd("retry alone, without jitter", _RETRY_ALONE_NO_JITTER, stalls=True),
        *(crowd(own.name, own.policy, stalls=True) for own in settings.own),
    )


def outage_of(seconds: float) -> Period:
    """Return when the outage is in a run of this many seconds."""
    return Period(seconds / 4, seconds / 4 + seconds / 6)


def run(crowd: Crowd, *, seed: int) -> Tally:
    """Simulate a crowd from its first call to its last, and return the counts."""
    tally = Tally(SLICE)
    random = random_for(seed, "crowd", crowd.name, crowd.stalls)
    workers = max(1, round(crowd.rate * _HEADROOM * _SERVICE_TIME))
    service = BrownOut(_SERVICE_TIME, workers=workers, then=Reply(200))
    period = outage_of(crowd.seconds)
    outage = Stalled(period, service) if crowd.stalls else Outage(period, then=service)
    network = Network(outage, tally)

    async def main(session: aiohttp.ClientSession) -> None:
        number = -(-crowd.clients // crowd.per_process)
        processes = [
            Process(session, pipeline, network, tally)
            for pipeline in pipelines(crowd.policy, number, random)
        ]
        loop = asyncio.get_running_loop()
        clients = [
            loop.create_task(_keep_calling(processes[index % number], crowd.seconds, random))
            for index in range(crowd.clients)
        ]
        await finish(clients, crowd.seconds)

    simulate(main)
    return tally


async def _keep_calling(process: Process, until: float, random: Random) -> None:
    """Make the calls of one client; none begins after `until`."""
    loop = asyncio.get_running_loop()
    pause = USUAL_PAUSE
    while True:
        seconds = random.expovariate(1 / pause)
        if loop.time() + seconds >= until:
            return
        await asyncio.sleep(seconds)
        pause = USUAL_PAUSE if await process.call() else RETRY_PAUSE
