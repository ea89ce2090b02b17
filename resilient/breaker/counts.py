"""What a circuit has counted, for who looks at it."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Counts"]


@frozen
class Counts:
    """What a circuit has seen in its window; `streak` is the failures in a row."""

    calls: int = 0
    failures: int = 0
    slow: int = 0
    streak: int = 0
