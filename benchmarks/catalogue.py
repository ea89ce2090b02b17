"""List the benchmarks, and run them one after another."""

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
    """A benchmark by name; its modules are imported when it runs.

    Attributes:
        name: The name of its command.
        settings_class: The class of its settings, as "module:name".
        measuring: Its function `measure(settings, progress)`, as "module:name".
    """

    name: str
    settings_class: str
    measuring: str

    def settings(self, **given: Any) -> Any:
        """Return settings with the given values, and defaults for the rest.

        Raises:
            ConfigError: A value is not allowed.
        """
        return resolve_name(self.settings_class)(**given)

    def knows(self, name: str) -> bool:
        """Tell if the benchmark has a setting of this name."""
        return name in fields_dict(resolve_name(self.settings_class))

    def measure(self) -> Measure:
        """Import and return the function that measures."""
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

# Distributions whose versions a report lists.
VERSIONS: Final = (
    "aiobreaker",
    "aiohttp-retry",
    "clientwright",
    "hyx",
    "purgatory",
    "stamina",
    "tenacity",
)


@frozen
class Task:
    """A benchmark that is ready to run.

    Attributes:
        name: The name of the benchmark.
        measure: The function that measures.
        settings: The settings to measure with.
    """

    name: str
    measure: Measure
    settings: Any


@define
class RunOutcome:
    """The outcome of running benchmarks.

    Attributes:
        results: The results. That of a benchmark that did not finish is marked as incomplete.
        missing: The names of the benchmarks without a result.
        ended_by: The KeyboardInterrupt or error that ended the run early, or None.
    """

    results: list[Result] = field(factory=list)
    missing: list[str] = field(factory=list)
    ended_by: BaseException | None = None

    @property
    def is_interrupted(self) -> bool:
        """True if Ctrl-C stopped the run."""
        return isinstance(self.ended_by, KeyboardInterrupt)


def run_tasks(tasks: tuple[Task, ...], progress: Progress) -> RunOutcome:
    """Run benchmarks until all are done, one fails, or Ctrl-C stops them."""
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
