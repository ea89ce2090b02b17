"""Configure when a circuit opens, for how long, and how it closes again."""

from __future__ import annotations

from attrs import field, frozen

from resilient.core.statuses import SERVER_TROUBLE
from resilient.errors import ConfigError
from resilient.support.validation import (
    Seconds,
    as_statuses,
    at_least,
    fraction,
    instance,
    optional,
    positive,
    statuses,
)

__all__ = ["BreakerPolicy"]


@frozen(kw_only=True)
class BreakerPolicy:
    """The configuration of a circuit breaker. Durations are seconds.

    A circuit opens when `failure_rate` of the calls of the last `window` failed, once there
    were `minimum_calls` of them; or after `consecutive_failures`, if that is set; or when
    `slow_rate` of them took `slow_call` seconds or longer, if that is set.

    It stays open for `open_for`, twice as long each time it opens again soon after, never
    longer than `max_open_for`, with up to a tenth added at random; a server's Retry-After
    makes it longer, within the same maximum. Then `probes` calls are let through. When all
    of them went well it closes, and over `ramp_up` seconds traffic is let back in; when one
    failed, it opens again. A probe that nobody hears of for `probe_lease` gives its place
    to another.

    Attributes:
        failure_rate: Share of the calls that fail, above 0 and at most 1; by default 0.5.
        window: The time for which calls are counted; by default 30.
        minimum_calls: Calls in the window before the rate counts; by default 20.
        consecutive_failures: Failures in a row that open it whatever the rate; by default None,
            for no such rule. At random failures of 20 % such a rule opens for nothing.
        slow_call: The duration from which on a call is slow; by default None, for no such rule.
        slow_rate: Share of the calls that are slow; by default 0.8.
        open_for: The time that it stays open at first; by default 5.
        max_open_for: The longest that it stays open; by default 60.
        probes: Calls that are let through to see whether the server is back; by default 3.
        probe_lease: The time that a probe holds its place; by default 60.
        ramp_up: The time for which traffic is held back after closing; 0 for not at all; by
            default 5.
        statuses: Those that count as failures, numbers or ranges such as "500-504"; by default
            every 5xx but 501, 505 to 508, 510 and 511. Any other status is a success, but for
            429, which says nothing of a server's health.
        observe: Count and report, but refuse nothing; by default False.
        max_circuits: Keys that are kept at most; those that nothing is wrong with go first. By
            default 1024.
    """

    failure_rate: float = field(default=0.5, validator=fraction())
    window: Seconds = field(default=30.0, validator=positive())
    minimum_calls: int = field(default=20, validator=at_least(1))
    consecutive_failures: int | None = field(default=None, validator=optional(at_least(1)))
    slow_call: Seconds | None = field(default=None, validator=optional(positive()))
    slow_rate: float = field(default=0.8, validator=fraction())
    open_for: Seconds = field(default=5.0, validator=positive())
    max_open_for: Seconds = field(default=60.0, validator=positive())
    probes: int = field(default=3, validator=at_least(1))
    probe_lease: Seconds = field(default=60.0, validator=positive())
    ramp_up: Seconds = field(default=5.0, validator=at_least(0.0, "seconds"))
    statuses: frozenset[int] = field(
        default=SERVER_TROUBLE, converter=as_statuses, validator=statuses(400)
    )
    observe: bool = field(default=False, validator=instance(bool, "True or False"))
    max_circuits: int = field(default=1024, validator=at_least(1))

    def __attrs_post_init__(self) -> None:
        if self.max_open_for < self.open_for:
            raise ConfigError.of(
                "BreakerPolicy.max_open_for",
                self.max_open_for,
                f"at least open_for ({self.open_for:g} s)",
            )
