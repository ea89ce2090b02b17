"""A report: the results of one run of benchmarks, and the machine that made them."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from attrs import frozen

from benchmarks.report.text import ABSENT, format_with_unit
from benchmarks.results import Figure, Result, Table

__all__ = [
    "Report",
    "count_met",
    "describe_machine",
    "describe_target",
    "figures_of",
    "machine_in_a_line",
    "target_figures",
    "versions_in_a_line",
]


@frozen(kw_only=True)
class Report:
    """Results, and the machine and versions that they were measured with.

    Attributes:
        machine: The facts from `describe_machine`.
        results: The results, in the order of measurement; the last may be incomplete.
        stopped: The reason for an early end in a line, such as "interrupted"; "" without one.
        missing: The names of the benchmarks that have no result because of that.
    """

    machine: Mapping[str, Any]
    results: tuple[Result, ...]
    stopped: str = ""
    missing: tuple[str, ...] = ()


def figures_of(table: Table) -> Iterator[tuple[str, Figure]]:
    """Yield each figure of a table with its name; in a comparison, "row, column"."""
    for figure in table.figures:
        yield figure.what, figure
    for name, cells in table.rows:
        for column, cell in zip(table.columns, cells, strict=False):
            if cell is not None:
                yield f"{name}, {column}", cell


def target_figures(result: Result) -> Iterator[tuple[Table, str, Figure]]:
    """Yield the figures that have a target, with their tables and names."""
    for table in result.tables:
        for name, figure in figures_of(table):
            if figure.wanted or figure.holds is not None:
                yield table, name, figure


def count_met(result: Result) -> str:
    """Say how many figures meet their target; "" if none can be judged."""
    judged = [figure.holds for _, _, figure in target_figures(result) if figure.holds is not None]
    return f"{sum(judged)} of {len(judged)} figures are as wanted" if judged else ""


def describe_target(figure: Figure, unit: Callable[[str], str] = str) -> str:
    """Return a figure and its target in words: "4.61 us, wanted at most 4 us".

    Args:
        figure: The figure.
        unit: Writes a unit. Default: as it is.
    """
    if figure.value is None:
        value = figure.remark or ABSENT
    else:
        value = format_with_unit(figure.value, unit(figure.unit))
    return f"{value}, wanted {figure.wanted}"


def machine_in_a_line(machine: Mapping[str, Any]) -> str:
    """Return the main facts: "CPython 3.13.1, Linux x86_64, 2 cores, load 0.5, 2026-05-04"."""
    cores, load = machine.get("cores"), machine.get("load")
    parts = [
        machine.get("python"),
        machine.get("system"),
        cores and f"{cores} core{'s' * (cores != 1)}",
        load is not None and f"load {load}",
        machine.get("date"),
    ]
    return ", ".join(str(each) for each in parts if each)


def versions_in_a_line(machine: Mapping[str, Any]) -> str:
    """Return the versions installed: "aiohttp 3.12.15, attrs 25.1.0, hyx absent"."""
    versions: Mapping[str, Any] = machine.get("versions") or {}
    return ", ".join(f"{name} {version or 'absent'}" for name, version in versions.items())


_ALWAYS = ("aiohttp", "attrs", "backoff", "resilient-aiohttp", "yarl")


def describe_machine(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return the facts that figures depend on, by name; nothing that identifies the machine.

    Args:
        packages: Distributions whose versions are listed, besides ours and its dependencies.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": {name: _version(name) for name in sorted({*_ALWAYS, *packages})},
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
