"""What came of the example of a metastable failure, in tables and charts."""

from __future__ import annotations

from attrs import evolve

from benchmarks.results import Chart, Figure, Line, Span, Table
from benchmarks.storm.metastable_example import (
    CAPACITY,
    OFFERED,
    PATIENCE,
    PROCESSES,
    SOURCE,
    TRIGGER,
)
from benchmarks.storm.story import Told
from benchmarks.storm.tally import Tally
from resilient import BudgetPolicy

__all__ = ["told"]

# What counts as recovered: this share of what is offered.
_RECOVERED = 0.8
# The last seconds, over which the end state is averaged.
_END = 10.0


def _mean(rates: list[float]) -> float:
    return sum(rates) / len(rates)


def _trend(delays: list[float]) -> str:
    """Which way the line in front of the server goes, if there is one."""
    if delays[-1] <= PATIENCE:
        return ""
    return "growing" if delays[-1] > delays[0] else "shrinking"


def _end_state(what: str, tally: Tally, until: float, offered: float = OFFERED) -> list[Figure]:
    start = until - _END
    recovered = tally.recovered_at(TRIGGER.end, until, _RECOVERED * offered)
    return [
        Figure(
            what=f"goodput at the end, {what}",
            value=_mean(tally.goodput(start, until)),
            unit="calls/s",
        ),
        Figure(
            what=f"arrivals at the end, {what}",
            value=_mean(tally.arrivals(start, until)),
            unit="requests/s",
        ),
        Figure(
            what=f"recovered after, {what}",
            value=None if recovered is None else recovered - TRIGGER.end,
            unit="s",
            remark=f"not within {until - TRIGGER.end:g} s" if recovered is None else "",
        ),
        Figure(
            what=f"latency at the end, {what}",
            value=(latency := tally.latency(start, until)),
            unit="s",
            remark="nothing succeeds" if latency is None else "",
        ),
        Figure(
            what=f"the server's delay at the end, {what}",
            value=(delays := tally.delays(start, until))[-1],
            unit="s",
            remark=_trend(delays),
        ),
        Figure(what=f"calls that succeed, {what}", value=tally.success, unit="%"),
        Figure(what=f"requests per call, {what}", value=tally.requests_per_call, unit="x"),
    ]


_COLUMNS = (
    "goodput at the end",
    "arrivals at the end",
    "recovered after",
    "latency at the end",
    "the server's delay at the end",
    "calls that succeed",
    "requests per call",
)


def told(found: dict[str, Tally], by_load: dict[float, Tally], until: float) -> Told:
    tables = [
        Table(
            title=f"Metastable: {OFFERED:g} calls/s after an outage of 10 s",
            columns=_COLUMNS,
            rows=tuple(
                (what, tuple(_end_state(what, tally, until))) for what, tally in found.items()
            ),
            remark=(
                f"{PROCESSES} processes, each with a pipeline of its own, and a server that "
                f"answers {CAPACITY} requests/s and works on abandoned ones too. Each row adds "
                f"what it names to the one retry, after {PATIENCE:g} s; the deadline leaves room "
                "for half of a second attempt. The standard pipeline waits 30 s for an attempt. "
                f"Recovered is {_RECOVERED:.0%} of what is offered, for good."
            ),
        ),
        _published(found["one retry"], until),
    ]
    if by_load:
        tables.append(_by_load(by_load, until))
    return Told(
        notes=_notes(found, until),
        tables=tuple(tables),
        charts=(
            _chart("Goodput", "calls that succeed, per second", found, until, "goodput"),
            _chart("Arrivals", "requests that arrive, per second", found, until, "arrivals"),
            _chart(
                "Delay", "seconds until an arriving request is answered", found, until, "delays"
            ),
        ),
    )


def _notes(found: dict[str, Tally], until: float) -> tuple[str, ...]:
    """What ended the outage, and why a budget is not enough at such a load."""
    ends: list[str] = []
    goes_on: list[str] = []
    for what, tally in found.items():
        back = tally.recovered_at(TRIGGER.end, until, _RECOVERED * OFFERED)
        (goes_on if back is None else ends).append(f'"{what}"')
    notes = [
        f"Metastable: {until - TRIGGER.end:g} s after the trigger the outage is over with "
        f"{', '.join(ends) or 'nothing'}; it goes on with {', '.join(goes_on) or 'nothing'}."
    ]
    if '"budget"' in goes_on:
        budget = BudgetPolicy()
        notes.append(
            f"Metastable: the server has room for {CAPACITY - OFFERED:g} retries a second. A "
            f"budget of {budget.ratio:g} allows {budget.ratio * OFFERED:g}, and its floor "
            f"{budget.min_per_second:g} in each of {PROCESSES} processes: so close to what a "
            "server can do, a budget limits the damage and does not end it. Nor does a "
            "deadline, when the request was sent long before. Refusing calls does."
        )
    return tuple(notes)


def _published(tally: Tally, until: float) -> Table:
    goodput, arrivals, *_ = _end_state("one retry", tally, until)
    before = _mean(tally.goodput(1, TRIGGER.start))
    return Table(
        title="Metastable: what was published",
        figures=(
            Figure(
                what="goodput before the trigger, one retry",
                value=before,
                unit="calls/s",
                published="280",
                source=SOURCE,
            ),
            evolve(goodput, published="almost none", source=SOURCE),
            evolve(arrivals, published="560", source=SOURCE),
            Figure(
                what="retries that the server has room for",
                value=CAPACITY - OFFERED,
                unit="requests/s",
                published="20",
                source=SOURCE,
                remark="to recover, retries have to be fewer, or the load below 150",
            ),
        ),
    )


def _by_load(by_load: dict[float, Tally], until: float) -> Table:
    return Table(
        title="Metastable: one retry, over the load",
        columns=_COLUMNS,
        rows=tuple(
            (
                f"{load:g} calls/s",
                tuple(
                    evolve(
                        figure,
                        published="recovers" if load < CAPACITY / 2 else "stays down",
                        source=SOURCE,
                    )
                    if figure.what.startswith("recovered")
                    else figure
                    for figure in _end_state(f"{load:g} calls/s", tally, until, load)
                ),
            )
            for load, tally in sorted(by_load.items())
        ),
        remark="The paper: below 150 a second, half of what the server can do, it recovers.",
    )


def _chart(title: str, label: str, found: dict[str, Tally], until: float, counted: str) -> Chart:
    return Chart(
        title=f"{title} around an outage of 10 s, {OFFERED:g} calls/s",
        x_label="seconds",
        y_label=label,
        lines=tuple(
            Line(name=what, xs=tally.times(0, until), ys=getattr(tally, counted)(0, until))
            for what, tally in found.items()
        ),
        spans=(Span(start=TRIGGER.start, end=TRIGGER.end, name="the trigger"),),
    )
