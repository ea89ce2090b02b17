"""A wait is never outside its bounds, below a server's Retry-After, or past the time left."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator
from random import Random
from typing import get_args

import pytest
from hypothesis import example, given, strategies as st

from resilient import Backoff, RetryPolicy
from resilient.retry.decision import pace
from resilient.retry.schedule import Jitter

pytestmark = pytest.mark.slow

MOST = 80  # of the waits of one call

durations = st.floats(1e-6, 1e6)
draws = st.floats(0, 1, exclude_max=True)
jitters: st.SearchStrategy[Jitter] = st.sampled_from(get_args(Jitter))


def listed(numbers: list[float | None]) -> Generator[float | None, None, None]:
    yield None
    yield from numbers


@st.composite
def schedules(draw: st.DrawFn) -> Backoff:
    base, other = draw(durations), draw(durations)
    jitter = draw(jitters)
    if draw(st.booleans()):
        numbers = draw(st.lists(st.none() | st.floats(), max_size=5))
        wait, options = listed, {"numbers": numbers}
        return Backoff(
            wait=wait, base=min(base, other), cap=max(base, other), jitter=jitter, options=options
        )
    return Backoff(
        wait=draw(st.sampled_from(["expo", "fibo", "constant"])),
        base=min(base, other),
        cap=max(base, other),
        factor=draw(st.floats(1, 100)),
        jitter=jitter,
    )


def drawing(seed: int) -> Callable[[], float]:
    """Random numbers, the least and the greatest there are among them."""
    random = Random(seed)
    extremes = (0.0, math.nextafter(1.0, 0.0))
    return lambda: random.choice([*extremes, random.random()])


@given(schedules(), st.integers())
def test_every_wait_is_within_the_bounds_given_for_it(backoff: Backoff, seed: int) -> None:
    # One by one, and as many of one as of the other.
    pairs = itertools.zip_longest(
        itertools.islice(backoff.waits(drawing(seed)), MOST),
        itertools.islice(backoff.bounds(), MOST),
    )
    for wait, (least, most) in pairs:
        assert 0 <= least <= most <= backoff.cap
        # What sums and products of floating-point numbers are out by.
        assert least * (1 - 1e-12) <= wait <= most * (1 + 1e-12)
        assert wait <= backoff.cap


@given(schedules().filter(lambda backoff: backoff.jitter != "decorrelated"))
def test_the_bounds_are_reached(backoff: Backoff) -> None:
    bounds = list(itertools.islice(backoff.bounds(), MOST))
    greatest = math.nextafter(1.0, 0.0)
    least = list(itertools.islice(backoff.waits(lambda: 0.0), MOST))
    most = list(itertools.islice(backoff.waits(lambda: greatest), MOST))
    assert least == pytest.approx([low for low, _ in bounds])
    assert most == pytest.approx([high for _, high in bounds])


@given(schedules(), st.integers())
def test_two_calls_have_no_part_in_each_others_waits(backoff: Backoff, seed: int) -> None:
    alone = list(itertools.islice(backoff.waits(drawing(seed)), MOST))
    first, second = backoff.waits(drawing(seed)), backoff.waits(drawing(seed))
    together = itertools.islice(itertools.zip_longest(first, second), MOST)
    assert list(together) == [(wait, wait) for wait in alone]


asked = st.none() | st.just(0.0) | st.floats(1e-6, 1e6)
remaining = st.just(math.inf) | st.floats(-10, 1e6)


@given(st.floats(0, 1e6), asked, st.floats(0, 1e6), st.floats(1e-6, 1e6), draws, remaining)
@example(20.0, 1.0, 60.0, 20.0, 0.5, 10.0)
@example(0.5, 30.0, 60.0, 20.0, 0.0, 30.0)
def test_a_pace_is_not_below_the_servers_time_nor_past_what_is_left(
    planned: float,
    retry_after: float | None,
    most_asked: float,
    cap: float,
    random: float,
    left: float,
) -> None:
    policy = RetryPolicy(max_retry_after=most_asked, backoff=Backoff(base=1e-6, cap=cap))
    floor = retry_after or 0.0
    wait, _, why = pace(planned, retry_after, policy=policy, random=random, left=left)
    fits = planned < left if floor == 0 else floor < left
    assert (wait is not None) == (floor <= most_asked and fits)
    if wait is None:
        assert why
        return
    assert floor <= wait < left
    if floor == 0:
        assert wait == planned
    else:
        # Later by half at most, so that callers come back apart and not for ever.
        assert wait <= max(planned, floor + min(floor / 2, cap))
        # Sooner than planned only where the time would be gone.
        assert wait >= min(planned, left / 2)
