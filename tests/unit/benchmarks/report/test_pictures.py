"""Charts as pictures."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from attrs import evolve

from benchmarks.report.pictures import as_file, as_svg
from benchmarks.results import Chart, Line, Span
from tests.unit.benchmarks.report.samples import CHART, NASTY

SVG = "{http://www.w3.org/2000/svg}"


def shapes(chart: Chart, name: str = "chart") -> ElementTree.Element:
    """Return both forms of a chart, wide and narrow."""
    return ElementTree.fromstring(f"<div>{as_svg(chart, name)}</div>")


def texts(chart: Chart) -> list[str]:
    """All text in a picture, but what appears below the mouse."""
    return ["".join(each.itertext()) for each in shapes(chart).iter("text")]


def titles(chart: Chart) -> list[str]:
    """What appears below the mouse."""
    return ["".join(each.itertext()) for each in shapes(chart).iter("title")]


def chart(*lines: Line, **changes: Any) -> Chart:
    return evolve(CHART, lines=lines, spans=(), **changes)


def line(xs: tuple[float, ...], ys: tuple[float, ...], name: str = "l") -> Line:
    return Line(name=name, xs=xs, ys=ys)


def test_the_same_chart_is_the_same_picture() -> None:
    assert as_svg(CHART, "a") == as_svg(CHART, "a")
    assert as_file(CHART) == as_file(CHART)


def test_names_labels_and_spans_are_readable_text() -> None:
    shown = texts(CHART)
    for each in ("none", "pipeline", "time (s)", "goodput (1/s)", "outage"):
        assert shown.count(each) == 2  # in the wide one and in the narrow one
    # A page has it as its own heading.
    assert "Goodput over time" not in shown


def test_a_page_gives_its_colours_and_a_file_has_its_own() -> None:
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|<style", as_svg(CHART))
    file = ElementTree.fromstring(as_file(CHART))
    (style,) = file.iter(f"{SVG}style")
    assert "prefers-color-scheme: dark" in (style.text or "")
    assert file.attrib["role"] == "img"
    assert [each.text for each in file.findall(f"{SVG}title")] == [CHART.title]
    assert [each.text for each in file.findall(f"{SVG}desc")] == [CHART.remark]
    assert not re.search(r"url\(|@import|<image|<script|href=\"(?!#)", as_file(CHART))


def test_two_charts_of_a_page_share_no_names() -> None:
    def names(name: str) -> set[str]:
        found = [each.attrib["id"] for each in shapes(CHART, name).iter() if "id" in each.attrib]
        assert len(found) == len(set(found))
        return set(found)

    assert not names("a") & names("b")


def test_each_line_has_a_panel_with_the_others_behind_it() -> None:
    drawn = [each.attrib["class"] for each in shapes(CHART).iter("use")]
    assert drawn == ["ghost", "curve s0", "ghost", "curve s1"] * 2


def test_what_others_are_compared_with_has_no_panel() -> None:
    lines = (*CHART.lines, Line(name="offered", xs=(0, 3), ys=(5, 5), is_reference=True))
    drawn = [each.attrib["class"] for each in shapes(evolve(CHART, lines=lines)).iter("use")]
    assert drawn.count("reference") == 4
    assert not any(each.endswith("s2") for each in drawn)


def test_values_appear_below_the_mouse() -> None:
    assert "pipeline, 1 time (s): 4 goodput (1/s)" in titles(CHART)
    many = chart(line(tuple(range(500)), tuple(range(500))))
    assert 20 < len(titles(many)) < 40


def test_percentiles_are_marked_where_there_is_a_tick() -> None:
    latencies = chart(
        line((1, 2, 5, 10, 100), (1, 2, 3, 4, 55.5)),
        x_scale="log",
        x_ticks=((2.0, "p50"), (10.0, "p90"), (100.0, "p99"), (1000.0, "p99.9")),
        y_label="ms",
    )
    assert [each for each in texts(latencies) if each.startswith("p")] == ["p50", "p90", "p99"] * 2
    assert titles(latencies) == ["l, p50: 2 ms", "l, p90: 4 ms", "l, p99: 55.5 ms"] * 2


ODD = {
    "no lines": chart(),
    "an empty line": chart(line((), ())),
    "nothing but gaps": chart(line((1, 2), (math.nan, math.nan))),
    "one point": chart(line((1,), (1,))),
    "one point at zero": chart(line((0,), (0,))),
    "the same value": chart(line((1, 2), (3, 3))),
    "the same value, logarithmic": chart(line((1, 2), (3, 3)), y_scale="log", x_scale="log"),
    "gaps": chart(line((1, 2, 3), (1, math.nan, 3))),
    "no place": chart(line((math.nan, 2, math.inf), (1, 2, 3))),
    "infinite": chart(line((1, 2, 3), (1, math.inf, -math.inf))),
    "huge": chart(line((1, 2, 3), (1, 1.7e308, -1.7e308))),
    "large": chart(line((1, 2), (1e99, -1e99))),
    "negative": chart(line((-2, -1), (-3, -1))),
    "zeros, logarithmic": chart(line((0, 1, 2), (0, 0, 5)), y_scale="log", x_scale="log"),
    "only zeros, logarithmic": chart(line((0, 0), (0, -1)), y_scale="log", x_scale="log"),
    "many decades": chart(line((1e-90, 1e90), (1e-90, 1e90)), y_scale="log", x_scale="log"),
    "two decades": chart(line((1, 100), (2, 150)), y_scale="log", x_scale="log"),
    "of two lengths": chart(line((1, 2, 3), (1, 2))),
    "many lines": chart(*(line((1, 2), (i, i + 1), f"line {i}") for i in range(12))),
    "many points": chart(line(tuple(range(5000)), tuple(range(5000)))),
    "long names": chart(line((1, 2), (1, 2), "n" * 500), x_label="x" * 300, title="t" * 500),
    "nasty names": chart(
        line((1, 2), (1, 2), NASTY), x_label=NASTY, y_label="$\\frac{", title=NASTY
    ),
    "nameless": chart(line((1, 2), (1, 2), ""), x_label="", y_label="", title=""),
    "spans": evolve(
        CHART,
        spans=(
            Span(start=1, end=2, name="a long name of an outage"),
            Span(start=1.1, end=1.1, name="at once"),
            Span(start=2, end=math.inf, name="for ever"),
            Span(start=-math.inf, end=math.nan, name="n" * 200),
            Span(start=100, end=200, name="beyond"),
            Span(start=2, end=1, name="backwards"),
        ),
    ),
    "spans, logarithmic": evolve(CHART, x_scale="log", spans=(Span(start=0, end=2, name="o"),)),
    "spans of nothing": evolve(CHART, lines=()),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_any_chart_can_be_drawn(odd: Chart) -> None:
    assert "nan" not in ElementTree.tostring(shapes(odd), "unicode").replace("nanosecond", "")
    ElementTree.fromstring(as_file(odd))


@pytest.mark.parametrize("name", ["no lines", "an empty line", "nothing but gaps"])
def test_where_there_is_nothing_it_says_so(name: str) -> None:
    assert "nothing to draw" in texts(ODD[name])


def test_nothing_is_obeyed() -> None:
    shown = titles(ODD["nasty names"])
    assert any(r"\x1b[31m" in each and "<script>" in each for each in shown)


def test_ticks_of_a_logarithmic_axis_are_plain_numbers() -> None:
    shown = texts(chart(line((1, 10_000), (0.01, 100)), x_scale="log", y_scale="log"))
    assert {"1", "100", "10,000", "0.01"} <= set(shown)


DOTS = chart(
    Line(name="none", xs=(0, 1), ys=(457.4, 2.52), lows=(400, math.nan), highs=(500, 3)),
    Line(name="pipeline", xs=(0, 1), ys=(100, math.inf)),
    groups=("calls lost", "requests"),
    y_label="%",
)


def test_dots_stand_in_named_rows_with_their_figures_beside_them() -> None:
    shown = texts(DOTS)
    for each in ("none", "pipeline", "calls lost", "requests", "457", "2.52", "100", "infinite"):
        assert each in shown
    assert "calls lost, none: 457, quartiles 400 to 500" in titles(DOTS)
    whiskers = [each for each in shapes(DOTS).iter("line") if "whisker" in each.attrib["class"]]
    # That of the legend too, in both forms; one with an unknown end is not drawn.
    assert len(whiskers) == 4


def test_marks_are_told_apart_without_colours() -> None:
    several = chart(*(line((0,), (each + 1,), f"line {each}") for each in range(5)), groups=("r",))
    marks = [each for each in shapes(several).iter("path") if "mark" in each.attrib["class"]]
    assert len({each.attrib["d"] for each in marks}) == 5
