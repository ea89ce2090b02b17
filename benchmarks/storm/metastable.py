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

import aiohttp
from attrs import evolve, frozen

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, Span, Table
from benchmarks.storm.network import Held, Network
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import (
    Process,
    arrive_at_random,
    pipelines,
    randomness,
    simulate,
)
from benchmarks.storm.story import Told
from benchmarks.storm.tally import Tally
from resilient import Backoff, BreakerPolicy, BudgetPolicy, Policy, RetryPolicy
from resilient.testing import BrownOut, Period, Reply

__all__ = ["TRIGGER", "Setup", "run", "setups", "tell"]

_SOURCE = 'Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021, 2.1'

OFFERED = 280.0
_CAPACITY = 300
_SERVICE = 0.1
_PATIENCE = 1.0
TRIGGER = Period(10, 20)

# The paper says nothing of how many processes make the queries.
_PROCESSES = 20

# What counts as recovered: this share of what is offered.
_RECOVERED = 0.8
# The last seconds, over which the end state is averaged.
_END = 10.0

# What a quick run sees after the trigger, in seconds.
_QUICK_SECONDS = 40.0


def at_once() -> Generator[float | None, None, None]:
    """A wait generator: no wait at all."""
    yield None
    while True:
        yield 0.0


_ONE_RETRY = Policy(
    name="one retry",
    errors=None,
    total_timeout=None,
    retry=RetryPolicy(max_attempts=2, budget=None, backoff=Backoff(wait=at_once, jitter="none")),
    breaker=None,
    attempt_timeout=_PATIENCE,
)
_RETRY = _ONE_RETRY.retry
assert _RETRY is not None
_DEADLINE = 1.5 * _PATIENCE


@frozen
class Setup:
    """Who calls, and under which policy.

    Attributes:
        name: What it is called.
        policy: Of each process.
        offered: Calls a second, of all of them.
        processes: How many, each with a pipeline of its own.
    """

    name: str
    policy: Policy
    offered: float = OFFERED
    processes: int = _PROCESSES


def setups(settings: StormSettings) -> tuple[Setup, ...]:
    """What is set side by side at the load of the example."""
    budget = evolve(_ONE_RETRY, retry=evolve(_RETRY, budget=BudgetPolicy()))
    breaker = evolve(_ONE_RETRY, breaker=BreakerPolicy())
    together = evolve(budget, breaker=BreakerPolicy(), total_timeout=_DEADLINE)
    more = (
        Setup("no retry", evolve(_ONE_RETRY, retry=None)),
        Setup("three attempts", evolve(_ONE_RETRY, retry=RetryPolicy(budget=None))),
        Setup("budget, one process", budget, processes=1),
        Setup("deadline", evolve(_ONE_RETRY, total_timeout=_DEADLINE)),
        Setup("standard pipeline", Policy()),
    )
    return (
        Setup("one retry", _ONE_RETRY),
        Setup("budget", budget),
        Setup("breaker", breaker),
        Setup("budget, breaker, deadline", together),
        Setup("pipeline, attempts of 1 s", Policy(attempt_timeout=_PATIENCE)),
        *(() if settings.quick else more),
        *(Setup(f"{own.name} (file)", own.policy) for own in settings.own),
    )


def run(setup: Setup, *, until: float, seed: int) -> Tally:
    """The example under one policy, until so many seconds after the beginning."""
    tally = Tally()
    random = randomness(seed, "metastable", setup.name, setup.offered)
    database = BrownOut(_SERVICE, workers=round(_CAPACITY * _SERVICE), then=Reply(200))
    network = Network(Held(TRIGGER, database), tally)

    async def main(session: aiohttp.ClientSession) -> None:
        processes = [
            Process(session, pipeline, network, tally)
            for pipeline in pipelines(setup.policy, setup.processes, random)
        ]
        await arrive_at_random(
            processes, rate=lambda _: setup.offered, until=until, random=random
        )

    simulate(main)
    return tally


def tell(settings: StormSettings, progress: Progress) -> Iterator[Told]:
    """Compare policies at the load of the example, then loads without a policy."""
    after = min(settings.seconds, _QUICK_SECONDS) if settings.quick else settings.seconds
    until = TRIGGER.end + after
    compared = setups(settings)
    loads = (100.0, 200.0) if settings.quick else (100.0, 180.0)
    progress.begin("metastable", len(compared) + len(loads))
    found: dict[str, Tally] = {}
    for setup in compared:
        found[setup.name] = run(setup, until=until, seed=settings.seed)
        progress.advance()
        yield _told(found, {}, until)
    by_load = {OFFERED: found["one retry"]}
    for load in loads:
        setup = Setup("one retry", _ONE_RETRY, offered=load)
        by_load[load] = run(setup, until=until, seed=settings.seed)
        progress.advance()
        yield _told(found, by_load, until)


