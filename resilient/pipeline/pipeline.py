"""Middlewares in a row, as one middleware."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

from resilient.breaker.middleware import CircuitBreaker
from resilient.bulkhead.middleware import Bulkhead
from resilient.clock import SYSTEM_CLOCK, Clock, LoopBound
from resilient.core.guard import Guard
from resilient.core.queues import Room
from resilient.errors import ConfigError
from resilient.pipeline.branches import Branches
from resilient.pipeline.describe import describe, name_of
from resilient.pipeline.fuse import fuse
from resilient.pipeline.optimistic import optimistic
from resilient.pipeline.order import kind_of, problems
from resilient.pipeline.policy import Policy
from resilient.pipeline.standard import STANDARD, Shared
from resilient.retry.budget import RetryBudget
from resilient.retry.middleware import Retry
from resilient.support.validation import instance, optional, validated
from resilient.telemetry.emitter import make_emitter
from resilient.telemetry.events import Listener
from resilient.telemetry.policy import TelemetryPolicy
from resilient.telemetry.telemetry import Telemetry
from resilient.throttle.middleware import Throttle

__all__ = ["Pipeline", "PipelineWarning", "flatten", "warn"]

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
        policy: The policy that the standard order is made from; `Policy()` by default.
        listeners: Told of what happens.
        budget: A retry budget to share with other pipelines; by default each has its own.
        throttle: A throttle to share with other pipelines, in the place of the policy's.
        bulkhead: A bulkhead to share with other pipelines, in the place of the policy's.
        telemetry: What a policy with telemetry tells of its calls; by default OpenTelemetry's
            global providers. Without a policy, the standard one with telemetry is made.
        clock: The source of time, sleep and randomness; by default the event loop's and the
            system's.

    Attributes:
        policy: The policy that it was made from; None for one of `Pipeline.of`.

    Raises:
        ConfigError: Something that is not a policy.
        ModuleNotFoundError: The policy has telemetry, and OpenTelemetry is not installed.
    """

    # An instance is called through its own slot: a method would be another frame in each call.
    __slots__ = ("__call__", "__weakref__", "_middlewares", "_parts", "_shared", "policy")

    if TYPE_CHECKING:

        def __call__(
            self, request: ClientRequest, handler: ClientHandlerType
        ) -> Awaitable[ClientResponse]:
            """Run a request through all of the middlewares."""

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        listeners: Iterable[Listener] = (),
        budget: RetryBudget | None = None,
        throttle: Throttle | None = None,
        bulkhead: Bulkhead | None = None,
        telemetry: Telemetry | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if policy is None:
            policy = Policy(telemetry=None if telemetry is None else TelemetryPolicy())
        if not isinstance(policy, Policy):
            raise ConfigError.of(
                "Pipeline.policy", policy, "a Policy (middlewares go into Pipeline.of)"
            )
        validated(self, "budget", budget, optional(instance(RetryBudget, "a RetryBudget")))
        validated(self, "throttle", throttle, optional(instance(Throttle, "a Throttle")))
        validated(self, "bulkhead", bulkhead, optional(instance(Bulkhead, "a Bulkhead")))
        validated(self, "telemetry", telemetry, optional(instance(Telemetry, "a Telemetry")))
        emitter = make_emitter(listeners, policy.name)
        telemetry = _told_by(policy, telemetry)
        if _has_metrics(policy) and telemetry not in emitter.listeners:
            emitter = make_emitter(_heard(policy, emitter, telemetry), policy.name)
        room = Room(policy.max_waiting)
        shared = Shared(clock, emitter, room, budget, throttle, bulkhead, telemetry)
        self._take(policy, shared, [part.made(policy, shared) for part in STANDARD])

    def _take(self, policy: Policy, shared: Shared, parts: list[Any]) -> None:
        """Take over a policy, and the parts that were made from it."""
        self.policy: Policy | None = policy
        self._shared = shared
        self._parts = parts
        self._compose([each for each in parts if each is not None])
        if shared.telemetry is not None and _has_metrics(policy):
            for each in parts:
                if isinstance(each, Guard):
                    shared.telemetry.instruments.observed.add(policy.name, each)

    def _prepared(
        self, policy: Policy, listeners: Iterable[Listener], telemetry: Telemetry | None
    ) -> Callable[[], None]:
        """Return a function that puts a policy in the place of the one that it was made from.

        Parts with state whose settings are the same stay, and with them circuits, gates, queues and
        budgets. Those who wait at a guard that goes are asked anew by the one in its place. Calls
        under way go on with the parts that they began with.

        Args:
            policy: The policy, of the same name.
            listeners: Told of what happens, from then on.
            telemetry: What the policy tells of its calls if it has telemetry.

        Raises:
            ModuleNotFoundError: The policy has telemetry, and OpenTelemetry is not installed.
            RuntimeError: Calls run through it in the event loop of another thread.
        """
        if any(each.is_used_elsewhere for each in self._parts if isinstance(each, LoopBound)):
            # Those who wait are woken, and no other thread may do that.
            raise RuntimeError(
                "the services are in use in the event loop of another thread: replace them there, "
                "as by loop.call_soon_threadsafe"
            )
        before, old = self.policy, self._shared
        assert before is not None, "it was made from one"
        telemetry = _told_by(policy, telemetry)
        shared = old._replace(telemetry=telemetry)
        makes = shared
        if before.retry is not None and policy.retry is not None and old.budget is None:
            retry = self.find(Retry)
            if retry is not None and before.retry.budget == policy.retry.budget:
                makes = shared._replace(budget=retry.budget)
        parts: list[Any] = []
        for part, known in zip(STANDARD, self._parts, strict=True):
            is_same = known is not None and part.settings is not None
            if is_same and part.settings is not None:
                is_same = part.settings(before) == part.settings(policy)
            parts.append(known if is_same else part.made(policy, makes))
        heard = _heard(policy, listeners, telemetry)

        def commit() -> None:
            shared.room.limit = policy.max_waiting
            shared.emitter.listen(heard)
            gone = [pair for pair in zip(self._parts, parts, strict=True) if pair[0] is not pair[1]]
            self._take(policy, shared, parts)
            for known, heir in gone:
                if isinstance(known, Guard):
                    known.retire(heir)

        return commit

    def _compose(self, middlewares: Sequence[ClientMiddlewareType]) -> None:
        self._middlewares = tuple(middlewares)
        general = _nested(fuse(self._middlewares))
        run = optimistic(self._middlewares, general) or general
        object.__setattr__(self, "__call__", run)

    @classmethod
    def of(cls, *middlewares: ClientMiddlewareType) -> Self:
        """Make a pipeline of any middlewares in any order; pipelines among them are taken apart.

        Warns:
            PipelineWarning: The order makes no sense.

        Raises:
            ConfigError: Something that is not a middleware.
        """
        return cls._of(middlewares, "Pipeline.of", stacklevel=4)

    @classmethod
    def _of(
        cls, middlewares: Iterable[ClientMiddlewareType], where: str, *, stacklevel: int
    ) -> Self:
        flat = flatten(middlewares)
        for middleware in flat:
            if isinstance(middleware, Policy):
                raise ConfigError.of(where, middleware, "given middlewares: Pipeline(policy)")
            if not callable(middleware) or isinstance(middleware, type):
                raise ConfigError.of(where, middleware, "given middlewares")
        warn(problems(flat), stacklevel=stacklevel)
        pipeline = cls.__new__(cls)
        pipeline.policy = None
        pipeline._compose(flat)
        return pipeline

    def find(self, kind: type[_M]) -> _M | None:
        """Return the first middleware of a kind, or None."""
        return next((each for each in self._middlewares if isinstance(each, kind)), None)

    @property
    def retry(self) -> Retry:
        """The first Retry.

        Raises:
            LookupError: There is none.
        """
        return self._found(Retry, "retry")

    @property
    def breaker(self) -> CircuitBreaker:
        """The first circuit breaker.

        Raises:
            LookupError: There is none.
        """
        return self._found(CircuitBreaker, "circuit breaker")

    @property
    def throttle(self) -> Throttle:
        """The first throttle.

        Raises:
            LookupError: There is none.
        """
        return self._found(Throttle, "throttle")

    @property
    def bulkhead(self) -> Bulkhead:
        """The first bulkhead.

        Raises:
            LookupError: There is none.
        """
        return self._found(Bulkhead, "bulkhead")

    def _found(self, kind: type[_M], name: str) -> _M:
        found = self.find(kind)
        if found is not None:
            return found
        inside: tuple[object, ...] = self._middlewares
        branches = next((each for each in inside if isinstance(each, Branches)), None)
        if branches is None:
            raise LookupError(f"this pipeline has no {name}")
        what = name_of(branches)
        raise LookupError(
            f"this pipeline itself has no {name}: it hands requests to {what} "
            f"({branches.summary()}), and each of those has its own: "
            f'pipeline.find({what})["NAME"]'
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the state of its guards and budgets now, as plain data for a health endpoint.

        It can be written as JSON. A part that the pipeline does not have is not there. Keys are
        those of the parts' policies, as a rule origins; credentials that a declared key names are
        hashed, those of gates are left out. Times are seconds from now.

            {"budgets":   {KEY: {"left":     the retries that may still fail
                                 "capacity": those of a full budget}, ...}, which are not full
             "gates":     {KEY: [{"part":    method and first path segment; null for all
                                  "rate":    calls a second that it lets through
                                  "seconds": until it lets the next one through
                                  "server_seconds": until the time is over that the server named
                                  "waiting": calls that wait at it}, ...], ...}, which are in
                          force, and the declared limits that somebody waits for
             "circuits":  {KEY: {"state":       "closed", "open" or "half_open"
                                 "isolated":    whether somebody opened it by hand
                                 "score":       of failures; it opens at `failures`
                                 "retry_after": until it lets a call through; null if isolated
                                 "waiting":     calls that wait for it}, ...}
             "bulkheads": {KEY: {"limit":   attempts that may be under way
                                 "in_use":  those that are
                                 "waiting": calls that wait for a place}, ...}, where somebody is}

        Services in it add theirs, as `Services.snapshot` has it.
        """
        found: dict[str, Any] = {}
        for middleware in self._middlewares:
            is_ours = kind_of(middleware) is not None or isinstance(middleware, Branches)
            if is_ours and hasattr(middleware, "snapshot"):
                for name, part in middleware.snapshot().items():
                    # Of two alike, one in another, both.
                    found[name] = {**found[name], **part} if found.get(name) and part else part
        return found

    def describe(self) -> str:
        """Describe the middlewares, outermost first, a line each."""
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
        """Return a middleware by its place."""
        return self._middlewares[index]

    def __len__(self) -> int:
        return len(self._middlewares)

    def __iter__(self) -> Iterator[ClientMiddlewareType]:
        return iter(self._middlewares)

    # Two pipelines are the same only if they share their state.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def _told_by(policy: Policy, telemetry: Telemetry | None) -> Telemetry | None:
    """Return what a policy tells of its calls; None if it has no telemetry."""
    if policy.telemetry is None:
        return None
    return Telemetry() if telemetry is None else telemetry


def _has_metrics(policy: Policy) -> bool:
    return policy.telemetry is not None and policy.telemetry.metrics


def _heard(
    policy: Policy, listeners: Iterable[Listener], telemetry: Telemetry | None
) -> tuple[Listener, ...]:
    """Return listeners, and telemetry among them if it counts what they hear."""
    listeners = tuple(listeners)
    if telemetry is None or not _has_metrics(policy) or telemetry in listeners:
        return listeners
    return (*listeners, telemetry)


def _nested(runs: Sequence[ClientMiddlewareType]) -> ClientMiddlewareType:
    """Return a middleware that runs others one in another, the first outermost."""
    first, *rest = runs
    inner = tuple(reversed(rest))
    if not inner:
        return first

    def nested(request: ClientRequest, handler: ClientHandlerType) -> Awaitable[ClientResponse]:
        for run in inner:
            # No coroutine of its own: the middleware's is handed through.
            handler = lambda request, run=run, handler=handler: run(request, handler)  # type: ignore[misc]  # noqa: E731 (mypy cannot tell its type; a function that makes it costs a call)
        return first(request, handler)

    return nested


def warn(found: Iterable[str], stacklevel: int) -> None:
    """Warn of problems at the line that asked for the pipeline."""
    for problem in found:
        warnings.warn(problem, PipelineWarning, stacklevel=stacklevel)


def flatten(middlewares: Iterable[ClientMiddlewareType]) -> list[ClientMiddlewareType]:
    """Take the pipelines among middlewares apart."""
    return [
        part for each in middlewares for part in (each if isinstance(each, Pipeline) else (each,))
    ]
