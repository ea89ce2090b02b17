"""Show a report on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from benchmarks.report.document import (
    Report,
    count_met,
    describe_target,
    machine_in_a_line,
    target_figures,
    versions_in_a_line,
)
from benchmarks.report.sheets import Cell, Sheet, make_sheets
from benchmarks.report.text import format_value
from benchmarks.results import Result
from resilient.cli.tables import headed, text

__all__ = ["render_report"]

_STYLES = {"": "", "holds": "green", "misses": "bold red", "absent": "dim"}


def render_report(report: Report) -> Iterator[RenderableType]:
    """Yield everything but the charts, ready to print."""
    yield text(machine_in_a_line(report.machine))
    yield text(versions_in_a_line(report.machine), style="dim")
    for result in report.results:
        yield from _result(result)
    yield from _end(report)


def _result(result: Result) -> Iterator[RenderableType]:
    yield text("")
    heading = text(f"{result.name}: {result.title}", style="bold")
    if not result.is_complete:
        heading.append("  INTERRUPTED: this is what was measured so far", "bold red")
    yield heading
    if result.headline:
        yield text(result.headline)
    yield text(result.summary, style="dim" if result.headline else "")
    seed = "" if result.seed is None else f"  (seed {result.seed})"
    yield text(f"run again: {result.command}{seed}", style="dim")
    if result.parameters:
        parameters = "; ".join(
            f"{name}: {format_value(each)}" for name, each in result.parameters.items()
        )
        yield text(parameters, style="dim")
    for table in result.tables:
        for sheet in make_sheets(table):
            yield from _sheet(sheet)
    if result.notes:
        yield text("")
    for note in result.notes:
        yield text(f"* {note}")


def _sheet(sheet: Sheet) -> Iterator[RenderableType]:
    yield text("")
    yield text(sheet.title, style="italic")
    lines = headed(*(text(head).plain for head in sheet.heads))
    for column, cells in enumerate(zip(*sheet.rows, strict=True)):
        if any(each.is_number for each in cells):
            lines.columns[column].justify = "right"
    for row in sheet.rows:
        lines.add_row(*map(_cell, row))
    yield lines if sheet.rows else text("nothing was measured")
    for index, note in enumerate(sheet.notes, start=1):
        yield text(f"[{index}] {note}", style="dim")
    if sheet.remark:
        yield text(sheet.remark, style="dim")


def _cell(cell: Cell) -> Text:
    shown = text(cell.text, style=_STYLES[cell.status])
    for detail in cell.details:
        shown.append("\n").append_text(text(detail, style="dim"))
    return shown


def _end(report: Report) -> Iterator[RenderableType]:
    yield text("")
    for result in report.results:
        if held := count_met(result):
            yield text(f"{result.name}: {held}")
    missed = [
        f"misses: {result.name}, {table.title}, {name}: {describe_target(figure)}"
        for result in report.results
        for table, name, figure in target_figures(result)
        if figure.holds is False
    ]
    for line in missed:
        yield text(line, style="bold red")
    if not missed:
        yield text("No figure misses what is wanted of it.")
    if report.stopped:
        missing = f"; nothing of {', '.join(report.missing)}" if report.missing else ""
        yield text(f"Stopped before the end: {report.stopped}{missing}.", style="bold red")
