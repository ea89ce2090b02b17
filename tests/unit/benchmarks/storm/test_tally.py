"""Counts of requests and calls over time."""

import pytest

from benchmarks.storm.tally import STRETCH, Tally


def goods(tally: Tally, *times: float) -> Tally:
    for time in times:
        tally.ended(time, well=True)
    return tally


def test_rates_are_per_second_whatever_the_width_of_a_slice() -> None:
    tally = Tally(0.5)
    for now in (0.0, 0.1, 0.6):
        tally.arrived(now)
    assert tally.arrivals(0, 1.5) == [4, 2, 0]
    assert tally.times(0, 1.5) == [0, 0.5, 1]


def test_the_end_of_a_stretch_belongs_to_the_next() -> None:
    tally = goods(Tally(), 1.0, 1.5, 2.0)
    assert tally.goodput(1, 2) == [2]
    assert tally.goodput(2, 3) == [1]


def test_calls_that_fail_are_calls_and_no_goodput() -> None:
    tally = Tally()
    tally.ended(0.5, well=False, refused=True)
    goods(tally, 0.5, 0.6, 0.7)
    assert (tally.calls, tally.succeeded, tally.refused) == (4, 3, 1)
    assert tally.success == 75
    assert tally.goodput(0, 1) == [3]


def test_requests_are_set_against_the_calls_that_are_over() -> None:
    tally = Tally()
    assert tally.requests_per_call == 0
    for _ in range(3):
        tally.arrived(0)
    goods(tally, 1, 1)
    assert tally.requests_per_call == 1.5


def test_the_last_request_of_a_slice_says_how_long_answers_take() -> None:
    tally = Tally()
    tally.arrived(0.1, 5)
    tally.arrived(0.9, 3)
    assert tally.delays(0, 2) == [3, 0]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ((), 10.0),
        ((0,), 10 + STRETCH),
        ((1,), 10 + 2 * STRETCH),
        ((0, 1, 2), 10 + 3 * STRETCH),
        ((3,), None),
    ],
)
def test_recovered_is_what_stays_good(bad: tuple[int, ...], expected: float | None) -> None:
    tally = Tally()
    for index in range(4):
        count = 0 if index in bad else 10
        goods(tally, *[10 + index * STRETCH] * count)
    assert tally.recovered_at(10, 10 + 4 * STRETCH, 5) == expected
