"""Make the charts of a scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from attrs import evolve

from benchmarks.load.run import Run
from benchmarks.load.scenarios import Scenario
from benchmarks.recovery import BUCKET
from benchmarks.results import Chart, Line, Span

__all__ = ["charts"]

# One call in this many takes longer: 1 for the shortest latency, 10 for the ninth decile, 100
# for the 99th percentile.
_NINES = tuple(sorted({2.0, *(round(10 ** (step / 8), 6) for step in range(41))}))

_PERCENTILES = (
    (2.0, "p50"),
    (10.0, "p90"),
    (100.0, "p99"),
    (1_000.0, "p99.9"),
    (10_000.0, "p99.99"),
)


def charts(scenario: Scenario, runs: Sequence[Run]) -> tuple[Chart, ...]:
    """Return the charts of a scenario."""
    over_time = (_goodput(scenario, runs), _arrivals(scenario, runs))
    latencies = (_latencies(scenario, runs),) if any(each.successes for each in runs) else ()
    return (*(over_time if scenario.over_time else ()), *latencies)


def _goodput(scenario: Scenario, runs: Sequence[Run]) -> Chart:
    offered = (_over_time(run.tally.offered, scenario, "calls that begin") for run in runs[:1])
    return Chart(
        title=f"{scenario.name}: calls that end well, over time",
        x_label="seconds",
        y_label="calls/s",
        lines=(
            *(_over_time(each.tally.good, scenario, each.contender.name) for each in runs),
            *(evolve(each, is_reference=True) for each in offered),
        ),
        spans=_spans(scenario),
        remark=f"{scenario.what} Those of what was retried are counted when they end.",
    )


def _arrivals(scenario: Scenario, runs: Iterable[Run]) -> Chart:
    return Chart(
        title=f"{scenario.name}: requests that reach the server, over time",
        x_label="seconds",
        y_label="requests/s",
        lines=tuple(
            _over_time(
                Counter(int(time // BUCKET) for time in each.arrivals),
                scenario,
                each.contender.name,
            )
            for each in runs
        ),
        spans=_spans(scenario),
    )


def _over_time(counts: Counter[int], scenario: Scenario, name: str) -> Line:
    """Return a line of rates from counts, each point in the middle of its slice."""
    last = max([int(scenario.seconds / BUCKET) - 1, *(k for k, count in counts.items() if count)])
    buckets = range(last + 1)
    return Line(
        name=name,
        xs=tuple((bucket + 0.5) * BUCKET for bucket in buckets),
        ys=tuple(counts[bucket] / BUCKET for bucket in buckets),
    )


def _spans(scenario: Scenario) -> tuple[Span, ...]:
    outage = scenario.outage
    return () if outage is None else (Span(start=outage.start, end=outage.end, name="outage"),)


def _latencies(scenario: Scenario, runs: Iterable[Run]) -> Chart:
    return Chart(
        title=f"{scenario.name}: latency of the calls that succeeded",
        x_label="percentile of the calls that succeeded",
        y_label="ms",
        lines=tuple(_quantiles(each) for each in runs if each.successes),
        x_scale="log",
        y_scale="log",
        x_ticks=_PERCENTILES,
        remark="From when a call was due to when its answer was read.",
    )


def _quantiles(run: Run) -> Line:
    xs = [each for each in _NINES if each <= run.successes]
    latencies = [run.tally.succeeded.quantile(1 - 1 / each) or 0.0 for each in xs]
    return Line(name=run.contender.name, xs=tuple(xs), ys=tuple(each * 1000 for each in latencies))
