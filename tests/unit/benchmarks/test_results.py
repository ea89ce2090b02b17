"""Figures that are made of several measurements."""

from __future__ import annotations

from benchmarks.results import Figure, median_of


def test_a_median_has_quartiles_if_there_are_enough_values() -> None:
    assert median_of("x", [1.0, 2.0, 3.0, 4.0, 5.0], unit="s") == Figure(
        what="x", value=3.0, low=2.0, high=4.0, unit="s"
    )
    assert median_of("x", [7.0]) == Figure(what="x", value=7.0)
