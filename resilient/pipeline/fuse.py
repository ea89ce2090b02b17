"""Which middlewares of a pipeline run in one coroutine, and which one in another.

A coroutine for each would do the same: a property of the tests holds that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from types import FunctionType, MethodType

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

from resilient.breaker import CircuitBreaker
from resilient.core.attempt import run_attempt
from resilient.envelopes.middleware import NormalizeErrors
from resilient.timeouts import AttemptTimeout

__all__ = ["nested"]

# What one coroutine runs, if they stand in this order with nothing between them.
_ATTEMPT: tuple[type, ...] = (CircuitBreaker, NormalizeErrors, AttemptTimeout)


def _pass(request: ClientRequest, handler: ClientHandlerType) -> Awaitable[ClientResponse]:
    """What is in a pipeline without middlewares."""
    return handler(request)


def nested(middlewares: Iterable[ClientMiddlewareType]) -> list[ClientMiddlewareType]:
    """What to run one in another, at least one; of what makes up an attempt, all at once."""
    runs: list[list[ClientMiddlewareType | None]] = []
    last = len(_ATTEMPT)
    for middleware in middlewares:
        # Not a subclass, which may run in another way.
        kind = type(middleware)
        place = _ATTEMPT.index(kind) if kind in _ATTEMPT else None
        if place is None:
            runs.append([middleware])
            last = len(_ATTEMPT)
            continue
        if place <= last:
            runs.append([None] * len(_ATTEMPT))
        runs[-1][place] = middleware
        last = place
    return [_run(each) for each in runs] or [_pass]


def _run(middlewares: list[ClientMiddlewareType | None]) -> ClientMiddlewareType:
    present = [each for each in middlewares if each is not None]
    if len(present) > 1:
        breaker, errors, timeout = middlewares
        return lambda request, handler: run_attempt(request, handler, breaker, errors, timeout)  # type: ignore[arg-type]  # each in its place
    (middleware,) = present
    # A bound method is called more quickly than an instance.
    is_function = isinstance(middleware, FunctionType | MethodType)
    return middleware if is_function else getattr(middleware, "__call__")  # noqa: B004, B009 (mypy does not see it on a callable)
