"""Orders of middlewares: what makes no sense in one, and how to put one into words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final

from resilient.breaker import CircuitBreaker
from resilient.envelopes.middleware import NormalizeErrors
from resilient.retry import Retry
from resilient.timeouts import AttemptTimeout, Deadline

__all__ = ["Choice", "describe", "name_of", "problems"]


_KNOWN: Final = (Retry, CircuitBreaker, NormalizeErrors, Deadline, AttemptTimeout)


class Choice(ABC):
    """A middleware that runs a request through one of several orders."""

    __slots__ = ()

    @abstractmethod
    def summary(self) -> str:
        """What it chooses between, in a line."""

    @abstractmethod
    def alternatives(self) -> Iterable[Iterable[object]]:
        """The orders."""


def _kind(middleware: object) -> object:
    """What counts of a middleware in an order: a subclass as what it extends."""
    if isinstance(middleware, Choice):
        return middleware
    return next((kind for kind in _KNOWN if isinstance(middleware, kind)), None)


def problems(middlewares: Iterable[object]) -> list[str]:
    """What makes no sense in an order, in words."""
    middlewares = list(middlewares)
    for place, each in enumerate(middlewares):
        if isinstance(each, Choice):
            before, after = middlewares[:place], middlewares[place + 1 :]
            # Thousands of alternatives are a few, as far as kinds go, and nothing else counts.
            distinct = {tuple(map(_kind, own)): own for own in map(tuple, each.alternatives())}
            orders = ([*before, *own, *after] for own in distinct.values())
            return list(dict.fromkeys(problem for order in orders for problem in problems(order)))
    found = []
    kinds = [_kind(each) for each in middlewares]

    def misplaced(outer: type[object], inner: type[object]) -> bool:
        """Whether `outer` stands inside `inner`."""
        return outer in kinds and inner in kinds and kinds.index(outer) > kinds.index(inner)

    if kinds.count(Retry) > 1:
        found.append("a Retry inside a Retry multiplies the attempts: three by three are nine")
    if kinds.count(CircuitBreaker) > 1:
        found.append("two CircuitBreakers in a row count the same failures twice")
    if kinds.count(NormalizeErrors) > 1:
        found.append("of two NormalizeErrors the outer one has nothing left to do")
    if misplaced(Deadline, Retry):
        found.append("a Deadline inside Retry limits no wait; AttemptTimeout limits attempts")
    if misplaced(Retry, AttemptTimeout):
        found.append("an AttemptTimeout outside Retry cuts its waits off; Deadline does that")
    return found


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
