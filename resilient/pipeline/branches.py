"""Middlewares that run a request through one of several pipelines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

__all__ = ["Branches"]


class Branches(ABC):
    """A middleware that hands each request to one of several orders of middlewares."""

    __slots__ = ()

    @abstractmethod
    def summary(self) -> str:
        """Return what it chooses between, in a line."""

    @abstractmethod
    def alternatives(self) -> Iterable[Iterable[object]]:
        """Return the orders."""
