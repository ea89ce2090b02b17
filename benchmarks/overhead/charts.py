"""Make the dot plots of the overhead: medians with their quartiles, the least first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Final

from benchmarks.report.text import printed_unit
from benchmarks.results import Chart, Figure, Line, Table

__all__ = ["dot_plot"]

# From this ratio of the greatest to the least on, the axis is logarithmic.
_FAR_APART: Final = 15

_KINDS: Final[dict[str, Callable[[str], bool]]] = {
    "resilient": lambda name: name.startswith("resilient"),
    "written by hand": lambda name: name.startswith("hand-written"),
    "what people use instead": lambda name: not name.startswith(("resilient", "hand-written")),
}


def dot_plot(table: Table, column: str, *, higher: bool = False) -> Chart | None:
    """Return a dot plot of a column of a table; None if no row has quartiles there.

    Rows in another unit than most are left out: they are what the others are compared with.

    Args:
        table: The table.
        column: The name of the column.
        higher: True if a higher figure is better. Default False.
    """
    place = table.columns.index(column)
    figures = {
        name: cells[place]
        for name, cells in table.rows
        if place < len(cells) and _has_quartiles(cells[place])
    }
    units = Counter(each.unit for each in figures.values() if each is not None)
    if not units:
        return None
    ((unit, _),) = units.most_common(1)
    dots = sorted(
        ((name, each) for name, each in figures.items() if each is not None and each.unit == unit),
        key=lambda dot: dot[1].value or 0.0,
    )
    label = column if unit in column.split() or not unit else f"{column}, {printed_unit(unit)}"
    values = [each.value or 0.0 for _, each in dots]
    is_far = values[0] > 0 and values[-1] / values[0] >= _FAR_APART
    return Chart(
        title=f"{table.title}: {column}",
        x_label="",
        y_label=label,
        y_scale="log" if is_far else "linear",
        lines=tuple(
            line for kind, belongs in _KINDS.items() if (line := _line(kind, belongs, dots)).xs
        ),
        groups=tuple(name.removeprefix("resilient: ") for name, _ in dots),
        remark="Medians of the rounds with their quartiles. The further to the "
        f"{'right' if higher else 'left'}, the less it costs.",
    )


def _has_quartiles(figure: Figure | None) -> bool:
    return figure is not None and None not in (figure.value, figure.low, figure.high)


def _line(kind: str, belongs: Callable[[str], bool], dots: list[tuple[str, Figure]]) -> Line:
    own = [(row, each) for row, (name, each) in enumerate(dots) if belongs(name)]
    unknown = math.nan

    def numbers(name: str) -> list[float]:
        found = (getattr(each, name) for _, each in own)
        return [unknown if value is None else value for value in found]

    return Line(
        name=kind,
        xs=[row for row, _ in own],
        ys=numbers("value"),
        lows=numbers("low"),
        highs=numbers("high"),
    )
