"""What a benchmark finds: figures, charts, and under which conditions.

Plain values, which know nothing of how they were measured or how they are shown. They
become JSON, lines on a terminal, and pages by way of `benchmarks.report`.
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
        what: What was measured.
        value: The median, or the count; None where there is none, as the remark says.
        low: The first quartile; None for a figure that has no spread.
        high: The third quartile.
        unit: "x", "us", "%", "requests/s", ...; "" for counts.
        wanted: What it is to be, in words: "at most 10".
        holds: Whether it is so; None where nothing is wanted.
        published: The figure that the source gives, if there is one.
        source: Where that was published.
        remark: What to know when reading it; of a value that there is not, what stands in its
            place: "not within the run", "absent: not installed".
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
    """Figures of a kind, one below the other; or side by side, one row for each thing compared.

    Attributes:
        title: What it is about.
        figures: Its rows, where each has a name of its own.
        columns: The names of columns, for a comparison.
        rows: For a comparison: a name, and a figure or None for each column.
        remark: What to know when reading it.
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
    """One line of a chart."""

    name: str
    xs: tuple[float, ...] = field(converter=_numbers)
    ys: tuple[float, ...] = field(converter=_numbers)


@frozen(kw_only=True)
class Span:
    """A stretch of the x axis to shade: an outage."""

    start: float
    end: float
    name: str


@frozen(kw_only=True)
class Chart:
    """Lines over a common axis."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    spans: tuple[Span, ...] = ()
    x_scale: Literal["linear", "log"] = "linear"
    y_scale: Literal["linear", "log"] = "linear"
    remark: str = ""


@frozen(kw_only=True)
class ScenarioResult:
    """The part of a result that one scenario adds."""

    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()


@frozen(kw_only=True)
class Result:
    """What one benchmark found.

    Attributes:
        name: "overhead", "load" or "storm".
        title: In words.
        summary: What was done, in a sentence or two.
        command: What runs it again.
        seed: Of everything random in it; None if nothing is.
        parameters: Under which conditions, by name.
        tables: What was measured.
        charts: And how it went.
        notes: What to know when reading it: what is absent, where a peer is better.
        is_complete: False if it was interrupted.
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


def as_json(results: Iterable[Result], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, in the form in which JSON has it."""
    return {"machine": dict(machine), "results": [asdict(each) for each in results]}


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
