"""Measure the memory that is kept for a destination, and for a call that was refused.

Each destination gets a call a second, in virtual time, so that what is kept by slices of time is
seen as well; through the whole of a middleware, so that it does not matter where it keeps what.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress

from benchmarks.overhead.in_process import CallFixture
from benchmarks.overhead.ours import BREAKER, BULKHEAD, PIPELINE, RETRY, THROTTLE
from benchmarks.overhead.references import HAND_WRITTEN
from benchmarks.overhead.refusals import catching_refusal, open_breaker
from benchmarks.overhead.run import (
    PartResult,
    RunContext,
    absent_rows,
    compare_with_peers,
    targets_of,
)
from benchmarks.overhead.wrapper import Circuits, Wrapper
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most
from resilient.testing import run_in_virtual_time

__all__ = ["BUSY", "QUIET", "TROUBLED", "destination_bytes", "measure_memory", "refusal_bytes"]

_COLUMNS = ("quiet", "after its first slices", "in trouble", "for each refusal")
# At most as many as the standard policy keeps, those of the first turn included.
_DESTINATIONS = 700
_FIRST = 300
_REFUSALS = 200

# The calls of a destination, one a second; True for each that fails.
QUIET = (False,)
BUSY = (False,) * 12
TROUBLED = tuple(second % 4 == 0 for second in range(30))

# More timers than an event loop leaves lying about once they were cancelled.
_TIMERS = 150


def destination_bytes(wrapper: Wrapper, failures: Sequence[bool]) -> float:
    """Return the bytes kept for a destination, its place in a registry included, not its key."""
    return run_in_virtual_time(_bytes(wrapper, failures))


async def _bytes(wrapper: Wrapper, failures: Sequence[bool]) -> float:
    try:
        # Makes what is made once, and fills caches of the libraries.
        await _call_all(wrapper, wrapper.circuits(), range(_FIRST), failures)
        circuits = wrapper.circuits()
        await circuits(_key(0), failures)
        await _settle()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            numbers = range(_FIRST, _FIRST + _DESTINATIONS)
            await _call_all(wrapper, circuits, numbers, failures)
            await _settle()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    finally:
        await wrapper.close()
    return (after - before) / _DESTINATIONS - sys.getsizeof(_key(_FIRST))


def _key(number: int) -> str:
    return f"https://{number}.api.example"


async def _call_all(
    wrapper: Wrapper, circuits: Circuits, numbers: Sequence[int], failures: Sequence[bool]
) -> None:
    refusals = () if wrapper.refusal is None else (wrapper.refusal,)
    for failed in failures:
        for number in numbers:
            with suppress(*refusals):
                # The key is made for each call, as the text of a URL is.
                await circuits(_key(number), (failed,))
        await asyncio.sleep(1)


async def _settle() -> None:
    """Let the event loop drop timers that were cancelled, and collect garbage."""
    loop = asyncio.get_running_loop()
    for _ in range(_TIMERS):
        loop.call_later(1, _settle).cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


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
    """Measure the pipeline, its parts that keep something, and all wrappers with a breaker."""
    wrappers: dict[str, Wrapper] = {HAND_WRITTEN.label: HAND_WRITTEN}
    wrappers |= run.chosen(PIPELINE, RETRY, THROTTLE, BREAKER, BULKHEAD)
    theirs = run.chosen(*(each for each in run.peers.wrappers if each.refusal is not None))
    wrappers |= theirs
    run.progress.begin("memory of a destination", len(wrappers))
    rows: dict[str, tuple[Figure | None, ...]] = {}
    for name, wrapper in wrappers.items():
        kept = [destination_bytes(wrapper, calls) for calls in (QUIET, BUSY, TROUBLED)]
        if wrapper.refusal is not None:
            kept.append(run.runner.run(refusal_bytes(run.fixture, wrapper)))
        figures = [Figure(what=name, value=round(each), unit="bytes") for each in kept]
        rows[name] = (*figures, *[None] * (len(_COLUMNS) - len(figures)))
        run.progress.advance()
    quiet, busy, *_ = rows.get(PIPELINE.label, (None, None))
    table = Table(
        title="Memory of a destination",
        columns=_COLUMNS,
        rows=(*rows.items(), *absent_rows(run.peers, len(_COLUMNS))),
        remark=f"Of {_DESTINATIONS} destinations, with their places in the registry, or in a dict "
        f"where there is none, less one text of the origin each ({sys.getsizeof(_key(_FIRST))} "
        "bytes). Quiet: after one call that went well. After its first slices: after 12 s of a "
        "call a second that goes well. In trouble: after half a minute of a call a second, of "
        "which every fourth fails. And what stays of each call that was refused.",
    )
    wanted = targets_of(
        (
            (at_most, 110, "a quiet destination of the pipeline", quiet),
            (at_most, 220, "a destination after its first slices", busy),
        )
    )
    reference = {HAND_WRITTEN.label: HAND_WRITTEN, **theirs}
    notes = compare_with_peers(
        "in bytes of a quiet destination", quiet, {name: rows[name][0] for name in reference}
    )
    return PartResult(table=table, wanted=wanted, notes=notes)
