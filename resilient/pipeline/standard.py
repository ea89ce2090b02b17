"""The standard order as a table: a row for each part, outermost first.

A new part is a capability's folder, a field of `Policy`, and a row here. (What is there for
listeners has no field, and telemetry has two parts.) `Pipeline` makes its
middlewares from the rows, `order` looks for orders that make no sense by their rules, and
`fuse` runs neighbours in one coroutine by their roles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from aiohttp import ClientMiddlewareType

from resilient.breaker.middleware import CircuitBreaker
from resilient.bulkhead.middleware import Bulkhead
from resilient.clock import Clock
from resilient.core.queues import Room
from resilient.envelopes.middleware import NormalizeErrors
from resilient.pipeline.policy import Policy
from resilient.retry.budget import RetryBudget
from resilient.retry.middleware import Retry
from resilient.retry.policy import RetryPolicy
from resilient.telemetry.calls import CallEvents
from resilient.telemetry.emitter import Emitter
from resilient.telemetry.middleware import AttemptTelemetry, CallTelemetry
from resilient.telemetry.telemetry import Telemetry
from resilient.throttle.middleware import Throttle
from resilient.timeouts import AttemptTimeout, Deadline

__all__ = ["STANDARD", "Part", "Shared"]

# A part that stands around an attempt, and what it does there.
Role = Literal["guard", "observer", "errors", "timeout"]


class Shared(NamedTuple):
    """The things that the parts of one pipeline are made with, besides their policies.

    Attributes:
        clock: The source of time, sleep and randomness.
        emitter: Told of what happens.
        room: Counts those who wait at any guard of the pipeline.
        budget: A retry budget to share with other pipelines, or None.
        throttle: A throttle to share with other pipelines, or None.
        bulkhead: A bulkhead to share with other pipelines, or None.
        telemetry: What is told of calls and attempts; None if the policy has no telemetry.
    """

    clock: Clock
    emitter: Emitter
    room: Room
    budget: RetryBudget | None
    throttle: Throttle | None
    bulkhead: Bulkhead | None
    telemetry: Telemetry | None = None


Make = Callable[[Policy, Shared], ClientMiddlewareType | None]
# The part of a policy that a middleware is made from.
Settings = Callable[[Policy], object]


class Part(NamedTuple):
    """A row of the table.

    Attributes:
        field: The field of `Policy`; None there leaves the part out, unless the field of this name
            in `Shared` has it. None if it is `make` that decides.
        kind: The class of its middleware.
        make: Makes the middleware, or returns None to leave it out.
        reason: Why it stands here, and what changes if it and the next one change places.
        twice: What is wrong if there are two of it; None if nothing is.
        outside: Parts that have to stand outside this one, and what is wrong if they do not.
        role: What it does around an attempt; None if it has a coroutine of its own.
        settings: Returns what `make` reads of the policy, for a part with state: while that stays
            the same, a change of the policy keeps the part. None to make it anew, for one without.
    """

    field: str | None
    kind: type[Any]
    make: Make
    reason: str
    twice: str | None = None
    outside: tuple[tuple[type[Any], str], ...] = ()
    role: Role | None = None
    settings: Settings | None = None

    def made(self, policy: Policy, shared: Shared) -> ClientMiddlewareType | None:
        """Return the middleware: one that is shared, or else one made from the policy; or None."""
        if self.field is None:
            return self.make(policy, shared)
        found: ClientMiddlewareType | None = getattr(shared, self.field, None)
        if found is None and getattr(policy, self.field) is not None:
            found = self.make(policy, shared)
        return found


def _call_events(policy: Policy, shared: Shared) -> ClientMiddlewareType | None:
    if not shared.emitter.wants("call"):
        return None
    return CallEvents(shared.emitter, clock=shared.clock)


def _call_telemetry(policy: Policy, shared: Shared) -> ClientMiddlewareType | None:
    told, chosen = shared.telemetry, policy.telemetry
    if told is None or chosen is None or not (chosen.call_spans or chosen.metrics):
        return None
    return CallTelemetry(told, policy.name, chosen, clock=shared.clock)


def _attempt_telemetry(policy: Policy, shared: Shared) -> ClientMiddlewareType | None:
    told, chosen = shared.telemetry, policy.telemetry
    if told is None or chosen is None:
        return None
    if not (chosen.attempt_spans or chosen.metrics or chosen.propagate):
        return None
    return AttemptTelemetry(told, policy.name, chosen, clock=shared.clock)


def _deadline(policy: Policy, shared: Shared) -> ClientMiddlewareType:
    assert policy.total_timeout is not None, "a part that is left out is not made"
    return Deadline(policy.total_timeout, clock=shared.clock)


def _retry(policy: Policy, shared: Shared) -> ClientMiddlewareType:
    assert policy.retry is not None, "a part that is left out is not made"
    return Retry(
        policy.retry,
        budget=shared.budget,
        listeners=shared.emitter,
        reset_headers=policy.reset_headers,
        clock=shared.clock,
    )


def _max_retry_after(policy: Policy) -> float:
    return (RetryPolicy() if policy.retry is None else policy.retry).max_retry_after


def _throttle(policy: Policy, shared: Shared) -> ClientMiddlewareType:
    assert policy.throttle is not None, "a part that is left out is not made"
    return Throttle(
        policy.throttle,
        max_retry_after=_max_retry_after(policy),
        listeners=shared.emitter,
        reset_headers=policy.reset_headers,
        room=shared.room,
        clock=shared.clock,
    )


def _breaker(policy: Policy, shared: Shared) -> ClientMiddlewareType:
    assert policy.breaker is not None, "a part that is left out is not made"
    return CircuitBreaker(
        policy.breaker,
        listeners=shared.emitter,
        reset_headers=policy.reset_headers,
        room=shared.room,
        clock=shared.clock,
    )


def _bulkhead(policy: Policy, shared: Shared) -> ClientMiddlewareType:
    assert policy.bulkhead is not None, "a part that is left out is not made"
    return Bulkhead(policy.bulkhead, listeners=shared.emitter, room=shared.room, clock=shared.clock)


def _errors(policy: Policy, shared: Shared) -> ClientMiddlewareType:
    assert policy.errors is not None, "a part that is left out is not made"
    return NormalizeErrors(policy.errors, reset_headers=policy.reset_headers, clock=shared.clock)


def _attempt_timeout(policy: Policy, shared: Shared) -> ClientMiddlewareType:
    seconds = policy.effective_attempt_timeout
    assert seconds is not None, "a part that is left out is not made"
    return AttemptTimeout(seconds, clock=shared.clock)


STANDARD: Final = (
    Part(
        None,
        CallEvents,
        _call_events,
        "Tells listeners that a call is over. Inside the deadline or retry it would not know what "
        "the caller got.",
    ),
    Part(
        None,
        CallTelemetry,
        _call_telemetry,
        "The span of the call. Inside the deadline it would end as cancelled when that passes; "
        "inside retry there would be one for each attempt.",
    ),
    Part(
        "total_timeout",
        Deadline,
        _deadline,
        "One limit over everything inside. Inside retry each attempt would have the whole time, "
        "and the waits would not be limited at all.",
        outside=(
            (CallEvents, "CallEvents inside Deadline do not know what the caller got"),
            (CallTelemetry, "a CallTelemetry inside Deadline takes it for a cancellation"),
        ),
    ),
    Part(
        "retry",
        Retry,
        _retry,
        "Attempts and waits. Inside the breaker a call would count once, by its last attempt: "
        "the breaker would learn of an outage later, and refuse whole calls only.",
        twice="a Retry inside a Retry multiplies the attempts: three by three are nine",
        outside=(
            (Deadline, "a Deadline inside Retry limits no wait; AttemptTimeout limits attempts"),
            (CallEvents, "CallEvents inside Retry tell of each attempt as a call"),
            (CallTelemetry, "a CallTelemetry inside Retry makes a call of each attempt"),
        ),
        settings=lambda policy: (policy.retry, policy.reset_headers),
    ),
    Part(
        "throttle",
        Throttle,
        _throttle,
        "Holds calls back where a limit is known. Outside retry only the first attempt would wait "
        "in its queue; inside the breaker a call would hold a place there while it waits here.",
        role="guard",
        settings=lambda policy: (policy.throttle, policy.reset_headers, _max_retry_after(policy)),
    ),
    Part(
        "breaker",
        CircuitBreaker,
        _breaker,
        "Refuses while the server is down. Inside normalisation it would work as well, on "
        "statuses alone; slow error bodies would no longer count as slow calls.",
        twice="two CircuitBreakers in a row count the same failures twice",
        role="guard",
        settings=lambda policy: (policy.breaker, policy.reset_headers),
    ),
    Part(
        "bulkhead",
        Bulkhead,
        _bulkhead,
        "Counts what is really under way. Outside the breaker, callers would take places to be "
        "refused or to wait for its verdict; inside normalisation, the bodies of errors would not "
        "count.",
        role="guard",
        settings=lambda policy: policy.bulkhead,
    ),
    Part(
        None,
        AttemptTelemetry,
        _attempt_telemetry,
        "The span of an attempt. Outside the guards it would make requests of what they refuse; "
        "inside normalisation, the reading of an error's body would not be in it, and inside the "
        "attempt's time-out that would look like a cancellation.",
        twice="of two AttemptTelemetry each makes a span of the same request",
        outside=(
            (Retry, "an AttemptTelemetry outside Retry makes one span of all attempts"),
            (Throttle, "an AttemptTelemetry outside Throttle makes requests of its refusals"),
            (
                CircuitBreaker,
                "an AttemptTelemetry outside CircuitBreaker makes requests of its refusals",
            ),
            (Bulkhead, "an AttemptTelemetry outside Bulkhead makes requests of its refusals"),
        ),
        role="observer",
    ),
    Part(
        "errors",
        NormalizeErrors,
        _errors,
        "An error response becomes an exception, so that retry and breaker know error codes and "
        "the connection is given back. Inside the attempt's time-out the reading of an error "
        "body would count against that, and an error might come out as a time-out.",
        twice="of two NormalizeErrors the outer one has nothing left to do",
        role="errors",
    ),
    Part(
        "attempt_timeout",
        AttemptTimeout,
        _attempt_timeout,
        "A limit on each attempt. Outside retry it would limit the waits too.",
        outside=(
            (Retry, "an AttemptTimeout outside Retry cuts its waits off; Deadline does that"),
            (
                AttemptTelemetry,
                "an AttemptTelemetry inside AttemptTimeout takes it for a cancellation",
            ),
        ),
        role="timeout",
    ),
)
