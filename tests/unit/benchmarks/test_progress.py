"""How far a run is, and the time that is left."""

from __future__ import annotations

import pytest

from benchmarks.catalogue import BENCHMARKS
from benchmarks.progress import Estimate


def at(parts: int, steps: float = 0.0, of: float | None = None) -> Estimate:
    """An estimate in its last part, of which so many steps are done."""
    estimate = Estimate((10, 20, 30), since=100.0)
    for _ in range(parts):
        estimate.begin(of)
    estimate.advance(steps)
    return estimate


@pytest.mark.parametrize(
    ("estimate", "now", "left"),
    [
        (at(1), 150.0, None),  # nothing is done yet
        (at(1, 5, of=10), 101.0, None),  # too early to tell
        (at(1, 5, of=10), 110.0, 110.0),  # 5 of 60 took 10 s
        (at(2), 120.0, 100.0),  # 10 of 60 took 20 s; the steps are not known
        (at(3, 15, of=30), 145.0, 15.0),
        (at(3, 99, of=30), 160.0, 0.0),  # more steps than were said
        (at(5, 1, of=1), 160.0, 0.0),  # more parts
        (Estimate((), since=0.0), 10.0, None),
    ],
)
def test_the_time_left_is_scaled_by_what_was_taken(
    estimate: Estimate, now: float, left: float | None
) -> None:
    assert estimate.seconds_left(now) == (left if left is None else pytest.approx(left))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "about 5 s left"),
        (12, "about 15 s left"),
        (59, "about 60 s left"),
        (61, "about 2 min left"),
    ],
)
def test_the_time_left_is_told_no_finer_than_it_is_known(seconds: float, words: str) -> None:
    estimate = Estimate((100, seconds), since=0.0)
    estimate.begin(1)
    estimate.begin(1)
    assert estimate.words_left(100.0) == words


def test_the_part_is_told_among_all() -> None:
    assert [at(parts).place for parts in (1, 3, 4)] == ["1 of 3", "3 of 3", "4 of 4"]
    assert Estimate((), since=0.0).place == ""


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_says_what_to_expect(name: str, quick: bool) -> None:
    expected = BENCHMARKS[name].settings(quick=quick).expected_seconds
    assert len(expected) > 3
    assert all(seconds > 0 for seconds in expected)
