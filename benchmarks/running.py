"""Running benchmarks one after another, and keeping what they found whatever ends them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from attrs import define, evolve, field, frozen

from benchmarks.catalogue import Measure
from benchmarks.progress import Progress
from benchmarks.results import Result

__all__ = ["Run", "Task", "run"]


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
class Run:
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


def run(tasks: tuple[Task, ...], progress: Progress) -> Run:
    """Run benchmarks until all are done, one fails, or Ctrl-C stops them."""
    found = Run()
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
