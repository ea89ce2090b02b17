"""What to measure, and for how long."""

from __future__ import annotations

import shlex
from functools import cached_property
from typing import Any

from attrs import Attribute, evolve, field, frozen

from benchmarks.choice import chosen
from benchmarks.contenders import STANDARD, Contender, from_file
from benchmarks.load.scenarios import SCENARIOS, Scenario
from resilient.errors import ConfigError
from resilient.validation import as_tuple, at_least, check, each, instance, optional, positive

__all__ = ["Settings"]

# The calls of a run; each leaves a record of each of its requests in memory.
_MOST_CALLS = 50_000

# How much shorter a quick run is.
_QUICK = 0.3

_TEXT = optional(check("text", lambda given: isinstance(given, str) and given != ""))


@frozen(kw_only=True)
class Settings:
    """The settings of the load benchmark. Durations are seconds.

    Attributes:
        scenarios: By name; those of the table that are measured by default if none are named.
        policies: By name; all of the standard ones if none are named.
        policy_file: A file of services whose policies are measured besides.
        service: Only this service of the file.
        rate: Calls a second, in the place of each scenario's own.
        seconds: How long calls arrive, in the place of each scenario's own time; outages are
            stretched with it.
        workers: Processes that make calls.
        port: Of the server; 0 for a free one.
        seed: Of arrivals and faults.
        patience: For a whole call; aiohttp's own limit, the same for all.
        quick: Fewer scenarios, for a shorter time.
    """

    scenarios: tuple[str, ...] = field(
        default=(), converter=as_tuple, validator=each(str, "a list of names of scenarios")
    )
    policies: tuple[str, ...] = field(
        default=(), converter=as_tuple, validator=each(str, "a list of names of policies")
    )
    policy_file: str | None = field(default=None, validator=_TEXT)
    service: str | None = field(default=None, validator=_TEXT)
    rate: float | None = field(default=None, validator=optional(positive("calls a second")))
    seconds: float | None = field(default=None, validator=optional(positive()))
    workers: int = field(default=2, validator=at_least(1))
    port: int = field(
        default=0,
        validator=check("an integer from 0 to 65535", lambda port: _whole(port, 0, 65535)),
    )
    seed: int = field(
        default=1, validator=check("an integer", lambda seed: _whole(seed, -(2**63), 2**63))
    )
    patience: float = field(default=10.0, validator=positive())
    quick: bool = field(default=False, validator=instance(bool, "True or False"))

    @workers.validator
    def _not_too_many(self, attribute: Attribute[int], workers: Any) -> None:
        if workers > 64:
            raise ConfigError.of("Settings.workers", workers, "at most 64")

    def __attrs_post_init__(self) -> None:
        # What is wrong with a name is said at once.
        _ = self.measured, self.contenders

    @cached_property
    def measured(self) -> tuple[Scenario, ...]:
        """The scenarios, as long as they are to last."""
        if self.scenarios:
            picked = chosen(self.scenarios, SCENARIOS, "scenarios")
        else:
            picked = tuple(
                each for each in SCENARIOS if (each.in_quick if self.quick else each.by_default)
            )
        return tuple(self._fitted(each) for each in picked)

    @cached_property
    def contenders(self) -> tuple[Contender, ...]:
        """The policies that are measured in every scenario."""
        if self.service is not None and self.policy_file is None:
            raise ConfigError.of("Settings.service", self.service, "None without a policy_file")
        standard = chosen(self.policies, STANDARD, "policies") if self.policies else STANDARD
        own = from_file(self.policy_file, self.service) if self.policy_file is not None else ()
        of_scenarios = (each for scenario in SCENARIOS for each in scenario.also)
        taken = {each.name for each in (*STANDARD, *of_scenarios)}
        return (
            *standard,
            *(evolve(each, name=_apart(each.name, taken)) for each in own),
        )

    def _fitted(self, scenario: Scenario) -> Scenario:
        rate = self.rate or scenario.rate
        seconds = self.seconds or scenario.seconds * (_QUICK if self.quick else 1)
        if rate * seconds > _MOST_CALLS:
            raise ConfigError(
                f"a run of {rate:g} calls/s for {seconds:g} s is too long: rate times seconds "
                f"must be at most {_MOST_CALLS}"
            )
        return evolve(scenario.lasting(seconds), rate=rate)

    def contenders_in(self, scenario: Scenario) -> tuple[Contender, ...]:
        """Whom a scenario is about; those of its own go with the standard pipeline."""
        has_pipeline = any(each.name == "pipeline" for each in self.contenders)
        return (*self.contenders, *(scenario.also if has_pipeline else ()))

    @property
    def command(self) -> str:
        """What runs it again."""
        words = ["python", "-m", "benchmarks", "load"]
        for name in self.scenarios:
            words += ["--scenario", name]
        for name in self.policies:
            words += ["--policy", name]
        for option in ("policy_file", "service", "rate", "seconds"):
            value = getattr(self, option)
            if value is not None:
                given = value if isinstance(value, str) else f"{value:g}"
                words += [f"--{option.replace('_', '-')}", given]
        words += ["--workers", f"{self.workers}", "--seed", f"{self.seed}"]
        words += ["--port", f"{self.port}"] if self.port else []
        words += ["--quick"] if self.quick else []
        return shlex.join(words)


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _apart(name: str, taken: set[str]) -> str:
    """A name that no standard policy has."""
    return f"{name} (file)" if name in taken else name
