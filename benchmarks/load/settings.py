"""The settings of the load benchmark."""

from __future__ import annotations

from functools import cached_property

from attrs import evolve, field, frozen

from benchmarks.contenders import STANDARD, Contender, from_file_if_any
from benchmarks.load.scenarios import SCENARIOS, Scenario
from benchmarks.settings import FLAG, SEED, TEXT, between, by_name, command
from resilient.errors import ConfigError
from resilient.support.validation import as_tuple, each, optional, positive

__all__ = ["LoadSettings"]

# Calls in one run at most; each of their requests leaves a record in memory.
_MOST_CALLS = 50_000

# A quick run takes this share of the time.
_QUICK = 0.25

_PATIENCE = 10.0

# Seconds that a run takes besides its calls.
_AROUND = 1.0

# Seconds that a run, and a call in it, may take at most, so that a mistyped number is refused.
_LONGEST = 3600.0
_MOST_PATIENT = 600.0


@frozen(kw_only=True)
class LoadSettings:
    """The settings of the load benchmark. Durations are seconds.

    Attributes:
        scenarios: The names of scenarios; by default those that are measured by default.
        policies: The names of standard policies; by default all.
        policy_file: A file of services whose policies are measured too. Default None.
        service: The only service of the file to use; None, the default, for all.
        rate: Calls per second; None, the default, for each scenario's own rate.
        seconds: Seconds during which calls arrive, at most 3600; outages are stretched with
            them. None, the default, for each scenario's own time.
        workers: Processes that make calls, from 1 to 64. Default 2.
        port: The port of the server; 0, the default, for a free one.
        seed: The seed of arrivals and faults. Default 1.
        patience: The limit for a whole call, at most 600: aiohttp's own, the same under every
            policy. Default 10.
        quick: Measure fewer scenarios for a shorter time. Default False.
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
        # Unknown names are refused at once.
        _ = self.measured, self.contenders

    @cached_property
    def measured(self) -> tuple[Scenario, ...]:
        """The scenarios to measure, with their final rates and lengths."""
        if self.scenarios:
            picked = by_name(self.scenarios, SCENARIOS, "scenarios")
        else:
            picked = tuple(
                each for each in SCENARIOS if (each.in_quick if self.quick else each.by_default)
            )
        return tuple(self._adjusted(each) for each in picked)

    @cached_property
    def contenders(self) -> tuple[Contender, ...]:
        """The policies to measure in every scenario."""
        standard = by_name(self.policies, STANDARD, "policies") if self.policies else STANDARD
        return (*standard, *from_file_if_any(self.policy_file, self.service))

    def _adjusted(self, scenario: Scenario) -> Scenario:
        rate = self.rate or scenario.rate
        seconds = self.seconds or scenario.seconds * (_QUICK if self.quick else 1)
        if rate * seconds > _MOST_CALLS:
            raise ConfigError(
                f"a run of {rate:g} calls/s for {seconds:g} s is too long: rate times seconds "
                f"must be at most {_MOST_CALLS}"
            )
        return evolve(scenario.lasting(seconds), rate=rate)

    def contenders_in(self, scenario: Scenario) -> tuple[Contender, ...]:
        """Return the policies to measure in a scenario; its own are added to the pipeline."""
        has_pipeline = any(each.name == "pipeline" for each in self.contenders)
        return (*self.contenders, *(scenario.also if has_pipeline else ()))

    @property
    def expected_seconds(self) -> tuple[float, ...]:
        """The seconds of each part: the start, and each policy in each scenario."""
        runs = (each.seconds + _AROUND for each in self.measured for _ in self.contenders_in(each))
        return (_AROUND, *runs)

    @property
    def command(self) -> str:
        """The command line that runs the benchmark with these settings again."""
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
