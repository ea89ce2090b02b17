"""Metastable failure: an outage that outlives what has caused it, and what ends it.

The example is that of N. Bronson, A. Aghayev, A. Charapko and T. Zhu, "Metastable Failures
in Distributed Systems", HotOS 2021, section 2.1: a database that answers up to 300 queries
a second, in 100 ms, with 280 a second to answer; who has no answer after a second asks once
more. A switch fails for ten seconds, and everything sent meanwhile arrives when it is back.
From then on 560 queries a second come in, which nobody waits for any more when they are
answered. L. Huang and others, "Metastable Failures in the Wild", OSDI 2022, find retries
at work in more than half of the outages of this kind that were made public.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from attrs import evolve

from benchmarks.progress import Progress
from benchmarks.storm.metastable_example import PATIENCE, TRIGGER, Setup, run
from benchmarks.storm.metastable_tables import told
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.story import Told
from benchmarks.storm.tally import Tally
from resilient import Backoff, BreakerPolicy, BudgetPolicy, Policy, RetryPolicy

__all__ = ["loads", "setups", "tell"]

# Seconds for a call, where there is a deadline: room for half of a second attempt.
DEADLINE = 1.5 * PATIENCE

# How long it goes on after the trigger, in seconds.
_AFTER, _QUICK_AFTER = 40.0, 30.0


def at_once() -> Generator[float | None, None, None]:
    """A wait generator: no wait at all."""
    yield None
    while True:
        yield 0.0


_RETRY = RetryPolicy(max_attempts=2, budget=None, backoff=Backoff(wait=at_once, jitter="none"))
_ONE_RETRY = Policy(
    name="one retry",
    errors=None,
    total_timeout=None,
    retry=_RETRY,
    breaker=None,
    attempt_timeout=PATIENCE,
)


_BUDGET = evolve(_ONE_RETRY, retry=evolve(_RETRY, budget=BudgetPolicy()))


def setups(settings: StormSettings) -> tuple[Setup, ...]:
    """What is set side by side at the load of the example."""
    breaker = evolve(_ONE_RETRY, breaker=BreakerPolicy())
    together = evolve(_BUDGET, breaker=BreakerPolicy(), total_timeout=DEADLINE)
    more = (
        Setup("budget, breaker, deadline", together),
        Setup("no retry", evolve(_ONE_RETRY, retry=None)),
        Setup("three attempts", evolve(_ONE_RETRY, retry=RetryPolicy(budget=None))),
        Setup("budget, one process", _BUDGET, processes=1),
        Setup("deadline", evolve(_ONE_RETRY, total_timeout=DEADLINE)),
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
    """The same at less than the load of the example, on either side of the paper's bound."""
    more = (
        Setup("one retry", _ONE_RETRY, offered=200.0),
        Setup("budget, one process", _BUDGET, offered=200.0, processes=1),
    )
    return (Setup("one retry", _ONE_RETRY, offered=100.0), *(() if settings.quick else more))


def tell(settings: StormSettings, progress: Progress) -> Iterator[Told]:
    """Compare policies at the load of the example, then at lower loads."""
    until = TRIGGER.end + (_QUICK_AFTER if settings.quick else _AFTER)
    everything = (*setups(settings), *loads(settings))
    progress.begin("metastable", len(everything))
    found: list[tuple[Setup, Tally]] = []
    for setup in everything:
        found.append((setup, run(setup, until=until, seed=settings.seed)))
        progress.advance()
        yield told(found, until)
