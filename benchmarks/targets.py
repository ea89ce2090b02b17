"""The figures that are to be reached, and whether they were."""

from __future__ import annotations

from attrs import evolve

from benchmarks.report.text import unit_suffix
from benchmarks.results import Figure

__all__ = ["TITLE", "at_least", "at_most"]

# Of the table that has them.
TITLE = "The figures to be reached"


def at_most(figure: Figure, limit: float, what: str = "", *, why: str = "") -> Figure:
    """A figure that is not to be higher.

    Args:
        figure: The figure.
        limit: How high it may be, in its unit.
        what: What to call it where it stands by itself.
        why: What the limit is made of, or what it means.
    """
    holds = figure.value is not None and figure.value <= limit
    return _wanted(figure, f"at most {limit:g}", holds, what, why)


def at_least(figure: Figure, limit: float, what: str = "", *, why: str = "") -> Figure:
    """A figure that is not to be lower; else as `at_most`."""
    holds = figure.value is not None and figure.value >= limit
    return _wanted(figure, f"at least {limit:g}", holds, what, why)


def _wanted(figure: Figure, words: str, holds: bool, what: str, why: str) -> Figure:
    wanted = f"{words}{unit_suffix(figure.unit)}{why and f': {why}'}"
    return evolve(figure, what=what or figure.what, wanted=wanted, holds=holds)