def _mean(rates: list[float]) -> float:
    return sum(rates) / len(rates)


def _trend(delays: list[float]) -> str:
    """Which way the line in front of the server goes, if there is one."""
    if delays[-1] <= _PATIENCE:
        return ""
    return "growing" if delays[-1] > delays[0] else "shrinking"


def _end_state(what: str, tally: Tally, until: float, offered: float = OFFERED) -> list[Figure]:
    start = until - _END
    recovered = tally.recovered_at(TRIGGER.end, until, _RECOVERED * offered)
    return [
        Figure(
            what=f"goodput at the end, {what}",
            value=_mean(tally.goodput(start, until)),
            unit="calls/s",
        ),
        Figure(
            what=f"arrivals at the end, {what}",
            value=_mean(tally.arrivals(start, until)),
            unit="requests/s",
        ),
        Figure(
            what=f"recovered after, {what}",
            value=None if recovered is None else recovered - TRIGGER.end,
            unit="s",
            remark=f"not within {until - TRIGGER.end:g} s" if recovered is None else "",
        ),
        Figure(
            what=f"latency at the end, {what}",
            value=(latency := tally.latency(start, until)),
            unit="s",
            remark="nothing succeeds" if latency is None else "",
        ),
        Figure(
            what=f"the server's delay at the end, {what}",
            value=(delays := tally.delays(start, until))[-1],
            unit="s",
            remark=_trend(delays),
        ),
        Figure(what=f"calls that succeed, {what}", value=tally.success, unit="%"),
        Figure(what=f"requests per call, {what}", value=tally.requests_per_call, unit="x"),
    ]


_COLUMNS = (
    "goodput at the end",
    "arrivals at the end",
    "recovered after",
    "latency at the end",
    "the server's delay at the end",
    "calls that succeed",
    "requests per call",
)


def _told(found: dict[str, Tally], by_load: dict[float, Tally], until: float) -> Told:
    tables = [
        Table(
            title=f"Metastable: {OFFERED:g} calls/s after an outage of 10 s",
            columns=_COLUMNS,
            rows=tuple(
                (what, tuple(_end_state(what, tally, until))) for what, tally in found.items()
            ),
            remark=(
                f"{_PROCESSES} processes, each with a pipeline of its own, and a server that "
                f"answers {_CAPACITY} requests/s and works on abandoned ones too. Each row adds "
                f"to the one retry after {_PATIENCE:g} s what it names; the deadline is "
                f"{_DEADLINE:g} s. The standard pipeline waits 30 s for an attempt. Recovered is "
                f"{_RECOVERED:.0%} of what is offered, for good."
            ),
        ),
        _published(found["one retry"], until),
    ]
    if by_load:
        tables.append(_by_load(by_load, until))
    return Told(
        tables=tuple(tables),
        charts=(
            _chart("Goodput", "calls that succeed, per second", found, until, "goodput"),
            _chart("Arrivals", "requests that arrive, per second", found, until, "arrivals"),
            _chart("Delay", "seconds until an arriving request is answered", found, until, "delays"),
        ),
    )


def _published(tally: Tally, until: float) -> Table:
    goodput, arrivals, *_ = _end_state("one retry", tally, until)
    before = _mean(tally.goodput(1, TRIGGER.start))
    return Table(
        title="Metastable: what was published",
        figures=(
            Figure(
                what="goodput before the trigger, one retry",
                value=before,
                unit="calls/s",
                published="280",
                source=_SOURCE,
            ),
            evolve(goodput, published="almost none", source=_SOURCE),
            evolve(arrivals, published="560", source=_SOURCE),
        ),
    )


def _by_load(by_load: dict[float, Tally], until: float) -> Table:
    return Table(
        title="Metastable: one retry, over the load",
        columns=_COLUMNS,
        rows=tuple(
            (
                f"{load:g} calls/s",
                tuple(
                    evolve(
                        figure,
                        published="recovers" if load < _CAPACITY / 2 else "stays down",
                        source=_SOURCE,
                    )
                    if figure.what.startswith("recovered")
                    else figure
                    for figure in _end_state(f"{load:g} calls/s", tally, until, load)
                ),
            )
            for load, tally in sorted(by_load.items())
        ),
        remark="The paper: below 150 a second, half of what the server can do, it recovers.",
    )


def _chart(
    title: str, label: str, found: dict[str, Tally], until: float, counted: str
) -> Chart:
    return Chart(
        title=f"{title} around an outage of 10 s, {OFFERED:g} calls/s",
        x_label="seconds",
        y_label=label,
        lines=tuple(
            Line(name=what, xs=tally.times(0, until), ys=getattr(tally, counted)(0, until))
            for what, tally in found.items()
        ),
        spans=(Span(start=TRIGGER.start, end=TRIGGER.end, name="the trigger"),),
    )
