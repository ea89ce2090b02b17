"""Report the progress of a benchmark while it runs.

A benchmark is a function `measure(settings, progress)` that yields a `Result` each time it
has found more. Each result contains everything found so far, so that nothing is lost if the
benchmark is stopped in between.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Receives the progress of a benchmark."""

    def begin(self, what: str, steps: float | None = None) -> None:
        """Begin another part with this number of steps; None if the number is unknown."""

    def advance(self, steps: float = 1) -> None:
        """Report that this many more steps of the part are done."""


class Silent:
    """A progress that shows nothing."""

    def begin(self, what: str, steps: float | None = None) -> None:
        """Do nothing."""

    def advance(self, steps: float = 1) -> None:
        """Do nothing."""
