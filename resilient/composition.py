"""One policy for a service, and the pipeline that carries it out.

The standard order, outermost first, and what changes if two neighbours change places:

    deadline          one limit over everything inside
      ⇅               inside retry: each attempt has the whole time, so that a call may take
                      `max_attempts` times as long, and the waits are not limited at all
    retry             attempts, waits
      ⇅               inside the breaker: a call counts once, by its last attempt; the
                      breaker learns of an outage later, and refuses whole calls only
    breaker           refuses while the server is down
      ⇅               inside normalisation: works as well, on statuses alone; slow error
                      bodies no longer count as slow calls
    normalisation     an error response becomes an exception
      ⇅               inside the attempt's time-out: the reading of an error body counts
                      against it, and an error may come out as a time-out
    attempt time-out  a limit on each attempt

Normalisation inside retry and breaker lets both know error codes, and reading the error
body gives the connection back. Other middlewares stand where they should act: outside retry
once a hop, inside it once an attempt.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self, TypeVar, overload

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from attrs import field, frozen

from resilient.breaker import BreakerPolicy, CircuitBreaker
from resilient.breaker.middleware import Key
from resilient.breaker.policy import DEFAULT_PROBE_LEASE
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.emitter import make_emitter
from resilient.envelopes.middleware import NormalizeErrors
from resilient.envelopes.policy import ErrorPolicy
from resilient.errors import ConfigError
from resilient.nesting import nested
from resilient.order import describe, name_of, problems
from resilient.retry import Retry, RetryBudget, RetryPolicy
from resilient.retry.policy import DEFAULT_MAX_RETRY_AFTER
from resilient.timeouts import AttemptTimeout, Deadline
from resilient.validation import Seconds, instance, optional, positive

if TYPE_CHECKING:
    from resilient.events import Listener

__all__ = ["Pipeline", "PipelineWarning", "Policy"]

DEFAULT_ATTEMPT_TIMEOUT = float("30")

_M = TypeVar("_M")


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


class PipelineWarning(UserWarning):
    """A pipeline whose order makes no sense."""


class Pipeline(Sequence[ClientMiddlewareType]):
    """Middlewares in a row, as one middleware; the first is outermost.

        session = aiohttp.ClientSession(middlewares=[Pipeline()])           # the standard one
        Pipeline(Policy(total_timeout=10, retry=RetryPolicy(max_attempts=2)))
        Pipeline.of(Retry(), my_auth, CircuitBreaker())                     # any other

    It is a sequence of its middlewares as well, and `print(pipeline)` describes it.

    Args:
        policy: What the standard order is made from.
        listeners: Told of what happens.
        key: Which circuit a request belongs to, if there is a breaker; by default one per
            origin.
        budget: A retry budget to share with other pipelines, if there is a retry.
        clock: The source of time, sleep and randomness.
    """

    __slots__ = ("_first", "_inner", "_middlewares", "policy")

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        listeners: Iterable[Listener] = (),
        key: Key | None = None,
        budget: RetryBudget | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        policy = Policy() if policy is None else policy
        if not isinstance(policy, Policy):
            raise ConfigError.of(
                "Pipeline.policy", policy, "a Policy (middlewares go into Pipeline.of)"
            )
        emitter = make_emitter(listeners, policy.name)
        parts: list[ClientMiddlewareType] = []
        if policy.total_timeout is not None:
            parts.append(Deadline(policy.total_timeout, clock=clock))
        if policy.retry is not None:
            parts.append(Retry(policy.retry, budget=budget, listeners=emitter, clock=clock))
        if policy.breaker is not None:
            own_key = {} if key is None else {"key": key}
            parts.append(CircuitBreaker(policy.breaker, listeners=emitter, clock=clock, **own_key))
        if policy.errors is not None:
            parts.append(NormalizeErrors(policy.errors, listeners=emitter, clock=clock))
        if policy.attempt_timeout is not None:
            parts.append(AttemptTimeout(policy.attempt_timeout, clock=clock))
        self.policy: Policy | None = policy
        self._compose(parts)

    def _compose(self, middlewares: Sequence[ClientMiddlewareType]) -> None:
        self._middlewares = tuple(middlewares)
        self._first, *inner = nested(self._middlewares)
        self._inner = tuple(reversed(inner))

    @classmethod
    def of(cls, *middlewares: ClientMiddlewareType) -> Self:
        """A pipeline of any middlewares in any order; pipelines among them are taken apart.

        Warns:
            PipelineWarning: The order makes no sense.

        Raises:
            ConfigError: Something that is not a middleware.
        """
        return cls._of(middlewares, stacklevel=4)

    @classmethod
    def _of(cls, middlewares: Iterable[ClientMiddlewareType], stacklevel: int) -> Self:
        flat = flatten(middlewares)
        for middleware in flat:
            if not callable(middleware) or isinstance(middleware, type):
                raise ConfigError.of("Pipeline.of", middleware, "given middlewares")
        warn(problems(flat), stacklevel=stacklevel)
        pipeline = cls.__new__(cls)
        pipeline.policy = None
        pipeline._compose(flat)
        return pipeline

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Run a request through all of them."""
        for run in self._inner:
            # No coroutine of its own: the middleware's is handed through.
            handler = lambda request, run=run, handler=handler: run(request, handler)  # type: ignore[misc]  # noqa: E731 (mypy cannot tell its type; a function that makes it costs a call)
        return self._first(request, handler)

    def find(self, kind: type[_M]) -> _M | None:
        """The first middleware of a kind, or None."""
        return next((each for each in self._middlewares if isinstance(each, kind)), None)

    @property
    def breaker(self) -> CircuitBreaker:
        """Its circuit breaker.

        Raises:
            LookupError: It has none.
        """
        breaker = self.find(CircuitBreaker)
        if breaker is None:
            raise LookupError("this pipeline has no circuit breaker")
        return breaker

    def describe(self) -> str:
        """What is in it, outermost first, a line each."""
        return "\n".join(f"{place}. {describe(each)}" for place, each in enumerate(self, 1))

    __str__ = describe

    def __repr__(self) -> str:
        return f"<Pipeline {' > '.join(name_of(each) for each in self._middlewares)}>"

    @overload
    def __getitem__(self, index: int) -> ClientMiddlewareType: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ClientMiddlewareType, ...]: ...
    def __getitem__(
        self, index: int | slice
    ) -> ClientMiddlewareType | tuple[ClientMiddlewareType, ...]:
        """A middleware by its place."""
        return self._middlewares[index]

    def __len__(self) -> int:
        return len(self._middlewares)

    def __iter__(self) -> Iterator[ClientMiddlewareType]:
        return iter(self._middlewares)

    # Two pipelines are the same only if they share their state.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def warn(found: Iterable[str], stacklevel: int) -> None:
    """Warn of what makes no sense, at the line that asked for it."""
    for problem in found:
        warnings.warn(problem, PipelineWarning, stacklevel=stacklevel)


def flatten(middlewares: Iterable[ClientMiddlewareType]) -> list[ClientMiddlewareType]:
    """The middlewares, with pipelines among them taken apart."""
    return [
        part for each in middlewares for part in (each if isinstance(each, Pipeline) else (each,))
    ]
