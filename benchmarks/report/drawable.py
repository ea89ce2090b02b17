"""What of a chart can be drawn: an axis knows no infinity, and a logarithmic one no zero."""

from __future__ import annotations

import math

from attrs import frozen

from benchmarks.results import Chart, Line, Span

__all__ = ["Drawable", "drawable"]

# Beyond this the margins of axes overflow.
_LARGEST = 1e100
_SMALLEST = 1e-100


@frozen
class Drawable:
    """A chart without what cannot be drawn.

    Attributes:
        lines: Names, and points; a gap in a line is a NaN in its ys.
        spans: Stretches of the x axis.
        x_is_log: Whether the x axis is logarithmic.
        y_is_log: The same of the y axis.
    """

    lines: tuple[tuple[str, list[float], list[float]], ...]
    spans: tuple[Span, ...]
    x_is_log: bool
    y_is_log: bool

    @property
    def has_points(self) -> bool:
        """Whether there is anything to see at all."""
        return any(not math.isnan(y) for _, _, ys in self.lines for y in ys)

    @property
    def x_range(self) -> tuple[float, float]:
        """The least and the greatest of what is on the x axis."""
        return _range(
            [x for _, xs, ys in self.lines for x, y in zip(xs, ys, strict=True) if y == y]
        )

    @property
    def y_range(self) -> tuple[float, float]:
        """The same of the y axis."""
        return _range([y for _, _, ys in self.lines for y in ys if y == y])


def _range(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def drawable(chart: Chart) -> Drawable:
    """What of a chart can be drawn."""
    x_is_log, y_is_log = chart.x_scale == "log", chart.y_scale == "log"
    return Drawable(
        tuple((each.name, *_points(each, x_is_log, y_is_log)) for each in chart.lines),
        chart.spans,
        x_is_log,
        y_is_log,
    )


def _points(line: Line, x_is_log: bool, y_is_log: bool) -> tuple[list[float], list[float]]:
    xs, ys = [], []
    for x, y in zip(line.xs, line.ys, strict=False):
        if _is_drawn(x, x_is_log):
            xs.append(x)
            ys.append(y if _is_drawn(y, y_is_log) else math.nan)
    return xs, ys


def _is_drawn(value: float, is_log: bool) -> bool:
    if is_log:
        return _SMALLEST < value < _LARGEST
    return -_LARGEST < value < _LARGEST
