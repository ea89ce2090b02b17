"""A report as a page: one file, which needs no other, no script, and no connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from benchmarks.report.document import (
    Report,
    as_wanted,
    figures_wanted,
    how_many_hold,
    machine_in_a_line,
)
from benchmarks.report.numbers import unit_in_print, words
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
class _Aim:
    """A figure that is to be reached, and where it stands."""

    anchor: str
    name: str
    how: str
    holds: bool | None


@frozen
class _Section:
    """A result, with its tables and charts made ready."""

    result: Result
    anchor: str
    tables: tuple[_Sheets, ...]
    pictures: tuple[_Picture, ...]
    how_many_hold: str
    aims: tuple[_Aim, ...]


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
        places = dict(zip(map(id, result.tables), inner, strict=False))
        aims = tuple(sorted(_aims(result, places), key=lambda aim: aim.holds is not False))
        yield _Section(result, anchor, tables, pictures, how_many_hold(result), aims)


def _sheets(table: Table, anchor: str) -> _Sheets:
    return _Sheets(anchor, table.title, tuple(sheets_of(table, unit_in_print)))


def _picture(chart: Chart, anchor: str) -> _Picture:
    return _Picture(anchor, chart, Markup(as_svg(chart, anchor)))


def _aims(result: Result, anchors: dict[int, str]) -> Iterator[_Aim]:
    for table, name, figure in figures_wanted(result):
        how = as_wanted(figure, unit_in_print)
        yield _Aim(anchors[id(table)], f"{table.title}: {name}", how, figure.holds)
