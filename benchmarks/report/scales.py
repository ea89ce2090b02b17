"""Place values on an axis, with round ticks.

Values that cannot be drawn have no place: infinities, those beyond any measurement, and zero on
a logarithmic axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from benchmarks.report.text import format_number

__all__ = ["Scale", "make_scale"]

_LARGEST: Final = 1e100
_SMALLEST: Final = 1e-100
_STEPS: Final = (1, 2, 2.5, 5, 10)

# With fewer powers of ten than these, there are ticks between them; with more room, and less.
_FEW_DECADES: Final = 2.5
_VERY_FEW_DECADES: Final = 2.0

Ticks = tuple[tuple[float, str], ...]


@frozen
class Scale:
    """An axis from `low` to `high`.

    Attributes:
        low: The value at its beginning.
        high: The value at its end, greater than `low`.
        is_log: True if it is logarithmic.
        ticks: Values with their labels.
    """

    low: float
    high: float
    is_log: bool
    ticks: Ticks

    def place(self, value: float) -> float | None:
        """Return the place of a value, 0 at the beginning and 1 at the end; None without one."""
        if not _is_drawn(value, self.is_log):
            return None
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return (value - low) / (high - low)


def make_scale(
    values: Iterable[float],
    *,
    is_log: bool = False,
    from_zero: bool = False,
    rounded: bool = True,
    most: int = 5,
    ticks: Ticks = (),
) -> Scale | None:
    """Return an axis that has room for all values; None if none of them can be drawn.

    Args:
        values: The values.
        is_log: Make it logarithmic. Default False.
        from_zero: Begin at zero, so that lengths can be compared, if no value is below and it is
            not logarithmic. Default False.
        rounded: Begin and end at a tick. Default True; False for one that ends with the values.
        most: About how many ticks there are. Default 5.
        ticks: Ticks to take instead, with their labels; those beyond the values are left out.
    """
    drawn = [value for value in values if _is_drawn(value, is_log)]
    if not drawn:
        return None
    low, high = min(drawn), max(drawn)
    if is_log:
        return _logarithmic(low, high, most, ticks)
    if from_zero and low >= 0:
        low = 0.0
    if low == high:
        low, high = (0.0, high) if high > 0 else (low, 0.0) if low < 0 else (0.0, 1.0)
    step = _step((high - low) / most)
    first, last = math.floor(low / step), math.ceil(high / step)
    if rounded:
        low, high = first * step, last * step
    marks = ticks or tuple((n * step, _label(n * step)) for n in range(first, last + 1))
    return Scale(low, high, is_log, _within(marks, low, high))


def _logarithmic(low: float, high: float, most: int, ticks: Ticks) -> Scale:
    if low == high:
        low, high = low / 2, high * 2
    decades = math.log10(high / low)
    if ticks:
        marks = ticks
    elif decades < 1:
        step = _step((high - low) / most)
        first, last = math.floor(low / step), math.ceil(high / step)
        marks = tuple((n * step, _label(n * step)) for n in range(max(1, first), last + 1))
    else:
        every = max(1, math.ceil(decades / (most + 1)))
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        few = _FEW_DECADES if most > 4 else _VERY_FEW_DECADES
        between = (1, 2, 5) if decades < few else (1,)
        marks = tuple(
            (digit * 10.0**n, _label(digit * 10.0**n))
            for n in range(first, last + 1, every)
            for digit in between
        )
    # A little more than the values, since no tick need be at an end.
    room = (high / low) ** 0.04
    low, high = low / room, high * room
    return Scale(low, high, True, _within(marks, low, high))


def _within(marks: Ticks, low: float, high: float) -> Ticks:
    slack = (high - low) * 1e-9
    return tuple((at, label) for at, label in marks if low - slack <= at <= high + slack)


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(each * power for each in _STEPS if each * power >= least * 0.999)


def _is_drawn(value: float, is_log: bool) -> bool:
    if is_log:
        return _SMALLEST < value < _LARGEST
    return -_LARGEST < value < _LARGEST


def _label(value: float) -> str:
    """Write a tick with all its digits, such as 0.25 beside 0.5, and no further ones."""
    if value and (abs(value) >= 1e9 or abs(value) < 1e-4):
        return format_number(value)
    return f"{value:,.10f}".rstrip("0").rstrip(".")
