"""Measure requests per second on a real socket, against aiohttp alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from time import perf_counter, process_time

from attrs import frozen
from yarl import URL

from benchmarks.overhead.ours import PIPELINE, WRAPPED
from benchmarks.overhead.rounds import Values, median, ratio
from benchmarks.overhead.run import (
    PartResult,
    Row,
    RunContext,
    absent_rows,
    by_label,
    compare_with_peers,
)
from benchmarks.overhead.wrapper import Fetch, fetch_with
from benchmarks.results import Figure, Table
from benchmarks.targets import at_least

__all__ = ["Speed", "measure_sockets", "speed"]

_ALONE = "aiohttp alone"
_WRAPPED = "resilient: wrap(session)"
_PIPELINE = "resilient: middlewares=[Pipeline()]"
_MANY = 64
_COLUMNS = ("1 caller", "1 caller, by CPU", f"{_MANY} callers", f"{_MANY} callers, by CPU")
_ROUNDS = 16, 2
# A client that has a core for itself runs for at least this share of the time.
_SATURATED = 0.85
# Requests per turn, by callers: they take a twentieth of a second, or a little more.
_REQUESTS = {1: 100, _MANY: 5 * _MANY}


@frozen
class Speed:
    """The speed of requests.

    Attributes:
        per_second: Requests per second.
        per_cpu_second: Requests per second of CPU time of this process. On a busy machine it
            varies less.
    """

    per_second: float
    per_cpu_second: float


async def speed(fetch: Fetch, url: URL, callers: int, requests: int) -> Speed:
    """Let callers make requests concurrently, each one after another, and return the speed."""
    each = max(requests // callers, 1)

    async def caller() -> None:
        for _ in range(each):
            await fetch(url)

    began, used = perf_counter(), process_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    made = each * callers
    return Speed(made / (perf_counter() - began), made / (process_time() - used))


def measure_sockets(run: RunContext) -> PartResult:
    """Measure all wrappers, over the connections of one session where they can use them."""
    stack = AsyncExitStack()
    fetches = run.runner.run(_open(run, stack))
    try:
        taken: dict[str, Values] = {}
        for callers in (1, _MANY):
            speeds = run.measure_rounds(
                f"requests, {callers} at once",
                _ROUNDS,
                {name: partial(_turn, run, fetch, callers) for name, fetch in fetches.items()},
            )
            taken |= _by_column(speeds, callers)
    finally:
        run.runner.run(stack.aclose())
    rows: dict[str, Row] = {}
    for name in fetches:
        rows[name] = (
            name,
            tuple(
                median(each, name, "requests/s") if name == _ALONE else ratio(each, name, _ALONE)
                for each in taken.values()
            ),
        )
    many = _COLUMNS.index(f"{_MANY} callers")
    wanted = []
    for name in (_WRAPPED, _PIPELINE):
        figure = rows[name][1][many]
        assert figure is not None
        wanted.append(at_least(figure, 0.95, f"requests/s, {_MANY} at once, {name}"))
    table = Table(
        title="Requests on a real socket",
        columns=_COLUMNS,
        rows=(*rows.values(), *absent_rows(run.peers, len(_COLUMNS))),
        remark="aiohttp alone in requests a second, everybody else as a ratio to it; below 1 is "
        "slower. By CPU: requests for each second of CPU of the client, whoever else uses the "
        "machine. The server is a process of its own that writes the same answer to every "
        "request, so that the client and not the server is what is measured.",
    )
    # By CPU time, which other processes on the machine do not change.
    ours, *_ = rows[_WRAPPED][1][many + 1 :]
    assert ours is not None
    theirs = {name: rows[name][1][many + 1] for name in by_label(run.peers.wrappers)}
    notes = compare_with_peers(f"at {_MANY} callers, by CPU", ours, theirs, higher=True)
    wall, cpu = rows[_ALONE][1][many : many + 2]
    return PartResult(table=table, wanted=tuple(wanted), notes=notes + _about_the_core(wall, cpu))


async def _open(run: RunContext, stack: AsyncExitStack) -> dict[str, Fetch]:
    session = run.fixture.session
    fetches = {_ALONE: fetch_with(session)}
    for name, wrapper in {
        _WRAPPED: WRAPPED,
        _PIPELINE: PIPELINE,
        **by_label(run.peers.wrappers),
    }.items():
        fetches[name] = await stack.enter_async_context(wrapper.client(session))
    return fetches


def _turn(run: RunContext, fetch: Fetch, callers: int) -> Speed:
    return run.runner.run(speed(fetch, run.fixture.url, callers, _REQUESTS[callers]))


def _about_the_core(per_second: Figure | None, per_cpu_second: Figure | None) -> tuple[str, ...]:
    """Warn if the client was not the bottleneck.

    It is if it has a core for itself and always work. Otherwise the cost of a wrapper may show
    too little or too much.
    """
    assert per_second is not None
    assert per_cpu_second is not None
    share = (per_second.value or 0.0) / (per_cpu_second.value or 1.0)
    if share >= _SATURATED:
        return ()
    return (
        f"At {_MANY} callers the client ran for {share:.0%} of the time: the machine had other "
        "things to do, or the server was the slower of the two. Of the requests on a socket, "
        "read the figures by CPU.",
    )


def _by_column(speeds: Mapping[str, list[Speed]], callers: int) -> dict[str, Values]:
    return {
        f"{callers}": {name: [s.per_second for s in of] for name, of in speeds.items()},
        f"{callers}, by CPU": {name: [s.per_cpu_second for s in of] for name, of in speeds.items()},
    }
