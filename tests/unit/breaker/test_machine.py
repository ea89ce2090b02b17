"""What opens a circuit, and for how long. Time is a number that is passed in.

Scripts of calls are text: `9x` is nine failures, `.` a success, `s` a slow success, `X` a slow
failure, `n` a call that says nothing of the server; `+5` lets five seconds pass, `-5` sets the
clock back.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from resilient import BreakerPolicy
from resilient.breaker import Counts
from resilient.breaker.machine import Change, Machine
from resilient.core.outcome import Verdict

SLOW = 9.0
CALLS = {
    ".": (Verdict.SUCCESS, 0.1),
    "x": (Verdict.TRANSIENT, 0.1),
    "s": (Verdict.SUCCESS, SLOW),
    "X": (Verdict.TRANSIENT, SLOW),
    "n": (Verdict.NEUTRAL, SLOW),
}


def play(machine: Machine, script: str, now: float = 0.0) -> tuple[Change | None, float]:
    """Make calls, none of which may be refused, until one changes the state of the circuit."""
    for step in script.split():
        if step[0] in "+-":
            now += float(step)
            continue
        found = re.fullmatch(r"(\d*)(\D)", step)
        assert found is not None, step
        verdict, duration = CALLS[found[2]]
        for _ in range(int(found[1] or 1)):
            permit, change = machine.admit(now)
            assert permit
            assert change is None
            if verdict is Verdict.SUCCESS:
                change = machine.succeed(permit, now, duration)
            else:
                change = machine.record(permit, verdict, now, duration=duration)
            if change is not None:
                return change, now
    return None, now


def outcome(given: dict[str, Any], script: str) -> str:
    """Why the circuit opened, or "closed"."""
    change, _ = play(Machine(BreakerPolicy(**given)), script)
    return "closed" if change is None else change.reason


RATE = {"minimum_calls": 10, "failure_rate": 0.5, "window": 10.0}
TENTH = {"minimum_calls": 100, "failure_rate": 0.1}
ROW = {"minimum_calls": 1000, "consecutive_failures": 5}
SLOWS = {"minimum_calls": 10, "slow_call": 2.0, "slow_rate": 0.8}


@pytest.mark.parametrize(
    ("given", "script", "expected"),
    [
        # A minimum of calls, below which the rate says nothing.
        (RATE, "9x", "closed"),
        (RATE, "10x", "10 of 10 calls failed"),
        (RATE, "9x .", "closed"),
        ({**RATE, "minimum_calls": 1}, "x", "1 of 1 calls failed"),
        ({**RATE, "minimum_calls": 1}, ". x", "1 of 2 calls failed"),
        ({}, "19x", "closed"),
        ({}, "20x", "20 of 20 calls failed"),
        ({}, "10. 9x", "closed"),
        ({}, "10. 10x", "10 of 20 calls failed"),
        # The rate at its threshold is too much, just below it is not.
        (RATE, "5. 5x", "5 of 10 calls failed"),
        (RATE, "6. 4x", "closed"),
        (RATE, "6. 5x", "closed"),
        (RATE, "6. 6x", "6 of 12 calls failed"),
        (RATE, "50. 49x", "closed"),
        (RATE, "50. 50x", "50 of 100 calls failed"),
        (RATE, "x . x . x . x . . x", "5 of 10 calls failed"),
        (TENTH, "90. 9x", "closed"),
        (TENTH, "90. 10x", "10 of 100 calls failed"),
        (TENTH, "91. 9x", "closed"),
        (TENTH, "9x 1000.", "closed"),
        ({**RATE, "failure_rate": 1.0}, "9x . 90x", "closed"),
        ({**RATE, "failure_rate": 1.0}, "10x", "10 of 10 calls failed"),
        ({"failure_rate": 0.5}, "1000. 999x", "closed"),
        # A success opens nothing: the failure after it does.
        (RATE, "5x 5.", "closed"),
        (RATE, "5x 4. . x", "6 of 11 calls failed"),
        # Failures slide out of the window, and so do the successes.
        (RATE, "9x +10 x", "closed"),
        (RATE, "9x +8.9 x", "10 of 10 calls failed"),
        (RATE, "5x +5 4. +5 x", "closed"),
        (RATE, "5x +5 4. +3 x", "6 of 10 calls failed"),
        (RATE, "100. +10 9x", "closed"),
        (RATE, "100. +10 10x", "10 of 10 calls failed"),
        (RATE, "9x +3600 9x +3600 9x", "closed"),
        (RATE, "4x +4 4x +4 4x", "10 of 10 calls failed"),
        (RATE, "x +1.5 x +1.5 x +1.5 x +1.5 x +1.5 x +1.5 x +1.5 x +1.5 x +1.5 x", "closed"),
        # What says nothing of the server counts as neither.
        (RATE, "100n", "closed"),
        (RATE, "9x 100n", "closed"),
        (RATE, "4x 23n 5. x", "5 of 10 calls failed"),
        (RATE, "9x 2n x", "10 of 10 calls failed"),
        # Failures in a row, if asked for.
        (ROW, "4x", "closed"),
        (ROW, "5x", "5 failures in a row"),
        (ROW, "4x . 4x . 4x", "closed"),
        (ROW, "4x . 5x", "5 failures in a row"),
        (ROW, "4x s 4x", "closed"),
        (ROW, "4x n x", "5 failures in a row"),
        (ROW, "4x 10n x", "5 failures in a row"),
        (ROW, "4x +3600 x", "5 failures in a row"),
        (ROW, "3x 2X", "5 failures in a row"),
        ({**ROW, "consecutive_failures": 1}, "500. x", "1 failures in a row"),
        ({"consecutive_failures": None}, "4. 15x", "closed"),
        # Both rules: whichever comes first.
        ({**RATE, "consecutive_failures": 5}, "5x", "5 failures in a row"),
        ({**RATE, "consecutive_failures": 5}, "x . x . x . x . x .", "closed"),
        ({**RATE, "consecutive_failures": 5}, "3x . 3x . x x", "8 of 10 calls failed"),
        # Slow calls, if asked for; slow ones and failures are counted apart.
        ({}, "100s", "closed"),
        (SLOWS, "9s", "closed"),
        (SLOWS, "10s", "10 of 10 calls were slow"),
        (SLOWS, "2. 8s", "8 of 10 calls were slow"),
        (SLOWS, "3. 7s", "closed"),
        (SLOWS, "3. 9x", "7 of 10 calls failed"),
        (SLOWS, "6. 4X 5s", "closed"),
        (SLOWS, "2. 4X 4s", "8 of 10 calls were slow"),
        (SLOWS, "9s n", "closed"),
        (SLOWS, "9s +30 s", "closed"),
        ({**SLOWS, "slow_call": SLOW}, "10s", "10 of 10 calls were slow"),
        ({**SLOWS, "slow_call": SLOW + 0.1}, "10s", "closed"),
        ({**SLOWS, "slow_rate": 1.0}, ". 99s", "closed"),
        # A clock that goes back counts in the present, and forgets nothing too late.
        (RATE, "5x -100 5x", "10 of 10 calls failed"),
        (RATE, "+100 9x -50 . +60 x", "closed"),
        (RATE, "+100 9. -1000 9x", "9 of 18 calls failed"),
    ],
)
def test_when_it_opens(given: dict[str, Any], script: str, expected: str) -> None:
    assert outcome(given, script) == expected


@pytest.mark.parametrize("spread", [0.0, 0.5, 0.999])
def test_random_failures_of_a_fifth_open_nothing(spread: float) -> None:
    machine = Machine(BreakerPolicy())
    change, _ = play(machine, "x 4. +0.01 " * 2000)
    assert change is None
    assert machine.counts(20.0) == Counts(
        calls=10_000, failures=2000, slow=0, consecutive_failures=0
    )


def opened(
    machine: Machine, now: float, *, random: float = 0.0, retry_after: float | None = None
) -> float:
    """Fail once, whether closed or half-open, and say for how long it is open."""
    permit, _ = machine.admit(now)
    assert permit
    change = machine.record(permit, Verdict.TRANSIENT, now, random=random, retry_after=retry_after)
    assert change is not None
    assert change.after.value == "open"
    assert change.seconds is not None
    assert machine.retry_in(now) == pytest.approx(change.seconds)
    assert machine.admit(now + change.seconds * 0.9999) == (0, None)
    return change.seconds


def touchy(**given: Any) -> Machine:
    return Machine(BreakerPolicy(**{"minimum_calls": 1, "failure_rate": 1.0, **given}))


@pytest.mark.parametrize(
    ("given", "spells"),
    [
        ({}, [5, 10, 20, 40, 60, 60, 60]),
        ({"open_for": 30, "max_open_for": 300}, [30, 60, 120, 240, 300, 300]),
        ({"open_for": 7, "max_open_for": 7}, [7, 7, 7]),
        ({"open_for": 1, "max_open_for": 1e9}, [2.0**n for n in range(20)]),
    ],
)
def test_each_time_it_opens_again_it_stays_open_twice_as_long_up_to_the_maximum(
    given: dict[str, Any], spells: list[float]
) -> None:
    machine, now = touchy(**given), 100.0
    for expected in spells:
        assert opened(machine, now) == expected
        now += expected


def test_thousands_of_trips_overflow_nothing() -> None:
    machine, now = touchy(open_for=1e-9, max_open_for=0.25), 0.0
    for _ in range(3000):
        now += opened(machine, now)
    assert opened(machine, now) == 0.25


@pytest.mark.parametrize(
    ("trips", "random", "seconds"),
    [
        (1, 0.0, 5.0), (1, 0.5, 5.25), (1, 0.999999, 5.5), (2, 0.5, 10.5), (4, 0.5, 42.0),
        (5, 0.0, 60.0), (5, 0.5, 60.0), (9, 0.999999, 60.0),
    ],
)  # fmt: skip
def test_jitter_only_adds_and_stays_within_the_maximum(
    trips: int, random: float, seconds: float
) -> None:
    machine, now, took = touchy(), 0.0, 0.0
    for _ in range(trips):
        took = opened(machine, now, random=random)
        now += took
    assert took == pytest.approx(seconds, rel=1e-5)


@pytest.mark.parametrize(
    ("retry_after", "random", "seconds"),
    [
        (None, 0.0, 5.0), (0.0, 0.0, 5.0), (3.0, 0.0, 5.0), (5.1, 0.0, 5.1), (5.1, 0.5, 5.25),
        (42.0, 0.0, 42.0), (42.0, 0.9, 42.0), (60.0, 0.0, 60.0), (61.0, 0.0, 60.0),
        (2.0**31, 0.5, 60.0),
    ],
)  # fmt: skip
def test_retry_after_is_a_floor_within_the_maximum(
    retry_after: float | None, random: float, seconds: float
) -> None:
    assert opened(touchy(), 9.0, random=random, retry_after=retry_after) == seconds


def test_retry_after_counts_once_and_is_no_measure_for_the_next_time() -> None:
    machine = touchy()
    assert opened(machine, 0.0, retry_after=33.0) == 33
    assert opened(machine, 33.0) == 10
    assert opened(machine, 43.0, retry_after=15.0) == 20


def close(machine: Machine, now: float) -> None:
    """Let the probes go well."""
    for _ in range(3):
        machine.succeed(machine.admit(now)[0], now, 0.0)
    assert machine.state.value == "closed"


@pytest.mark.parametrize(
    ("quiet", "expected"), [(0.5, 20.0), (5.0, 20.0), (29.9, 20.0), (30.0, 5.0), (9e9, 5.0)]
)
def test_after_a_quiet_spell_as_long_as_the_window_it_starts_again_from_open_for(
    quiet: float, expected: float
) -> None:
    machine = touchy()
    assert opened(machine, 0.0) == 5
    assert opened(machine, 5.0) == 10
    close(machine, 15.0)
    assert opened(machine, 15.0 + quiet) == expected
