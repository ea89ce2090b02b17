"""Count the objects that a failed call leaves to the garbage collector.

What reference counting frees costs nothing later; what is left in circles waits for the collector,
keeps what it refers to alive until then, and stops the event loop when it is collected.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import AsyncExitStack

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from benchmarks.overhead.failures import (
    ANSWERED,
    PERSISTENT,
    READ_LIMIT,
    REFUSED,
    TIMED_OUT,
    failing_url,
)
from benchmarks.overhead.ours import PIPELINE, WRAPPED
from benchmarks.overhead.references import HAND_WRITTEN
from benchmarks.overhead.run import PartResult, RunContext, targets_of
from benchmarks.overhead.sockets import ALONE
from benchmarks.overhead.wrapper import Fetch, Wrapper, fetch_with
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most

__all__ = ["garbage_of", "measure_garbage"]

# By kind: the calls of a thorough and of a quick run. Those that time out take their time.
_CALLS = {ANSWERED: (1000, 100), REFUSED: (1000, 100), TIMED_OUT: (100, 10)}
_FIRST = 5


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
    run.progress.begin("garbage of failed calls", (1 + len(wrappers)) * len(_CALLS))
    counts = run.runner.run(_measure(run, wrappers))
    table = Table(
        title="Garbage for the collector, of a failed call",
        columns=tuple(_CALLS),
        rows=tuple(
            (
                name,
                tuple(Figure(what=name, value=found[kind], unit="objects") for kind in _CALLS),
            )
            for name, found in counts.items()
        ),
        remark=f"Objects that gc.collect() finds, a call. Each call makes {PERSISTENT.attempts} "
        "attempts, but for aiohttp alone, which makes one and leaves garbage of its own where a "
        "connection fails.",
    )
    wanted = targets_of(
        (
            at_most,
            1,
            f"garbage of a failed call beyond aiohttp's own: {kind}",
            _more(counts, kind),
        )
        for kind in _CALLS
    )
    return PartResult(table=table, wanted=wanted)


def _more(counts: Mapping[str, Mapping[str, float]], kind: str) -> Figure | None:
    """Return the objects of a call through the pipeline beyond those of aiohttp's attempts."""
    if PIPELINE.label not in counts:
        return None
    more = counts[PIPELINE.label][kind] - PERSISTENT.attempts * counts[ALONE][kind]
    return Figure(what=kind, value=max(more, 0), unit="objects")


async def _measure(run: RunContext, wrappers: Mapping[str, Wrapper]) -> dict[str, dict[str, float]]:
    connector = run.fixture.session.connector
    limits = ClientTimeout(total=None, sock_read=READ_LIMIT)
    urls = {kind: failing_url(kind, run.fixture.url) for kind in _CALLS}
    counts: dict[str, dict[str, float]] = {}
    async with (
        ClientSession(connector=connector, connector_owner=False, timeout=limits) as session,
        AsyncExitStack() as stack,
    ):
        fetches = {ALONE: fetch_with(session)}
        for name, wrapper in wrappers.items():
            client = wrapper.client(session, PERSISTENT)
            fetches[name] = await stack.enter_async_context(client)
        for name, fetch in fetches.items():
            counts[name] = {}
            for kind, url in urls.items():
                calls = run.settings.choose(*_CALLS[kind])
                counts[name][kind] = await garbage_of(fetch, url, calls)
                run.progress.advance()
    return counts
