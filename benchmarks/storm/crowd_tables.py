"""What a crowd went through, in tables and charts."""

from __future__ import annotations

from statistics import fmean

from benchmarks.results import Chart, Figure, Line, Span, Table
from benchmarks.storm.crowd_outage import IMPATIENCE, PAUSE, SLICE, Crowd, outage_of
from benchmarks.storm.story import Told
from benchmarks.storm.tally import STRETCH, Tally
from benchmarks.wanted import at_most

__all__ = ["told"]

# What counts as back: this share of the goodput of a good day.
_BACK = 0.5

# So many calls are expected in a stretch of time before a lack of them means anything.
_ENOUGH = 20

# How many slices make up a point of the chart.
_DRAWN = 5

_NOTE = (
    "Crowd: a breaker spares the server while it is down, and costs its callers some seconds "
    "when it is back, until the probes have shown it."
)


def told(found: list[tuple[Crowd, Tally]], taken: float) -> Told:
    first, _ = found[0]
    fails = [(crowd, tally) for crowd, tally in found if not crowd.stalls]
    stalls = [(crowd, tally) for crowd, tally in found if crowd.stalls]
    tables = [_compared("503 at once", fails), _running(first, taken)]
    charts = [_chart("503 at once", fails)]
    if stalls:
        tables.insert(1, _compared("stalls, then fails all at once", stalls))
        charts.append(_chart("stalls, then fails all at once", stalls))
    return Told(tables=tuple(tables), charts=tuple(charts), notes=_notes(fails))


def _notes(found: list[tuple[Crowd, Tally]]) -> tuple[str, ...]:
    """What breakers do, and how much of it is left where each sees the calls of one client."""
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


def _compared(outage: str, found: list[tuple[Crowd, Tally]]) -> Table:
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
            f"A client calls every {PAUSE:g} s on average, {first.rate:g} calls/s in all, and "
            f"after a failed call every {IMPATIENCE:g} s; {first.per_process} clients share a "
            f"process. The outage lasts {first.seconds / 6:g} of {first.seconds:g} s. Rates "
            f"are multiples of that on a good day; the peak is of {SLICE * 1000:g} ms. Work is "
            "the calls that succeed, as a share of those of a good minute; goodput is back at "
            f"{_BACK:.0%} of it."
        ),
    )


def _row(crowd: Crowd, tally: Tally) -> list[Figure]:
    period = outage_of(crowd.seconds)
    during = tally.arrivals(period.start, period.end)
    back = tally.recovered_at(period.end, crowd.seconds, _BACK * crowd.rate)
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
    return "not within the run" if crowd.rate * STRETCH >= _ENOUGH else "too few calls to tell"


def _running(crowd: Crowd, taken: float) -> Table:
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
    """The means of so many slices as one point of the chart is made of."""
    starts = range(0, len(rates), _DRAWN)
    return [fmean(rates[start : start + _DRAWN]) for start in starts]


def _chart(outage: str, found: list[tuple[Crowd, Tally]]) -> Chart:
    first, _ = found[0]
    period = outage_of(first.seconds)
    return Chart(
        title=f"Arrivals of {first.clients} clients around an outage ({outage})",
        x_label="seconds",
        y_label="requests that arrive, per second",
        lines=tuple(
            Line(
                name=crowd.name,
                xs=tally.times(0, crowd.seconds)[::_DRAWN],
                ys=_smoothed(tally.arrivals(0, crowd.seconds)),
            )
            for crowd, tally in found
        ),
        spans=(Span(start=period.start, end=period.end, name="the outage"),),
    )
