"""Measure the cost of a call that an open breaker refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ConnectionTimeoutError

from benchmarks.overhead.common_settings import WITHOUT_WAITS
from benchmarks.overhead.in_process import Calls, cost_of
from benchmarks.overhead.ours import BREAKER, PIPELINE
from benchmarks.overhead.references import HAND_WRITTEN
from benchmarks.overhead.rounds import ratio
from benchmarks.overhead.run import (
    PartResult,
    RunContext,
    absent_rows,
    compare_with_peers,
    targets_of,
)
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most

__all__ = ["NeverOpened", "catching_refusal", "measure_refusals", "open_breaker"]

_CALLS = 400
_ROUNDS = 20, 5
_COLUMNS = ("x raise and catch", "x hand-written")
_BASELINE = "raise and catch"

# A breaker that has not opened after this many failures counts as one that never opens.
_PATIENCE = 200


class NeverOpened(RuntimeError):
    """A breaker lets calls through to a server that only fails."""


class _Refused(Exception):
    def __init__(self, key: object, seconds: float) -> None:
        self.key = key
        self.seconds = seconds


async def _raising(_: ClientRequest) -> ClientResponse:
    raise _Refused("key", 1.0)


async def raise_and_catch(request: ClientRequest) -> None:
    """Raise and catch an exception in a coroutine: the baseline of every refusal."""
    try:
        await _raising(request)
    except _Refused:
        return


async def open_breaker(wrapper: Wrapper, request: ClientRequest) -> ClientHandlerType:
    """Open the breaker of a wrapper with failures, and return a call that it refuses.

    The call goes without the chain that aiohttp builds around a middleware, since that costs the
    same without a breaker.

    Raises:
        NeverOpened: The breaker has not opened.
    """
    assert wrapper.refusal is not None
    reached = 0

    async def fail(_: ClientRequest) -> ClientResponse:
        nonlocal reached
        reached += 1
        raise ConnectionTimeoutError  # all of them count it as a failure of the server

    call = wrapper.wrap_without_chain(fail, WITHOUT_WAITS)
    for _ in range(_PATIENCE):
        before = reached
        try:
            await call(request)
        except wrapper.refusal:
            if reached == before:
                return call
        except Exception:  # the wrapper's own error after the last attempt
            continue
    raise NeverOpened(f"{wrapper.name} has not opened after {_PATIENCE} failures")


def catching_refusal(
    wrapper: Wrapper, call: ClientHandlerType
) -> Callable[[ClientRequest], Awaitable[object]]:
    """Return a function that makes the call and catches the refusal."""
    refusal = wrapper.refusal
    assert refusal is not None

    async def catch(request: ClientRequest) -> None:
        try:
            await call(request)
        except refusal:
            return

    return catch


def measure_refusals(run: RunContext) -> PartResult:
    """Measure all wrappers that have a breaker; each turn opens a new one."""
    wrappers: dict[str, Wrapper] = {HAND_WRITTEN.label: HAND_WRITTEN}
    found = run.chosen(PIPELINE, BREAKER, with_peers=True)
    wrappers |= {name: each for name, each in found.items() if each.refusal is not None}
    contenders: dict[str, Callable[[], float]] = {_BASELINE: partial(_baseline, run)}
    contenders |= {name: partial(_cost, run, each) for name, each in wrappers.items()}
    taken = run.measure_rounds("refused calls", _ROUNDS, contenders)
    rows: dict[str, tuple[Figure | None, ...]] = {
        name: (ratio(taken, name, _BASELINE), ratio(taken, name, HAND_WRITTEN.label))
        for name in wrappers
    }
    alone, whole = (rows.get(each.label, (None,))[0] for each in (BREAKER, PIPELINE))
    table = Table(
        title="A call that an open circuit refuses, in process",
        columns=_COLUMNS,
        rows=(*rows.items(), *absent_rows(run.peers, len(_COLUMNS))),
        remark="A circuit that nobody waits for (patience = 0). Ratios to raising and catching an "
        "exception with two fields in a coroutine, and to a hand-written retry and breaker. CPU "
        "time, without the chain that aiohttp builds around a middleware. Peers that are not here "
        "have no breaker.",
    )
    theirs = {
        each.label: rows[each.label][0]
        for each in (HAND_WRITTEN, *run.peers.wrappers)
        if each.label in rows
    }
    wanted = targets_of(
        (
            (at_most, 3, "refused by a breaker alone, x raise and catch", alone),
            (at_most, 4, "refused by the pipeline, x raise and catch", whole),
        )
    )
    notes = compare_with_peers("when a circuit refuses", whole, theirs)
    return PartResult(table=table, wanted=wanted, notes=notes, plotted=_COLUMNS[0])


def _baseline(run: RunContext) -> float:
    return run.runner.run(cost_of(Calls(raise_and_catch, run.fixture.requests), _CALLS))


def _cost(run: RunContext, wrapper: Wrapper) -> float:
    async def turn() -> float:
        # A new one for each turn, since one library keeps something of every refusal.
        (request,) = run.fixture.requests(1)
        try:
            call = catching_refusal(wrapper, await open_breaker(wrapper, request))
            return await cost_of(Calls(call, run.fixture.requests), _CALLS)
        finally:
            await wrapper.close()

    return run.runner.run(turn())
