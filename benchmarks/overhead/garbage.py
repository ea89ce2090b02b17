"""Count the objects that a failed call leaves to the garbage collector.

What reference counting frees costs nothing later; what is left in circles waits for the collector,
keeps what it refers to alive until then, and stops the event loop when it is collected.
"""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack

from aiohttp import ClientError
from yarl import URL

from benchmarks.overhead.failures import FAILURES, NEVER_OPEN, failing_urls
from benchmarks.overhead.ours import PIPELINE, WRAPPED
from benchmarks.overhead.references import HAND_WRITTEN
from benchmarks.overhead.run import PartResult, RunContext, targets_of
from benchmarks.overhead.sockets import ALONE
from benchmarks.overhead.wrapper import Fetch, Wrapper, fetch_with
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most

__all__ = ["garbage_of", "measure_garbage"]

_CALLS = 1000, 50
_FIRST = 20


async def garbage_of(fetch: Fetch, url: URL, calls: int) -> float:
    """Return the objects for the collector that each of some failed calls leaves."""
    await _fail(fetch, url, _FIRST)  # what is made once, and left once
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        await _fail(fetch, url, calls)
        return gc.collect() / calls
    finally:
        if was_enabled:
            gc.enable()


async def _fail(fetch: Fetch, url: URL, calls: int) -> None:
    for _ in range(calls):
        try:
            await fetch(url)
        except (ClientError, TimeoutError):
            continue


def measure_garbage(run: RunContext) -> PartResult:
    """Measure aiohttp alone, the hand-written middleware and ours."""
    wrappers: dict[str, Wrapper] = {HAND_WRITTEN.label: HAND_WRITTEN}
    wrappers |= run.chosen(PIPELINE, WRAPPED)
    run.progress.begin("garbage of failed calls", 1 + len(wrappers))
    rows = run.runner.run(_measure(run, wrappers))
    table = Table(
        title="Garbage for the collector, of a failed call",
        columns=FAILURES,
        rows=tuple(rows.items()),
        remark="Objects that gc.collect() finds, a call. Each call makes three attempts, but for "
        "aiohttp alone, which makes one.",
    )
    found = rows.get(PIPELINE.label, (None,) * len(FAILURES))
    wanted = targets_of(
        (at_most, 1, f"garbage of a failed call, {kind}", figure)
        for kind, figure in zip(FAILURES, found, strict=True)
    )
    return PartResult(table=table, wanted=wanted)


async def _measure(
    run: RunContext, wrappers: dict[str, Wrapper]
) -> dict[str, tuple[Figure | None, ...]]:
    calls = run.settings.choose(*_CALLS)
    rows: dict[str, tuple[Figure | None, ...]] = {}
    async with AsyncExitStack() as stack:
        session = run.fixture.session
        fetches = {ALONE: fetch_with(session)}
        for name, wrapper in wrappers.items():
            client = wrapper.client(session, NEVER_OPEN)
            fetches[name] = await stack.enter_async_context(client)
        for name, fetch in fetches.items():
            found = [
                await garbage_of(fetch, url, calls)
                for url in failing_urls(run.fixture.url).values()
            ]
            rows[name] = tuple(Figure(what=name, value=each, unit="objects") for each in found)
            run.progress.advance()
    return rows
