"""Figures made of several measurements of the same."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.results import Figure

__all__ = ["median_of"]


def median_of(what: str, values: Sequence[float], **more: Any) -> Figure:
    """The median of some values, and their quartiles if there are enough for any.

    Args:
        what: What was measured.
        values: At least one.
        more: What else the figure says.
    """
    if len(values) < 2:
        return Figure(what=what, value=values[0], **more)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(what=what, value=middle, low=low, high=high, **more)
