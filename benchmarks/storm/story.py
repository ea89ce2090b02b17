"""What a story tells, and the words that stories share."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from benchmarks.results import Chart, Figure, Table

__all__ = ["Told", "spread"]


@frozen(kw_only=True)
class Told:
    """What a story has come to so far, in the terms of a result."""

    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()


def spread(what: str, values: Sequence[float], **more: Any) -> Figure:
    """The median of some values, and their quartiles if there are enough for any."""
    if len(values) < 2:
        return Figure(what=what, value=values[0], **more)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(what=what, value=middle, low=low, high=high, **more)
