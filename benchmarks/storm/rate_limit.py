"""A rate limit: fifty callers at once where ten requests a second are allowed.

A caller that comes too early is told to come back in a second (Retry-After: 1). The figures
say how many get through in the end, how many requests that takes, and how many come back at
the same moment, which only makes most of them wait again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import aiohttp
from attrs import evolve, frozen

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, ScenarioResult, Table, median_of
from benchmarks.storm.network import Network
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.simulation import Process, finish, pipelines, random_for, simulate
from benchmarks.storm.tally import Tally
from resilient import Policy, RetryPolicy
from resilient.testing import Limit, Reply

__all__ = ["Callers", "call_at_once", "groups", "measure"]

_CALLERS = 50
_RATE = 10
_SLICE = 0.05
_SECONDS = 8.0
_REPEAT, _QUICK_REPEAT = 10, 3


@frozen(kw_only=True)
class Callers:
    """A group of callers under one policy.

    Attributes:
        name: The name of its row.
        policy: The policy of each process.
        processes: Processes among which the callers are divided. Default 1.
    """

    name: str
    policy: Policy
    processes: int = 1


def groups(settings: StormSettings) -> tuple[Callers, ...]:
    """Return the groups to compare."""
    no_throttle = evolve(Policy(), throttle=None)
    five = evolve(no_throttle, retry=RetryPolicy(max_attempts=5, budget=None))
    return (
        Callers(name="standard pipeline", policy=Policy()),
        Callers(name="a pipeline for each caller", policy=Policy(), processes=_CALLERS),
        Callers(name="without a throttle", policy=no_throttle),
        Callers(name="five attempts, without a throttle", policy=five),
        *(Callers(name=own.name, policy=own.policy) for own in settings.own),
    )


def call_at_once(callers: Callers, random: Random) -> Tally:
    """Let all callers make one call each, at the same time, and return the counts."""
    tally = Tally(_SLICE)
    limit = Limit(f"{_RATE}/s", then=Reply(200))
    network = Network(limit, tally)

    async def main(session: aiohttp.ClientSession) -> None:
        processes = [
            Process(session, pipeline, network, tally)
            for pipeline in pipelines(callers.policy, callers.processes, random)
        ]
        loop = asyncio.get_running_loop()
        calls = [
            loop.create_task(processes[number % callers.processes].call())
            for number in range(_CALLERS)
        ]
        await finish(calls, 0.0)

    simulate(main)
    return tally


def measure(settings: StormSettings, progress: Progress) -> Iterator[ScenarioResult]:
    """Compare policies at a rate limit."""
    compared = groups(settings)
    repeat = _QUICK_REPEAT if settings.quick else _REPEAT
    progress.begin("rate limit", len(compared) * repeat)
    found: dict[str, list[Tally]] = {}
    for callers in compared:
        tallies = []
        for number in range(repeat):
            random = random_for(settings.seed, "rate-limit", callers.name, number)
            tallies.append(call_at_once(callers, random))
            progress.advance()
        found[callers.name] = tallies
    yield _result(found)


def _result(found: dict[str, list[Tally]]) -> ScenarioResult:
    return ScenarioResult(
        tables=(
            Table(
                title=f"Rate limit: {_CALLERS} callers at once, {_RATE} requests/s",
                columns=("calls that succeed", "requests", f"most in {_SLICE * 1000:g} ms again"),
                rows=tuple((name, tuple(_row(name, tallies))) for name, tallies in found.items()),
                remark=(
                    "The bucket holds as much as a second gives, and says Retry-After: 1. The "
                    "last column is how many of those who were turned away came back together."
                ),
            ),
        ),
        charts=(
            Chart(
                title="Rate limit: requests that arrive",
                x_label="seconds",
                y_label=f"requests in {_SLICE * 1000:g} ms",
                lines=tuple(
                    Line(
                        name=name,
                        xs=tallies[0].times(0, _SECONDS),
                        ys=[rate * _SLICE for rate in tallies[0].arrivals(0, _SECONDS)],
                    )
                    for name, tallies in found.items()
                ),
            ),
        ),
    )


def _row(name: str, tallies: list[Tally]) -> list[Figure]:
    # All callers are in the first slice, so it is left out.
    again = [max(tally.arrivals(_SLICE, _SECONDS)) * _SLICE for tally in tallies]
    return [
        median_of(f"calls that succeed, {name}", [float(each.succeeded) for each in tallies]),
        median_of(f"requests, {name}", [float(each.requests) for each in tallies]),
        median_of(f"most in {_SLICE * 1000:g} ms again, {name}", again),
    ]
