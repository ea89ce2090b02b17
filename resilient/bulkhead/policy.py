"""Configure how many attempts may be under way at once, and how long others wait for a place."""

from __future__ import annotations

from attrs import field, fields, frozen

from resilient.core.keys import Key, is_key
from resilient.core.statuses import SERVER_TROUBLE
from resilient.errors import ConfigError
from resilient.support.validation import (
    Seconds,
    as_statuses,
    at_least,
    check,
    instance,
    is_number,
    optional,
    statuses,
)

__all__ = ["Aimd", "BulkheadPolicy"]


@frozen(kw_only=True)
class Aimd:
    """A limit that adapts: it rises by addition and falls by multiplication, as TCP's does.

    It falls to `decrease` times itself, by one at least, when an attempt fails (a time-out, a
    broken connection, a status of `statuses`), and rises by `increase` when one goes well while
    at least half of the places are taken. `resilient.bulkhead.destination` has the rules, and
    why each is there.

    The rules and `decrease` are those of `AIMDLimit` in Netflix's concurrency-limits. That begins
    at 10 and has no maximum; here the limit begins at 20, where hanging servers were simulated,
    and ends at 200, since success alone must not open any number of connections.

    Attributes:
        initial: The limit of a destination that nothing is known of; by default 20.
        minimum: It never falls below this; by default 1.
        maximum: It never rises above this; by default 200.
        decrease: The factor by which it falls, at least 0.5 and below 1; by default 0.9.
        increase: The number of places by which it rises; by default 1.
        statuses: Those that count as failures; by default every 5xx that means trouble (all but
            501, 505, 506, 507, 508, 510 and 511). 429 says nothing: that is a limit of rate.
    """

    initial: int = field(default=20, validator=at_least(1))
    minimum: int = field(default=1, validator=at_least(1))
    maximum: int = field(default=200, validator=at_least(1))
    decrease: float = field(
        default=0.9,
        validator=check(
            "a number of at least 0.5 and below 1",
            lambda value: is_number(value) and 0.5 <= value < 1,
        ),
    )
    increase: int = field(default=1, validator=at_least(1))
    statuses: frozenset[int] = field(
        default=SERVER_TROUBLE, converter=as_statuses, validator=statuses(400)
    )

    def __attrs_post_init__(self) -> None:
        # A default gives way to an `initial` that is set by itself.
        maximum = fields(Aimd).maximum.default
        if self.minimum > self.initial:
            raise ConfigError.of("Aimd.minimum", self.minimum, f"at most initial ({self.initial})")
        if self.maximum < self.initial and self.maximum != maximum:
            raise ConfigError.of("Aimd.maximum", self.maximum, f"at least initial ({self.initial})")

    @property
    def effective_maximum(self) -> int:
        """The maximum that is kept: a default gives way to a higher `initial`."""
        return max(self.maximum, self.initial)


@frozen(kw_only=True)
class BulkheadPolicy:
    """The configuration of a bulkhead. Durations are seconds.

    Attributes:
        max_concurrent: Attempts of one key that may be under way at once; by default 20. Left
            out where `adaptive` sets the limit.
        max_wait: The longest that an attempt waits for a place; 0 to refuse it at once. By default
            30. The deadline of the call bounds it as well, and `override(max_wait=...)` takes its
            place.
        adaptive: How the limit adapts; by default None, for a fixed one.
        key: The destination that a request belongs to, declared as in `resilient.core.keys`, or
            a function of the request; by default its origin. None from a function, or a function
            that raises, lets the request pass without a place.
        max_destinations: Keys whose adapted limit is remembered while nobody is there; by
            default 1024. Those that are in use are always kept.
    """

    max_concurrent: int = field(default=20, validator=at_least(1))
    max_wait: Seconds = field(default=30.0, validator=at_least(0.0, "seconds"))
    adaptive: Aimd | None = field(default=None, validator=optional(instance(Aimd, "an Aimd")))
    key: Key = field(default="origin", validator=is_key())
    max_destinations: int = field(default=1024, validator=at_least(1))

    def __attrs_post_init__(self) -> None:
        if self.adaptive is not None and (
            self.max_concurrent != fields(BulkheadPolicy).max_concurrent.default
        ):
            raise ConfigError.of(
                "BulkheadPolicy.max_concurrent",
                self.max_concurrent,
                "left out where adaptive sets the limit (Aimd.maximum is the most)",
            )

    @property
    def initial(self) -> int:
        """The limit of a destination that nothing is known of."""
        return self.max_concurrent if self.adaptive is None else self.adaptive.initial
