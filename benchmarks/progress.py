"""What a benchmark tells while it runs, and to whom.

A benchmark is a function `measure(settings, progress)` that yields a `Result` each time it
has found more: each is whole in itself and holds what the one before it held, so that whoever
stops in between keeps what was measured so far.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Told how far a benchmark is."""

    def begin(self, what: str, steps: float | None = None) -> None:
        """Another part begins, of so many steps; None if nobody can tell."""

    def advance(self, steps: float = 1) -> None:
        """So many more steps of the part are done."""


class Silent:
    """A progress that nobody looks at."""

    def begin(self, what: str, steps: float | None = None) -> None:
        """Say nothing."""

    def advance(self, steps: float = 1) -> None:
        """Say nothing."""
