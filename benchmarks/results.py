"""The results of a benchmark: figures, tables, charts, and the conditions.

These are plain values, independent of how they were measured and how they are shown.
`benchmarks.report` makes JSON, lines on a terminal and pages of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from attrs import asdict, field, frozen

__all__ = [
    "Chart",
    "Figure",
    "Line",
    "Result",
    "ScenarioResult",
    "Span",
    "Table",
    "as_json",
    "median_of",
]


@frozen(kw_only=True)
class Figure:
    """One measured figure.

    Attributes:
        what: The name of the figure.
        value: The median, or the count; None if there is none, and then `remark` says why.
        low: The first quartile; None for a figure without a spread.
        high: The third quartile; None for a figure without a spread.
        unit: "x", "us", "%", "requests/s", ...; "" for counts.
        wanted: The target in words, "at most 10"; "" without a target.
        holds: True if the target is met; None without a target, or if that cannot be told.
        published: The figure that the source gives; "" without one.
        source: Where that was published.
        remark: A remark for the reader. Without a value, the words in its place: "not within the
            run", "absent: not installed".
    """

    what: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    wanted: str = ""
    holds: bool | None = None
    published: str = ""
    source: str = ""
    remark: str = ""


@frozen(kw_only=True)
class Table:
    """A list of figures, or a comparison with one row for each thing compared, or both.

    Attributes:
        title: The title.
        figures: The figures of the list, each with a name of its own.
        columns: The column names of the comparison.
        rows: The rows of the comparison: a name, and a figure or None for each column.
        remark: A remark for the reader.
    """

    title: str
    figures: tuple[Figure, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, tuple[Figure | None, ...]], ...] = ()
    remark: str = ""


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


@frozen(kw_only=True)
class Line:
    """One line of a chart, or the dots of one colour in a dot plot.

    Attributes:
        name: The name.
        xs: The xs.
        ys: The ys.
        lows: The first quartile of each y; empty without quartiles, NaN for a y without one.
        highs: The third quartile of each y, likewise.
        is_reference: Draw it beside every other line, to compare them with. Default False.
    """

    name: str
    xs: tuple[float, ...] = field(converter=_numbers)
    ys: tuple[float, ...] = field(converter=_numbers)
    lows: tuple[float, ...] = field(converter=_numbers, default=())
    highs: tuple[float, ...] = field(converter=_numbers, default=())
    is_reference: bool = False


@frozen(kw_only=True)
class Span:
    """A stretch of the x axis to shade, for example an outage."""

    start: float
    end: float
    name: str


@frozen(kw_only=True)
class Chart:
    """Lines over a common axis, or a dot plot.

    Attributes:
        title: The title.
        x_label: The name of the x axis.
        y_label: The name of the y axis.
        lines: The lines.
        spans: Stretches of the x axis to shade.
        x_scale: The scale of the x axis. Default "linear".
        y_scale: The scale of the y axis. Default "linear".
        remark: A remark for the reader.
        groups: The names of the rows of a dot plot. With any, each line is drawn as one dot in
            each row, its xs are the numbers of the rows from 0 on, and `y_scale` is the scale of
            the dots.
        x_ticks: Places on the x axis and their labels; empty for round numbers.
    """

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    spans: tuple[Span, ...] = ()
    x_scale: Literal["linear", "log"] = "linear"
    y_scale: Literal["linear", "log"] = "linear"
    remark: str = ""
    groups: tuple[str, ...] = ()
    x_ticks: tuple[tuple[float, str], ...] = ()


@frozen(kw_only=True)
class ScenarioResult:
    """The part of a result that one scenario adds."""

    headline: str = ""

    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()


@frozen(kw_only=True)
class Result:
    """The result of one benchmark.

    Attributes:
        name: "overhead", "load" or "storm".
        title: The title.
        summary: A description of the measurement in a sentence or two.
        command: The command line that repeats it.
        seed: The seed of everything random in it; None if nothing is random.
        parameters: The conditions, by name.
        tables: The figures.
        charts: The charts.
        notes: Remarks for the reader, such as what is absent and where a peer is better.
        is_complete: False if the benchmark was interrupted.
        headline: The finding that matters most, in a sentence; the first chart shows it. "" without
            one.
    """

    name: str
    title: str
    summary: str
    command: str
    seed: int | None = None
    parameters: Mapping[str, Any] = field(factory=dict)
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    is_complete: bool = True
    headline: str = ""


def as_json(results: Iterable[Result], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results and the machine as plain values for JSON."""
    return {"machine": dict(machine), "results": [asdict(each) for each in results]}


def median_of(what: str, values: Sequence[float], **more: Any) -> Figure:
    """Return a figure with the median of some values, and their quartiles if there are two or more.

    Args:
        what: The name of the figure.
        values: At least one value.
        more: Further fields of the figure.
    """
    if len(values) < 2:
        return Figure(what=what, value=values[0], **more)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(what=what, value=middle, low=low, high=high, **more)
