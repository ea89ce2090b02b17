"""Look for a kind of middleware on all the ways that a request may go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from resilient.pipeline.branches import Branches
from resilient.pipeline.pipeline import Pipeline

__all__ = ["is_one_of"]


def is_one_of(
    kind: type[Any],
    middlewares: Iterable[object],
    is_meant: Callable[[Any], bool] = lambda _: True,
) -> bool:
    """Return whether a middleware of a kind is among some, in pipelines and branches too.

    Args:
        kind: The class.
        middlewares: Where to look.
        is_meant: Whether one of that kind is meant; by default each.
    """
    for each in middlewares:
        if isinstance(each, Branches):
            found = any(is_one_of(kind, own, is_meant) for own in each.alternatives())
        elif isinstance(each, Pipeline):
            found = is_one_of(kind, each, is_meant)
        else:
            found = isinstance(each, kind) and is_meant(each)
        if found:
            return True
    return False
