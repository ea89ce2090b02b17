"""The figures that are to be reached, and whether they were."""

from __future__ import annotations

from attrs import evolve

from benchmarks.report.numbers import behind
from benchmarks.results import Figure

__all__ = ["at_least", "at_most"]


def at_most(figure: Figure, limit: float, what: str = "") -> Figure:
    """A figure that is not to be higher."""
    holds = figure.value is not None and figure.value <= limit
    return _wanted(figure, f"at most {limit:g}{behind(figure.unit)}", holds, what)


def at_least(figure: Figure, limit: float, what: str = "") -> Figure:
    """A figure that is not to be lower."""
    holds = figure.value is not None and figure.value >= limit
    return _wanted(figure, f"at least {limit:g}{behind(figure.unit)}", holds, what)


def _wanted(figure: Figure, words: str, holds: bool, what: str) -> Figure:
    return evolve(figure, what=what or figure.what, wanted=words, holds=holds)
