"""Measure the cost of a call that goes well, in process, around a handler."""

from __future__ import annotations

from functools import partial

from benchmarks.overhead.in_process import Calls, cost_of
from benchmarks.overhead.ours import PARTS, PIPELINE, VARIANTS, services
from benchmarks.overhead.references import HAND_WRITTEN, NOTHING
from benchmarks.overhead.rounds import Values, added, microseconds, ratio
from benchmarks.overhead.run import (
    PartResult,
    RunContext,
    absent_rows,
    compare_with_peers,
    targets_of,
)
from benchmarks.overhead.traced import TRACED
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.report.text import format_number
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most

__all__ = ["measure_calls"]

_COLUMNS = (
    "at once, x doing nothing",
    "at once, x hand-written",
    "suspends once, x doing nothing",
    "suspends once, x hand-written",
    "suspends once, added",
)
_CALLS = 400
_ROUNDS = 20, 5
_SUSPENDING = ", suspending"


def measure_calls(run: RunContext) -> PartResult:
    """Measure all wrappers around a handler that returns at once, and one that suspends once."""
    wrappers: dict[str, Wrapper] = {HAND_WRITTEN.label: HAND_WRITTEN}
    wrappers |= run.chosen(
        PIPELINE, *services(run.fixture.url), *VARIANTS, *TRACED, *PARTS, with_peers=True
    )
    try:
        taken = run.measure_rounds("calls in process", _ROUNDS, _contenders(run, wrappers))
    finally:
        for wrapper in wrappers.values():
            run.runner.run(wrapper.close())
    rows = {NOTHING.label: _of_nothing(taken)}
    rows |= {name: _row(taken, name) for name in wrappers}
    once, _, _, _, more = rows.get(PIPELINE.label, [None] * len(_COLUMNS))
    table = Table(
        title="A call that goes well, in process",
        columns=_COLUMNS,
        rows=(*rows.items(), *absent_rows(run.peers, len(_COLUMNS))),
        remark="Around a handler that returns at once, and one that suspends once. Ratios to "
        "doing nothing, which is one middleware that passes through, and to a hand-written retry "
        "and breaker; each in the chain that aiohttp builds for a call. Decorators and clients go "
        "around the handler without that chain. CPU time. Each request is new, and its session "
        "has a connection to the server in its pool, as under load.",
    )
    theirs = (HAND_WRITTEN, *run.peers.wrappers)
    notes = compare_with_peers(
        "around a handler that returns at once",
        once,
        {each.label: rows[each.label][0] for each in theirs if each.label in rows},
    )
    wanted = targets_of(
        (
            (at_most, 2.6, "a call through the pipeline, x doing nothing", once),
            (at_most, 2, "the same around a handler that suspends, added", more),
        )
    )
    by_hand = rows[HAND_WRITTEN.label][0]
    return PartResult(
        table=table,
        wanted=wanted,
        notes=notes,
        plotted=_COLUMNS[0],
        headline=_headline(once, by_hand),
    )


def _headline(ours: Figure | None, by_hand: Figure | None) -> str:
    if ours is None or ours.value is None or by_hand is None or by_hand.value is None:
        return ""
    return (
        f"In process, a call through the pipeline costs {format_number(ours.value)} times as much "
        "as one through a middleware that does nothing; with a hand-written retry and breaker "
        f"{format_number(by_hand.value)} times."
    )


def _of_nothing(taken: Values) -> tuple[Figure | None, ...]:
    """Return the row of the baseline: its times, and its ratios to the hand-written middleware."""
    name, suspending = NOTHING.label, NOTHING.label + _SUSPENDING
    return (
        microseconds(taken, name),
        ratio(taken, name, HAND_WRITTEN.label),
        microseconds(taken, suspending),
        ratio(taken, suspending, HAND_WRITTEN.label + _SUSPENDING),
        None,
    )


def _row(taken: Values, name: str) -> tuple[Figure | None, ...]:
    suspending, nothing = name + _SUSPENDING, NOTHING.label + _SUSPENDING
    return (
        ratio(taken, name, NOTHING.label),
        ratio(taken, name, HAND_WRITTEN.label),
        ratio(taken, suspending, nothing),
        ratio(taken, suspending, HAND_WRITTEN.label + _SUSPENDING),
        added(taken, suspending, nothing),
    )


def _contenders(run: RunContext, wrappers: dict[str, Wrapper]) -> dict[str, partial[float]]:
    async def make() -> dict[str, partial[float]]:
        fixture = run.fixture
        contenders = {}
        for name, wrapper in {NOTHING.label: NOTHING, **wrappers}.items():
            contenders[name] = partial(_cost, run, fixture.around(fixture.at_once, wrapper))
            contenders[name + _SUSPENDING] = partial(
                _cost, run, fixture.around(fixture.suspending, wrapper)
            )
        return contenders

    # In the event loop, since a session that a wrapper builds belongs to it.
    return run.runner.run(make())


def _cost(run: RunContext, calls: Calls) -> float:
    return run.runner.run(cost_of(calls, _CALLS))
