"""A crowd: ten thousand clients, an outage, and what comes down on a server that is just back.

A client makes a call now and then; when one fails it tries again soon, as a user does or a
worker with a queue, so that demand builds up. A hundred clients share a process, and with it
a pipeline, as they do in a web application; to see what that is worth, each has its own once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from random import Random

import aiohttp
from attrs import evolve, frozen

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, Span, Table
from benchmarks.storm.network import Network, Stalled
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import Process, pipelines, randomness, simulate
from benchmarks.storm.story import Told
from benchmarks.storm.tally import Tally
from resilient import Backoff, BreakerPolicy, Policy, RetryPolicy
from resilient.testing import BrownOut, Outage, Period, Reply

__all__ = ["Crowd", "outage_of", "run", "tell"]

_PER_PROCESS = 100

# Seconds between two calls of a client, on average: after one that went well, and after one
# that did not.
_PAUSE = 40.0
_IMPATIENCE = 1.0

# What a request takes of a worker, in seconds, and how much there is of them: the server can
# do twice what is asked of it on a good day.
_SERVICE = 0.05
_HEADROOM = 2.0

_SLICE = 0.1
# What counts as back: this share of the goodput of a good day.
_BACK = 0.5

_NO_RAMP = evolve(Policy(), breaker=BreakerPolicy(ramp_up=0.0))
_NO_JITTER = evolve(Policy(), retry=RetryPolicy(backoff=Backoff(jitter="none")))
_RETRY_ALONE = Policy(
    errors=None, total_timeout=None, breaker=None, attempt_timeout=None, retry=RetryPolicy(budget=None)
)
_BLUNT = evolve(
    _RETRY_ALONE, retry=RetryPolicy(budget=None, backoff=Backoff(jitter="none"))
)


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
    per_process: int = _PER_PROCESS
    seconds: float
    stalls: bool = False

    @property
    def rate(self) -> float:
        """Calls a second when all is well."""
        return self.clients / _PAUSE


def outage_of(seconds: float) -> Period:
    """When the outage is, in a run of so many seconds."""
    return Period(seconds / 4, seconds / 4 + seconds / 6)


def run(crowd: Crowd, *, seed: int) -> Tally:
    """What the crowd goes through."""
    tally = Tally(_SLICE)
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
        await asyncio.gather(
            *(
                _go_on_calling(processes[index % number], crowd.seconds, random)
                for index in range(crowd.clients)
            )
        )

    simulate(main)
    return tally


async def _go_on_calling(process: Process, until: float, random: Random) -> None:
    """One client, until it is time to stop."""
    loop = asyncio.get_running_loop()
    pause = _PAUSE
    while True:
        seconds = random.expovariate(1 / pause)
        if loop.time() + seconds >= until:
            return
        await asyncio.sleep(seconds)
        pause = _PAUSE if await process.call() else _IMPATIENCE


def crowds(settings: StormSettings) -> tuple[Crowd, ...]:
    """What is set side by side; the standard pipeline first."""

    def crowd(name: str, policy: Policy, *, stalls: bool = False, per_process: int = _PER_PROCESS) -> Crowd:
        return Crowd(
            name=name,
            policy=policy,
            clients=max(10, settings.clients // 10) if settings.quick else settings.clients,
            per_process=per_process,
            seconds=settings.seconds,
            stalls=stalls,
        )

    return (
        crowd("standard pipeline", Policy()),
        crowd("without ramp", _NO_RAMP),
        crowd("a pipeline for each client", Policy(), per_process=1),
        crowd("retry alone", _RETRY_ALONE),
        *(crowd(f"{own.name} (file)", own.policy) for own in settings.own),
        crowd("standard pipeline", Policy(), stalls=True),
        crowd("without jitter", _NO_JITTER, stalls=True),
        crowd("retry alone", _RETRY_ALONE, stalls=True),
        crowd("retry alone, without jitter", _BLUNT, stalls=True),
    )


def tell(settings: StormSettings, progress: Progress) -> Iterator[Told]:
    """Let the crowd go through an outage of either kind, under one policy after another."""
    compared = crowds(settings)
    progress.begin("crowd", len(compared))
    found: list[tuple[Crowd, Tally]] = []
    taken: float | None = None
    for crowd in compared:
        began = time.perf_counter()
        found.append((crowd, run(crowd, seed=settings.seed)))
        if taken is None:
            taken = time.perf_counter() - began
        progress.advance()
        yield _told(found, taken)


def _told(found: list[tuple[Crowd, Tally]], taken: float) -> Told:
    first, _ = found[0]
    fails = [(crowd, tally) for crowd, tally in found if not crowd.stalls]
    stalls = [(crowd, tally) for crowd, tally in found if crowd.stalls]
    tables = [_compared("503 at once", fails), _running(first, taken)]
    charts = [_chart("503 at once", fails)]
    if stalls:
        tables.insert(1, _compared("stalls, then fails all at once", stalls))
        charts.append(_chart("stalls, then fails all at once", stalls))
    return Told(tables=tuple(tables), charts=tuple(charts))


def _compared(outage: str, found: list[tuple[Crowd, Tally]]) -> Table:
    first, _ = found[0]
    return Table(
        title=f"Crowd: {first.clients} clients, an outage ({outage})",
        columns=(
            "peak after recovery",
            "arrivals in the outage",
            "goodput is back after",
            "work that got done",
            "requests per call",
        ),
        rows=tuple((crowd.name, tuple(_row(crowd, tally))) for crowd, tally in found),
        remark=(
            f"A client calls every {_PAUSE:g} s on average, {first.rate:g} calls/s in all, and "
            f"after a failed call every {_IMPATIENCE:g} s; {first.per_process} clients share a "
            f"process. The outage lasts {first.seconds / 6:g} of {first.seconds:g} s. Rates "
            f"are multiples of that on a good day; the peak is of {_SLICE * 1000:g} ms. Work is "
            "the calls that succeed, as a share of those of a good minute; goodput is back at "
            f"{_BACK:.0%} of it."
        ),
    )


def _row(crowd: Crowd, tally: Tally) -> list[Figure]:
    period = outage_of(crowd.seconds)
    during = tally.arrivals(period.start, period.end)
    back = tally.recovered_at(period.end, crowd.seconds, _BACK * crowd.rate)
    return [
        Figure(
            what=f"peak after recovery, {crowd.name}",
            value=max(tally.arrivals(period.end, crowd.seconds)) / crowd.rate,
            unit="x",
        ),
        Figure(
            what=f"arrivals in the outage, {crowd.name}",
            value=sum(during) / len(during) / crowd.rate,
            unit="x",
        ),
        Figure(
            what=f"goodput is back after, {crowd.name}",
            value=None if back is None else back - period.end,
            unit="s",
            remark="not within the run" if back is None else "",
        ),
        Figure(
            what=f"work that got done, {crowd.name}",
            value=100 * tally.succeeded / (crowd.rate * crowd.seconds),
            unit="%",
        ),
        Figure(what=f"requests per call, {crowd.name}", value=tally.requests_per_call, unit="x"),
    ]


def _running(crowd: Crowd, taken: float) -> Table:
    return Table(
        title="Crowd: running it",
        figures=(
            Figure(
                what=f"{crowd.clients} clients for {crowd.seconds:g} simulated seconds",
                value=taken,
                unit="s",
                wanted="less than 60" if (crowd.clients, crowd.seconds) == (10_000, 60) else "",
                holds=taken < 60 if (crowd.clients, crowd.seconds) == (10_000, 60) else None,
                remark="of real time, on one core",
            ),
        ),
    )


def _chart(outage: str, found: list[tuple[Crowd, Tally]]) -> Chart:
    first, _ = found[0]
    period = outage_of(first.seconds)
    return Chart(
        title=f"Arrivals of {first.clients} clients around an outage ({outage})",
        x_label="seconds",
        y_label="requests that arrive, per second",
        lines=tuple(
            Line(
                name=crowd.name,
                xs=tally.times(0, crowd.seconds),
                ys=tally.arrivals(0, crowd.seconds),
            )
            for crowd, tally in found
        ),
        spans=(Span(start=period.start, end=period.end, name="the outage"),),
    )
