"""A report as a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from attrs import evolve

from benchmarks.report.document import Report
from benchmarks.report.page import to_html
from benchmarks.results import Figure, Table
from tests.unit.benchmarks.report.samples import BLOG, CHART, NASTY, REPORT, RESULT, report

VOID = {"meta", "br", "img", "link", "hr", "input"}


class Seen(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def format_value(self) -> str:
        return " ".join(self.text.split())

    def named(self, name: str) -> list[str]:
        return [value for given, value in self.attributes if given == name]


@pytest.fixture(scope="module")
def page() -> str:
    return to_html(REPORT)


@pytest.fixture(scope="module")
def seen(page: str) -> Seen:
    return Seen(page)


def test_it_is_well_formed(seen: Seen) -> None:
    assert seen.open == []


def test_it_needs_no_script_and_nothing_from_elsewhere(seen: Seen, page: str) -> None:
    assert not {"script", "link", "img", "iframe", "object"} & set(seen.tags)
    assert seen.named("src") == []
    assert {each for each in seen.named("href") if not each.startswith("#")} == {BLOG}
    assert not re.search(r"url\((?!#)|@import", page)


def test_everything_in_the_contents_is_there(seen: Seen) -> None:
    anchors = seen.named("id")
    targets = [each[1:] for each in seen.named("href") if each.startswith("#")]
    for each in ("overhead", "overhead-in-process", "overhead-on-a-socket"):
        assert each in targets
    assert set(targets) <= set(anchors)
    assert len(anchors) == len(set(anchors))


def test_the_conditions_of_a_result_stand_beside(seen: Seen) -> None:
    for each in (
        "CPython 3.13.1, Linux x86_64, 2 cores, load 0.5, 2026-05-04T10:00:00+00:00",
        "python -m benchmarks overhead --seed 7",
        "seed7",
        "policiesnone, retry",
        "portnone",
        "hyxabsent: not installed",
        "A peer is better.",
    ):
        assert each in seen.format_value()


def test_what_misses_is_marked_in_words(seen: Seen) -> None:
    words = seen.format_value()
    assert "1 of 3 figures are as wanted" in words
    assert "✗ misses In process: suspending: 4.61 µs, wanted at most 4" in words
    assert "✗ misses On a socket: ours, 64 callers: 0.930×, wanted at least 0.95" in words
    # A table says of the others that they hold.
    assert "whole pipeline: 8.93×" not in words
    assert "at most 4 NO" in words


def test_what_could_not_be_judged_is_neither_held_nor_missed() -> None:
    figures = (
        Figure(what="few", value=1.1, wanted="at most 1", remark="too few to tell"),
        Figure(what="none", value=None, wanted="at most 2", remark="not within the run"),
    )
    tables = (Table(title="t", figures=figures),)
    words = Seen(to_html(report(evolve(RESULT, tables=tables, charts=())))).format_value()
    assert "– cannot be told t: few: 1.10, wanted at most 1" in words
    assert "– cannot be told t: none: not within the run, wanted at most 2" in words
    assert "figures are as wanted" not in words


def test_published_figures_stand_beside_with_their_source(seen: Seen) -> None:
    assert "912 calls about 900 [1]" in seen.format_value()
    assert f"[1] {BLOG}" in seen.format_value()


def test_it_begins_with_the_finding_and_its_picture(seen: Seen) -> None:
    assert "Benchmarks of resilient It costs 9 times as much as nothing." in seen.format_value()
    assert seen.tags.index("svg") < seen.tags.index("nav")


def test_of_several_findings_the_last_leads_and_no_picture_is_shown_twice() -> None:
    both = report(RESULT, evolve(RESULT, name="storm", headline="All is well."))
    several = Seen(to_html(both))
    assert "Benchmarks of resilient All is well." in several.format_value()
    assert several.tags.count("figure") == 2
    unknown = Seen(to_html(report(evolve(RESULT, headline=""))))
    assert unknown.tags.index("svg") > unknown.tags.index("nav")


def test_the_contents_name_what_belongs_together_once() -> None:
    tables = tuple(Table(title=title) for title in ("outage", "calm: a", "outage: targets"))
    charts = tuple(evolve(CHART, title=title) for title in ("outage: calls", "calm: b"))
    page = to_html(report(evolve(RESULT, tables=tables, charts=charts, headline="")))
    contents = page[page.index("<nav") : page.index("</nav>")]
    links = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', contents)
    assert links == [
        ("overhead", "What it costs"),
        ("overhead-outage", "outage"),
        ("overhead-calm", "calm"),
        ("machine-and-versions", "Machine and versions"),
    ]
    below = re.findall(r"<h4>([^<]+)</h4>", page)
    assert below == ["Calls", "Targets", "B", "A"]


def test_charts_are_in_it(seen: Seen) -> None:
    # One for wide windows, and one for narrow ones.
    assert seen.tags.count("svg") == 2
    assert "Seeded." in seen.format_value()


def test_a_whole_report_is_not_called_interrupted(seen: Seen) -> None:
    assert "nterrupted" not in seen.format_value()
    assert "Stopped" not in seen.format_value()


def test_what_was_interrupted_says_so() -> None:
    stopped = report(
        evolve(RESULT, charts=(), is_complete=False), stopped="interrupted", missing=("storm",)
    )
    words = Seen(to_html(stopped)).format_value()
    assert "Stopped before the end: interrupted. Nothing was measured of storm." in words
    assert "What it costs interrupted" in words
    assert "Interrupted: this is what was measured until then." in words


def test_everything_is_escaped() -> None:
    figure = Figure(what=NASTY, value=1, unit=NASTY, wanted=NASTY, holds=False, source=NASTY)
    absent = Figure(what=NASTY, value=None, remark=NASTY)
    lists = Table(title=NASTY, figures=(figure, absent), remark=NASTY)
    rows = Table(title=NASTY, columns=(NASTY,), rows=((NASTY, (figure,)), (NASTY, (absent,))))
    nasty = evolve(
        RESULT,
        name=NASTY,
        title=NASTY,
        summary=NASTY,
        command=NASTY,
        parameters={NASTY: NASTY},
        tables=(lists, rows, lists),
        charts=(evolve(CHART, title=NASTY, remark=NASTY), evolve(CHART, title=NASTY)),
        notes=(NASTY,),
        is_complete=False,
    )
    machine = {"date": NASTY, "python": NASTY, NASTY: NASTY, "versions": {NASTY: NASTY}}
    page = to_html(Report(machine=machine, results=(nasty,), stopped=NASTY, missing=(NASTY,)))
    page.encode()
    seen = Seen(page)
    assert seen.open == []
    assert "script" not in seen.tags
    assert "<script>alert(1)</script>" in seen.text
    assert "\x1b" not in page
    assert len(seen.named("id")) == len(set(seen.named("id")))


@pytest.mark.parametrize("machine", [{}, {"date": None, "versions": None}])
def test_little_need_be_known(machine: dict[str, None]) -> None:
    bare = evolve(RESULT, tables=(Table(title="t"),), charts=(), notes=(), seed=None, parameters={})
    words = Seen(to_html(Report(machine=machine, results=(bare,)))).format_value()
    assert "Nothing was measured." in words
    assert "seed" not in words.replace("--seed", "")
