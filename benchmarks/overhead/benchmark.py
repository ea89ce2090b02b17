"""The overhead benchmark: measure one part after another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager

from attrs import evolve
from yarl import URL

from benchmarks.overhead.calls import measure_calls
from benchmarks.overhead.charts import dot_plot
from benchmarks.overhead.garbage import measure_garbage
from benchmarks.overhead.imports import measure_imports
from benchmarks.overhead.in_process import CallFixture, call_fixture
from benchmarks.overhead.instructions import measure_instructions
from benchmarks.overhead.interpreter import this_interpreter
from benchmarks.overhead.memory import measure_memory
from benchmarks.overhead.peers.catalogue import Peers, find_peers
from benchmarks.overhead.refusals import measure_refusals
from benchmarks.overhead.run import PartResult, RunContext, peer_notes
from benchmarks.overhead.server import running_server
from benchmarks.overhead.sessions import measure_sessions
from benchmarks.overhead.settings import OverheadSettings
from benchmarks.overhead.sockets import measure_sockets
from benchmarks.overhead.stalls import measure_stalls
from benchmarks.progress import Progress
from benchmarks.results import Result, Table
from benchmarks.targets import TITLE

__all__ = ["measure"]

_PARTS: Mapping[str, Callable[[RunContext], PartResult]] = {
    "calls": measure_calls,
    "sessions": measure_sessions,
    "refusals": measure_refusals,
    "sockets": measure_sockets,
    "memory": measure_memory,
    "stalls": measure_stalls,
    "garbage": measure_garbage,
    "imports": measure_imports,
    "instructions": measure_instructions,
}


def measure(settings: OverheadSettings, progress: Progress) -> Iterator[Result]:
    """Measure part by part; each result adds a table to the one before."""
    peers = find_peers() if settings.peers else Peers()
    peers = peers.chosen(settings.wants)
    found: list[PartResult] = []
    with _logs_discarded(), asyncio.Runner() as runner, _call_fixture(runner) as fixture:
        run = RunContext(settings, peers, progress, runner, fixture)
        for part in settings.chosen_parts:
            found.append(_told(_PARTS[part](run)))
            is_complete = len(found) == len(settings.chosen_parts)
            yield _with(settings, found, peers, is_complete=is_complete)


def _told(part: PartResult) -> PartResult:
    """Add the interpreter to the remark of the table, which may stand by itself in a document."""
    remark = f"{part.table.remark} {this_interpreter().describe()}"
    return evolve(part, table=evolve(part.table, remark=remark))


def _nothing_yet(settings: OverheadSettings) -> Result:
    return Result(
        name="overhead",
        title="What the middlewares cost",
        summary="What a call costs that goes well, and one that is refused or fails; in process "
        "and on a socket, beside a hand-written retry and breaker and what people use instead, at "
        "equal settings. Medians of interleaved rounds, with their quartiles; nothing but ratios "
        "of one run is worth comparing.",
        command=settings.command,
        seed=settings.seed,
        parameters={
            "parts": settings.chosen_parts,
            "rows": settings.rows or "all",
            "quick": settings.quick,
            "peers": settings.peers,
            "interpreter": this_interpreter().describe(),
        },
        is_complete=False,
    )


def _with(
    settings: OverheadSettings, found: list[PartResult], peers: Peers, *, is_complete: bool
) -> Result:
    wanted = Table(
        title=TITLE,
        figures=tuple(figure for part in found for figure in part.wanted),
        remark=this_interpreter().describe(),
    )
    notes = [note for part in found for note in part.notes]
    measured = {name for part in found for name, _ in part.table.rows}
    if is_complete:
        notes += _unknown_rows(settings, found)
    plots = (
        dot_plot(part.table, part.plotted, higher=part.higher) for part in found if part.plotted
    )
    return evolve(
        _nothing_yet(settings),
        headline=next((part.headline for part in found if part.headline), ""),
        charts=tuple(plot for plot in plots if plot is not None),
        tables=(wanted, *(part.table for part in found)),
        notes=(*notes, *peer_notes(peers.chosen(measured.__contains__))),
        is_complete=is_complete,
    )


def _unknown_rows(settings: OverheadSettings, found: list[PartResult]) -> Iterator[str]:
    """Name what was asked for and is in no name of a row."""
    names = [name.casefold() for part in found for name, _ in part.table.rows]
    for text in settings.rows:
        if not any(text.casefold() in name for name in names):
            yield f"No row has {text!r} in its name."


@contextmanager
def _logs_discarded() -> Iterator[None]:
    """Discard log records, which would appear between the lines of progress.

    Breakers open a hundred times here, and ours logs each opening.
    """
    handler = logging.NullHandler()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


@contextmanager
def _call_fixture(runner: asyncio.Runner) -> Iterator[CallFixture]:
    stack = AsyncExitStack()
    with running_server() as url:
        try:
            yield runner.run(stack.enter_async_context(call_fixture(URL(url))))
        finally:
            runner.run(stack.aclose())
