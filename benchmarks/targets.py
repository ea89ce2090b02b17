"""Give figures a target, and judge if they meet it."""

from __future__ import annotations

from attrs import evolve

from benchmarks.report.text import unit_suffix
from benchmarks.results import Figure

__all__ = ["TITLE", "at_least", "at_most"]

# The title of the table of figures with a target.
TITLE = "The figures to be reached"


def at_most(figure: Figure, limit: float, what: str = "", *, why: str = "") -> Figure:
    """Return the figure with an upper limit as its target.

    Args:
        figure: The figure; without a value it misses the target.
        limit: The highest value that meets the target, in the unit of the figure.
        what: A name that is clear outside of the figure's table. Default: its own.
        why: The meaning of the limit, or its parts.
    """
    holds = figure.value is not None and figure.value <= limit
    return _wanted(figure, f"at most {limit:g}", holds, what, why)


def at_least(figure: Figure, limit: float, what: str = "", *, why: str = "") -> Figure:
    """Return the figure with a lower limit as its target; otherwise as `at_most`."""
    holds = figure.value is not None and figure.value >= limit
    return _wanted(figure, f"at least {limit:g}", holds, what, why)


def _wanted(figure: Figure, words: str, holds: bool, what: str, why: str) -> Figure:
    wanted = f"{words}{unit_suffix(figure.unit)}{why and f': {why}'}"
    return evolve(figure, what=what or figure.what, wanted=wanted, holds=holds)
