"""Orders of middlewares, and what makes no sense in one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final

from resilient.breaker import CircuitBreaker
from resilient.envelopes.middleware import NormalizeErrors
from resilient.retry import Retry
from resilient.timeouts import AttemptTimeout, Deadline

__all__ = ["Choice", "problems"]


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
