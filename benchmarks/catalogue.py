"""The benchmarks that there are, and where each has its settings and its measuring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pkgutil import resolve_name
from typing import Any, Final

from attrs import fields_dict, frozen

from benchmarks.progress import Progress
from benchmarks.results import Result

__all__ = ["BENCHMARKS", "VERSIONS", "Benchmark", "Measure"]

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
