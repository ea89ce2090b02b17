"""Write a report as a page in one file, which needs no other file, script or connection.

It begins with the finding that matters most and its picture. Charts and tables of one thing stand
together, and the contents name that thing once.
"""

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
from benchmarks.report.svg import stylesheet
from benchmarks.report.text import Anchors, format_value, printed_unit
from benchmarks.results import Chart, Result, Table
from resilient.cli.output import printable

__all__ = ["to_html"]

_HERE = Path(__file__).parent


@frozen
class _Part:
    """A chart or a table of a page.

    Attributes:
        anchor: Its anchor; that of its topic if it is all of it.
        title: Its title below that of the topic; "" if the topic says it all.
        remark: The remark below a picture.
        svg: The picture; "" for a table.
        sheets: The sheets of a table.
    """

    anchor: str
    title: str
    remark: str = ""
    svg: str = ""
    sheets: tuple[Sheet, ...] = ()


@frozen
class _Topic:
    """Charts and tables of one thing, which has one line in the contents."""

    anchor: str
    title: str
    parts: tuple[_Part, ...]


@frozen
class _Target:
    """A figure with a target, and the anchor of its table."""

    anchor: str
    name: str
    how: str
    holds: bool | None


@frozen
class _Section:
    """A result, prepared for the template; of its targets, those that are not known to be met."""

    result: Result
    anchor: str
    topics: tuple[_Topic, ...]
    count_met: str
    targets: tuple[_Target, ...]


@frozen
class _Lead:
    """The beginning of the page: a finding in a sentence, and a picture of it."""

    result: Result
    chart: Chart
    svg: Markup


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
    lead = _lead(report)
    page = template.render(
        report=report,
        lead=lead,
        sections=list(_sections(report, lead)),
        machine=machine_in_a_line(report.machine),
        style=Markup(stylesheet() + (_HERE / "page.css").read_text("utf-8")),
    )
    # Names come from users: control characters and lone surrogates are escaped.
    return "\n".join(map(printable, page.split("\n")))


def _lead(report: Report) -> _Lead | None:
    """Return the headline of the last benchmark that has one: they go from parts to the whole."""
    for result in reversed(report.results):
        if result.headline and result.charts:
            chart = result.charts[0]
            return _Lead(result, chart, Markup(as_svg(chart, "lead")))
    return None


def _sections(report: Report, lead: _Lead | None) -> Iterator[_Section]:
    taken = Anchors({"contents", "machine-and-versions"})
    anchors = [taken.name(each.name) for each in report.results]
    for result, anchor in zip(report.results, anchors, strict=True):
        charts = result.charts[lead is not None and result is lead.result :]
        topics, places = _topics(result.tables, charts, anchor, taken)
        open_ones = (each for each in _targets(result, places) if not each.holds)
        targets = sorted(open_ones, key=lambda target: target.holds is not False)
        yield _Section(result, anchor, topics, count_met(result), tuple(targets))


def _topics(
    tables: tuple[Table, ...], charts: tuple[Chart, ...], section: str, taken: Anchors
) -> tuple[tuple[_Topic, ...], dict[int, str]]:
    """Return charts and tables by what stands before the colon in their titles, charts first.

    Returns:
        The topics, and the anchors of the tables by their identity.
    """
    by_topic: dict[str, tuple[list[Chart], list[Table]]] = {}
    for table in tables:
        by_topic.setdefault(_topic(table.title), ([], []))[1].append(table)
    for chart in charts:
        by_topic.setdefault(_topic(chart.title), ([], []))[0].append(chart)
    topics, places = [], {}
    for name, (drawn, written) in by_topic.items():
        everything: list[Chart | Table] = [*drawn, *written]
        title = everything[0].title if len(everything) == 1 else name
        anchor = taken.name(section, title)
        parts = []
        for each in everything:
            own = anchor if len(everything) == 1 else taken.name(section, each.title)
            if isinstance(each, Table):
                places[id(each)] = own
            parts.append(_part(each, own, _rest(each.title, title)))
        topics.append(_Topic(anchor, title, tuple(parts)))
    return tuple(topics), places


def _topic(title: str) -> str:
    return title.partition(": ")[0]


def _rest(title: str, topic: str) -> str:
    rest = title.removeprefix(topic).removeprefix(": ")
    return rest[:1].upper() + rest[1:]


def _part(each: Chart | Table, anchor: str, title: str) -> _Part:
    if isinstance(each, Chart):
        return _Part(anchor, title, each.remark, Markup(as_svg(each, anchor)))
    return _Part(anchor, title, sheets=tuple(make_sheets(each, printed_unit)))


def _targets(result: Result, anchors: dict[int, str]) -> Iterator[_Target]:
    for table, name, figure in target_figures(result):
        how = describe_target(figure, printed_unit)
        yield _Target(anchors[id(table)], f"{table.title}: {name}", how, figure.holds)
