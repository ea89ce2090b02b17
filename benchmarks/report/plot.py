"""Prepare a chart for drawing: its points, its axes with round ticks, its shaded spans.

Points that cannot be drawn are left out: infinities, and zero on a logarithmic axis.
"""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING

from attrs import frozen

from benchmarks.report.text import format_number
from benchmarks.results import Chart, Line, Span
from resilient.cli.output import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.ticker import Locator

__all__ = ["PlotData", "plot_data", "set_axes", "shade_spans"]

# Beyond these the margins of axes overflow.
_LARGEST = 1e100
_SMALLEST = 1e-100
_TICKS = 7

# With fewer powers of ten than these, there are ticks between them.
_FEW_DECADES = 3
_LETTER = 0.0105  # of the width of the axes
_ROW = 0.065  # of their height
_LONGEST = 40
# Letters in a line of the name of a group of bars.
_LONGEST_LINE = 14


@frozen
class PlotData:
    """The part of a chart that can be drawn.

    Attributes:
        lines: Names, xs and ys; a gap in a line is a NaN in its ys.
        spans: Stretches of the x axis.
        x_is_log: True if the x axis is logarithmic.
        y_is_log: True if the y axis is logarithmic.
        groups: The names of groups of bars; empty for lines.
    """

    lines: tuple[tuple[str, list[float], list[float]], ...]
    spans: tuple[Span, ...]
    x_is_log: bool
    y_is_log: bool
    groups: tuple[str, ...] = ()

    @property
    def has_points(self) -> bool:
        """True if there is any point to draw."""
        return any(not math.isnan(y) for _, _, ys in self.lines for y in ys)

    @property
    def x_range(self) -> tuple[float, float]:
        """The least and the greatest value on the x axis."""
        return _range(
            [x for _, xs, ys in self.lines for x, y in zip(xs, ys, strict=True) if y == y]
        )

    @property
    def y_range(self) -> tuple[float, float]:
        """The least and the greatest value on the y axis."""
        return _range([y for _, _, ys in self.lines for y in ys if y == y])


def _range(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def plot_data(chart: Chart) -> PlotData:
    """Return the part of a chart that can be drawn."""
    x_is_log, y_is_log = chart.x_scale == "log", chart.y_scale == "log"
    return PlotData(
        tuple((each.name, *_points(each, x_is_log, y_is_log)) for each in chart.lines),
        chart.spans,
        x_is_log,
        y_is_log,
        chart.groups,
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


def set_axes(axes: Axes, seen: PlotData) -> None:
    """Scale the axes, and put ticks on them."""
    if seen.x_is_log:
        axes.set_xscale("log")
    if seen.y_is_log:
        axes.set_yscale("log")
    if seen.groups:
        names = [fill(printable(name), _LONGEST_LINE) for name in seen.groups]
        axes.set_xticks(range(len(names)), names)
        axes.grid(visible=False, axis="x")
    else:
        _tick(axes.xaxis, seen.x_is_log, *seen.x_range)
    _tick(axes.yaxis, seen.y_is_log, *seen.y_range)
    low, high = seen.y_range
    if not seen.y_is_log and low >= 0:
        # From zero on, so that lengths can be compared.
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
    """Write a tick with all its digits, such as 0.25 beside 0.5, and no further ones."""
    if value and (abs(value) >= 1e9 or abs(value) < 1e-4):
        return format_number(value)
    return f"{value:,.10f}".rstrip("0").rstrip(".")


def shade_spans(axes: Axes, seen: PlotData) -> None:
    """Shade the visible spans; a name that would overlap another goes a row higher."""
    if not seen.spans:
        return
    least, most = axes.get_xlim()
    starts = [_within(each.start, least, most, least) for each in seen.spans]
    ends = [_within(each.end, least, most, most) for each in seen.spans]
    rows: list[float] = []
    for start, end, span in sorted(
        zip(starts, ends, seen.spans, strict=True), key=lambda it: it[0]
    ):
        axes.axvspan(start, end, facecolor="#ececec", edgecolor="#9a9a9a", hatch="//", zorder=0)
        _name(axes, span, (start + end) / 2 if not seen.x_is_log else math.sqrt(start * end), rows)
    axes.set_xlim(least, most)


def _within(value: float, least: float, most: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else min(max(value, least), most)


def _name(axes: Axes, span: Span, middle: float, rows: list[float]) -> None:
    name = printable(span.name)
    if len(name) > _LONGEST:
        name = name[: _LONGEST - 1] + "…"
    point = axes.transData.transform((middle, 1.0))
    centre = axes.transAxes.inverted().transform(point)[0]
    half = len(name) * _LETTER / 2
    centre = min(max(centre, half), max(half, 1 - half))
    row = next((i for i, taken in enumerate(rows) if taken < centre - half), len(rows))
    rows[row : row + 1] = [centre + half]
    axes.text(
        centre,
        1.01 + row * _ROW,
        name,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=9.5,
        color="#444444",
    )
