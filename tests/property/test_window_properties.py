"""What a sliding window holds is what a plain count of the same events says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from resilient.support.window import SlidingCounts

pytestmark = pytest.mark.slow


@given(
    st.sampled_from([0.1, 1.0, 10.0, 30.0, 86400.0]),
    st.lists(st.tuples(st.floats(0, 3, exclude_max=True), st.integers(0, 2)), max_size=200),
    st.floats(0, 3),
    st.floats(-1e6, 1e6),
)
def test_sliding_counts_hold_what_happened_within_nine_tenths_to_all_of_the_span(
    span: float, events: list[tuple[float, int]], last: float, start: float
) -> None:
    counts = SlidingCounts(span, 3, start)
    now, seen = start, []
    for tenths, kind in events:
        now += tenths * span / 10
        counts.add(kind, now)
        seen.append((now, kind))
    now += last * span / 10
    rounding = 1e-6 * span + 1e-8
    for kind, total in enumerate(counts.totals(now)):
        ages = [now - moment for moment, of in seen if of == kind]
        assert sum(age < 0.9 * span - rounding for age in ages) <= total
        assert total <= sum(age < span + rounding for age in ages)


@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 1)), max_size=100))
def test_sliding_counts_with_time_going_back_are_a_plain_count_by_slices(
    events: list[tuple[int, int]],
) -> None:
    counts = SlidingCounts(10.0, 2, 0.0)
    now, latest, seen = 0.0, 0.0, []
    for quarters, kind in events:
        now += quarters / 4 if abs(quarters) > 250 else quarters / 64
        latest = max(latest, now)
        counts.add(kind, now)
        seen.append((math.floor(latest), kind))
        assert counts.totals(now) == [
            sum(of == each and math.floor(latest) - moment < 10 for moment, of in seen)
            for each in range(2)
        ]
