"""Measure the cost of a successful call, in process."""

from __future__ import annotations

from functools import partial

from aiohttp import ClientHandlerType

from benchmarks.overhead.in_process import cost_of
from benchmarks.overhead.ours import PARTS, PIPELINE, PassThrough
from benchmarks.overhead.rounds import added, ratio
from benchmarks.overhead.run import (
    PartResult,
    RunContext,
    absent_rows,
    by_label,
    compare_with_peers,
)
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.results import Table
from benchmarks.targets import at_most

__all__ = ["measure_calls"]

_COLUMNS = ("returns at once", "suspends once", "suspends once: added")
_CALLS = 400
_ROUNDS = 20, 5
_PIPELINE = f"resilient: {PIPELINE.name}"


def measure_calls(run: RunContext) -> PartResult:
    """Measure all wrappers around a handler that returns at once, and one that suspends once."""
    nothing = PassThrough()
    wrappers: dict[str, Wrapper] = {_PIPELINE: PIPELINE}
    wrappers |= {f"resilient: {each.name}": each for each in PARTS}
    wrappers |= by_label(run.peers.wrappers)
    try:
        taken = run.measure_rounds("calls in process", _ROUNDS, _contenders(run, wrappers, nothing))
    finally:
        for wrapper in wrappers.values():
            run.runner.run(wrapper.close())
    rows = {
        name: (
            ratio(taken, name, "nothing"),
            ratio(taken, f"{name}, suspending", "nothing, suspending"),
            added(taken, f"{name}, suspending", "nothing, suspending"),
        )
        for name in wrappers
    }
    once, _, more = rows[_PIPELINE]
    once = at_most(once, 10, "whole pipeline, x doing nothing")
    more = at_most(more, 4, "whole pipeline around a handler that suspends, added")
    table = Table(
        title="A call that goes well, in process",
        columns=_COLUMNS,
        rows=(*rows.items(), *absent_rows(run.peers, len(_COLUMNS))),
        remark="Ratios to doing nothing: one middleware that passes through, in the chain that "
        "aiohttp builds for each call, around the same handler. Decorators and clients go "
        "around the handler without that chain. Each request is new, and its session has a "
        "connection to the server in its pool, as under load.",
    )
    better = compare_with_peers(
        "around a handler that returns at once",
        once,
        {name: rows[name][0] for name in by_label(run.peers.wrappers)},
    )
    return PartResult(table=table, wanted=(once, more), notes=better)


def _contenders(
    run: RunContext, wrappers: dict[str, Wrapper], nothing: Wrapper
) -> dict[str, partial[float]]:
    def turn(call: ClientHandlerType) -> partial[float]:
        return partial(_cost, run, call)

    async def make() -> dict[str, partial[float]]:
        fixture = run.fixture
        contenders = {}
        for name, wrapper in {"nothing": nothing, **wrappers}.items():
            contenders[name] = turn(wrapper.wrap(fixture.at_once))
            contenders[f"{name}, suspending"] = turn(wrapper.wrap(fixture.suspending))
        return contenders

    # In the event loop, since a session that a wrapper builds belongs to it.
    return run.runner.run(make())


def _cost(run: RunContext, call: ClientHandlerType) -> float:
    return run.runner.run(cost_of(run.fixture, call, _CALLS))
