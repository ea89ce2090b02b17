"""Measure the cost of a call that goes well, in process, through a session.

`wrap` stands around the calls of a session, and not around a handler; so a session is called,
whose innermost middleware answers.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from benchmarks.overhead.in_process import Calls, cost_of, session_calls
from benchmarks.overhead.ours import PIPELINE, WRAPPED, wrapped_services
from benchmarks.overhead.references import HAND_WRITTEN, NOTHING
from benchmarks.overhead.rounds import added, microseconds, ratio
from benchmarks.overhead.run import PartResult, RunContext
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.results import Figure, Table

__all__ = ["measure_sessions"]

_COLUMNS = ("x doing nothing", "x hand-written", "added to doing nothing")
_CALLS = 200
_ROUNDS = 20, 5


def measure_sessions(run: RunContext) -> PartResult:
    """Measure ours as a middleware of a session, and by `wrap`."""
    wrappers: dict[str, Wrapper] = {NOTHING.label: NOTHING, HAND_WRITTEN.label: HAND_WRITTEN}
    wrappers |= run.chosen(PIPELINE, WRAPPED, wrapped_services(run.fixture.url))
    stack = AsyncExitStack()
    calls = run.runner.run(_open(run, stack, wrappers))
    try:
        contenders = {name: partial(_cost, run, each) for name, each in calls.items()}
        taken = run.measure_rounds("calls of a session", _ROUNDS, contenders)
    finally:
        run.runner.run(stack.aclose())
    nothing, reference = NOTHING.label, HAND_WRITTEN.label
    rows: dict[str, tuple[Figure | None, ...]] = {
        name: (
            ratio(taken, name, nothing),
            ratio(taken, name, reference),
            added(taken, name, nothing),
        )
        for name in wrappers
        if name != nothing
    }
    of_nothing = microseconds(taken, nothing), ratio(taken, nothing, reference), None
    table = Table(
        title="A call of a session that goes well, in process",
        columns=_COLUMNS,
        rows=((nothing, of_nothing), *rows.items()),
        remark="The whole of `session.get(url)`, with the work that aiohttp does around its "
        "middlewares; the innermost of these answers, so that nothing is sent. CPU time.",
    )
    return PartResult(table=table, plotted=_COLUMNS[0])


async def _open(
    run: RunContext, stack: AsyncExitStack, wrappers: dict[str, Wrapper]
) -> dict[str, Calls]:
    return {
        name: await stack.enter_async_context(session_calls(run.fixture, wrapper))
        for name, wrapper in wrappers.items()
    }


def _cost(run: RunContext, calls: Calls) -> float:
    return run.runner.run(cost_of(calls, _CALLS))
