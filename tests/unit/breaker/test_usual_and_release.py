"""What is usual while nothing is wrong, and the pace at which traffic is let back in."""

from __future__ import annotations

import itertools

import pytest

from resilient.breaker.release import Release
from resilient.breaker.usual import Usual

# -- usual


def test_nothing_is_known_at_first() -> None:
    usual = Usual()
    usual.count(100, 5.0)
    assert (usual.rate, usual.latency) == (None, None)


def test_the_rate_is_what_was_sent_in_a_span() -> None:
    usual = Usual()
    usual.count(100, 5.0)
    usual.count(150, 7.0)
    assert usual.rate == 25


@pytest.mark.parametrize("span", [0.0, 0.1, 0.99])
def test_a_span_that_is_too_short_says_nothing_yet(span: float) -> None:
    usual = Usual()
    usual.count(100, 5.0)
    usual.count(900, 5.0 + span)
    assert usual.rate is None
    usual.count(1100, 15.0)
    assert usual.rate == 100


def test_a_long_pause_in_traffic_says_nothing_of_the_rate() -> None:
    usual = Usual()
    usual.count(100, 0.0)
    usual.count(200, 60.0)
    assert usual.rate is None
    usual.count(250, 61.0)
    assert usual.rate == 50


def test_time_in_which_something_is_wrong_does_not_count() -> None:
    usual = Usual()
    usual.count(100, 0.0)
    usual.pause()
    usual.count(5000, 3.0)
    usual.count(5100, 5.0)
    assert usual.rate == 50


@pytest.mark.parametrize("back", [-1.0, -1e6])
def test_time_going_back_says_nothing(back: float) -> None:
    usual = Usual()
    usual.count(100, 0.0)
    usual.count(200, back)
    assert usual.rate is None
    usual.count(300, back + 2)
    assert usual.rate == 50


def test_latency_and_rate_follow_what_is_new_little_by_little() -> None:
    usual = Usual()
    for step in range(40):
        usual.count(step * 10, float(step))
        usual.took(1.0)
    assert (usual.rate, usual.latency) == pytest.approx((10, 1))
    usual.took(2.0)
    usual.count(39 * 10 + 20, 40.0)
    assert (usual.rate, usual.latency) == pytest.approx((13, 1.2))


def test_usual_times_can_be_moved_to_another_scale() -> None:
    usual = Usual()
    usual.count(100, 5.0)
    usual.rebase(1e6)
    usual.count(150, 1e6 + 7.0)
    assert usual.rate == 25


# -- release


def taken(release: Release, start: float, seconds: float, steps: int = 1000) -> list[float]:
    """When turns are given to somebody who asks again and again."""
    moments = (start + seconds * step / steps for step in range(steps))
    return [each for each in moments if release.take_turn(each)]


@pytest.mark.parametrize(
    ("usual", "rate"), [(100.0, 125.0), (20.0, 25.0), (10.0, 12.5), (1.0, 12.5), (0.0, 12.5)]
)
def test_turns_are_a_quarter_quicker_than_usual_and_at_least_twelve_a_second(
    usual: float, rate: float
) -> None:
    release = Release(usual, 50.0, 0.0)
    assert len(taken(release, 50.0, 10.0, 100_000)) == pytest.approx(10 * rate, abs=1)


def test_turns_are_at_least_the_pace_apart() -> None:
    release = Release(20.0, 0.0, 0.0)
    turns = taken(release, 0.0, 10.0, 100_000)
    assert min(later - earlier for earlier, later in itertools.pairwise(turns)) >= 0.0398


@pytest.mark.parametrize("missed", [0.1, 1.0, 29.0])
def test_no_more_than_a_twentieth_of_a_second_of_missed_turns_is_made_up(missed: float) -> None:
    release = Release(400.0, 0.0, 0.0)  # 500 turns a second
    assert release.take_turn(0.0)
    # Twenty-five turns are a twentieth of a second's.
    at_once = sum(release.take_turn(missed) for _ in range(1000))
    assert 25 <= at_once <= 26


def test_after_a_hang_the_pace_begins_gently_and_grows() -> None:
    release = Release(100.0, 0.0, 5.0)
    rates = [release.rate(now) for now in (0.0, 1.0, 2.0, 4.0, 10.0, 15.0, 29.0)]
    assert rates == pytest.approx([20, 40, 60, 100, 100, 125, 125])


def test_a_turn_that_nobody_used_is_given_back() -> None:
    release = Release(100.0, 0.0, 0.0)
    assert release.take_turn(0.0)
    assert not release.take_turn(0.0)
    release.give_back()
    assert release.take_turn(0.0)
    assert not release.take_turn(0.0)


def test_it_says_when_whoever_waits_has_a_turn() -> None:
    release = Release(8.0, 0.0, 0.0)
    assert release.turn_at(0, 0.0) == 0
    assert release.turn_at(25, 0.0) == 2
    release.take_turn(0.0)
    first = release.turn_at(0, 0.0)
    assert first > 0
    assert not release.take_turn(first - 1e-9)
    assert release.take_turn(first)


@pytest.mark.parametrize("gentle", [0.0, 5.0])
def test_after_half_a_minute_the_pace_grows_since_more_is_asked_for_than_usual(
    gentle: float,
) -> None:
    release = Release(100.0, 0.0, gentle)
    rates = [release.rate(now) for now in (16.0, 30.0, 31.0, 40.0)]
    assert rates == pytest.approx([125, 125, 125 * 1.35, 125 * 1.35**10])
    assert release.rate(1e12) < 1e12


def test_the_times_of_a_release_can_be_moved_to_another_scale() -> None:
    one, other = Release(100.0, 0.0, 5.0), Release(100.0, 0.0, 5.0)
    other.rebase(1e6)
    for now in (0.0, 0.001, 0.05, 0.06, 4.0, 20.0):
        assert one.take_turn(now) == other.take_turn(now + 1e6)
        assert one.rate(now) == pytest.approx(other.rate(now + 1e6))
