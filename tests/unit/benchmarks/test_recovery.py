"""The peak after an outage, and the time to recover."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.recovery import BUCKET, peak_rate, time_to_recover

OFFERED = Counter(dict.fromkeys(range(20), 100))


def goodput(*values: int) -> Counter[int]:
    return Counter(dict(enumerate(values)))


def recovered(*values: int, end: float = 2.0) -> float | None:
    return time_to_recover(OFFERED, goodput(*values), end=end, until=10.0)


def test_the_worst_second_is_found_wherever_it_begins() -> None:
    times = [0.0, 0.1, 0.2, 5.6, 5.7, 6.3, 6.5, 7.0]
    assert peak_rate(times) == 4
    assert peak_rate(times, start=6.0) == 3
    assert peak_rate(times, window=0.5) == 3 / 0.5


def test_no_arrivals_have_no_peak() -> None:
    assert peak_rate([]) == peak_rate([1.0], start=2.0) == 0


def test_what_is_a_window_apart_is_not_in_one() -> None:
    assert peak_rate([1.0, 2.0]) == 1


def test_it_is_recovered_when_calls_end_well_and_go_on_to() -> None:
    out = [100] * 4
    assert recovered(*out, *[0] * 4, *[95] * 12, end=2.0) == 4 * BUCKET
    assert recovered(*[100] * 20) == 0


def test_a_moment_of_goodput_is_no_recovery() -> None:
    values = [100] * 4 + [0, 100, 0, 0] + [100] * 12
    assert recovered(*values) == 4 * BUCKET


@pytest.mark.parametrize("values", [[100] * 4 + [89] * 16, [100] * 4 + [0] * 13 + [100] * 3])
def test_what_is_not_well_for_long_enough_is_not_recovered(values: list[int]) -> None:
    assert recovered(*values) is None


def test_an_outage_that_ends_within_a_bucket_is_not_over_before_it() -> None:
    assert recovered(*[100] * 20, end=2.3) == 0
