"""Declared limits: the language, and the two ways to keep one."""

from __future__ import annotations

from typing import Any

import pytest

from resilient import ConfigError, ThrottlePolicy
from resilient.core.queues import Queue
from resilient.throttle.limit import Limit, Meter, Pace, Window


@pytest.mark.parametrize(
    ("text", "calls", "seconds"),
    [
        ("300/min", 300, 60),
        ("300/minute", 300, 60),
        ("10/s", 10, 1),
        ("10/sec", 10, 1),
        ("10/second", 10, 1),
        ("1000/h", 1000, 3600),
        ("1000/hour", 1000, 3600),
        ("5000/d", 5000, 86400),
        ("5000/day", 5000, 86400),
        ("100/10s", 100, 10),
        ("1/2h", 1, 7200),
    ],
)
def test_a_limit_is_calls_and_a_time(text: str, calls: int, seconds: float) -> None:
    assert Limit.parse(text) == Limit(calls, seconds)
    assert ThrottlePolicy(limit=text).limit == text


@pytest.mark.parametrize(
    "limit",
    ["300", "0/s", "300/fortnight", "", "/min", "300/", "-1/s", "1.5/s", "10/0s", "10 / s", 300],
)
def test_what_is_no_limit_is_refused_by_name(limit: Any) -> None:
    with pytest.raises(ConfigError, match=r"ThrottlePolicy\.limit") as caught:
        ThrottlePolicy(limit=limit)
    assert caught.value.given == repr(limit)
    assert '"300/min"' in str(caught.value.allowed)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({"limit": "10/s", "burst": 11}, "at most the calls of the limit (10)"),
        ({"burst": 1}, "None where no limit is declared"),
        ({"limit": "10/s", "burst": 5, "pace": "window"}, 'None with pace = "window"'),
        ({"limit": "10/s", "burst": 0}, "an integer of at least 1"),
    ],
)
def test_a_burst_has_to_fit_its_limit(settings: dict[str, Any], allowed: str) -> None:
    with pytest.raises(ConfigError, match=r"ThrottlePolicy\.burst") as caught:
        ThrottlePolicy(**settings)
    assert allowed in str(caught.value.allowed)


@pytest.mark.parametrize(("text", "burst"), [("300/min", 15), ("10/s", 1), ("1/s", 1), ("40/s", 2)])
def test_a_burst_is_a_twentieth_by_default(text: str, burst: int) -> None:
    limit = Limit.parse(text)
    assert limit is not None
    assert limit.burst == burst


def left(meter: Meter, count: int, now: float = 0.0) -> list[float]:
    """When so many calls leave that are all there now."""
    times = []
    for _ in range(count):
        now = meter.turn_at(0, now)
        meter.take(now)
        times.append(now)
    return times


def test_a_pace_lets_a_burst_go_and_then_one_at_a_time() -> None:
    assert left(Pace(Limit(10, 1.0), 3, Queue()), 6) == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3])


def test_a_pace_has_its_burst_again_after_a_while() -> None:
    pace = Pace(Limit(10, 1.0), 3, Queue())
    left(pace, 5)
    assert left(pace, 4, now=10.0) == pytest.approx([10, 10, 10, 10.1])


def test_a_window_is_taken_at_once() -> None:
    window = Window(Limit(3, 10.0), Queue())
    assert left(window, 7, now=5.0) == [5, 5, 5, 15, 15, 15, 25]


@pytest.mark.parametrize(
    "meter", [Pace(Limit(10, 1.0), 3, Queue()), Window(Limit(3, 10.0), Queue())]
)
def test_a_turn_is_foretold_as_it_comes(meter: Meter) -> None:
    foretold = [meter.turn_at(ahead, 0.0) for ahead in range(8)]
    assert left(meter, 8) == pytest.approx(foretold)


@pytest.mark.parametrize(
    "meter", [Pace(Limit(10, 1.0), 1, Queue()), Window(Limit(1, 10.0), Queue())]
)
def test_what_is_given_back_was_never_taken(meter: Meter) -> None:
    meter.take(0.0)
    before = meter.turn_at(0, 0.0)
    meter.give_back(meter.take(before))
    assert meter.turn_at(0, 0.0) == before


@pytest.mark.parametrize(
    "meter", [Pace(Limit(10, 1.0), 1, Queue()), Window(Limit(1, 10.0), Queue())]
)
def test_another_scale_of_time_changes_nothing(meter: Meter) -> None:
    assert meter.is_idle(0.0)
    meter.take(0.0)
    wait = meter.turn_at(0, 0.0)
    meter.rebase(1000.0)
    assert meter.turn_at(0, 1000.0) == pytest.approx(1000.0 + wait)
    assert not meter.is_idle(1000.0)
