"""Measure for how long the first failing call of a process stops the event loop."""

from __future__ import annotations

from functools import partial

from yarl import URL

from benchmarks.overhead import first_failure
from benchmarks.overhead.failures import ANSWERED, REFUSED, failing_url
from benchmarks.overhead.ours import PIPELINE, WRAPPED
from benchmarks.overhead.processes import run_python
from benchmarks.overhead.references import HAND_WRITTEN
from benchmarks.overhead.rounds import median
from benchmarks.overhead.run import PartResult, RunContext, targets_of
from benchmarks.overhead.sockets import ALONE
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most

__all__ = ["measure_stalls", "stall"]

_ROUNDS = 5, 1
_KINDS = ANSWERED, REFUSED
_CLIENTS = {
    ALONE: first_failure.ALONE,
    HAND_WRITTEN.label: first_failure.HAND_WRITTEN,
    PIPELINE.label: first_failure.PIPELINE,
    WRAPPED.label: first_failure.WRAPPED,
}


def stall(client: str, url: URL) -> float:
    """Return the milliseconds of the longest stall in a new interpreter.

    Args:
        client: One of `first_failure.CLIENTS`.
        url: A URL whose requests fail.
    """
    return float(run_python("-W", "ignore", "-m", first_failure.__name__, client, str(url)))


def measure_stalls(run: RunContext) -> PartResult:
    """Measure aiohttp alone, the hand-written middleware and ours, each turn in a new process."""
    urls = {kind: failing_url(kind, run.fixture.url) for kind in _KINDS}
    chosen = [
        name for name in _CLIENTS if name in (ALONE, HAND_WRITTEN.label) or run.settings.wants(name)
    ]
    contenders = {
        f"{name}, {kind}": partial(stall, _CLIENTS[name], urls[kind])
        for name in chosen
        for kind in _KINDS
    }
    taken = run.measure_rounds("first failures", _ROUNDS, contenders)
    rows: dict[str, tuple[Figure | None, ...]] = {
        name: tuple(median(taken, f"{name}, {kind}", "ms") for kind in _KINDS) for name in chosen
    }
    table = Table(
        title="The longest stall of the event loop in a first failing call",
        columns=_KINDS,
        rows=tuple(rows.items()),
        remark="The first call of a new process, which fails: the CPU time of the longest callback "
        "that the event loop ran, during which nothing else could.",
    )
    found = rows.get(PIPELINE.label, (None,) * len(_KINDS))
    wanted = targets_of(
        (at_most, 2, f"longest stall of the loop in a first failure, {kind}", figure)
        for kind, figure in zip(_KINDS, found, strict=True)
    )
    return PartResult(table=table, wanted=wanted)
