"""Write a report as a page in one file, which needs no other file, script or connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from benchmarks.report.document import (
    Report,
    count_met,
    describe_target,
    machine_in_a_line,
    target_figures,
)
from benchmarks.report.pictures import as_svg
from benchmarks.report.sheets import Sheet, make_sheets
from benchmarks.report.text import distinct, format_value, printed_unit, slug
from benchmarks.results import Chart, Result, Table
from resilient.cli.output import printable

__all__ = ["to_html"]

_HERE = Path(__file__).parent


@frozen
class _Sheets:
    """A table, and its anchor in the page."""

    anchor: str
    title: str
    sheets: tuple[Sheet, ...]


@frozen
class _Picture:
    """A chart, and its anchor in the page."""

    anchor: str
    chart: Chart
    svg: Markup


@frozen
class _Target:
    """A figure with a target, and the anchor of its table."""

    anchor: str
    name: str
    how: str
    holds: bool | None


@frozen
class _Section:
    """A result with its tables and charts prepared for the template."""

    result: Result
    anchor: str
    tables: tuple[_Sheets, ...]
    pictures: tuple[_Picture, ...]
    count_met: str
    targets: tuple[_Target, ...]


def to_html(report: Report) -> str:
    """Return the page as HTML."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = format_value
    template = environment.from_string((_HERE / "page.html").read_text("utf-8"))
    page = template.render(
        report=report,
        sections=list(_sections(report)),
        machine=machine_in_a_line(report.machine),
        style=Markup((_HERE / "page.css").read_text("utf-8")),
    )
    # Names come from users: control characters and lone surrogates are escaped.
    return "\n".join(map(printable, page.split("\n")))


def _sections(report: Report) -> Iterator[_Section]:
    anchors = distinct(slug(each.name) for each in report.results)
    for result, anchor in zip(report.results, anchors, strict=True):
        titles = [each.title for each in result.tables] + [each.title for each in result.charts]
        inner = distinct(slug(anchor, title) for title in titles)
        tables = tuple(map(_sheets, result.tables, inner))
        pictures = tuple(map(_picture, result.charts, inner[len(result.tables) :]))
        places = dict(zip(map(id, result.tables), inner, strict=False))
        targets = tuple(sorted(_targets(result, places), key=lambda aim: aim.holds is not False))
        yield _Section(result, anchor, tables, pictures, count_met(result), targets)


def _sheets(table: Table, anchor: str) -> _Sheets:
    return _Sheets(anchor, table.title, tuple(make_sheets(table, printed_unit)))


def _picture(chart: Chart, anchor: str) -> _Picture:
    return _Picture(anchor, chart, Markup(as_svg(chart, anchor)))


def _targets(result: Result, anchors: dict[int, str]) -> Iterator[_Target]:
    for table, name, figure in target_figures(result):
        how = describe_target(figure, printed_unit)
        yield _Target(anchors[id(table)], f"{table.title}: {name}", how, figure.holds)
