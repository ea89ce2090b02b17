"""Targets of figures: their words, and if they are met."""

from __future__ import annotations

import pytest

from benchmarks.results import Figure
from benchmarks.targets import at_least, at_most


def figure(value: float | None, unit: str = "x") -> Figure:
    return Figure(what="something", value=value, unit=unit)


@pytest.mark.parametrize(("value", "holds"), [(9.9, True), (10, True), (10.1, False)])
def test_at_most(value: float, holds: bool) -> None:
    wanted = at_most(figure(value), 10)
    assert (wanted.wanted, wanted.holds, wanted.what) == ("at most 10x", holds, "something")


@pytest.mark.parametrize(("value", "holds"), [(0.94, False), (0.95, True), (1, True)])
def test_at_least(value: float, holds: bool) -> None:
    wanted = at_least(figure(value, ""), 0.95, "by another name")
    assert (wanted.wanted, wanted.holds) == ("at least 0.95", holds)
    assert wanted.what == "by another name"


def test_what_the_limit_means_can_be_said() -> None:
    wanted = at_least(figure(-1, "points"), -2, why="as many as without")
    assert (wanted.wanted, wanted.holds) == ("at least -2 points: as many as without", True)


def test_what_is_not_there_does_not_hold() -> None:
    assert at_most(figure(None), 1).holds is False
    assert at_least(figure(None), 1).holds is False
