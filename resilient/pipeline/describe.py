"""Put a middleware and its settings into words."""

from __future__ import annotations

from collections.abc import Callable

from resilient.pipeline.branches import Branches
from resilient.pipeline.standard import STANDARD

__all__ = ["describe", "name_of"]


def name_of(thing: object) -> str:
    """Return the name of a middleware, or of another callable, or that of its class."""
    return str(getattr(thing, "__name__", type(thing).__name__))


def describe(middleware: object) -> str:
    """Return a middleware and its settings, in a line; of one that is not ours the name."""
    name = name_of(middleware)
    if isinstance(middleware, Branches):
        return f"{name}: {middleware.summary()}"
    if type(middleware) not in [part.kind for part in STANDARD]:
        return name
    settings: Callable[[], str] = middleware.describe  # type: ignore[attr-defined]  # each part has it
    return f"{name}: {settings()}"
