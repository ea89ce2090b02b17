"""Runs for the tests of the load benchmark, made up rather than measured."""

from __future__ import annotations

from benchmarks.contenders import STANDARD, Contender
from benchmarks.load.run import Run
from benchmarks.load.scenarios import SCENARIOS, Scenario
from benchmarks.load.tally import Tally

CONTENDERS = {each.name: each for each in STANDARD}


def scenario(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.name == name)


def contender(name: str) -> Contender:
    extra = {each.name: each for each in scenario("dead").also}
    return (CONTENDERS | extra)[name]


def made(
    where: str,
    who: str,
    *,
    good: int = 0,
    failures: dict[str, int] | None = None,
    latency: float = 0.002,
    lateness: float = 0.0,
    hits: int | None = None,
    arrivals: tuple[float, ...] = (),
    openings: int = 0,
    peak: int = 1,
    workers: int = 2,
) -> Run:
    """A run in which so many calls ended well, and others as they are counted."""
    tally = Tally(peak=peak, openings=openings)
    kinds = [kind for kind, count in (failures or {}).items() for _ in range(count)]
    seconds = scenario(where).seconds
    for number, kind in enumerate([*[None] * good, *kinds]):
        offset = seconds * number / (good + len(kinds))
        tally.arrive(offset, lateness)
        tally.end(offset, offset + latency, kind)
    hits = tally.calls if hits is None else hits
    return Run(scenario(where), contender(who), workers, tally, hits, arrivals)
