"""Reports written as JSON, and read."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from benchmarks.report.stored import parse_report, read_report, to_json
from benchmarks.results import Chart, Figure, Line, Table
from resilient import ConfigError
from tests.unit.benchmarks.report.samples import NASTY, REPORT, RESULT, report


def strictly(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_report_comes_back_as_it_was() -> None:
    stopped = report(
        evolve(RESULT, charts=(), is_complete=False, parameters={"a": [1, None, {"b": "c"}]}),
        stopped="interrupted",
        missing=("load",),
    )
    assert parse_report(to_json(stopped).encode(), "x") == stopped


def test_every_figure_is_in_it() -> None:
    facts = strictly(to_json(REPORT))
    assert facts["format"] == "resilient-benchmarks"
    assert facts["version"] == 1
    assert facts["machine"] == REPORT.machine
    (result,) = facts["results"]
    assert result["seed"] == 7
    assert result["tables"][0]["figures"][0]["value"] == 8.934
    assert result["tables"][1]["rows"][0][1][1] is None


def test_what_is_no_number_is_valid_json_and_comes_back() -> None:
    values = (math.nan, math.inf, -math.inf)
    figures = tuple(Figure(what="x", value=each) for each in values)
    line = Line(name="l", xs=(1, 2, 3), ys=values)
    chart = Chart(title="c", x_label="x", y_label="y", lines=(line,))
    odd = evolve(RESULT, tables=(Table(title="t", figures=figures),), charts=(chart,))
    text = to_json(report(odd))
    strictly(text)
    (back,) = parse_report(text.encode(), "x").results
    assert [str(each.value) for each in back.tables[0].figures] == ["nan", "inf", "-inf"]
    assert [str(each) for each in back.charts[0].lines[0].ys] == ["nan", "inf", "-inf"]


def test_parameters_of_any_type_are_written() -> None:
    parameters = {"a": Fraction(1, 4), "b": {"y", "x"}, "c": Path("p"), "d": (1,), "e": math.nan}
    facts = strictly(to_json(report(evolve(RESULT, parameters=parameters))))
    written = {"a": 0.25, "b": ["x", "y"], "c": "p", "d": [1], "e": "NaN"}
    assert facts["results"][0]["parameters"] == written


def test_text_in_any_script_comes_back_out_of_ascii() -> None:
    text = to_json(report(evolve(RESULT, title=NASTY)))
    assert text.isascii()
    assert parse_report(text.encode(), "x").results[0].title == NASTY


def changed(**changes: Any) -> bytes:
    return json.dumps({**json.loads(to_json(REPORT)), **changes}).encode()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", '"format" is not "resilient-benchmarks"'),
        (b'{"results": []}', '"format" is not'),
        (changed(version=2), "its version is 2, not 1"),
        (changed(version=None), "its version is null, not 1"),
        (changed(version=True), "its version is true, not 1"),
        (changed(results=None), "results"),
        (changed(results=[{"name": "overhead"}]), "required field missing @ $.results[0].title"),
        (changed(stopped=3), "$.stopped"),
        (changed(results=[{**json.loads(to_json(REPORT))["results"][0], "seed": "7"}]), "seed"),
    ],
)
def test_a_file_that_is_something_else_is_named_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_report(content, "x.json")
    assert str(caught.value).startswith("x.json: is no report of these benchmarks: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ['"NAN"', "true", "1" * 400, "[]"])
def test_a_figure_is_a_number(value: str) -> None:
    text = to_json(REPORT).replace("8.934", value)
    with pytest.raises(ConfigError, match=r"results\[0\]\.tables\[0\]\.figures\[0\]\.value"):
        parse_report(text.encode(), "x")


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert parse_report(changed(more={"a": 1}), "x").results[0].name == "overhead"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_report(str(tmp_path / "missing.json"))
