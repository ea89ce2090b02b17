"""What an import adds to that of aiohttp, in a new interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

from attrs import frozen

from benchmarks.overhead.ours import PIPELINE
from benchmarks.overhead.rounds import median
from benchmarks.overhead.run import (
    PartResult,
    RunContext,
    absent_rows,
    compare_with_peers,
    row_label,
)
from benchmarks.results import Figure, Table
from benchmarks.targets import at_most

__all__ = ["Import", "import_time", "measure_imports"]

_NAMES = "resilient: import resilient"
_OURS = "resilient: a pipeline made"
_ROUNDS = 5, 1

# With it, the modules of a checkout would be compiled anew by each interpreter.
_UNCOMPILED = "PYTHONDONTWRITEBYTECODE"

# The interpreter's own time, not the clock's: what other processes take is no cost of it.
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
    """Seconds of CPU.

    Attributes:
        aiohttp: For `import aiohttp`.
        added: For what came after it.
    """

    aiohttp: float
    added: float

    @property
    def percent(self) -> float:
        """How much was added."""
        return self.added / self.aiohttp * 100


def import_time(code: str) -> Import:
    """Import aiohttp, and then run some code that imports something else."""
    program = _PROGRAM.format(code=code)
    said = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", program],
        timeout=60,
        # Installed packages are compiled; a checkout is by whoever imports it first.
        env={name: value for name, value in os.environ.items() if name != _UNCOMPILED},
        # Out of reach of Ctrl-C, of which it would show a traceback; it is ended all the same.
        start_new_session=True,
    )
    aiohttp, added = map(float, said.split())
    return Import(aiohttp, added)


def measure_imports(run: RunContext) -> PartResult:
    """Everybody, each in an interpreter of its own for each turn."""
    codes = {_NAMES: "import resilient", _OURS: PIPELINE.first_use}
    theirs = {row_label(each): each.first_use for each in run.peers.wrappers if each.first_use}
    codes |= theirs
    taken = run.measure_rounds(
        "imports", _ROUNDS, {name: partial(import_time, code) for name, code in codes.items()}
    )
    rows: dict[str, tuple[Figure | None, ...]] = {}
    for name, found in taken.items():
        percent = {name: [each.percent for each in found]}
        seconds = {name: [each.added * 1000 for each in found]}
        rows[name] = (median(percent, name, "%"), median(seconds, name, "ms"))
    added = rows[_OURS][0]
    assert added is not None
    added = at_most(added, 8, "import and a pipeline made, added to import aiohttp")
    table = Table(
        title="Import",
        columns=("added to import aiohttp", "added"),
        rows=(*rows.items(), *absent_rows(run.peers, 2)),
        remark="In a new interpreter, after aiohttp, up to what a user needs before the first "
        "call: `import resilient` alone imports next to nothing yet, for names are imported "
        "when they are first used.",
    )
    notes = compare_with_peers("when importing", added, {name: rows[name][0] for name in theirs})
    return PartResult(table=table, wanted=(added,), notes=notes)
