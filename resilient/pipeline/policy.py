"""One policy for a service: all that its pipeline is made from."""

from __future__ import annotations

import math
from collections.abc import Iterator

from attrs import field, frozen

from resilient.breaker import BreakerPolicy
from resilient.breaker.policy import DEFAULT_PROBE_LEASE
from resilient.envelopes.policy import ErrorPolicy
from resilient.errors import ConfigError
from resilient.retry import RetryPolicy
from resilient.retry.policy import DEFAULT_MAX_RETRY_AFTER
from resilient.support.validation import Seconds, instance, optional, positive

__all__ = ["Policy"]

DEFAULT_ATTEMPT_TIMEOUT = float("30")


@frozen(kw_only=True)
class Policy:
    """Everything that a service needs; None leaves a part out. Durations are seconds.

    Attributes:
        name: What events and logs call it.
        errors: Which responses become exceptions.
        total_timeout: For the whole call, waits included.
        retry: What is tried again.
        breaker: When to stop calling.
        attempt_timeout: For one attempt.
    """

    name: str = field(default="default", validator=instance(str, "a name"))
    errors: ErrorPolicy | None = field(
        factory=ErrorPolicy, validator=optional(instance(ErrorPolicy, "an ErrorPolicy"))
    )
    total_timeout: Seconds | None = field(default=100.0, validator=optional(positive()))
    retry: RetryPolicy | None = field(
        factory=RetryPolicy, validator=optional(instance(RetryPolicy, "a RetryPolicy"))
    )
    breaker: BreakerPolicy | None = field(
        factory=BreakerPolicy, validator=optional(instance(BreakerPolicy, "a BreakerPolicy"))
    )
    attempt_timeout: Seconds | None = field(
        default=DEFAULT_ATTEMPT_TIMEOUT, validator=optional(positive())
    )

    def __attrs_post_init__(self) -> None:
        if found := list(self._contradictions()):
            raise ConfigError.of_all(found)

    def _contradictions(self) -> Iterator[ConfigError]:
        total = self.total_timeout
        if total is not None:
            within = f"at most total_timeout ({total:g} s)"
            attempt = self.attempt_timeout
            # A default gives way in silence, so that total_timeout can be set by itself.
            if attempt is not None and attempt is not DEFAULT_ATTEMPT_TIMEOUT and attempt > total:
                yield ConfigError.of("Policy.attempt_timeout", attempt, within)
            asked = 0.0 if self.retry is None else self.retry.max_retry_after
            if asked is not DEFAULT_MAX_RETRY_AFTER and asked > total:
                yield ConfigError.of("Policy.retry.max_retry_after", asked, within)
        lease = math.inf if self.breaker is None else self.breaker.probe_lease
        if (
            self.attempt_timeout is not None
            and lease is not DEFAULT_PROBE_LEASE
            and self.attempt_timeout > lease
        ):
            yield ConfigError.of(
                "Policy.breaker.probe_lease",
                lease,
                f"at least attempt_timeout ({self.attempt_timeout:g} s), or a probe would lose "
                "its place while it is under way",
            )
