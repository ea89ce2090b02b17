"""Benchmarks run one after another; what they found is kept whatever ends them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve

from benchmarks import catalogue
from benchmarks.catalogue import Task, run_tasks
from benchmarks.progress import Progress, Silent
from benchmarks.results import Result

RESULT = Result(name="load", title="first", summary="", command="")


def task(*steps: Result | BaseException, name: str = "load", log: list[str] | None = None) -> Task:
    """Something that yields results and raises errors, in that order."""

    def measure(settings: Any, progress: Progress) -> Iterator[Result]:
        try:
            for step in steps:
                if isinstance(step, BaseException):
                    raise step
                yield step
        finally:
            if log is not None:
                log.append(f"{name} cleaned up")

    return Task(name, measure, None)


def test_the_last_result_counts() -> None:
    found = run_tasks((task(RESULT, evolve(RESULT, title="second")),), Silent())
    assert [each.title for each in found.results] == ["second"]
    assert found.results[0].is_complete
    assert found.ended_by is None
    assert found.missing == []
    assert not found.is_interrupted


def test_one_follows_the_other_with_its_settings() -> None:
    seen = []

    def measure(settings: Any, progress: Progress) -> Iterator[Result]:
        seen.append((settings, progress))
        yield RESULT

    progress = Silent()
    run_tasks((Task("a", measure, 1), Task("b", measure, 2)), progress)
    assert seen == [(1, progress), (2, progress)]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(), RuntimeError()], ids=repr)
def test_what_was_found_before_is_kept_and_marked(error: BaseException) -> None:
    found = run_tasks(
        (task(RESULT, name="a"), task(RESULT, error, name="b"), task(RESULT)), Silent()
    )
    assert [each.is_complete for each in found.results] == [True, False]
    assert found.missing == ["load"]
    assert found.ended_by is error
    assert found.is_interrupted is isinstance(error, KeyboardInterrupt)


def test_one_that_found_nothing_is_missing() -> None:
    found = run_tasks((task(KeyboardInterrupt(), name="a"), task(RESULT, name="b")), Silent())
    assert found.results == []
    assert found.missing == ["a", "b"]
    assert run_tasks((task(name="a"),), Silent()).missing == ["a"]


def test_what_stops_the_interpreter_is_not_held_up() -> None:
    with pytest.raises(SystemExit):
        run_tasks((task(RESULT, SystemExit()),), Silent())


def test_an_interrupt_between_two_steps_lets_the_benchmark_clean_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log: list[str] = []
    measured = task(RESULT, RESULT, log=log)

    steps = measured.measure(None, Silent())
    monkeypatch.setattr(catalogue, "_results", lambda *_: Interrupting(steps))
    found = run_tasks((measured,), Silent())
    assert log == ["load cleaned up"]
    assert found.is_interrupted
    assert not found.results[0].is_complete


class Interrupting:
    """Gives one result, and is interrupted outside of what gives it."""

    def __init__(self, steps: Iterator[Result]) -> None:
        self.steps = steps
        self.given = 0

    def __iter__(self) -> Interrupting:
        return self

    def __next__(self) -> Result:
        self.given += 1
        if self.given > 1:
            raise KeyboardInterrupt
        return next(self.steps)

    def close(self) -> None:
        self.steps.close()  # type: ignore[attr-defined]  # a generator
