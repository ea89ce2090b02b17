"""A report: what benchmarks found in one go, and whether they came to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from benchmarks.report.numbers import ABSENT, with_unit
from benchmarks.results import Figure, Result, Table

__all__ = [
    "Report",
    "as_wanted",
    "figures_of",
    "figures_wanted",
    "how_many_hold",
    "machine_in_a_line",
    "versions_in_a_line",
]


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


def figures_wanted(result: Result) -> Iterator[tuple[Table, str, Figure]]:
    """The figures of which something is wanted, with their tables and names."""
    for table in result.tables:
        for name, figure in figures_of(table):
            if figure.wanted or figure.holds is not None:
                yield table, name, figure


def how_many_hold(result: Result) -> str:
    """How many of them are as wanted; "" if none can be judged."""
    judged = [figure.holds for _, _, figure in figures_wanted(result) if figure.holds is not None]
    return f"{sum(judged)} of {len(judged)} figures are as wanted" if judged else ""


def as_wanted(figure: Figure, unit: Callable[[str], str] = str) -> str:
    """What a figure is, and is to be: "4.61 us, wanted at most 4 us".

    Args:
        figure: The figure.
        unit: How a unit is written.
    """
    if figure.value is None:
        value = figure.remark or ABSENT
    else:
        value = with_unit(figure.value, unit(figure.unit))
    return f"{value}, wanted {figure.wanted}"


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
