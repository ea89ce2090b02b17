"""When a circuit opens, and when it does not. Time is a number that is passed in."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from resilient import BreakerPolicy, Reason
from resilient.breaker import Counts
from resilient.breaker.machine import Machine
from tests.unit.breaker.support import SLOW, Answer, Traffic, opened, play


def outcome(given: dict[str, Any], script: str) -> str:
    """Why the circuit opened, or "closed"."""
    change, _ = play(Machine(BreakerPolicy(**given)), script)
    return "closed" if change is None else change.reason


FIVE = {"failures": 5, "failure_rate": 0.75}
ROW = {"failures": 1000, "consecutive_failures": 5}
SLOWS = {"failures": 5, "slow_call": 2.0, "slow_rate": 0.75}


@pytest.mark.parametrize(
    ("given", "script", "expected"),
    [
        ({}, "19x", "closed"),
        ({}, "20x", "20 failures"),
        ({}, "1000. 19x", "closed"),
        ({}, "1000. 20x", "20 failures"),
        ({}, "19x . 9x", "closed"),
        ({}, "19x . 10x", "29 failures"),
        ({}, "19x 3. 19x", "closed"),
        ({"failures": 1}, "500. x", "1 failures"),
        ({"failure_rate": 1.0}, "19x . 19x", "closed"),
        ({"failure_rate": 1.0}, "19x . 20x", "20 failures"),
        ({"failure_rate": 0.1, "failures": 3}, "x . x . x . x", "4 failures"),
        (FIVE, "4x . 3x", "closed"),
        (FIVE, "4x . 4x", "8 failures"),
        # A success opens nothing.
        (FIVE, "4x 50.", "closed"),
        # Failures that are long past do not count, however many there were.
        (FIVE, "4x +29 x", "5 failures"),
        (FIVE, "4x +31 4x", "closed"),
        (FIVE, "4x +3600 4x +3600 4x", "closed"),
        (FIVE, "x +20 x +20 x +20 x +20 x", "5 failures"),
        ({**FIVE, "window": 5}, "4x +6 x", "closed"),
        # An attempt that says nothing of the server counts as neither.
        (FIVE, "100n", "closed"),
        (FIVE, "4x 100n", "closed"),
        (FIVE, "4x 100n x", "5 failures"),
        # Failures in a row, if asked for.
        (ROW, "4x", "closed"),
        (ROW, "5x", "5 failures in a row"),
        (ROW, "4x . 4x . 4x", "closed"),
        (ROW, "4x . 5x", "5 failures in a row"),
        (ROW, "4x 10n x", "5 failures in a row"),
        (ROW, "4x +3600 x", "5 failures in a row"),
        ({"consecutive_failures": 1}, "500. x", "1 failures in a row"),
        ({"consecutive_failures": 30}, "20x", "20 failures"),
        # Slow calls, if asked for; slow ones and failures are counted apart.
        ({}, "100s", "closed"),
        (SLOWS, "4s", "closed"),
        (SLOWS, "5s", "5 slow calls"),
        (SLOWS, "4s . 3s", "closed"),
        (SLOWS, "4s . 4s", "8 slow calls"),
        (SLOWS, "4s 4x", "closed"),
        (SLOWS, "4s +31 4s", "closed"),
        ({**SLOWS, "slow_call": SLOW}, "5s", "5 slow calls"),
        ({**SLOWS, "slow_call": SLOW + 0.1}, "5s", "closed"),
        # A clock that goes back counts in the present.
        (FIVE, "3x -100 2x", "5 failures"),
        (FIVE, "+100 4x -1000 4. 4x", "closed"),
    ],
)
def test_when_it_opens(given: dict[str, Any], script: str, expected: str) -> None:
    assert outcome(given, script) == expected


# -- an outage


def outage(at: float, *, latency: float, fails_in: float = 0.015) -> Callable[[float], Answer]:
    return lambda sent: ("good", latency) if sent < at else ("bad", fails_in)


@pytest.mark.parametrize("latency", [0.005, 0.02, 0.3, 2.0, 10.0, 30.0])
@pytest.mark.parametrize("well_for", [0.0, 0.4, 40.0, 300.0])
@pytest.mark.parametrize("rate", [5.0, 50.0, 500.0])
def test_a_total_outage_opens_it_at_the_twentieth_failure_whatever_went_well_before(
    rate: float, well_for: float, latency: float
) -> None:
    well_for = min(well_for, 20_000 / rate)
    traffic = Traffic(Machine(BreakerPolicy()), rate, outage(well_for, latency=latency))
    traffic.run(well_for + 20 / rate + 1)
    assert traffic.states == ["open"]
    ((when, change),) = traffic.changes
    assert (change.reason, len(traffic.failed)) == ("20 failures", 20)
    assert when == pytest.approx(well_for + 19 / rate + 0.015)


@pytest.mark.parametrize("takes", [0.5, 2.0, 10.0])
def test_an_outage_of_slow_failures_opens_it_at_the_twentieth_too(takes: float) -> None:
    """A server that hangs leaves each attempt silent until it times out, and all are young."""
    answers = outage(60.0, latency=0.02, fails_in=takes)
    traffic = Traffic(Machine(BreakerPolicy()), 50.0, answers).run(120)
    ((when, _),) = traffic.changes
    assert len(traffic.failed) == 20
    assert when == pytest.approx(60 + takes + 19 / 50)


@pytest.mark.parametrize("latency", [0.02, 2.0, 10.0])
def test_a_failure_before_the_outage_delays_it_by_one_latency_at_most(latency: float) -> None:
    def answers(sent: float) -> Answer:
        return ("bad", 0.02) if sent >= 60 or 59.9 < sent < 59.93 else ("good", latency)

    traffic = Traffic(Machine(BreakerPolicy()), 50.0, answers).run(100)
    ((when, _),) = traffic.changes
    assert when <= 60 + 20 / 50 + latency + 0.1


def test_born_down_it_opens_at_the_twentieth() -> None:
    traffic = Traffic(Machine(BreakerPolicy()), 500.0, outage(0.0, latency=0.02)).run(10)
    assert len(traffic.failed) == 20


# -- what is no outage


def at_random(share: float, latency: float, seed: int) -> Callable[[float], Answer]:
    draw = random.Random(seed).random
    return lambda _: ("bad", 0.02) if draw() < share else ("good", latency)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_random_failures_below_the_rate_do_not_open_it(share: float, seed: int) -> None:
    traffic = Traffic(Machine(BreakerPolicy()), 50.0, at_random(share, 0.02, seed)).run(600)
    assert len(traffic.sent) == 30_000
    assert traffic.states == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("share", "latency"), [(0.05, 2.0), (0.05, 10.0), (0.2, 2.0), (0.2, 10.0)])
def test_slow_answers_with_quick_failures_among_them_do_not_open_it(
    share: float, latency: float, seed: int
) -> None:
    """The first failures come before the first success of the same age."""
    traffic = Traffic(Machine(BreakerPolicy()), 50.0, at_random(share, latency, seed)).run(200)
    assert traffic.states == []


@pytest.mark.parametrize("script", ["x 4. +0.01 " * 2000, "x . +0.01 " * 2000])
def test_failures_in_a_pattern_below_the_rate_do_not_open_it(script: str) -> None:
    machine = Machine(BreakerPolicy())
    assert play(machine, script)[0] is None
    assert machine.counts() == Counts()


# -- for how long


def touchy(**given: Any) -> Machine:
    return Machine(BreakerPolicy(**{"failures": 1, **given}))


def stays_open(
    machine: Machine, now: float, *, spread: float = 0.0, retry_after: float | None = None
) -> float:
    """Fail once, and see for how long it is open."""
    seconds = opened(machine, now, random=spread, retry_after=retry_after)
    assert machine.retry_in(now) == pytest.approx(seconds)
    assert machine.admit(now + seconds * 0.9999) == (0, None)
    return seconds


@pytest.mark.parametrize(
    ("given", "spells"),
    [
        ({}, [0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875, 5, 5, 5]),
        ({"open_for": 30, "open_factor": 2, "max_open_for": 300}, [30, 60, 120, 240, 300, 300]),
        ({"open_for": 7, "max_open_for": 7}, [7, 7, 7]),
        ({"open_for": 2, "open_factor": 1}, [2, 2, 2, 2]),
        ({"open_for": 1, "open_factor": 2, "max_open_for": 1e9}, [2.0**n for n in range(20)]),
    ],
)
def test_each_time_it_opens_again_it_stays_open_for_longer_up_to_the_maximum(
    given: dict[str, Any], spells: list[float]
) -> None:
    machine, now = touchy(**given), 100.0
    for expected in spells:
        assert stays_open(machine, now) == expected
        now += expected


def test_thousands_of_openings_overflow_nothing() -> None:
    machine, now = touchy(open_for=1e-9, open_factor=9.0, max_open_for=0.25), 0.0
    for _ in range(3000):
        now += stays_open(machine, now)
    assert stays_open(machine, now) == 0.25


@pytest.mark.parametrize(("spread", "seconds"), [(0.0, 1.0), (0.5, 1.05), (0.999999, 1.1)])
@pytest.mark.parametrize("is_longest", [False, True])
def test_jitter_only_adds(spread: float, seconds: float, is_longest: bool) -> None:
    machine = touchy(open_for=1.0, max_open_for=1.0 if is_longest else 9.0)
    assert stays_open(machine, 0.0, spread=spread) == pytest.approx(seconds, rel=1e-5)


@pytest.mark.parametrize(
    ("retry_after", "spread", "seconds"),
    [
        (None, 0.0, 0.5), (0.0, 0.0, 0.5), (0.3, 0.0, 0.5), (0.51, 0.0, 0.51), (0.51, 0.5, 0.525),
        (42.0, 0.0, 42.0), (42.0, 0.9, 42.0), (60.0, 0.0, 60.0), (61.0, 0.0, 60.0),
        (2.0**31, 0.5, 60.0),
    ],
)  # fmt: skip
def test_retry_after_is_a_floor_within_its_own_maximum(
    retry_after: float | None, spread: float, seconds: float
) -> None:
    assert stays_open(touchy(), 9.0, spread=spread, retry_after=retry_after) == pytest.approx(
        seconds
    )


def test_the_maximum_for_retry_after_is_the_policys() -> None:
    assert stays_open(touchy(max_open_retry_after=7), 0.0, retry_after=99.0) == 7
    assert stays_open(touchy(max_open_retry_after=0), 0.0, retry_after=99.0) == 0.5


def test_retry_after_of_any_failure_of_the_run_is_kept() -> None:
    machine = Machine(BreakerPolicy(failures=3))
    assert machine.fail(machine.admit(0.0)[0], 0.0, 1.0, retry_after=20.0) is None
    machine.fail(machine.admit(1.0)[0], 1.0, 2.0)
    change = machine.fail(machine.admit(2.0)[0], 2.0, 3.0)
    assert change is not None
    assert change.seconds == 18


def test_retry_after_of_a_run_that_is_over_is_forgotten() -> None:
    machine = Machine(BreakerPolicy(failures=2))
    machine.fail(machine.admit(0.0)[0], 0.0, 0.0, retry_after=50.0)
    machine.succeed(machine.admit(1.0)[0], 1.0, 1.0)
    machine.fail(machine.admit(2.0)[0], 2.0, 2.0)
    change = machine.fail(machine.admit(2.0)[0], 2.0, 2.0)
    assert change is not None
    assert change.seconds == 0.5


def test_retry_after_is_no_measure_for_the_next_time() -> None:
    machine = touchy()
    assert stays_open(machine, 0.0, retry_after=33.0) == 33
    assert stays_open(machine, 33.0) == 0.75
    assert stays_open(machine, 34.0, retry_after=15.0) == 15


def test_it_is_told_why_it_opened() -> None:
    for policy, script, code in [
        (BreakerPolicy(failures=1), "x", Reason.FAILURES),
        (BreakerPolicy(consecutive_failures=1), "x", Reason.CONSECUTIVE),
        (BreakerPolicy(failures=1, slow_call=2), "s", Reason.SLOW_CALLS),
    ]:
        change, _ = play(Machine(policy), script)
        assert change is not None
        assert (change.before.value, change.after.value, change.code) == ("closed", "open", code)


# -- given up by the caller


def test_an_attempt_that_is_given_up_counts_only_if_nothing_was_answered_since() -> None:
    machine = Machine(BreakerPolicy())
    quiet = machine.admit(0.0)[0]
    assert machine.may_abandon(0.0, 10.0)
    machine.succeed(quiet, 0.0, 11.0)
    assert not machine.may_abandon(5.0, 20.0)
    assert machine.may_abandon(12.0, 30.0)
    # A failure that the server answered with is an answer, a time-out is not.
    machine.fail(machine.admit(12.0)[0], 12.0, 31.0, timed_out=True)
    assert machine.may_abandon(12.0, 32.0)
    machine.fail(machine.admit(12.0)[0], 12.0, 33.0)
    assert not machine.may_abandon(12.0, 34.0)


def test_of_a_crowd_that_gives_up_at_once_one_counts() -> None:
    machine = Machine(BreakerPolicy())
    assert sum(machine.may_abandon(0.0, 10.0) for _ in range(30)) == 1
    assert not machine.may_abandon(0.0, 10.09)
    assert machine.may_abandon(0.0, 10.11)
