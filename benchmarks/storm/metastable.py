"""Metastable failure: an outage that outlives its cause, and what ends it.

The example is that of N. Bronson, A. Aghayev, A. Charapko and T. Zhu, "Metastable Failures
in Distributed Systems", HotOS 2021, section 2.1: a database answers up to 300 queries a
second, each in 100 ms, and gets 280 a second; a client that has no answer after a second asks
once more. A switch fails for ten seconds, and everything that was sent meanwhile arrives when
it is back. From then on 560 queries a second come in, and when one is answered nobody waits for
it any more. L. Huang and others, "Metastable Failures in the Wild", OSDI 2022, find retries at
work in more than half of the published outages of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import evolve

from benchmarks.progress import Progress
from benchmarks.results import Chart, Figure, Line, ScenarioResult, Span, Table
from benchmarks.storm.metastable_simulation import (
    CAPACITY,
    OFFERED,
    PATIENCE,
    PROCESSES,
    SOURCE,
    TRIGGER,
    Setup,
    loads,
    run,
    setups,
)
from benchmarks.storm.settings import StormSettings
from benchmarks.storm.tally import Tally
from resilient import BudgetPolicy

__all__ = ["measure", "result"]

# Seconds that a run goes on after the trigger.
_AFTER, _QUICK_AFTER = 40.0, 30.0

# Goodput counts as recovered from this share of the offered load on.
_RECOVERED = 0.8
# Seconds at the end over which the end state is averaged.
_END = 10.0

_DEADLINE_NOTE = " Nor does a deadline, when the request was sent long before."
_BREAKER_NOTE = " Refusing calls does."


def measure(settings: StormSettings, progress: Progress) -> Iterator[ScenarioResult]:
    """Compare policies at the load of the example, then at lower loads."""
    until = TRIGGER.end + (_QUICK_AFTER if settings.quick else _AFTER)
    everything = (*setups(settings), *loads(settings))
    progress.begin("metastable", len(everything))
    found: list[tuple[Setup, Tally]] = []
    for setup in everything:
        found.append((setup, run(setup, until=until, seed=settings.seed)))
        progress.advance()
        yield result(found, until)


def result(found: list[tuple[Setup, Tally]], until: float) -> ScenarioResult:
    """Return the tables, charts and notes of the setups simulated so far, one retry first."""
    example = [(setup, tally) for setup, tally in found if setup.offered == OFFERED]
    return ScenarioResult(
        tables=(_comparison(found, until), _published(found, until)),
        charts=(
            _chart("goodput", "calls that succeed, per second", example, until, Tally.goodput),
            _chart("arrivals", "requests that arrive, per second", example, until, Tally.arrivals),
            _chart("delay", "seconds until a request is answered", example, until, Tally.delays),
        ),
        notes=_notes(example, until),
    )


def _mean(rates: list[float]) -> float:
    return sum(rates) / len(rates)


def _recovered(setup: Setup, tally: Tally, until: float) -> float | None:
    """Return the seconds from the end of the trigger to recovery; None if there was none."""
    back = tally.recovered_at(TRIGGER.end, until, _RECOVERED * setup.offered)
    return None if back is None else back - TRIGGER.end


def _is_growing(tally: Tally, until: float) -> bool:
    """Tell if the queue of the server still grows at the end."""
    delays = tally.delays(until - _END, until)
    return delays[-1] > delays[0]


def _name(setup: Setup) -> str:
    return setup.name if setup.offered == OFFERED else f"{setup.name}, {setup.offered:g} calls/s"


def _comparison(found: list[tuple[Setup, Tally]], until: float) -> Table:
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
    # Clients that wait when the trigger ends give up within this time.
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
    """Say which policies ended the outage, and why a budget alone does not at this load."""
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
            f"budget lets up to {budget.ratio:g} retries fail for each success, and "
            f"{budget.min_per_second:g} a second in each of {PROCESSES} processes whatever fails: "
            "so close to what the server can do, a budget limits the damage and does not end it."
            + (_DEADLINE_NOTE if '"deadline"' in (*going, *staying) else "")
            + (_BREAKER_NOTE if '"breaker"' in over else "")
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
        title=f"Metastable: {title} around an outage of 10 s, {OFFERED:g} calls/s",
        x_label="seconds",
        y_label=label,
        lines=tuple(
            Line(name=setup.name, xs=tally.times(0, until), ys=counted(tally, 0, until))
            for setup, tally in example
        ),
        spans=(Span(start=TRIGGER.start, end=TRIGGER.end, name="the trigger"),),
    )
