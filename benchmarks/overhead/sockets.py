"""Measure requests on a real socket per second of the client's CPU, against aiohttp alone."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from time import perf_counter, process_time

from attrs import frozen
from yarl import URL

from benchmarks.overhead.ours import PIPELINE, WRAPPED, services, wrapped_services
from benchmarks.overhead.references import HAND_WRITTEN
from benchmarks.overhead.rounds import Values, less, median, ratio
from benchmarks.overhead.run import (
    PartResult,
    RunContext,
    absent_rows,
    compare_with_peers,
    targets_of,
)
from benchmarks.overhead.traced import ON_SOCKETS, instrumented
from benchmarks.overhead.wrapper import Fetch, Wrapper, fetch_with
from benchmarks.results import Figure, Table
from benchmarks.targets import at_least

__all__ = ["ALONE", "Speed", "measure_sockets", "speed"]

ALONE = "aiohttp alone"
_MANY = 64
_COLUMNS = ("1 caller", f"{_MANY} callers", f"{_MANY} callers, less hand-written")
# Many short turns: what disturbs the machine lasts longer than a turn, and so falls on all alike.
_ROUNDS = 150, 10
# A client that has a core for itself runs for at least this share of the time.
_SATURATED = 0.85
# Requests per turn, by callers.
_REQUESTS = {1: 40, _MANY: 2 * _MANY}


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
    wrappers: dict[str, Wrapper] = {HAND_WRITTEN.label: HAND_WRITTEN}
    url = run.fixture.url
    usual = instrumented() if run.settings.peers else ()
    ours = PIPELINE, WRAPPED, *services(url), wrapped_services(url), *ON_SOCKETS, *usual
    wrappers |= run.chosen(*ours, with_peers=True)
    stack = AsyncExitStack()
    fetches = run.runner.run(_open(run, stack, wrappers))
    try:
        one, many = (_measured(run, fetches, callers) for callers in (1, _MANY))
    finally:
        run.runner.run(stack.aclose())
    by_one, by_many = _by_cpu(one), _by_cpu(many)
    alone = median(by_one, ALONE, "requests/s"), median(by_many, ALONE, "requests/s"), None
    rows: dict[str, tuple[Figure | None, ...]] = {
        name: (
            ratio(by_one, name, ALONE),
            ratio(by_many, name, ALONE),
            less(by_many, name, HAND_WRITTEN.label, ALONE),
        )
        for name in wrappers
    }
    table = Table(
        title="Requests on a real socket",
        columns=_COLUMNS,
        rows=((ALONE, alone), *rows.items(), *absent_rows(run.peers, len(_COLUMNS))),
        remark="Requests for each second of CPU of the client, whoever else uses the machine: "
        "aiohttp alone in requests, everybody else as a share of it; below 1 is dearer. The last "
        "column is that share less the one of a hand-written retry and breaker in the same round. "
        "The server is a process of its own that writes the same answer to every request.",
    )
    _, piped, less_piped = rows.get(PIPELINE.label, (None, None, None))
    _, _, less_wrapped = rows.get(WRAPPED.label, (None, None, None))
    at = f"requests/s of CPU at {_MANY} callers, less hand-written"
    traced = ON_SOCKETS[-1]
    less_traced = None
    if {traced.label, *(each.label for each in usual)} <= wrappers.keys() and usual:
        less_traced = less(by_many, traced.label, usual[0].label, ALONE)
    wanted = targets_of(
        (
            (at_least, -0.02, f"{at}: {PIPELINE.name}", less_piped),
            (at_least, -0.03, f"{at}: {WRAPPED.name}", less_wrapped),
            (
                at_least,
                0.0,
                f"requests/s of CPU at {_MANY} callers, with telemetry, less the usual "
                "instrumentation",
                less_traced,
            ),
        )
    )
    theirs = (HAND_WRITTEN, *run.peers.wrappers)
    notes = compare_with_peers(
        f"at {_MANY} callers, by CPU",
        piped,
        {each.label: rows[each.label][1] for each in theirs if each.label in rows},
        higher=True,
    )
    return PartResult(
        table=table,
        wanted=wanted,
        notes=notes + _about_the_core(many[ALONE]),
        plotted=_COLUMNS[1],
        higher=True,
    )


async def _open(
    run: RunContext, stack: AsyncExitStack, wrappers: Mapping[str, Wrapper]
) -> dict[str, Fetch]:
    session = run.fixture.session
    fetches = {ALONE: fetch_with(session)}
    for name, wrapper in wrappers.items():
        fetches[name] = await stack.enter_async_context(wrapper.client(session))
    return fetches


def _measured(
    run: RunContext, fetches: Mapping[str, Fetch], callers: int
) -> Mapping[str, list[Speed]]:
    return run.measure_rounds(
        f"requests, {callers} at once",
        _ROUNDS,
        {name: partial(_turn, run, fetch, callers) for name, fetch in fetches.items()},
    )


def _turn(run: RunContext, fetch: Fetch, callers: int) -> Speed:
    return run.runner.run(speed(fetch, run.fixture.url, callers, _REQUESTS[callers]))


def _by_cpu(speeds: Mapping[str, list[Speed]]) -> Values:
    return {name: [each.per_cpu_second for each in turns] for name, turns in speeds.items()}


def _about_the_core(alone: Sequence[Speed]) -> tuple[str, ...]:
    """Warn if the client was not the bottleneck.

    It is if it has a core for itself and always work. Otherwise it finds fewer answers each time
    that it looks, and all requests cost more.
    """
    share = statistics.median(each.per_second / each.per_cpu_second for each in alone)
    if share >= _SATURATED:
        return ()
    return (
        f"At {_MANY} callers the client ran for {share:.0%} of the time: the machine had other "
        "things to do, or the server was the slower of the two. Then a request costs aiohttp "
        "alone more, and what is added seems less.",
    )
