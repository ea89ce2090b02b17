"""A benchmark that takes no time, or waits for Ctrl-C, and fails to order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from attrs import asdict, evolve, field, frozen

from benchmarks.catalogue import Benchmark
from benchmarks.progress import Progress
from benchmarks.results import Figure, Result, Table
from resilient import ConfigError
from resilient.support.validation import positive

__all__ = ["BENCHMARKS", "Settings", "measure"]


@frozen(kw_only=True)
class Settings:
    """The settings of all benchmarks, with other defaults."""

    quick: bool = False
    seed: int = 17
    peers: bool = True
    parts: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    instructions: bool = False
    scenarios: tuple[str, ...] = ("outage",)
    policies: tuple[str, ...] = ("none",)
    policy_file: str | None = None
    service: str | None = None
    rate: float = field(default=500.0, validator=positive("calls per second"))
    seconds: float = 60.0
    workers: int = 2
    port: int = 8080
    clients: int = 1000

    @property
    def expected_seconds(self) -> tuple[float, ...]:
        """One part."""
        return (1.0,)


@frozen(kw_only=True)
class Quick:
    """The settings of a benchmark in which nothing is random."""

    quick: bool = False

    @property
    def expected_seconds(self) -> tuple[float, ...]:
        """One part."""
        return (1.0,)


# What the next to run does once it has found something, by its seed.
FAILURES: dict[int, BaseException] = {
    1001: KeyboardInterrupt(),
    1002: OSError(98, "address already in use"),
    1003: ConfigError.of("Settings.scenarios", "nonsense", "some of outage, brown-out"),
    1004: ZeroDivisionError("a fault of ours"),
    1005: ModuleNotFoundError("No module named 'jinja2'", name="jinja2"),
}
BEFORE_ANYTHING = 100_000
WAIT = 1006


def measure(settings: Any, progress: Progress) -> Iterator[Result]:
    """Find two figures, and wait or fail in between."""
    seed = getattr(settings, "seed", 0)
    progress.begin("standing in", 2)
    if seed > BEFORE_ANYTHING:
        raise FAILURES[seed - BEFORE_ANYTHING]
    first = Figure(what="first", value=1.5, unit="x")
    result = Result(
        name=type(settings).__name__.lower(),
        title="A stand-in",
        summary="Nothing was done.",
        command="python -m benchmarks load",
        seed=seed,
        parameters=asdict(settings),
        tables=(Table(title="Figures", figures=(first,)),),
    )
    yield result
    progress.advance()
    if seed == WAIT:
        progress.begin("waiting")
        # In short waits: a signal that comes just before one does not end it.
        for _ in range(1200):
            time.sleep(0.05)
    if seed in FAILURES:
        raise FAILURES[seed]
    second = Figure(what="second", value=2)
    progress.advance()
    yield evolve(result, tables=(Table(title="Figures", figures=(first, second)),))


def _benchmark(name: str, settings_class: str = "Settings") -> Benchmark:
    return Benchmark(name, f"{__name__}:{settings_class}", f"{__name__}:measure")


BENCHMARKS = {
    "overhead": _benchmark("overhead", "Quick"),
    "load": _benchmark("load"),
    "storm": _benchmark("storm"),
}
