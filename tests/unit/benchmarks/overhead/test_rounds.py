"""Interleaved rounds, and figures that are made of them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from random import Random

import pytest

from benchmarks.overhead.rounds import (
    added,
    less,
    measure_rounds,
    median,
    microseconds,
    ratio,
)
from benchmarks.progress import Silent


def contenders(turns: list[str], *names: str) -> dict[str, Callable[[], float]]:
    """Each notes its turns, and takes as long as the turn is late."""

    def turn(name: str) -> Callable[[], float]:
        def take() -> float:
            turns.append(name)
            return float(len(turns))

        return take

    return {name: turn(name) for name in names}


def test_everybody_has_one_turn_in_each_round() -> None:
    turns: list[str] = []
    measure_rounds(contenders(turns, "a", "b", "c"), 4, Random(1), Silent())
    rounds = [turns[start : start + 3] for start in range(0, len(turns), 3)]
    assert [sorted(each) for each in rounds] == [["a", "b", "c"]] * 5


def test_the_order_of_turns_changes_and_comes_from_the_seed() -> None:
    orders = []
    for seed in (1, 1, 2):
        turns: list[str] = []
        measure_rounds(contenders(turns, *"abcdef"), 4, Random(seed), Silent())
        orders.append(turns)
    assert orders[0] == orders[1] != orders[2]
    assert orders[0][:6] != orders[0][6:12]


def test_the_first_round_does_not_count() -> None:
    taken = measure_rounds(contenders([], "a"), 3, Random(1), Silent())
    assert taken == {"a": [2.0, 3.0, 4.0]}


@pytest.fixture(params=[True, False], ids=["frozen", "thawed"])
def was_frozen(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether somebody else had the collector leave objects alone before."""
    if not request.param:
        gc.unfreeze()
    yield request.param
    gc.freeze()


def test_no_garbage_is_collected_within_a_turn(was_frozen: bool) -> None:
    seen = []

    def turn() -> float:
        seen.append(gc.isenabled())
        return 1.0

    measure_rounds({"a": turn}, 2, Random(1), Silent())
    assert seen == [False] * 3
    assert gc.isenabled()
    assert bool(gc.get_freeze_count()) == was_frozen


def test_a_turn_that_fails_leaves_the_collector_on(was_frozen: bool) -> None:
    def fail() -> float:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        measure_rounds({"a": fail}, 2, Random(1), Silent())
    assert gc.isenabled()
    assert bool(gc.get_freeze_count()) == was_frozen


def test_progress_is_told_of_every_round() -> None:
    class Counting(Silent):
        steps = 0.0

        def advance(self, steps: float = 1) -> None:
            self.steps += steps

    progress = Counting()
    measure_rounds(contenders([], "a", "b"), 3, Random(1), progress)
    assert progress.steps == 4


def test_a_ratio_is_of_the_same_round_so_that_what_slows_all_is_no_cost() -> None:
    taken = {"base": [1.0, 10.0, 2.0, 4.0, 1.0], "a": [3.0, 30.0, 6.0, 12.0, 3.0]}
    figure = ratio(taken, "a", "base")
    assert figure is not None
    assert (figure.what, figure.low, figure.value, figure.high) == ("a", 3.0, 3.0, 3.0)
    assert figure.unit == "x"


def test_a_figure_is_the_median_with_its_quartiles() -> None:
    taken = {"base": [1.0] * 5, "a": [5.0, 1.0, 2.0, 100.0, 3.0]}
    figure = ratio(taken, "a", "base")
    assert figure is not None
    assert (figure.low, figure.value, figure.high) == (2.0, 3.0, 5.0)
    assert median(taken, "a", "ms").value == 3.0


def test_what_is_added_is_in_microseconds() -> None:
    taken = {"base": [1e-6, 2e-6, 3e-6], "a": [3e-6, 4e-6, 5e-6]}
    figure = added(taken, "a", "base")
    assert figure.value == pytest.approx(2.0)
    assert figure.unit == "us"


def test_a_difference_of_shares_is_of_the_same_round() -> None:
    taken = {
        "base": [100.0, 200.0, 50.0],
        "ours": [80.0, 160.0, 40.0],
        "other": [95.0, 190.0, 47.5],
    }
    figure = less(taken, "ours", "other", "base")
    assert figure is not None
    assert (figure.low, figure.value, figure.high) == pytest.approx((-0.15, -0.15, -0.15))
    assert (figure.what, figure.unit) == ("ours", "")


def test_times_are_shown_in_microseconds() -> None:
    figure = microseconds({"a": [1e-6, 3e-6, 2e-6]}, "a")
    assert figure.value == pytest.approx(2.0)
    assert figure.unit == "us"


def test_a_baseline_has_no_ratio_to_itself() -> None:
    taken = {"base": [1.0, 2.0], "other": [1.0, 2.0]}
    assert ratio(taken, "base", "base") is None
    assert less(taken, "other", "other", "base") is None
