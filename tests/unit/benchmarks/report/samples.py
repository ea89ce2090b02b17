"""A report that has a bit of everything."""

from __future__ import annotations

import math

from benchmarks.report.document import Report
from benchmarks.results import Chart, Figure, Line, Result, Span, Table

__all__ = ["BLOG", "CHART", "COMPARISON", "LIST", "MACHINE", "NASTY", "REPORT", "RESULT", "report"]

BLOG = "https://blog.example/back_off?a=1&b=2"

MACHINE = {
    "date": "2026-05-04T10:00:00+00:00",
    "python": "CPython 3.13.1",
    "system": "Linux x86_64",
    "cores": 2,
    "load": 0.5,
    "versions": {"aiohttp": "3.12.15", "hyx": None},
}

LIST = Table(
    title="In process",
    figures=(
        Figure(
            what="whole pipeline",
            value=8.934,
            low=8.7,
            high=9.2,
            unit="x",
            wanted="at most 10",
            holds=True,
        ),
        Figure(what="suspending", value=4.61, unit="us", wanted="at most 4", holds=False),
        Figure(what="clientwright", value=None, remark="absent: not installed"),
        Figure(what="full jitter", value=912, unit="calls", published="about 900", source=BLOG),
    ),
    remark="Ratios of one run.",
)

COMPARISON = Table(
    title="On a socket",
    columns=("1 caller", "64 callers"),
    rows=(
        ("bare", (Figure(what="bare", value=12345.6, unit="requests/s"), None)),
        (
            "ours",
            (
                Figure(what="ours", value=None, remark="absent: not installed"),
                Figure(
                    what="ours",
                    value=0.93,
                    low=0.92,
                    high=0.97,
                    unit="x",
                    wanted="at least 0.95",
                    holds=False,
                    published="0.91",
                    source=BLOG,
                    remark="warm",
                ),
            ),
        ),
    ),
)

CHART = Chart(
    title="Goodput over time",
    x_label="time (s)",
    y_label="goodput (1/s)",
    lines=(
        Line(name="none", xs=(0, 1, 2, 3), ys=(5, 1, math.nan, 5)),
        Line(name="pipeline", xs=(0, 1, 2, 3), ys=(5, 4, 3, 5)),
    ),
    spans=(Span(start=1, end=2, name="outage"),),
    remark="Seeded.",
)

RESULT = Result(
    name="overhead",
    title="What it costs",
    summary="Interleaved rounds.",
    command="python -m benchmarks overhead --seed 7",
    seed=7,
    parameters={"rounds": 15, "quick": False, "policies": ("none", "retry"), "port": None},
    tables=(LIST, COMPARISON),
    charts=(CHART,),
    notes=("A peer is better.",),
    headline="It costs 9 times as much as nothing.",
)

NASTY = "<script>alert(1)</script> & | `$x_1$` \x1b[31m \udcff 時間 [bold]"


def report(*results: Result, stopped: str = "", missing: tuple[str, ...] = ()) -> Report:
    """A report of these, measured nowhere in particular."""
    return Report(machine=MACHINE, results=results, stopped=stopped, missing=missing)


REPORT = report(RESULT)
