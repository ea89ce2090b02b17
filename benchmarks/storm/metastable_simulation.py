"""Simulate the database of the metastable example, its clients, and the switch between them.

N. Bronson, A. Aghayev, A. Charapko and T. Zhu, "Metastable Failures in Distributed Systems",
HotOS 2021, section 2.1.
"""

from __future__ import annotations

from collections.abc import Generator

import aiohttp
from attrs import evolve, frozen

from benchmarks.storm.network import Held, Network
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import (
    Process,
    arrive_at_random,
    pipelines,
    random_for,
    simulate,
)
from benchmarks.storm.tally import Tally
from resilient import Backoff, BreakerPolicy, BudgetPolicy, Policy, RetryPolicy
from resilient.testing import BrownOut, Period, Reply

__all__ = [
    "CAPACITY",
    "OFFERED",
    "PATIENCE",
    "PROCESSES",
    "SOURCE",
    "TRIGGER",
    "Setup",
    "loads",
    "run",
    "setups",
]

SOURCE = 'Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021, 2.1'

# Calls per second; requests per second that the database can answer; seconds that one request
# takes it; seconds after which a client no longer waits for an answer.
OFFERED = 280.0
CAPACITY = 300
_SERVICE_TIME = 0.1
PATIENCE = 1.0

# The time when the switch is down.
TRIGGER = Period(10, 20)

# The paper does not say how many processes make the queries.
PROCESSES = 20

# Seconds for a call where there is a deadline: half of a second attempt fits.
_DEADLINE = 1.5 * PATIENCE


def _no_wait() -> Generator[float | None, None, None]:
    """A wait generator that never waits."""
    yield None
    while True:
        yield 0.0


_RETRY = RetryPolicy(max_attempts=2, budget=None, backoff=Backoff(wait=_no_wait, jitter="none"))
_ONE_RETRY = Policy(
    name="one retry",
    errors=None,
    total_timeout=None,
    throttle=None,
    retry=_RETRY,
    breaker=None,
    attempt_timeout=PATIENCE,
)
_BUDGET = evolve(_ONE_RETRY, retry=evolve(_RETRY, budget=BudgetPolicy()))


@frozen
class Setup:
    """Clients under one policy.

    Attributes:
        name: The name of its row.
        policy: The policy of each process.
        offered: Calls per second of all processes together.
        processes: The number of processes, each with a pipeline of its own.
        capacity: Requests per second that the database can answer.
    """

    name: str
    policy: Policy
    offered: float = OFFERED
    processes: int = PROCESSES
    capacity: float = CAPACITY


def setups(settings: StormSettings) -> tuple[Setup, ...]:
    """Return the setups to compare at the load of the example, one retry first."""
    breaker = evolve(_ONE_RETRY, breaker=BreakerPolicy())
    together = evolve(_BUDGET, breaker=BreakerPolicy(), total_timeout=_DEADLINE)
    more = (
        Setup("budget, breaker, deadline", together),
        Setup("no retry", evolve(_ONE_RETRY, retry=None)),
        Setup("three attempts", evolve(_ONE_RETRY, retry=RetryPolicy(budget=None))),
        Setup("budget, one process", _BUDGET, processes=1),
        Setup("deadline", evolve(_ONE_RETRY, total_timeout=_DEADLINE)),
        Setup("standard pipeline", Policy()),
    )
    return (
        Setup("one retry", _ONE_RETRY),
        Setup("budget", _BUDGET),
        Setup("breaker", breaker),
        Setup("pipeline, attempts of 1 s", Policy(attempt_timeout=PATIENCE)),
        *(() if settings.quick else more),
        *(Setup(own.name, own.policy) for own in settings.own),
    )


def loads(settings: StormSettings) -> tuple[Setup, ...]:
    """Return setups at lower loads, on both sides of the bound that the paper gives."""
    more = (
        Setup("one retry", _ONE_RETRY, offered=200.0),
        Setup("budget, one process", _BUDGET, offered=200.0, processes=1),
    )
    return (Setup("one retry", _ONE_RETRY, offered=100.0), *(() if settings.quick else more))


def run(setup: Setup, *, until: float, seed: int) -> Tally:
    """Simulate the example under one policy, and return the counts.

    Args:
        setup: The clients and their policy.
        until: The simulated second after which no call begins.
        seed: The seed of everything random.
    """
    tally = Tally()
    random = random_for(seed, "metastable", setup.name, setup.offered)
    database = BrownOut(
        _SERVICE_TIME, workers=round(setup.capacity * _SERVICE_TIME), then=Reply(200)
    )
    network = Network(Held(TRIGGER, database), tally)

    async def main(session: aiohttp.ClientSession) -> None:
        processes = [
            Process(session, pipeline, network, tally)
            for pipeline in pipelines(setup.policy, setup.processes, random)
        ]
        await arrive_at_random(
            lambda: random.choice(processes).call(),
            rate=setup.offered,
            until=until,
            random=random,
        )

    simulate(main)
    return tally
