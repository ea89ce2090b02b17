"""The storm benchmark: measure one scenario after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.progress import Progress
from benchmarks.results import Result, ScenarioResult
from benchmarks.storm import crowd, jitter, metastable, rate_limit, throttling, trouble
from benchmarks.storm.settings import SCENARIOS, StormSettings

__all__ = ["measure"]

_MEASURES: dict[str, Callable[[StormSettings, Progress], Iterator[ScenarioResult]]] = {
    "trouble": trouble.measure,
    "jitter": jitter.measure,
    "throttling": throttling.measure,
    "metastable": metastable.measure,
    "crowd": crowd.measure,
    "rate-limit": rate_limit.measure,
}
assert tuple(_MEASURES) == SCENARIOS


def measure(settings: StormSettings, progress: Progress) -> Iterator[Result]:
    """Measure the scenarios, and yield all that is known so far each time there is more.

    The same settings give the same result, except for the real time that the crowd takes.
    """
    done: list[ScenarioResult] = []
    for scenario in dict.fromkeys(settings.scenarios):
        result = ScenarioResult()
        for result in _MEASURES[scenario](settings, progress):
            yield _together(settings, [*done, result], is_complete=False)
        done.append(result)
    yield _together(settings, done, is_complete=True)


def _together(
    settings: StormSettings, results: list[ScenarioResult], *, is_complete: bool
) -> Result:
    return Result(
        name="storm",
        title="Storms in virtual time",
        summary=(
            "Many clients against a server in trouble: the library's own middlewares, with the "
            "network and the server behind them simulated, beside what others have published."
        ),
        command=settings.command,
        seed=settings.seed,
        parameters={
            "scenarios": settings.scenarios,
            "rows": settings.rows,
            "columns": settings.columns,
            "seeds": settings.seeds,
            "clients": settings.clients,
            "seconds": settings.seconds,
            "policy_file": settings.policy_file,
            "service": settings.service,
            "quick": settings.quick,
        },
        tables=tuple(table for each in results for table in each.tables),
        # The picture of the headline is the first.
        charts=tuple(
            chart
            for each in sorted(results, key=lambda each: not each.headline)
            for chart in each.charts
        ),
        notes=tuple(note for each in results for note in each.notes),
        is_complete=is_complete,
        headline=next((each.headline for each in results if each.headline), ""),
    )
