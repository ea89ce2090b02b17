"""Orders of middlewares, and what makes no sense in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from resilient.pipeline.branches import Branches
from resilient.pipeline.standard import STANDARD

__all__ = ["kind_of", "problems"]


def problems(middlewares: Iterable[object]) -> list[str]:
    """Return what makes no sense in an order, outermost first, in words."""
    middlewares = list(middlewares)
    for place, each in enumerate(middlewares):
        if isinstance(each, Branches):
            before, after = middlewares[:place], middlewares[place + 1 :]
            # Thousands of alternatives are a few, as far as kinds go, and nothing else counts.
            distinct = {tuple(map(kind_of, own)): own for own in map(tuple, each.alternatives())}
            orders = ([*before, *own, *after] for own in distinct.values())
            return list(dict.fromkeys(problem for order in orders for problem in problems(order)))
    return list(_found([kind_of(each) for each in middlewares]))


def _found(kinds: list[object]) -> Iterator[str]:
    for part in STANDARD:
        if part.twice is not None and kinds.count(part.kind) > 1:
            yield part.twice
    for part in STANDARD:
        for outer, problem in part.outside:
            both = outer in kinds and part.kind in kinds
            if both and kinds.index(outer) > kinds.index(part.kind):
                yield problem


def kind_of(middleware: object) -> Any:
    """Return what counts of a middleware in an order: a subclass is what it extends.

    None for one that is not ours.
    """
    if isinstance(middleware, Branches):
        return middleware
    return next((part.kind for part in STANDARD if isinstance(middleware, part.kind)), None)
