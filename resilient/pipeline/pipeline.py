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

import warnings
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self, TypeVar, overload

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

from resilient.breaker import CircuitBreaker
from resilient.breaker.middleware import Key
from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.envelopes.middleware import NormalizeErrors
from resilient.errors import ConfigError
from resilient.pipeline.describe import describe, name_of
from resilient.pipeline.fuse import nested
from resilient.pipeline.order import problems
from resilient.pipeline.policy import Policy
from resilient.retry import Retry, RetryBudget
from resilient.telemetry.emitter import make_emitter
from resilient.timeouts import AttemptTimeout, Deadline

if TYPE_CHECKING:
    from resilient.telemetry.events import Listener

__all__ = ["Pipeline", "PipelineWarning"]

_M = TypeVar("_M")


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
