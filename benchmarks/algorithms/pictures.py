"""Draw what each algorithm does, from runs in virtual time, for the pages that explain them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.algorithms.runs import (
    CROWD_DOWN,
    LIMIT,
    OUTAGE,
    WEAK,
    Course,
    run_backoff,
    run_budget,
    run_bulkhead,
    run_circuit,
    run_throttle,
)
from benchmarks.report.pictures import States, for_documents
from benchmarks.results import Chart, Line, Span
from resilient.testing import Period

__all__ = ["PICTURES"]


def _chart(title: str, y_label: str, lines: Sequence[Line], down: tuple[Period, str]) -> Chart:
    period, name = down
    return Chart(
        title=title,
        x_label="seconds",
        y_label=y_label,
        lines=tuple(lines),
        spans=(Span(start=period.start, end=period.end, name=name),),
    )


def _line(name: str, course: Course, *, is_reference: bool = False) -> Line:
    return Line(name=name, xs=course.times, ys=course.rates, is_reference=is_reference)


_DOWN: Final = "the server is down"


def draw_backoff(source: str) -> str:
    """Draw the same crowd with backoff alone, and with full jitter."""
    chart = _chart(
        "300 clients that fail at once, and try again",
        "requests per second",
        [_line("backoff alone", run_backoff("none")), _line("full jitter", run_backoff("full"))],
        (CROWD_DOWN, _DOWN),
    )
    return for_documents(
        chart,
        "Two panels over twelve seconds. With backoff alone the clients come back together, in "
        "bursts after 0.5, 1.5, 3.5 and 7.5 seconds. With full jitter the same clients are spread "
        "out, and no burst is left after the first.",
        source,
    )


def draw_circuit(source: str) -> str:
    """Draw the requests and the states of a circuit through an outage."""
    run = run_circuit()
    chart = _chart(
        "A circuit through an outage, at 50 calls a second",
        "per second",
        [
            _line("requests that the server gets", run.arrived),
            _line("calls that end well", run.well),
            _line("calls that begin", run.begun, is_reference=True),
        ],
        (OUTAGE, _DOWN),
    )
    return for_documents(
        chart,
        "Two panels over 36 seconds, and the states of the circuit below. When the server goes "
        "down the circuit opens, and the server gets almost nothing but probes. After its return "
        "a probe goes well, traffic is let in at the usual rate, and the circuit closes.",
        source,
        _states(run.states, run.begun.seconds),
    )


def _states(changes: Sequence[tuple[float, str]], end: float) -> States:
    kinds = {"closed": "well", "open": "ill", "half_open": "s4"}
    begins = [begin for begin, _ in changes]
    stretches = zip(changes, [*begins[1:], end], strict=True)
    return States(
        "the circuit",
        {state.replace("_", "-"): kind for state, kind in kinds.items()},
        tuple((begin, until, state.replace("_", "-")) for (begin, state), until in stretches),
    )


def draw_throttle(source: str) -> str:
    """Draw what a server with a limit gets, with a throttle and without."""
    throttled, plain = run_throttle(throttled=True), run_throttle(throttled=False)
    limit = Line(
        name=f"the limit, {LIMIT}/s",
        xs=(0, throttled.begun.seconds),
        ys=(LIMIT, LIMIT),
        is_reference=True,
    )
    chart = Chart(
        title="More calls than a limit lets through",
        x_label="seconds",
        y_label="per second",
        lines=(
            _line("calls that begin", throttled.begun),
            _line("requests, with the throttle", throttled.arrived),
            _line("429s, with the throttle", throttled.limited),
            _line("429s, without it", plain.limited),
            limit,
        ),
    )
    return for_documents(
        chart,
        "Four panels over 36 seconds. For ten seconds twice as many calls begin as the limit of "
        "ten a second lets through. With the throttle requests go on at the limit until the queue "
        "is empty, with few 429s; without it there are many.",
        source,
    )


def draw_budget(source: str) -> str:
    """Draw what retries add to an outage, with a budget and without."""
    begun, free = run_budget(has_budget=False)
    _, bounded = run_budget(has_budget=True)
    chart = _chart(
        "Retries in an outage, at 50 calls a second",
        "requests per second",
        [
            _line("three attempts, no budget", free),
            _line("three attempts, the standard budget", bounded),
            _line("calls that begin", begun, is_reference=True),
        ],
        (OUTAGE, _DOWN),
    )
    return for_documents(
        chart,
        "Two panels over 36 seconds. Without a budget three times as many requests as calls reach "
        "the server while it is down; with the budget little more than the calls themselves.",
        source,
    )


def draw_bulkhead(source: str) -> str:
    """Draw the places of a bulkhead whose limit adapts."""
    run = run_bulkhead()
    chart = _chart(
        "A limit that adapts, for 60 callers",
        "attempts",
        [
            Line(name="the limit", xs=run.times, ys=run.limits),
            Line(name="under way", xs=run.times, ys=run.in_use),
            Line(name="waiting for a place", xs=run.times, ys=run.waiting),
        ],
        (WEAK, "the server can do 12 at once, not 40"),
    )
    return for_documents(
        chart,
        "Three panels over 45 seconds. The limit rises to about 40, which is what the server can "
        "do, falls to about 12 while it can do no more, and rises again; the others wait.",
        source,
    )


# Each by the name of its file; they take what the last line says of their source.
PICTURES: Final[Mapping[str, Callable[[str], str]]] = {
    "backoff": draw_backoff,
    "budget": draw_budget,
    "circuit": draw_circuit,
    "throttle": draw_throttle,
    "bulkhead": draw_bulkhead,
}
