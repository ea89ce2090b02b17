"""Counting over a span of time, in steps of a tenth of it."""

import sys

import pytest

from resilient.support.window import SlidingCounts


def test_it_begins_empty() -> None:
    assert SlidingCounts(10.0, 3, 0.0).totals(0.0) == [0, 0, 0]


def test_kinds_are_counted_apart() -> None:
    counts = SlidingCounts(10.0, 3, 0.0)
    for kind in (0, 0, 0, 2):
        counts.add(kind, 0.0)
    assert counts.totals(0.0) == [3, 0, 1]


@pytest.mark.parametrize("start", [0.0, -100.0, 12345.5])
@pytest.mark.parametrize(
    ("after", "left"),
    [(0.0, 1), (0.9, 1), (1.0, 1), (5.0, 1), (9.0, 1), (9.9, 1), (10.0, 0), (15.0, 0), (1e9, 0)],
)
def test_what_happened_in_the_first_slice_is_forgotten_after_the_span(
    start: float, after: float, left: int
) -> None:
    counts = SlidingCounts(10.0, 1, start)
    counts.add(0, start)
    assert counts.totals(start + after) == [left]


def test_what_happened_late_in_a_slice_is_forgotten_with_the_slice() -> None:
    counts = SlidingCounts(10.0, 1, 0.0)
    counts.add(0, 0.75)
    assert counts.totals(9.75) == [1]
    assert counts.totals(10.0) == [0]


def test_slices_go_one_at_a_time() -> None:
    counts = SlidingCounts(10.0, 1, 0.0)
    for second in range(10):
        counts.add(0, float(second))
    assert [counts.totals(float(now))[0] for now in range(9, 21)] == [
        10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0,
    ]  # fmt: skip


def test_a_steady_stream_is_counted_for_ever() -> None:
    counts = SlidingCounts(10.0, 2, 0.0)
    for quarter in range(1000):
        counts.add(0, quarter / 4)
        if quarter % 2:
            counts.add(1, quarter / 4)
        if quarter >= 40:
            calls, failures = counts.totals(quarter / 4)
            assert 36 < calls <= 40
            assert calls // 2 <= failures <= calls // 2 + 1


def test_a_time_that_goes_back_counts_where_time_had_got_to() -> None:
    counts = SlidingCounts(10.0, 1, 0.0)
    counts.add(0, 5.0)
    counts.add(0, -1000.0)
    counts.add(0, 2.0)
    assert counts.totals(-5.0) == [3]
    assert counts.totals(14.5) == [3]
    assert counts.totals(15.0) == [0]


def test_a_gap_of_any_length_forgets_all_and_counting_goes_on() -> None:
    counts = SlidingCounts(10.0, 1, 0.0)
    now = 0.0
    for gap in (10.0, 99.5, 1e6, 11.0):
        counts.add(0, now)
        assert counts.totals(now) == [1]
        now += gap
        assert counts.totals(now) == [0]


def test_a_span_shorter_than_a_millisecond_works() -> None:
    counts = SlidingCounts(0.0001, 1, 1000.0)
    counts.add(0, 1000.0)
    assert counts.totals(1000.00005) == [1]
    assert counts.totals(1000.001) == [0]


def test_memory_does_not_grow_with_what_is_counted() -> None:
    def size(counts: SlidingCounts) -> int:
        parts = (getattr(counts, name) for name in SlidingCounts.__slots__)
        return sum(map(sys.getsizeof, parts))

    idle = SlidingCounts(10.0, 3, 0.0)
    busy = SlidingCounts(10.0, 3, 0.0)
    for call in range(20_000):
        busy.add(call % 3, call / 1000)
    assert size(busy) <= size(idle) + 8 * 28  # small integers have grown up
