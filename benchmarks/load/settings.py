"""What to measure, and for how long."""

from __future__ import annotations

from functools import cached_property

from attrs import evolve, field, frozen

from benchmarks.contenders import STANDARD, Contender, from_file_if_any
from benchmarks.load.scenarios import SCENARIOS, Scenario
from benchmarks.settings import FLAG, SEED, TEXT, between, by_name, command
from resilient.errors import ConfigError
from resilient.support.validation import as_tuple, each, optional, positive

__all__ = ["LoadSettings"]

# The calls of a run; each leaves a record of each of its requests in memory.
_MOST_CALLS = 50_000

# How much shorter a quick run is.
_QUICK = 0.25

_PATIENCE = 10.0

# Seconds that a run, and a call in it, may take at most: whoever mistypes is not to wait for years.
_LONGEST = 3600.0
_MOST_PATIENT = 600.0


@frozen(kw_only=True)
class LoadSettings:
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
    policy_file: str | None = field(default=None, validator=TEXT)
    service: str | None = field(default=None, validator=TEXT)
    rate: float | None = field(default=None, validator=optional(positive("calls a second")))
    seconds: float | None = field(
        default=None, validator=optional(between(0.0, _LONGEST, "seconds", above=True))
    )
    workers: int = field(default=2, validator=between(1, 64))
    port: int = field(default=0, validator=between(0, 65535))
    seed: int = field(default=1, validator=SEED)
    patience: float = field(
        default=_PATIENCE, validator=between(0.0, _MOST_PATIENT, "seconds", above=True)
    )
    quick: bool = field(default=False, validator=FLAG)

    def __attrs_post_init__(self) -> None:
        # What is wrong with a name is said at once.
        _ = self.measured, self.contenders

    @cached_property
    def measured(self) -> tuple[Scenario, ...]:
        """The scenarios, as long as they are to last."""
        if self.scenarios:
            picked = by_name(self.scenarios, SCENARIOS, "scenarios")
        else:
            picked = tuple(
                each for each in SCENARIOS if (each.in_quick if self.quick else each.by_default)
            )
        return tuple(self._fitted(each) for each in picked)

    @cached_property
    def contenders(self) -> tuple[Contender, ...]:
        """The policies that are measured in every scenario."""
        standard = by_name(self.policies, STANDARD, "policies") if self.policies else STANDARD
        return (*standard, *from_file_if_any(self.policy_file, self.service))

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
        return command(
            "load",
            *self.scenarios,
            policy=self.policies,
            policy_file=self.policy_file,
            service=self.service,
            rate=self.rate,
            seconds=self.seconds,
            workers=self.workers,
            port=self.port or None,
            patience=None if self.patience == _PATIENCE else self.patience,
            seed=self.seed,
            quick=self.quick,
        )
