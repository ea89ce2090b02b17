"""Numbers, units and names as text."""

from __future__ import annotations

import math
from typing import Any

import pytest

from benchmarks.report.text import (
    format_number,
    format_quartiles,
    format_value,
    format_with_unit,
    printed_unit,
)
from benchmarks.results import Figure


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-0.0, "0"),
        (3, "3"),
        (3.0, "3"),
        (-17, "-17"),
        (1234567, "1,234,567"),
        (0.5, "0.500"),
        (1.004e-3, "0.00100"),
        (9.999, "10.0"),
        (99.96, "100"),
        (999.96, "1,000"),
        (12345.6, "12,346"),
        (-2.3456, "-2.35"),
        (0.00012, "1.20e-4"),
        (1.5e15, "1.50e15"),
        (5e-324, "4.94e-324"),
        (1.7e308, "1.70e308"),
        (math.inf, "infinite"),
        (-math.inf, "-infinite"),
        (math.nan, "unknown"),
    ],
)
def test_a_number_has_three_digits_and_a_count_has_all(value: float, shown: str) -> None:
    assert format_number(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(2.1, "x", "2.10x"), (8, "%", "8%"), (12, "us", "12 us"), (3, "", "3"), (2, "×", "2×")],
)
def test_a_unit_stands_behind(value: float, unit: str, shown: str) -> None:
    assert format_with_unit(value, unit) == shown


def test_units_in_print() -> None:
    assert list(map(printed_unit, ("us", "x", "requests/s"))) == ["µs", "×", "requests/s"]


def test_a_figure_with_one_quartile_has_no_spread() -> None:
    assert format_quartiles(Figure(what="x", value=1, low=0.5, high=2)) == "0.500 to 2"
    assert format_quartiles(Figure(what="x", value=1, low=0)) == ""
    assert format_quartiles(Figure(what="x", value=1, high=0)) == ""
    assert format_quartiles(Figure(what="x", value=1, low=0, high=0)) == "0 to 0"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "none"),
        (True, "yes"),
        (500.0, "500"),
        (20000, "20000"),
        (-math.inf, "-infinite"),
        (0.125, "0.125"),
        (math.inf, "infinite"),
        ((), "none"),
        (("none", "retry"), "none, retry"),
        ({"a": 1, "b": None}, "a: 1, b: none"),
        ("text", "text"),
    ],
)
def test_parameters_in_words(value: Any, shown: str) -> None:
    assert format_value(value) == shown
