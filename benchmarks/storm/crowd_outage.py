"""Clients that call now and then, and the outage that they go through."""

from __future__ import annotations

import asyncio
from random import Random

import aiohttp
from attrs import frozen

from benchmarks.storm.network import Network, Stalled
from benchmarks.storm.simulation import Process, pipelines, randomness, see_through, simulate
from benchmarks.storm.tally import Tally
from resilient import Policy
from resilient.testing import BrownOut, Outage, Period, Reply

__all__ = ["IMPATIENCE", "PAUSE", "PER_PROCESS", "SLICE", "Crowd", "outage_of", "run"]

PER_PROCESS = 100

# Seconds between two calls of a client, on average: after one that went well, and after one
# that did not.
PAUSE = 40.0
IMPATIENCE = 1.0

# What a request takes of a worker, in seconds, and how much there is of them: the server can
# do twice what is asked of it on a good day.
_SERVICE = 0.05
_HEADROOM = 2.0

# Seconds in a slice of the time.
SLICE = 0.1


@frozen(kw_only=True)
class Crowd:
    """Who calls, under which policy, and what they go through.

    Attributes:
        name: What it is called.
        policy: Of each process.
        clients: How many.
        per_process: How many share a process.
        seconds: How long it goes on.
        stalls: Whether the server in the outage lets everybody wait, and fails them all at
            its end, instead of answering 503 at once.
    """

    name: str
    policy: Policy
    clients: int
    per_process: int = PER_PROCESS
    seconds: float
    stalls: bool = False

    @property
    def rate(self) -> float:
        """Calls a second when all is well."""
        return self.clients / PAUSE


def outage_of(seconds: float) -> Period:
    """When the outage is, in a run of so many seconds."""
    return Period(seconds / 4, seconds / 4 + seconds / 6)


def run(crowd: Crowd, *, seed: int) -> Tally:
    """What the crowd goes through."""
    tally = Tally(SLICE)
    random = randomness(seed, "crowd", crowd.name, crowd.stalls)
    workers = max(1, round(crowd.rate * _HEADROOM * _SERVICE))
    service = BrownOut(_SERVICE, workers=workers, then=Reply(200))
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
            loop.create_task(_go_on_calling(processes[index % number], crowd.seconds, random))
            for index in range(crowd.clients)
        ]
        await see_through(clients, crowd.seconds)

    simulate(main)
    return tally


async def _go_on_calling(process: Process, until: float, random: Random) -> None:
    """One client, until it is time to stop."""
    loop = asyncio.get_running_loop()
    pause = PAUSE
    while True:
        seconds = random.expovariate(1 / pause)
        if loop.time() + seconds >= until:
            return
        await asyncio.sleep(seconds)
        pause = PAUSE if await process.call() else IMPATIENCE
