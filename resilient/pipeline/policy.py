"""One policy for a service: all that its pipeline is made from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from attrs import field, fields, frozen

from resilient.breaker.policy import BreakerPolicy
from resilient.bulkhead.policy import BulkheadPolicy
from resilient.core.queues import MAX_WAITING
from resilient.envelopes.policy import ErrorPolicy
from resilient.errors import ConfigError
from resilient.headers.retry_after import ResetHeader
from resilient.retry.policy import RetryPolicy
from resilient.support.validation import (
    Seconds,
    as_tuple,
    at_least,
    each,
    instance,
    optional,
    positive,
)
from resilient.telemetry.policy import TelemetryPolicy
from resilient.throttle.policy import ThrottlePolicy

__all__ = ["Policy"]

_ATTEMPT_TIMEOUT: Final = 30.0


@frozen(kw_only=True)
class Policy:
    """Everything that a service needs; None leaves a part out. Durations are seconds.

    A default gives way to a shorter `total_timeout`, so that this can be set by itself; any
    other value that contradicts it is refused.

    Attributes:
        name: What events and logs call it; by default "default".
        errors: The responses that become exceptions; by default those of `ErrorPolicy()`.
        total_timeout: The limit for the whole call, waits included, which `Deadline` keeps; by
            default 100.
        retry: The failures that are tried again; by default those of `RetryPolicy()`.
        throttle: The calls to hold back once a server refuses some; by default as
            `ThrottlePolicy()` says.
        breaker: When to stop calling; by default as `BreakerPolicy()` says.
        bulkhead: How many attempts may be under way at once; by default None, for any number.
        attempt_timeout: The limit for one attempt, which `AttemptTimeout` keeps; by default 30,
            or `total_timeout` if that is less.
        max_waiting: How many calls may wait in the queues of throttle, breaker and bulkhead
            together, for all destinations; beyond it they are refused at once. By default 10,000.
        reset_headers: Headers in which this service says when its limit is over, read where
            it sends no Retry-After; by default none.
        telemetry: The spans and metrics that OpenTelemetry gets; by default None, for none.
    """

    name: str = field(default="default", validator=instance(str, "a name"))
    errors: ErrorPolicy | None = field(
        factory=ErrorPolicy, validator=optional(instance(ErrorPolicy, "an ErrorPolicy"))
    )
    total_timeout: Seconds | None = field(default=100.0, validator=optional(positive()))
    retry: RetryPolicy | None = field(
        factory=RetryPolicy, validator=optional(instance(RetryPolicy, "a RetryPolicy"))
    )
    throttle: ThrottlePolicy | None = field(
        factory=ThrottlePolicy, validator=optional(instance(ThrottlePolicy, "a ThrottlePolicy"))
    )
    breaker: BreakerPolicy | None = field(
        factory=BreakerPolicy, validator=optional(instance(BreakerPolicy, "a BreakerPolicy"))
    )
    bulkhead: BulkheadPolicy | None = field(
        default=None, validator=optional(instance(BulkheadPolicy, "a BulkheadPolicy"))
    )
    attempt_timeout: Seconds | None = field(
        default=_ATTEMPT_TIMEOUT, validator=optional(positive())
    )
    max_waiting: int = field(default=MAX_WAITING, validator=at_least(1))
    reset_headers: tuple[ResetHeader, ...] = field(
        default=(), converter=as_tuple, validator=each(ResetHeader, "ResetHeader values")
    )
    telemetry: TelemetryPolicy | None = field(
        default=None, validator=optional(instance(TelemetryPolicy, "a TelemetryPolicy"))
    )

    def __attrs_post_init__(self) -> None:
        if found := list(self._contradictions()):
            raise ConfigError.of_all(found)

    @property
    def effective_attempt_timeout(self) -> float | None:
        """The limit for one attempt that the pipeline keeps, in seconds; None for none."""
        if self.attempt_timeout is None or self.total_timeout is None:
            return self.attempt_timeout
        return min(self.attempt_timeout, self.total_timeout)

    def _contradictions(self) -> Iterator[ConfigError]:
        # By value, and not by whether it was given: a policy that was pickled, copied or evolved
        # cannot tell.
        total = self.total_timeout
        if total is not None:
            within = f"at most total_timeout ({total:g} s)"
            attempt = self.attempt_timeout
            if attempt is not None and attempt != _ATTEMPT_TIMEOUT and attempt > total:
                yield ConfigError.of("Policy.attempt_timeout", attempt, within)
            if self.retry is not None:
                asked = self.retry.max_retry_after
                if asked != fields(RetryPolicy).max_retry_after.default and asked > total:
                    yield ConfigError.of("Policy.retry.max_retry_after", asked, within)
        gives_way = self.attempt_timeout == _ATTEMPT_TIMEOUT
        attempt = self.effective_attempt_timeout if gives_way else self.attempt_timeout
        lease = math.inf if self.breaker is None else self.breaker.probe_lease
        if lease != fields(BreakerPolicy).probe_lease.default and (attempt or 0.0) > lease:
            yield ConfigError.of(
                "Policy.breaker.probe_lease",
                lease,
                f"at least attempt_timeout ({attempt:g} s), or a probe would lose its place "
                "while it is under way",
            )
