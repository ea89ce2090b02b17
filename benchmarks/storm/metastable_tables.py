"""What came of the example of a metastable failure, in tables and charts."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from benchmarks.results import Chart, Figure, Line, Span, Table
from benchmarks.storm.metastable_example import (
    CAPACITY,
    OFFERED,
    PATIENCE,
    PROCESSES,
    SOURCE,
    TRIGGER,
    Setup,
)
from benchmarks.storm.story import Told
from benchmarks.storm.tally import Tally
from resilient import BudgetPolicy

__all__ = ["told"]

# What counts as recovered: this share of what is offered.
_RECOVERED = 0.8
# The last seconds, over which the end state is averaged.
_END = 10.0


_DEADLINE = " Nor does a deadline, when the request was sent long before."
_BREAKER = " Refusing calls does."


def told(found: list[tuple[Setup, Tally]], until: float) -> Told:
    """The tables, charts and notes of what was found so far; one retry comes first."""
    example = [(setup, tally) for setup, tally in found if setup.offered == OFFERED]
    return Told(
        tables=(_compared(found, until), _published(found, until)),
        charts=(
            _chart("Goodput", "calls that succeed, per second", example, until, Tally.goodput),
            _chart("Arrivals", "requests that arrive, per second", example, until, Tally.arrivals),
            _chart("Delay", "seconds until a request is answered", example, until, Tally.delays),
        ),
        notes=_notes(example, until),
    )


def _mean(rates: list[float]) -> float:
    return sum(rates) / len(rates)


def _recovered(setup: Setup, tally: Tally, until: float) -> float | None:
    """How many seconds after the trigger it was over."""
    back = tally.recovered_at(TRIGGER.end, until, _RECOVERED * setup.offered)
    return None if back is None else back - TRIGGER.end


def _is_growing(tally: Tally, until: float) -> bool:
    """Whether the line in front of the server grows in the end."""
    delays = tally.delays(until - _END, until)
    return delays[-1] > delays[0]


def _name(setup: Setup) -> str:
    return setup.name if setup.offered == OFFERED else f"{setup.name}, {setup.offered:g} calls/s"


def _compared(found: list[tuple[Setup, Tally]], until: float) -> Table:
    return Table(
        title=f"Metastable: {OFFERED:g} calls/s after an outage of 10 s",
        columns=(
            "goodput at the end",
            "arrivals at the end",
            "recovered after",
            "delay at the end",
            "calls that succeed",
            "calls refused",
            "requests per call",
        ),
        rows=tuple(
            (_name(setup), tuple(_row(_name(setup), setup, tally, until))) for setup, tally in found
        ),
        remark=(
            f"{PROCESSES} processes, each with a pipeline of its own, and a server that answers "
            f"{CAPACITY} requests/s and works on abandoned ones too. Each row adds what it names "
            f"to the one retry, after {PATIENCE:g} s; the deadline leaves room for half of a "
            "second attempt. The standard pipeline waits 30 s for an attempt. Recovered is "
            f"{_RECOVERED:.0%} of what is offered, for good, within {until - TRIGGER.end:g} s. The "
            "delay is the time until a request is answered that arrives then."
        ),
    )


def _row(name: str, setup: Setup, tally: Tally, until: float) -> list[Figure]:
    start = until - _END
    recovered = _recovered(setup, tally, until)
    delay = tally.delays(start, until)[-1]
    growing = "growing" if _is_growing(tally, until) else "shrinking"
    refused = 100 * tally.refused / tally.calls

    def figure(what: str, value: float | None, unit: str, remark: str = "") -> Figure:
        return Figure(what=f"{what}, {name}", value=value, unit=unit, remark=remark)

    return [
        figure("goodput at the end", _mean(tally.goodput(start, until)), "calls/s"),
        figure("arrivals at the end", _mean(tally.arrivals(start, until)), "requests/s"),
        figure("recovered after", recovered, "s", "" if recovered is not None else "not yet"),
        figure("delay at the end", delay, "s", growing if delay > PATIENCE else ""),
        figure("calls that succeed", tally.success, "%"),
        figure("calls refused", refused, "%"),
        figure("requests per call", tally.requests_per_call, "x"),
    ]


def _published(found: list[tuple[Setup, Tally]], until: float) -> Table:
    setup, tally = found[0]
    # Those who wait when the trigger ends are still to give up.
    start = TRIGGER.end + 2 * PATIENCE
    figures = [
        Figure(
            what="goodput before the trigger, one retry",
            value=_mean(tally.goodput(1, TRIGGER.start)),
            unit="calls/s",
            published="280",
        ),
        Figure(
            what="goodput after the trigger, one retry",
            value=_mean(tally.goodput(start, until)),
            unit="calls/s",
            published="almost none",
        ),
        Figure(
            what="arrivals after the trigger, one retry",
            value=_mean(tally.arrivals(start, until)),
            unit="requests/s",
            published="560",
        ),
    ]
    for setup, tally in found:
        if setup.name == "one retry" and setup.offered != OFFERED:
            recovered = _recovered(setup, tally, until)
            bound = CAPACITY / 2
            figures.append(
                Figure(
                    what=f"recovered after, {_name(setup)}",
                    value=recovered,
                    unit="s",
                    published=(
                        f"recovers below {bound:g}"
                        if setup.offered < bound
                        else f"stays down from {bound:g} on"
                    ),
                    remark="" if recovered is not None else "stays down",
                )
            )
    return Table(
        title="Metastable: what was published",
        figures=tuple(evolve(figure, source=SOURCE) for figure in figures),
        remark=(
            f"By the same source the outage ends as well with less than {CAPACITY - OFFERED:g} "
            "retries a second."
        ),
    )


def _notes(example: list[tuple[Setup, Tally]], until: float) -> tuple[str, ...]:
    """What ended the outage, and why a budget is not enough at such a load."""
    over: list[str] = []
    going: list[str] = []
    staying: list[str] = []
    for setup, tally in example:
        if _recovered(setup, tally, until) is not None:
            group = over
        else:
            group = staying if _is_growing(tally, until) else going
        group.append(f'"{setup.name}"')
    notes = [
        f"Metastable: {until - TRIGGER.end:g} s after the trigger the outage is over with "
        f"{', '.join(over) or 'nothing'}; what is left of it is being worked off with "
        f"{', '.join(going) or 'nothing'}; it goes on for ever with "
        f"{', '.join(staying) or 'nothing'}."
    ]
    if '"budget"' in staying:
        budget = BudgetPolicy()
        notes.append(
            f"Metastable: the server has room for {CAPACITY - OFFERED:g} retries a second. A "
            f"budget of {budget.ratio:g} allows {budget.ratio * OFFERED:g}, and its floor "
            f"{budget.min_per_second:g} in each of {PROCESSES} processes: so close to what the "
            "server can do, a budget limits the damage and does not end it; it does at less than "
            f"{1 / (1 + budget.ratio):.0%} of what the server can do."
            + (_DEADLINE if '"deadline"' in (*going, *staying) else "")
            + (_BREAKER if '"breaker"' in over else "")
        )
    return tuple(notes)


def _chart(
    title: str,
    label: str,
    example: list[tuple[Setup, Tally]],
    until: float,
    counted: Callable[[Tally, float, float], list[float]],
) -> Chart:
    return Chart(
        title=f"{title} around an outage of 10 s, {OFFERED:g} calls/s",
        x_label="seconds",
        y_label=label,
        lines=tuple(
            Line(name=setup.name, xs=tally.times(0, until), ys=counted(tally, 0, until))
            for setup, tally in example
        ),
        spans=(Span(start=TRIGGER.start, end=TRIGGER.end, name="the trigger"),),
    )
