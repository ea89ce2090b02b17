"""The measures of trouble by name, and what is wanted of them.

A tolerance is a line of text: a measure, `<=` or `>=`, and a limit. The limit is a number, or
the same measure of another column, with or without an offset:

    load <= 30
    lost <= none + 0.5
    success >= consecutive breaker
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from attrs import evolve, frozen

from benchmarks.results import Figure
from benchmarks.storm.trouble_simulation import COLUMNS, Observed
from benchmarks.targets import at_least, at_most

__all__ = ["MEASURES", "Measure", "Tolerance", "judge", "parse_tolerance"]


@frozen
class Measure:
    """A figure of one run.

    Attributes:
        side: "caller" for what callers get, "server" for what the server gets.
        unit: The unit.
        of: Computes it.
    """

    side: Literal["caller", "server"]
    unit: str
    of: Callable[[Observed], float]


MEASURES: Final[Mapping[str, Measure]] = {
    "lost": Measure("caller", "s", operator.attrgetter("lost")),
    "success": Measure("caller", "%", operator.attrgetter("success")),
    "others": Measure("caller", "%", operator.attrgetter("neighbours_success")),
    "done": Measure("caller", "", operator.attrgetter("succeeded")),
    "not done": Measure("caller", "", lambda found: found.begun - found.succeeded),
    "goodput": Measure("caller", "/s", operator.attrgetter("goodput_throughout")),
    "goodput after": Measure("caller", "/s", operator.attrgetter("goodput_after")),
    "recover": Measure("caller", "s", operator.attrgetter("recovered_within")),
    "wasted": Measure("caller", "s", operator.attrgetter("wasted")),
    "median": Measure("caller", "s", operator.attrgetter("median_latency")),
    "finished": Measure("caller", "s", operator.attrgetter("finished_at")),
    "unfinished": Measure("caller", "", operator.attrgetter("unfinished")),
    "load": Measure("server", "%", operator.attrgetter("load")),
    "peak": Measure("server", "x", operator.attrgetter("peak")),
    "requests": Measure("server", "", lambda found: found.tally.requests),
    "requests a call": Measure("server", "x", operator.attrgetter("requests_per_call")),
    "requests a success": Measure("server", "x", operator.attrgetter("requests_per_success")),
    "further requests": Measure("server", "", operator.attrgetter("further_requests")),
}

_COLUMN_NAMES = "|".join(column.name for column in COLUMNS)
_TOLERANCE = re.compile(
    rf"(?P<measure>[a-z ]+?) (?P<relation><=|>=) "
    rf"(?:(?P<column>{_COLUMN_NAMES})(?: (?P<sign>[+-]) (?P<offset>[0-9.]+))?|(?P<limit>[0-9.]+))"
)


@frozen
class Tolerance:
    """A limit for a measure of the standard pipeline.

    Attributes:
        text: The limit in words, without the measure: "none + 0.5".
        measure: The name of the measure.
        is_upper: True if the measure may not be above the limit, False if not below it.
        column: The column whose figure the offset is added to; None for a limit by itself.
        offset: The limit, or what is added to the other column's figure.
    """

    text: str
    measure: str
    is_upper: bool
    column: str | None
    offset: float

    def limit(self, means: Mapping[str, Mapping[str, float]]) -> float | None:
        """Return the limit, or None if the other column was not measured.

        Args:
            means: Each column's means, by measure.
        """
        if self.column is None:
            return self.offset
        other = means.get(self.column)
        return None if other is None else other[self.measure] + self.offset


def parse_tolerance(text: str) -> Tolerance:
    """Return the tolerance that a line of text describes.

    Raises:
        ValueError: The text is no tolerance, or its measure is unknown.
    """
    found = _TOLERANCE.fullmatch(text)
    if found is None or found["measure"] not in MEASURES:
        raise ValueError(f"no tolerance: {text!r}")
    offset = float(found["limit"] or found["offset"] or 0)
    return Tolerance(
        text=text.partition("= ")[2],
        measure=found["measure"],
        is_upper=found["relation"] == "<=",
        column=found["column"],
        offset=-offset if found["sign"] == "-" else offset,
    )


def judge(
    figure: Figure,
    tolerances: Iterable[Tolerance],
    means: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Return the pipeline's figure of one measure with what is wanted of it.

    Of several limits the narrowest is the one that counts. Without any, or if the column that
    it refers to was not measured, the figure stays as it is.

    Args:
        figure: The figure.
        tolerances: The tolerances for this measure, all upper or all lower limits.
        means: Each column's means, by measure.
    """
    limits = [
        (limit, tolerance)
        for tolerance in tolerances
        if (limit := tolerance.limit(means)) is not None
    ]
    if not limits:
        return figure
    is_upper = limits[0][1].is_upper
    limit, nearest = (min if is_upper else max)(limits, key=operator.itemgetter(0))
    why = "" if nearest.column is None else nearest.text
    judged = (at_most if is_upper else at_least)(figure, round(limit, 2), why=why)
    # A mean of an infinite time has no digits to print.
    return judged if math.isfinite(figure.value or 0.0) else evolve(judged, holds=False)
