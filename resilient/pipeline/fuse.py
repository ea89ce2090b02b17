"""Run neighbours that stand around an attempt in one coroutine.

A coroutine for each would do the same: a property of the tests holds that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from types import FunctionType, MethodType
from typing import Any, Final

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse

from resilient.core.attempt import run_attempt
from resilient.core.guard import as_one
from resilient.pipeline.standard import STANDARD

__all__ = ["fuse"]

_ROLES: Final = {part.kind: part.role for part in STANDARD if part.role is not None}
# One coroutine runs guards, then one each of the others, with nothing between them.
_ORDER: Final = ("guard", "observer", "errors", "timeout")


def fuse(middlewares: Iterable[ClientMiddlewareType]) -> list[ClientMiddlewareType]:
    """Return the callables to nest, outermost first, at least one.

    Adjacent guards, telemetry, normaliser and time-out become one.
    """
    runs: list[list[Any]] = []
    last = -1
    for middleware in middlewares:
        # Not of a subclass, which may run in another way.
        role = _ROLES.get(type(middleware))
        place = -1 if role is None else _ORDER.index(role)
        joins = last >= 0 and (place > last or (place == last and role == "guard"))
        # One coroutine has one clock.
        joins = joins and middleware.clock is runs[-1][0].clock  # type: ignore[attr-defined]  # ours
        if joins:
            runs[-1].append(middleware)
        else:
            runs.append([middleware])
        last = place
    return [_run(each) for each in runs] or [_pass]


def _pass(request: ClientRequest, handler: ClientHandlerType) -> Awaitable[ClientResponse]:
    """Pass the request through: the body of an empty pipeline."""
    return handler(request)


def _run(middlewares: list[Any]) -> ClientMiddlewareType:
    if len(middlewares) == 1:
        (middleware,) = middlewares
        # A bound method is called more quickly than an instance.
        is_function = isinstance(middleware, FunctionType | MethodType)
        made: ClientMiddlewareType = middleware if is_function else middleware.__call__
        return made
    by_role: dict[str | None, list[Any]] = {}
    for each in middlewares:
        by_role.setdefault(_ROLES[type(each)], []).append(each)
    bound = middlewares[0]
    guards = by_role.get("guard", [])
    guard = as_one(guards)
    (observer,) = by_role.get("observer", (None,))
    (errors,) = by_role.get("errors", (None,))
    (timeout,) = by_role.get("timeout", (None,))
    asked = (getattr(each, "reset_headers", ()) for each in (*guards, errors))
    reset_headers = next(filter(None, asked), ())
    reads_headers = any(each.reads_headers for each in guards)
    rest = bound, guard, errors, timeout, reset_headers, reads_headers
    if errors is not None and errors.policy.success_parsers:
        return lambda request, handler: run_attempt(
            request, errors.reading(handler), *rest, observer
        )
    if observer is not None:
        return lambda request, handler: run_attempt(request, handler, *rest, observer)
    return lambda request, handler: run_attempt(
        request, handler, bound, guard, errors, timeout, reset_headers, reads_headers
    )
