"""The database of the example, its clients, and the switch between them.

N. Bronson, A. Aghayev, A. Charapko and T. Zhu, "Metastable Failures in Distributed Systems",
HotOS 2021, section 2.1.
"""

from __future__ import annotations

import aiohttp
from attrs import frozen

from benchmarks.storm.network import Held, Network
from benchmarks.storm.simulation import (
    Process,
    arrive_at_random,
    pipelines,
    randomness,
    simulate,
)
from benchmarks.storm.tally import Tally
from resilient import Policy
from resilient.testing import BrownOut, Period, Reply

__all__ = ["CAPACITY", "OFFERED", "PATIENCE", "PROCESSES", "SOURCE", "TRIGGER", "Setup", "run"]

SOURCE = 'Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021, 2.1'

# Calls a second, requests a second that the database can answer, the seconds that one takes
# it, and those after which nobody waits any more.
OFFERED = 280.0
CAPACITY = 300
_SERVICE = 0.1
PATIENCE = 1.0

# When the switch is down.
TRIGGER = Period(10, 20)

# The paper says nothing of how many processes make the queries.
PROCESSES = 20


@frozen
class Setup:
    """Who calls, and under which policy.

    Attributes:
        name: What it is called.
        policy: Of each process.
        offered: Calls a second, of all of them.
        processes: How many, each with a pipeline of its own.
        capacity: Requests a second that the database can answer.
    """

    name: str
    policy: Policy
    offered: float = OFFERED
    processes: int = PROCESSES
    capacity: float = CAPACITY


def run(setup: Setup, *, until: float, seed: int) -> Tally:
    """The example under one policy, until so many seconds after the beginning."""
    tally = Tally()
    random = randomness(seed, "metastable", setup.name, setup.offered)
    database = BrownOut(_SERVICE, workers=round(setup.capacity * _SERVICE), then=Reply(200))
    network = Network(Held(TRIGGER, database), tally)

    async def main(session: aiohttp.ClientSession) -> None:
        processes = [
            Process(session, pipeline, network, tally)
            for pipeline in pipelines(setup.policy, setup.processes, random)
        ]
        await arrive_at_random(processes, rate=setup.offered, until=until, random=random)

    simulate(main)
    return tally
