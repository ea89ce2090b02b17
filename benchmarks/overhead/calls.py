"""The table of what a call costs that goes well, in process."""

from __future__ import annotations

from functools import partial

from aiohttp import ClientHandlerType

from benchmarks.overhead.in_process import cost_of
from benchmarks.overhead.notes import where_better
from benchmarks.overhead.ours import PARTS, PIPELINE, Nothing
from benchmarks.overhead.rounds import added, ratio
from benchmarks.overhead.run import Part, Run, absent_rows, named
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.results import Table
from benchmarks.wanted import at_most

__all__ = ["measure_calls"]

_COLUMNS = ("returns at once", "suspends once", "suspends once: added")
_CALLS = 400
_ROUNDS = 20, 5
_PIPELINE = f"resilient: {PIPELINE.name}"


def measure_calls(run: Run) -> Part:
    """Everybody around a handler that returns at once, and around one that suspends once."""
    nothing = Nothing()
    wrappers: dict[str, Wrapper] = {_PIPELINE: PIPELINE}
    wrappers |= {f"resilient: {each.name}": each for each in PARTS}
    wrappers |= named(run.peers.wrappers)
    try:
        taken = run.compete("calls in process", _ROUNDS, _contenders(run, wrappers, nothing))
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
    better = where_better(
        "around a handler that returns at once",
        once,
        {name: rows[name][0] for name in named(run.peers.wrappers)},
    )
    return Part(table=table, wanted=(once, more), notes=better)


def _contenders(
    run: Run, wrappers: dict[str, Wrapper], nothing: Wrapper
) -> dict[str, partial[float]]:
    def turn(call: ClientHandlerType) -> partial[float]:
        return partial(_cost, run, call)

    async def make() -> dict[str, partial[float]]:
        bench = run.bench
        contenders = {}
        for name, wrapper in {"nothing": nothing, **wrappers}.items():
            contenders[name] = turn(wrapper.around(bench.at_once))
            contenders[f"{name}, suspending"] = turn(wrapper.around(bench.suspending))
        return contenders

    # In the loop: a session that somebody builds belongs to it.
    return run.runner.run(make())


def _cost(run: Run, call: ClientHandlerType) -> float:
    return run.runner.run(cost_of(run.bench, call, _CALLS))
