"""Stretches of the x axis, shaded, with their names above the axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.report.drawable import Drawable
from benchmarks.results import Span
from resilient.cli.output import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["shade"]

_LETTER = 0.0105  # of the width of the axes
_ROW = 0.065  # of their height
_LONGEST = 40


def shade(axes: Axes, seen: Drawable) -> None:
    """Shade what can be seen of the spans. A name that would meet another goes a row higher."""
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
