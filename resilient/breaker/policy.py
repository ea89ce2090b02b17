"""Configure when a circuit opens, for how long, and how it closes again."""

from __future__ import annotations

from attrs import field, frozen

from resilient.core.keys import Key, is_key
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

    A circuit has a score. Each failure adds 1 to it; each success takes so much off it that at
    failures below `failure_rate` it falls. At `failures` the circuit opens, so that a total
    outage opens it after that many failures, whatever went well before. With `slow_call` slow
    calls have a score of their own, by `slow_rate`.

    It stays open for `open_for`, each time it opens again `open_factor` times as long, never
    longer than `max_open_for`, with up to a tenth added at random; a server's Retry-After makes
    it longer, up to `max_open_retry_after`. Then a call is let through as a probe, and more of
    them, up to `probes` at once, while none has been answered. When one goes well, traffic is
    let back in at the rate that was usual before, and the circuit closes.

    Callers wait for that, for `patience` a call, while the outage is younger than
    `patience_horizon`: soon after it began the odds of an early end are good.

    Attributes:
        failures: The score at which it opens; by default 20.
        failure_rate: Share of the calls that fail below which it does not open in the long
            run, above 0 and at most 1; by default 0.9.
        window: The time after a failure in which the next one counts with it; by default 30.
        consecutive_failures: Failures in a row that open it whatever the score; by default None,
            for no such rule. At random failures of 20 % such a rule opens for nothing.
        slow_call: The duration from which on a call is slow; by default None, for no such rule.
        slow_rate: Share of the calls that are slow below which it does not open; by default 0.9.
        open_for: The time that it stays open at first; by default 0.5.
        open_factor: By what that grows each time it opens again; by default 1.5.
        max_open_for: The longest that it stays open; by default 5.
        max_open_retry_after: The longest that it stays open because the server said so; by
            default 60.
        probes: Probes that may be under way at once; by default 12.
        probe_lease: The time that a probe holds its place if nobody hears of it; by default 60.
        recovery: The time in which traffic comes back gradually if the server was hanging; by
            default 5.
        patience: The time that a call may wait for an open circuit, over all of its attempts; 0
            to refuse at once. By default 2. It gives way to whatever limit is shorter.
        patience_horizon: The age of an outage at which calls no longer wait; by default 30.
        abandoned_after: The time without an answer after which an attempt that its caller gives
            up is a failure, if nothing at all was answered meanwhile; by default 10.
        statuses: Those that count as failures, numbers or ranges such as "500-504"; by default
            every 5xx but 501, 505 to 508, 510 and 511. Any other status is a success, but for
            429, which says nothing of a server's health. Errors with a code that means the same
            (`ErrorPolicy.throttling_codes`) count as 429.
        key: What has a circuit of its own: "origin", that with "path:N", "method" and
            "header:NAME" joined by "+", or a function of the request. By default "origin".
        observe: Count and report, but refuse and hold nothing; by default False.
        max_destinations: Keys that are kept at most; those that nothing is wrong with go first.
            By default 1024.
    """

    failures: int = field(default=20, validator=at_least(1))
    failure_rate: float = field(default=0.9, validator=fraction())
    window: Seconds = field(default=30.0, validator=positive())
    consecutive_failures: int | None = field(default=None, validator=optional(at_least(1)))
    slow_call: Seconds | None = field(default=None, validator=optional(positive()))
    slow_rate: float = field(default=0.9, validator=fraction())
    open_for: Seconds = field(default=0.5, validator=positive())
    open_factor: float = field(default=1.5, validator=at_least(1.0))
    max_open_for: Seconds = field(default=5.0, validator=positive())
    max_open_retry_after: Seconds = field(default=60.0, validator=at_least(0.0, "seconds"))
    probes: int = field(default=12, validator=at_least(1))
    probe_lease: Seconds = field(default=60.0, validator=positive())
    recovery: Seconds = field(default=5.0, validator=at_least(0.0, "seconds"))
    patience: Seconds = field(default=2.0, validator=at_least(0.0, "seconds"))
    patience_horizon: Seconds = field(default=30.0, validator=at_least(0.0, "seconds"))
    abandoned_after: Seconds = field(default=10.0, validator=positive())
    statuses: frozenset[int] = field(
        default=SERVER_TROUBLE, converter=as_statuses, validator=statuses(400)
    )
    key: Key = field(default="origin", validator=is_key())
    observe: bool = field(default=False, validator=instance(bool, "True or False"))
    max_destinations: int = field(default=1024, validator=at_least(1))

    def __attrs_post_init__(self) -> None:
        if self.max_open_for < self.open_for:
            raise ConfigError.of(
                "BreakerPolicy.max_open_for",
                self.max_open_for,
                f"at least open_for ({self.open_for:g} s)",
            )
