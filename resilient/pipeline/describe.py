"""Put a middleware and its settings into words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilient.breaker import CircuitBreaker
from resilient.envelopes.middleware import NormalizeErrors
from resilient.pipeline.order import Choice
from resilient.retry import Retry
from resilient.timeouts import AttemptTimeout, Deadline

__all__ = ["describe", "name_of"]


def name_of(thing: object) -> str:
    """What to call a middleware, or another callable: its own name, or that of its class."""
    return str(getattr(thing, "__name__", type(thing).__name__))


def _named(thing: object) -> str:
    return thing if isinstance(thing, str) else name_of(thing)


_DESCRIPTIONS: dict[type[Any], Callable[[Any], str]] = {
    Deadline: lambda each: f"{each.seconds:g} s for the whole call",
    AttemptTimeout: lambda each: f"{each.seconds:g} s for each attempt",
    Retry: lambda each: (
        f"at most {each.policy.max_attempts} attempts; "
        f"statuses {', '.join(map(str, sorted(each.policy.statuses)))}; "
        f"{_named(each.policy.backoff.wait)} backoff from {each.policy.backoff.base:g} s "
        f"to {each.policy.backoff.cap:g} s, {each.policy.backoff.jitter} jitter"
        + (f"; sends {each.policy.idempotency_header}" if each.policy.idempotency_header else "")
        + ("; asks a judge" if each.policy.judge else "")
    ),
    CircuitBreaker: lambda each: (
        f"opens at {each.policy.failure_rate:.0%} failures of at least "
        f"{each.policy.minimum_calls} calls in {each.policy.window:g} s, "
        f"for {each.policy.open_for:g} to {each.policy.max_open_for:g} s"
        + (
            f"; or after {each.policy.consecutive_failures} failures in a row"
            if each.policy.consecutive_failures
            else ""
        )
        + ("; only observes" if each.policy.observe else "")
    ),
    NormalizeErrors: lambda each: f"parsers {', '.join(map(_named, each.policy.parsers))}",
}


def describe(middleware: object) -> str:
    """A middleware and its settings, in a line."""
    settings = _DESCRIPTIONS.get(type(middleware))
    name = name_of(middleware)
    if isinstance(middleware, Choice):
        return f"{name}: {middleware.summary()}"
    return name if settings is None else f"{name}: {settings(middleware)}"
