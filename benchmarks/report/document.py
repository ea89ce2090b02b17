"""A report: what benchmarks found in one go, and whether they came to their end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from benchmarks.results import Figure, Result, Table

__all__ = ["Report", "figures_of", "figures_that_miss", "machine_in_a_line", "versions_in_a_line"]


@frozen(kw_only=True)
class Report:
    """Results, and what they were measured with.

    Attributes:
        machine: As `describe_machine` has it.
        results: In the order in which they were measured; the last may be incomplete.
        stopped: Why no more was measured, in a line: "interrupted"; "" at the regular end.
        missing: The names of the benchmarks that therefore found nothing.
    """

    machine: Mapping[str, Any]
    results: tuple[Result, ...]
    stopped: str = ""
    missing: tuple[str, ...] = ()


def figures_of(table: Table) -> Iterator[tuple[str, Figure]]:
    """Every figure of a table, and its name: of a comparison, that of the row and of the column."""
    for figure in table.figures:
        yield figure.what, figure
    for name, cells in table.rows:
        for column, cell in zip(table.columns, cells, strict=False):
            if cell is not None:
                yield f"{name}, {column}", cell


def figures_that_miss(result: Result) -> Iterator[tuple[Table, str, Figure]]:
    """The figures that are not what they are to be, with their tables and names."""
    for table in result.tables:
        for name, figure in figures_of(table):
            if figure.holds is False:
                yield table, name, figure


def machine_in_a_line(machine: Mapping[str, Any]) -> str:
    """What everybody asks for first: "CPython 3.13.1, Linux x86_64, 2 cores, 2026-05-04"."""
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
    """What was installed: "aiohttp 3.12.15, attrs 25.1.0, hyx absent"."""
    versions: Mapping[str, Any] = machine.get("versions") or {}
    return ", ".join(f"{name} {version or 'absent'}" for name, version in versions.items())
