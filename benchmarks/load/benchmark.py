"""Measure the policies in the scenarios, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from attrs import define, evolve

from benchmarks.contenders import STANDARD
from benchmarks.load.charts import charts
from benchmarks.load.notes import notes
from benchmarks.load.run import Run, run
from benchmarks.load.scenarios import SCENARIOS, Scenario
from benchmarks.load.settings import LoadSettings
from benchmarks.load.tables import comparison
from benchmarks.load.targets import target_tables
from benchmarks.load.worker_pool import WorkerPool
from benchmarks.progress import Progress, Silent
from benchmarks.results import Result, Table

__all__ = ["measure"]

# Seconds of calls whose figures are dropped, since the first calls import and connect.
_WARM_UP = 0.5


def measure(settings: LoadSettings, progress: Progress) -> Iterator[Result]:
    """Measure; each result adds one policy in one scenario to the one before.

    Raises:
        ConfigError: The port is taken; a policy cannot be sent to another process.
        RuntimeError: A process has ended, or took too long.
    """
    runs: dict[str, list[Run]] = {each.name: [] for each in settings.measured}
    left = sum(len(settings.contenders_in(each)) for each in settings.measured)
    with WorkerPool(settings.workers) as pool:
        progress.begin("starting")
        calm = next(each for each in SCENARIOS if each.name == "calm")
        run(calm.lasting(_WARM_UP), STANDARD[-1], settings, pool, Silent().advance)
        for scenario in settings.measured:
            for contender in settings.contenders_in(scenario):
                progress.begin(f"{scenario.name}, {contender.name}", scenario.seconds)
                on_progress = _CappedProgress(scenario.seconds, progress.advance)
                done = run(scenario, contender, settings, pool, on_progress)
                runs[scenario.name].append(done)
                left -= 1
                yield evolve(_result(settings, runs), is_complete=not left)


@define
class _CappedProgress:
    """Reports at most this many seconds, without those in which the last calls end."""

    left: float
    report: Callable[[float], object]

    def __call__(self, seconds: float) -> None:
        seconds = min(seconds, self.left)
        self.left -= seconds
        self.report(seconds)


def _result(settings: LoadSettings, runs: dict[str, list[Run]]) -> Result:
    every = tuple(chain.from_iterable(runs.values()))
    measured = [each for each in settings.measured if runs[each.name]]
    return Result(
        name="load",
        title="Policies under load, and faults",
        summary=(
            "Calls over real sockets to a server that is in trouble, from "
            f"{settings.workers} processes, at times that do not depend on the answers; the "
            "same arrivals for each policy."
        ),
        command=settings.command,
        seed=settings.seed,
        parameters={
            "workers": settings.workers,
            "patience, s": settings.patience,
            "policies": {
                each.name: each.what
                for scenario in settings.measured
                for each in settings.contenders_in(scenario)
            },
            "scenarios": {each.name: each.conditions for each in settings.measured},
        },
        tables=(
            *(_comparison(settings, each, runs[each.name]) for each in measured),
            *target_tables(every),
        ),
        charts=tuple(chain.from_iterable(charts(each, runs[each.name]) for each in measured)),
        notes=notes(every),
    )


def _comparison(settings: LoadSettings, scenario: Scenario, runs: Sequence[Run]) -> Table:
    names = [each.name for each in settings.contenders_in(scenario)]
    return comparison(scenario, names, runs)
