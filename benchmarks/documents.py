"""Write the pictures of the documents, each from a run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.algorithms.pictures import PICTURES
from benchmarks.report.outputs import check_directory, write_atomically
from benchmarks.settings import check_names

__all__ = ["ALL", "write_pictures"]

# Those of a run on loopback, which is never the same twice.
_TELEMETRY: Final = ("trace", "outage")

ALL: Final = (*PICTURES, *_TELEMETRY)


def write_pictures(names: Iterable[str], folder: Path, seconds: float) -> Iterator[Path]:
    """Make runs, and yield the file of each picture when it is written.

    Args:
        names: The names of the pictures; all, if there are none.
        folder: The folder of the files, which is made if it is missing.
        seconds: The length of the run on loopback.

    Raises:
        ConfigError: A name is unknown, or nothing can be written there.
    """
    wanted = tuple(dict.fromkeys(names)) or ALL
    check_names(wanted, ALL, "names")
    check_directory(str(folder))
    for name in wanted:
        if name in PICTURES:
            yield _written(folder, name, PICTURES[name](_source(name)))
    if any(name in _TELEMETRY for name in wanted):
        for name, picture in _telemetry(seconds):
            if name in wanted:
                yield _written(folder, name, picture)


def _source(name: str) -> str:
    return f"Simulated by: python -m benchmarks pictures {name}"


def _written(folder: Path, name: str, picture: str) -> Path:
    file = folder / f"{name}.svg"
    write_atomically(str(file), picture.encode())
    return file


def _telemetry(seconds: float) -> Iterator[tuple[str, str]]:
    # Imported here, since the others do without OpenTelemetry.
    from benchmarks.telemetry.outage import Plan, run_outage
    from benchmarks.telemetry.pictures import draw_panels, draw_trace

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        outage = runner.run(run_outage(Plan().scaled(seconds)))
    source = "Measured by: python -m benchmarks pictures {}"
    yield "trace", draw_trace(outage, source.format("trace"))
    yield "outage", draw_panels(outage, source.format("outage"))
