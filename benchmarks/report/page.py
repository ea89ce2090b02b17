"""A report as a page: one file, which needs no other, no script, and no connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from benchmarks.report.document import (
    Report,
    figures_of,
    figures_that_miss,
    machine_in_a_line,
)
from benchmarks.report.numbers import unit_in_print, with_unit, words
from benchmarks.report.pictures import as_svg
from benchmarks.report.sheets import Sheet, sheets_of
from benchmarks.report.slugs import distinct, slug
from benchmarks.results import Chart, Result, Table
from resilient.cli.output import printable

__all__ = ["page_of"]

_HERE = Path(__file__).parent


@frozen
class _Sheets:
    """A table in its place."""

    anchor: str
    title: str
    sheets: tuple[Sheet, ...]


@frozen
class _Picture:
    """A chart in its place."""

    anchor: str
    chart: Chart
    svg: Markup


@frozen
class _Section:
    """A result, with its tables and charts made ready."""

    result: Result
    anchor: str
    tables: tuple[_Sheets, ...]
    pictures: tuple[_Picture, ...]
    wanted: int
    misses: tuple[tuple[str, str, str], ...]


def page_of(report: Report) -> str:
    """The page."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = words
    template = environment.from_string((_HERE / "page.html").read_text("utf-8"))
    page = template.render(
        report=report,
        sections=list(_sections(report)),
        machine=machine_in_a_line(report.machine),
        style=Markup((_HERE / "page.css").read_text("utf-8")),
    )
    # Whatever somebody called something can be encoded, and controls nothing.
    return "\n".join(map(printable, page.split("\n")))


def _sections(report: Report) -> Iterator[_Section]:
    anchors = distinct(slug(each.name) for each in report.results)
    for result, anchor in zip(report.results, anchors, strict=True):
        titles = [each.title for each in result.tables] + [each.title for each in result.charts]
        inner = distinct(slug(anchor, title) for title in titles)
        tables = tuple(map(_sheets, result.tables, inner))
        pictures = tuple(map(_picture, result.charts, inner[len(result.tables) :]))
        figures = [figure for table in result.tables for _, figure in figures_of(table)]
        wanted = sum(each.holds is not None for each in figures)
        misses = tuple(_misses(result, dict(zip(map(id, result.tables), inner, strict=False))))
        yield _Section(result, anchor, tables, pictures, wanted, misses)


def _sheets(table: Table, anchor: str) -> _Sheets:
    return _Sheets(anchor, table.title, tuple(sheets_of(table, unit_in_print)))


def _picture(chart: Chart, anchor: str) -> _Picture:
    return _Picture(anchor, chart, Markup(as_svg(chart, anchor)))


def _misses(result: Result, anchors: dict[int, str]) -> Iterator[tuple[str, str, str]]:
    """For each figure that is not what it is to be: where it is, its name, and by how much."""
    for table, name, figure in figures_that_miss(result):
        value = "" if figure.value is None else with_unit(figure.value, unit_in_print(figure.unit))
        yield anchors[id(table)], f"{table.title}: {name}", f"{value}, wanted {figure.wanted}"
