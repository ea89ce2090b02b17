"""Axes with few, round, readable ticks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.report.drawable import Drawable
from benchmarks.report.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.ticker import Locator

__all__ = ["set_axes"]

_TICKS = 7
# For fewer powers of ten than these, ticks between them are wanted.
_FEW_DECADES = 3


def set_axes(axes: Axes, seen: Drawable) -> None:
    """Scale the axes, and put ticks on them."""
    if seen.x_is_log:
        axes.set_xscale("log")
    if seen.y_is_log:
        axes.set_yscale("log")
    _tick(axes.xaxis, seen.x_is_log, *seen.x_range)
    _tick(axes.yaxis, seen.y_is_log, *seen.y_range)
    low, high = seen.y_range
    if not seen.y_is_log and low >= 0:
        # How large something is shows only above zero.
        axes.set_ylim(bottom=0, top=None if high > 0 else 1)


def _tick(axis: Axis, is_log: bool, low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    axis.set_major_locator(_locator(is_log, low, high))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _label(value)))
    axis.set_minor_locator(NullLocator())


def _locator(is_log: bool, low: float, high: float) -> Locator:
    from matplotlib.ticker import LogLocator, MaxNLocator

    decades = math.log10(high / low) if is_log else 0
    if decades < 1:
        return MaxNLocator(_TICKS, steps=[1, 2, 2.5, 5, 10])
    return LogLocator(subs=(1, 2, 5) if decades < _FEW_DECADES else (1,), numticks=2 * _TICKS)


def _label(value: float) -> str:
    """All digits of a tick: 0.25 beside 0.5; not the third that a measurement has."""
    if value and (abs(value) >= 1e9 or abs(value) < 1e-4):
        return number(value)
    return f"{value:,.10f}".rstrip("0").rstrip(".")
