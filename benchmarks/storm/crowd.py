"""Crowd: ten thousand clients, an outage, and the load on a server that has just recovered.

A client makes a call now and then. After a failure it calls again soon, as a user does or a
worker with a queue, so that demand builds up during the outage. A hundred clients share a
process, and with it a pipeline, as in a web application. One row gives each client a pipeline
of its own, to show what sharing is worth.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import fmean

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, ScenarioResult, Span, Table
from benchmarks.storm.crowd_simulation import (
    RETRY_PAUSE,
    SLICE,
    USUAL_PAUSE,
    Crowd,
    crowds,
    outage_of,
    run,
)
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.tally import STRETCH, Tally
from benchmarks.targets import at_most

__all__ = ["measure", "result"]

# Goodput counts as recovered from this share of the normal goodput on.
_RECOVERED = 0.5

# Expected calls in a stretch of time below which few successes mean nothing.
_ENOUGH_CALLS = 20

# Slices per point of a chart.
_SLICES_PER_POINT = 5

_NOTE = (
    "Crowd: a breaker spares the server while it is down, and costs its callers some seconds "
    "when it is back, until the probes have shown it."
)


def measure(settings: StormSettings, progress: Progress) -> Iterator[ScenarioResult]:
    """Let one crowd after another go through an outage; yield the result after each."""
    compared = crowds(settings)
    progress.begin("crowd", len(compared))
    found: list[tuple[Crowd, Tally]] = []
    taken: float | None = None
    for crowd in compared:
        began = time.perf_counter()
        found.append((crowd, run(crowd, seed=settings.seed)))
        if taken is None:
            taken = time.perf_counter() - began
        progress.advance()
        yield result(found, taken)


def result(found: list[tuple[Crowd, Tally]], taken: float) -> ScenarioResult:
    """Return the tables, charts and notes of the crowds that were simulated so far.

    Args:
        found: The crowds and their counts, at least one.
        taken: Real seconds that the first simulation took.
    """
    first, _ = found[0]
    fails = [(crowd, tally) for crowd, tally in found if not crowd.stalls]
    stalls = [(crowd, tally) for crowd, tally in found if crowd.stalls]
    tables = [_comparison("503 at once", fails), _running_time(first, taken)]
    charts = [_chart("503 at once", fails)]
    if stalls:
        tables.insert(1, _comparison("stalls, then fails all at once", stalls))
        charts.append(_chart("stalls, then fails all at once", stalls))
    return ScenarioResult(tables=tuple(tables), charts=tuple(charts), notes=_notes(fails))


def _notes(found: list[tuple[Crowd, Tally]]) -> tuple[str, ...]:
    """Say what a breaker does, and what is left of it where each client has its own."""
    alone = [tally for crowd, tally in found if crowd.per_process == 1]
    if not alone:
        return (_NOTE,)
    first, together = found[0]
    return (
        f"{_NOTE} Where {first.per_process} clients share one, {_refused(together)} of the calls "
        f"were refused; where each has its own, which sees few calls, {_refused(alone[0])}.",
    )


def _refused(tally: Tally) -> str:
    return f"{tally.refused / max(tally.calls, 1):.0%}"


def _comparison(outage: str, found: list[tuple[Crowd, Tally]]) -> Table:
    first, _ = found[0]
    return Table(
        title=f"Crowd: {first.clients} clients, an outage ({outage})",
        columns=(
            "peak after recovery",
            "arrivals in the outage",
            "goodput is back after",
            "work that got done",
            "requests per call",
        ),
        rows=tuple((crowd.name, tuple(_row(crowd, tally))) for crowd, tally in found),
        remark=(
            f"A client calls every {USUAL_PAUSE:g} s on average, {first.rate:g} calls/s in all, "
            f"and after a failed call every {RETRY_PAUSE:g} s; {first.per_process} clients share a "
            f"process. The outage lasts {first.seconds / 6:g} of {first.seconds:g} s. Rates "
            f"are multiples of that on a good day; the peak is of {SLICE * 1000:g} ms. Work is "
            "the calls that succeed, as a share of those of a good minute; goodput is back at "
            f"{_RECOVERED:.0%} of it."
        ),
    )


def _row(crowd: Crowd, tally: Tally) -> list[Figure]:
    period = outage_of(crowd.seconds)
    during = tally.arrivals(period.start, period.end)
    back = tally.recovered_at(period.end, crowd.seconds, _RECOVERED * crowd.rate)
    return [
        Figure(
            what=f"peak after recovery, {crowd.name}",
            value=max(tally.arrivals(period.end, crowd.seconds)) / crowd.rate,
            unit="x",
        ),
        Figure(
            what=f"arrivals in the outage, {crowd.name}",
            value=sum(during) / len(during) / crowd.rate,
            unit="x",
        ),
        Figure(
            what=f"goodput is back after, {crowd.name}",
            value=None if back is None else back - period.end,
            unit="s",
            remark="" if back is not None else _why_not_back(crowd),
        ),
        Figure(
            what=f"work that got done, {crowd.name}",
            value=100 * tally.succeeded / (crowd.rate * crowd.seconds),
            unit="%",
        ),
        Figure(what=f"requests per call, {crowd.name}", value=tally.requests_per_call, unit="x"),
    ]


def _why_not_back(crowd: Crowd) -> str:
    enough = crowd.rate * STRETCH >= _ENOUGH_CALLS
    return "not within the run" if enough else "too few calls to tell"


def _running_time(crowd: Crowd, taken: float) -> Table:
    figure = Figure(
        what=f"{crowd.clients} clients for {crowd.seconds:g} simulated seconds",
        value=taken,
        unit="s",
        remark="of real time, on one core",
    )
    if (crowd.clients, crowd.seconds) == (10_000, 60):
        figure = at_most(figure, 60)
    return Table(title="Crowd: running it", figures=(figure,))


def _smoothed(rates: list[float]) -> list[float]:
    """Return the mean of the slices of each point of the chart."""
    starts = range(0, len(rates), _SLICES_PER_POINT)
    return [fmean(rates[start : start + _SLICES_PER_POINT]) for start in starts]


def _chart(outage: str, found: list[tuple[Crowd, Tally]]) -> Chart:
    first, _ = found[0]
    period = outage_of(first.seconds)
    return Chart(
        title=f"Crowd: arrivals of {first.clients} clients around an outage ({outage})",
        x_label="seconds",
        y_label="requests that arrive, per second",
        lines=tuple(
            Line(
                name=crowd.name,
                xs=tally.times(0, crowd.seconds)[::_SLICES_PER_POINT],
                ys=_smoothed(tally.arrivals(0, crowd.seconds)),
            )
            for crowd, tally in found
        ),
        spans=(Span(start=period.start, end=period.end, name="the outage"),),
    )
