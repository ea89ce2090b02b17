"""Measure the memory that a breaker keeps for one circuit."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

from benchmarks.overhead.in_process import CallFixture
from benchmarks.overhead.ours import BREAKER
from benchmarks.overhead.refusals import catching_refusal, open_breaker
from benchmarks.overhead.run import (
    PartResult,
    RunContext,
    absent_rows,
    by_label,
    compare_with_peers,
)
from benchmarks.overhead.wrapper import Wrapper
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most

__all__ = ["BUSY", "IDLE", "circuit_bytes", "measure_memory"]

_OURS = "resilient: CircuitBreaker"
_COLUMNS = ("idle", "busy", "for each refusal")
_CIRCUITS = 500
_REFUSALS = 200

# Per call, True if it fails: one success; and half a minute of a call per second of which every
# fourth fails.
IDLE = (False,)
BUSY = tuple(second % 4 == 0 for second in range(30))


def circuit_bytes(wrapper: Wrapper, failures: tuple[bool, ...]) -> float:
    """Return the bytes per circuit, with its place in a registry or dict, without its key."""
    return asyncio.run(_bytes(wrapper, failures))


async def _bytes(wrapper: Wrapper, failures: tuple[bool, ...]) -> float:
    circuits = wrapper.circuits()
    keys = [f"https://{number}.api.example" for number in range(_CIRCUITS)]
    await circuits("https://first.api.example", failures)  # creates what is made once
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for key in keys:
            await circuits(key, failures)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / _CIRCUITS


async def refusal_bytes(fixture: CallFixture, wrapper: Wrapper) -> float:
    """Return the bytes that remain of each call that an open breaker refused."""
    (request,) = fixture.requests(1)
    call = catching_refusal(wrapper, await open_breaker(wrapper, request))
    await call(request)  # creates what is made once
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(_REFUSALS):
            await call(request)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await wrapper.close()
    return (after - before) / _REFUSALS


def measure_memory(run: RunContext) -> PartResult:
    """Measure all wrappers that have a breaker."""
    wrappers: dict[str, Wrapper] = {_OURS: BREAKER}
    theirs = by_label(each for each in run.peers.wrappers if each.refusal is not None)
    wrappers |= theirs
    run.progress.begin("memory of a circuit", len(wrappers))
    rows: dict[str, tuple[Figure | None, ...]] = {}
    for name, wrapper in wrappers.items():
        values = (
            circuit_bytes(wrapper, IDLE),
            circuit_bytes(wrapper, BUSY),
            run.runner.run(refusal_bytes(run.fixture, wrapper)),
        )
        rows[name] = tuple(Figure(what=name, value=round(each), unit="bytes") for each in values)
        run.progress.advance()
    idle, busy, _ = rows[_OURS]
    assert idle is not None
    assert busy is not None
    idle, busy = at_most(idle, 200, "an idle circuit"), at_most(busy, 600, "a busy circuit")
    table = Table(
        title="Memory of a circuit",
        columns=_COLUMNS,
        rows=(*rows.items(), *absent_rows(run.peers, len(_COLUMNS))),
        remark="With its place in the registry, or in a dict where there is none, and without "
        "its key. Idle: after one call that went well. Busy: after half a minute of a call a "
        "second, of which every fourth failed. And what stays of each call that was refused.",
    )
    notes = compare_with_peers(
        "in bytes of an idle circuit",
        idle,
        {name: rows[name][0] for name in theirs},
        subject="our breaker",
    )
    return PartResult(table=table, wanted=(idle, busy), notes=notes)
