"""The storm benchmark: one story after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.progress import Progress
from benchmarks.results import Result
from benchmarks.storm import crowd, jitter, metastable, rate_limit, throttling
from benchmarks.storm.settings import STORIES, StormSettings
from benchmarks.storm.story import Told

__all__ = ["measure"]

_Tell = Callable[[StormSettings, Progress], Iterator[Told]]

_TELL: dict[str, _Tell] = {
    "jitter": jitter.tell,
    "throttling": throttling.tell,
    "metastable": metastable.tell,
    "crowd": crowd.tell,
    "rate-limit": rate_limit.tell,
}
assert tuple(_TELL) == STORIES


def measure(settings: StormSettings, progress: Progress) -> Iterator[Result]:
    """Tell the stories, and yield all that is known so far each time there is more.

    The same settings give the same result, but for the real time that the crowd takes.
    """
    done: list[Told] = []
    for story in dict.fromkeys(settings.stories):
        told = Told()
        for told in _TELL[story](settings, progress):
            yield _result(settings, [*done, told], is_complete=False)
        done.append(told)
    yield _result(settings, done, is_complete=True)


def _result(settings: StormSettings, told: list[Told], *, is_complete: bool) -> Result:
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
            "stories": settings.stories,
            "clients": settings.clients,
            "seconds": settings.seconds,
            "policy_file": settings.policy_file,
            "service": settings.service,
            "quick": settings.quick,
        },
        tables=tuple(table for each in told for table in each.tables),
        charts=tuple(chart for each in told for chart in each.charts),
        notes=tuple(note for each in told for note in each.notes),
        is_complete=is_complete,
    )
