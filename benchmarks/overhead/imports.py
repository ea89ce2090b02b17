"""Measure what importing a library adds to `import aiohttp`, in a new interpreter."""

from __future__ import annotations

from functools import partial

from attrs import frozen

from benchmarks.overhead.ours import PIPELINE
from benchmarks.overhead.processes import run_python
from benchmarks.overhead.rounds import median
from benchmarks.overhead.run import (
    PartResult,
    RunContext,
    absent_rows,
    compare_with_peers,
    targets_of,
)
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most

__all__ = ["Import", "import_time", "measure_imports"]

_NAMES = "resilient: import resilient"
_OURS = "resilient: a pipeline made"
_ROUNDS = 5, 1

# CPU time of the interpreter, so that other processes do not count.
_PROGRAM = """
from time import process_time
began = process_time()
import aiohttp
between = process_time()
{code}
print(between - began, process_time() - between)
"""


@frozen
class Import:
    """The cost of an import, in seconds of CPU time.

    Attributes:
        aiohttp: The time for `import aiohttp`.
        added: The time for the code after it.
    """

    aiohttp: float
    added: float

    @property
    def percent(self) -> float:
        """The added time in percent of that of aiohttp."""
        return self.added / self.aiohttp * 100


def import_time(code: str) -> Import:
    """Import aiohttp in a new interpreter, then run the code, and return the times of both."""
    said = run_python("-W", "ignore", "-c", _PROGRAM.format(code=code))
    aiohttp, added = map(float, said.split())
    return Import(aiohttp, added)


def measure_imports(run: RunContext) -> PartResult:
    """Measure all wrappers, each turn in a new interpreter."""
    codes = {_NAMES: "import resilient", _OURS: PIPELINE.first_use}
    theirs = {each.label: each.first_use for each in run.peers.wrappers if each.first_use}
    codes = {name: code for name, code in (codes | theirs).items() if run.settings.wants(name)}
    taken = run.measure_rounds(
        "imports", _ROUNDS, {name: partial(import_time, code) for name, code in codes.items()}
    )
    rows: dict[str, tuple[Figure | None, ...]] = {}
    for name, found in taken.items():
        percent = {name: [each.percent for each in found]}
        seconds = {name: [each.added * 1000 for each in found]}
        rows[name] = (median(percent, name, "%"), median(seconds, name, "ms"))
    names, made = (rows.get(each, (None,))[0] for each in (_NAMES, _OURS))
    table = Table(
        title="Import",
        columns=("added to import aiohttp", "added"),
        rows=(*rows.items(), *absent_rows(run.peers, 2)),
        remark="In a new interpreter, after aiohttp, up to what a user needs before the first "
        "call: `import resilient` alone imports next to nothing yet, for names are imported "
        "when they are first used. CPU time.",
    )
    wanted = targets_of(
        (
            (at_most, 0.5, "import resilient, added to import aiohttp", names),
            (at_most, 15, "import and a pipeline made, added to import aiohttp", made),
        )
    )
    notes = compare_with_peers(
        "when importing", made, {name: rows[name][0] for name in theirs if name in rows}
    )
    return PartResult(table=table, wanted=wanted, notes=notes)
