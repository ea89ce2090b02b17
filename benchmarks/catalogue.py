"""The benchmarks that there are, and where each has its settings and its measuring."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pkgutil import resolve_name
from typing import Any, Final

from attrs import define, evolve, field, fields_dict, frozen

from benchmarks.progress import Progress
from benchmarks.results import Result

__all__ = ["BENCHMARKS", "VERSIONS", "Benchmark", "Measure", "RunOutcome", "Task", "run_tasks"]

Measure = Callable[[Any, Progress], Iterator[Result]]


@frozen
class Benchmark:
    """A benchmark by name; it is imported when it is to run.

    Attributes:
        name: That of the command.
        settings_class: Where the class of its settings is: "module:name".
        measuring: Where its function `measure(settings, progress)` is.
    """

    name: str
    settings_class: str
    measuring: str

    def settings(self, **given: Any) -> Any:
        """Its settings: what is given, and its own defaults for all else.

        Raises:
            ConfigError: Something given makes no sense.
        """
        return resolve_name(self.settings_class)(**given)

    def knows(self, name: str) -> bool:
        """Whether there is such a setting."""
        return name in fields_dict(resolve_name(self.settings_class))

    def measure(self) -> Measure:
        """The function that measures."""
        measure: Measure = resolve_name(self.measuring)
        return measure


def _benchmark(name: str, settings_class: str) -> Benchmark:
    package = f"benchmarks.{name}"
    return Benchmark(name, f"{package}.settings:{settings_class}", f"{package}.benchmark:measure")


# In the order in which all of them run.
BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    each.name: each
    for each in (
        _benchmark("overhead", "OverheadSettings"),
        _benchmark("load", "LoadSettings"),
        _benchmark("storm", "StormSettings"),
    )
}

# Distributions whose versions stand in a report.
VERSIONS: Final = (
    "aiobreaker",
    "aiohttp-retry",
    "clientwright",
    "hdrhistogram",
    "hyx",
    "purgatory",
    "stamina",
    "tenacity",
)


@frozen
class Task:
    """A benchmark that is ready to run.

    Attributes:
        name: Its name.
        measure: What measures.
        settings: With which settings.
    """

    name: str
    measure: Measure
    settings: object


@define
class RunOutcome:
    """What came of running benchmarks.

    Attributes:
        results: What was found. That of a benchmark that did not come to its end is marked.
        missing: The names of the benchmarks that found nothing.
        ended_by: What ended the run early: a KeyboardInterrupt, or an error.
    """

    results: list[Result] = field(factory=list)
    missing: list[str] = field(factory=list)
    ended_by: BaseException | None = None

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody has stopped it."""
        return isinstance(self.ended_by, KeyboardInterrupt)


def run_tasks(tasks: tuple[Task, ...], progress: Progress) -> RunOutcome:
    """RunOutcome benchmarks until all are done, one fails, or Ctrl-C stops them."""
    found = RunOutcome()
    for index, task in enumerate(tasks):
        result: Result | None = None
        try:
            with closing(_results(task, progress)) as results:
                for result in results:  # noqa: B007 (the last one counts)
                    pass
        except (KeyboardInterrupt, Exception) as error:
            found.ended_by = error
            result = result and evolve(result, is_complete=False)
        if result is None:
            found.missing.append(task.name)
        else:
            found.results.append(result)
        if found.ended_by is not None:
            found.missing += [each.name for each in tasks[index + 1 :]]
            break
    return found


def _results(task: Task, progress: Progress) -> Generator[Result, None, None]:
    yield from task.measure(task.settings, progress)
