"""Count the instructions of a call that goes well, by callgrind, where valgrind is.

They do not depend on what else the machine does: each row is run twice, with different numbers of
calls, and the difference is that of the calls. That takes a minute or more for each, so that it is
done only where it is asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from yarl import URL

from benchmarks.overhead import counted_calls
from benchmarks.overhead.counted_calls import HANDLER, MOST, SESSION, counted_rows
from benchmarks.overhead.processes import run_python
from benchmarks.overhead.references import HAND_WRITTEN, NOTHING
from benchmarks.overhead.run import PartResult, RunContext
from benchmarks.overhead.settings import PROFILER
from benchmarks.results import Figure, Table

__all__ = ["instructions_of", "measure_instructions"]

_COLUMNS = (
    "around a handler",
    "around a handler, less doing nothing",
    "of a session",
    "of a session, less doing nothing",
)
_CALLGRIND = (
    PROFILER,
    "--tool=callgrind",
    # An interpreter may be a script that becomes another one.
    "--trace-children=yes",
    "--callgrind-out-file=/dev/null",
    "--log-fd=1",
)
_COLLECTED = re.compile(r"Collected\s*: ([0-9]+)")
_TIMEOUT = 600.0


def instructions_of(way: str, row: str, url: URL) -> float:
    """Return the instructions of one call, of two runs that differ by `MOST` calls.

    Args:
        way: `HANDLER` or `SESSION`.
        row: The label of the row.
        url: A URL of the server that is running.
    """
    _run(way, row, 0, url)  # compiles what is imported, which the first run would count
    few, many = (_count(way, row, number, url) for number in (0, MOST))
    return (many - few) / MOST


def _count(way: str, row: str, number: int, url: URL) -> int:
    said = _run(way, row, number, url, under=_CALLGRIND)
    found = _COLLECTED.search(said)
    if found is None:
        raise RuntimeError(f"{PROFILER} has counted nothing: {said[-400:]}")
    return int(found[1])


def _run(way: str, row: str, number: int, url: URL, under: Sequence[str] = ()) -> str:
    return run_python(
        "-W",
        "ignore",
        "-m",
        counted_calls.__name__,
        way,
        row,
        str(number),
        str(url),
        under=under,
        # Texts have the same hashes in both runs, and dicts the same collisions.
        environment={"PYTHONHASHSEED": "0"},
        timeout=_TIMEOUT,
    )


def measure_instructions(run: RunContext) -> PartResult:
    """Count the calls of ours and of both references, as many at a time as there are cores."""
    url = run.fixture.url
    references = NOTHING.label, HAND_WRITTEN.label
    wanted = [
        (way, label)
        for way in (HANDLER, SESSION)
        for label in counted_rows(way, url)
        if label in references or run.settings.wants(label)
    ]
    run.progress.begin("instructions", len(wanted))
    counts: dict[tuple[str, str], float] = {}

    def count(each: tuple[str, str]) -> None:
        counts[each] = instructions_of(*each, url)
        run.progress.advance()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            list(pool.map(count, wanted))
        except BaseException:
            # After Ctrl-C those that have begun end, and no more begin.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    labels = dict.fromkeys(label for _, label in wanted)
    table = Table(
        title="Instructions of a call that goes well",
        columns=_COLUMNS,
        rows=tuple((label, tuple(_row(counts, label))) for label in labels),
        remark=f"Counted by callgrind in two runs that differ by {MOST} calls: around a handler "
        "that returns at once, and of a whole `session.get(url)` whose innermost middleware "
        "answers. They do not depend on what else the machine does.",
    )
    return PartResult(table=table)


def _row(counts: dict[tuple[str, str], float], label: str) -> Iterator[Figure | None]:
    for way in (HANDLER, SESSION):
        count = counts.get((way, label))
        if count is None:
            yield from (None, None)
            continue
        yield Figure(what=label, value=round(count))
        more = round(count - counts[way, NOTHING.label])
        yield None if label == NOTHING.label else Figure(what=label, value=more)
