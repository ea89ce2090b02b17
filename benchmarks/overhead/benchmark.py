"""The overhead benchmark: measure one part after another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import ClientSession, TCPConnector
from attrs import evolve
from yarl import URL

from benchmarks.overhead.calls import measure_calls
from benchmarks.overhead.imports import measure_imports
from benchmarks.overhead.in_process import CallFixture, make_call_fixture
from benchmarks.overhead.memory import measure_memory
from benchmarks.overhead.peers.catalogue import Peers, find_peers
from benchmarks.overhead.refusals import measure_refusals
from benchmarks.overhead.run import PartResult, RunContext, peer_notes
from benchmarks.overhead.server import running_server
from benchmarks.overhead.settings import OverheadSettings
from benchmarks.overhead.sockets import measure_sockets
from benchmarks.progress import Progress
from benchmarks.results import Result, Table
from benchmarks.targets import TITLE

__all__ = ["measure"]

_PARTS = (measure_calls, measure_refusals, measure_sockets, measure_memory, measure_imports)


def measure(settings: OverheadSettings, progress: Progress) -> Iterator[Result]:
    """Measure part by part; each result adds a table to the one before."""
    peers = find_peers() if settings.peers else Peers()
    result = _nothing_yet(settings)
    found: list[PartResult] = []
    with _logs_discarded(), asyncio.Runner() as runner, _call_fixture(runner) as fixture:
        run = RunContext(settings, peers, progress, runner, fixture)
        for part in _PARTS:
            found.append(part(run))
            yield _with(result, found, peers, is_complete=len(found) == len(_PARTS))


def _nothing_yet(settings: OverheadSettings) -> Result:
    return Result(
        name="overhead",
        title="What the middlewares cost",
        summary="What a call costs that goes well, and one that is refused; in process and on "
        "a socket, beside what people use instead, at equal settings. Medians of interleaved "
        "rounds, with their quartiles; nothing but ratios of one run is worth comparing.",
        command=settings.command,
        seed=settings.seed,
        parameters={"quick": settings.quick, "peers": settings.peers},
        is_complete=False,
    )


def _with(result: Result, found: list[PartResult], peers: Peers, *, is_complete: bool) -> Result:
    wanted = Table(
        title=TITLE,
        figures=tuple(figure for part in found for figure in part.wanted),
    )
    notes = [note for part in found for note in part.notes]
    return evolve(
        result,
        tables=(wanted, *(part.table for part in found)),
        notes=(*notes, *peer_notes(peers)),
        is_complete=is_complete,
    )


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
    with running_server() as url:
        session = runner.run(_session())
        try:
            yield runner.run(make_call_fixture(session, URL(url)))
        finally:
            runner.run(session.close())


async def _session() -> ClientSession:
    # Idle connections are kept: one that is dropped between rounds would change the figures.
    return ClientSession(connector=TCPConnector(keepalive_timeout=3600))
