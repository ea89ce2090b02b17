"""Charts as pictures."""

from __future__ import annotations

import math
import sys
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from attrs import evolve

from benchmarks.report.pictures import as_png, as_svg
from benchmarks.results import Chart, Line, Span
from tests.unit.benchmarks.report.samples import CHART, NASTY

SVG = "{http://www.w3.org/2000/svg}"


def texts(chart: Chart) -> list[str]:
    """All text in a picture."""
    root = ElementTree.fromstring(as_svg(chart))
    return ["".join(each.itertext()).strip() for each in root.iter(f"{SVG}text")]


def chart(*lines: Line, **changes: Any) -> Chart:
    return evolve(CHART, lines=lines, spans=(), **changes)


def line(xs: tuple[float, ...], ys: tuple[float, ...], name: str = "l") -> Line:
    return Line(name=name, xs=xs, ys=ys)


def test_the_same_chart_is_the_same_picture() -> None:
    assert as_svg(CHART, "a") == as_svg(CHART, "a")
    assert as_png(CHART) == as_png(CHART)


def test_names_labels_and_spans_are_readable_text() -> None:
    shown = texts(CHART)
    for each in ("none", "pipeline", "time (s)", "goodput (1/s)", "outage"):
        assert each in shown
    # A page has it as its own heading.
    assert "Goodput over time" not in shown


def test_it_needs_nothing_from_elsewhere() -> None:
    svg = as_svg(CHART)
    assert svg.startswith("<svg")
    for each in ("<?xml", "<!DOCTYPE", "<metadata", "<image", "matplotlib", "Date"):
        assert each not in svg


def test_two_charts_of_a_page_share_no_names() -> None:
    def names(salt: str) -> set[str]:
        root = ElementTree.fromstring(as_svg(CHART, salt))
        found = [each.attrib["id"] for each in root.iter() if "id" in each.attrib]
        assert len(found) == len(set(found))
        return set(found)

    assert not names("a") & names("b")


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
    ElementTree.fromstring(as_svg(odd))


def test_any_title_can_be_drawn() -> None:
    odd = evolve(ODD["spans"], title=NASTY * 3)
    assert as_png(odd).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["no lines", "an empty line", "nothing but gaps"])
def test_where_there_is_nothing_it_says_so(name: str) -> None:
    assert "nothing to draw" in texts(ODD[name])


def test_a_dollar_sign_stays_one_and_nothing_is_obeyed() -> None:
    shown = texts(ODD["nasty names"])
    assert any("$x_1$" in each and r"\x1b[31m" in each and "<script>" in each for each in shown)


def test_what_begins_with_an_underscore_is_in_the_legend() -> None:
    assert "_private" in texts(chart(line((1, 2), (1, 2), "_private")))


def test_ticks_of_a_logarithmic_axis_are_plain_numbers() -> None:
    shown = texts(chart(line((1, 10_000), (0.01, 100)), x_scale="log", y_scale="log"))
    assert {"1", "100", "10,000", "0.01"} <= set(shown)


def test_lines_are_told_apart_without_colours() -> None:
    root = ElementTree.fromstring(as_svg(ODD["many lines"]))
    styles = [each.attrib.get("style", "") for each in root.iter(f"{SVG}path")]
    dashes = {style for style in styles if "stroke-width: 1.9" in style}
    assert len({style.partition("stroke-dasharray")[2].split(";")[0] for style in dashes}) == 5
    assert len(dashes) == 12


def test_nothing_global_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 17.0)
    before = dict(matplotlib.rcParams)
    # Whatever imports it fails.
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    as_png(CHART)
    assert dict(matplotlib.rcParams) == before


def test_settings_of_the_users_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = as_svg(CHART)
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "red")
    monkeypatch.setitem(matplotlib.rcParams, "text.usetex", True)
    assert as_svg(CHART) == plain


def test_bars_stand_in_named_groups_with_their_heights_above_them() -> None:
    bars = chart(
        line((0, 1), (457.4, 2.52), "none"),
        line((0, 1), (100, math.inf), "pipeline"),
        groups=("calls lost", "requests"),
    )
    shown = texts(bars)
    for each in ("none", "pipeline", "calls lost", "requests", "457", "2.52", "100"):
        assert each in shown
    assert as_png(bars) != as_png(evolve(bars, groups=()))
