"""Traffic is let back in at a pace; and a circuit operated, read and moved to another loop."""

from __future__ import annotations

import math
from typing import Any

import pytest

from resilient import BreakerPolicy, Reason
from resilient.breaker import Counts
from resilient.breaker.machine import Change, Machine, State
from tests.unit.breaker.support import Answer, Traffic, breaker, opened, play


def name(machine: Machine) -> str:
    return machine.state.value


def is_isolated(machine: Machine) -> bool:
    return machine.isolated


def well_again(
    *, rate: float = 100.0, hangs: float | None = None, lasts: float = 6.0, **given: Any
) -> tuple[Traffic, float]:
    """Traffic through an outage, until a probe has gone well; and when that was."""

    def answer(sent: float) -> Answer:
        if not 20 <= sent < 20 + lasts:
            return "good", 0.02
        return ("bad", hangs) if hangs else ("bad", 0.015)

    traffic = Traffic(Machine(BreakerPolicy(**given)), rate, answer)
    traffic.run(60)
    while not traffic.machine.is_releasing:
        traffic.run(60)
        assert traffic.now < 60
    return traffic, traffic.now


def releasing(**given: Any) -> Machine:
    """A circuit whose release began at 101."""
    machine = breaker(**{"failures": 3, **given})
    for _ in range(3):
        machine.fail(machine.admit(100.0)[0], 100.0, 100.0)
    machine.succeed(machine.admit(101.0)[0], 101.0, 101.0)
    assert machine.is_releasing
    return machine


# -- the release


@pytest.mark.parametrize("rate", [50.0, 100.0, 400.0])
def test_attempts_leave_a_quarter_quicker_than_usual_at_most(rate: float) -> None:
    traffic, began = well_again(rate=rate)
    # Whoever waited comes on top of what is usual.
    traffic.rate = 20 * rate
    traffic.waiting = 1
    traffic.run(2)
    let_in = len([each for each in traffic.sent if each > began])
    assert let_in / 2 == pytest.approx(1.25 * rate, rel=0.1)


def test_after_time_outs_attempts_come_back_gently() -> None:
    traffic, began = well_again(hangs=6.0, lasts=20.0)
    assert traffic.machine.is_releasing
    traffic.rate = 2000
    traffic.waiting = 1
    traffic.run(2)
    rates = [
        len([each for each in traffic.sent if began + second <= each < began + second + 1])
        for second in range(2)
    ]
    assert rates[0] == pytest.approx(30, abs=8)
    assert rates[1] == pytest.approx(50, abs=10)


def test_recovery_zero_lets_traffic_back_in_at_once_after_time_outs_too() -> None:
    traffic, began = well_again(hangs=6.0, lasts=20.0, recovery=0)
    traffic.rate, traffic.waiting = 2000, 1
    traffic.run(0.5)
    assert len([each for each in traffic.sent if each > began]) == pytest.approx(62, abs=8)


def test_where_the_usual_rate_is_not_known_the_callers_who_asked_are_counted() -> None:
    traffic = Traffic(Machine(BreakerPolicy()), 400.0, lambda sent: ("bad", 0.015))
    traffic.run(5)
    machine = traffic.machine
    for number in range(2000):
        machine.ask(is_new=number % 2 == 0)
    now = traffic.now + 5
    number, _ = machine.admit(now)
    machine.succeed(number, now, now)
    let_in = sum(bool(machine.admit(now + step / 10_000)[0]) for step in range(10_000))
    assert let_in == pytest.approx(1.25 * 1000 / 5, rel=0.1)


def test_it_closes_after_five_successes_if_nobody_waits() -> None:
    machine = releasing()
    now = 101.0
    for good in range(2, 6):
        assert machine.close_if_proven(0) is None
        now += 0.2
        number, _ = machine.admit(now)
        assert machine.succeed(number, now, now) is None
        assert machine.good == good
    assert machine.close_if_proven(1) is None
    change = machine.close_if_proven(0)
    assert change is not None
    assert (change.before.value, change.after.value) == ("half_open", "closed")
    assert (change.code, machine.counts()) == (Reason.PROBES_SUCCEEDED, Counts())
    assert machine.is_quiet


@pytest.mark.parametrize("times", [2, 20])
def test_where_more_is_asked_for_than_was_usual_nobody_is_held_back_for_ever(times: int) -> None:
    traffic, began = well_again()
    traffic.rate, traffic.waiting = times * 100.0, 1
    traffic.run(30)
    assert len([each for each in traffic.sent if each > began]) == pytest.approx(30 * 125, rel=0.1)
    traffic.run(15)
    held = traffic.held
    traffic.run(1)
    assert traffic.held == held


@pytest.mark.parametrize("failures", [3, 20])
def test_in_the_recovery_it_opens_again_at_as_many_failures_as_ever(failures: int) -> None:
    machine = breaker(failures=failures)
    for _ in range(failures):
        machine.fail(machine.admit(100.0)[0], 100.0, 100.0)
    machine.succeed(machine.admit(101.0)[0], 101.0, 101.0)
    now = 101.0
    for _ in range(failures - 1):
        now += 0.1
        assert machine.fail(machine.admit(now)[0], now, now) is None
    now += 0.1
    change = machine.fail(machine.admit(now)[0], now, now)
    assert change is not None
    assert (change.after.value, change.code) == ("open", Reason.FAILURES)
    assert change.seconds == 1.5


def test_a_failure_now_and_then_does_not_keep_it_from_closing() -> None:
    traffic = Traffic(releasing(), 5.0, lambda sent: ("bad" if int(sent * 5) % 3 else "good", 0.01))
    traffic.now = 101.1
    traffic.run(60)
    assert traffic.states == ["closed"]


def test_slow_answers_in_the_recovery_do_not_count_as_silence() -> None:
    """At 5 % random failures and a latency of 10 s the first come before any success."""
    traffic, began = well_again(rate=50.0)
    failing = iter(range(10**9))
    traffic.answer = lambda sent: ("bad", 0.02) if next(failing) % 20 == 0 else ("good", 10.0)
    before, traffic.waiting = len(traffic.changes), 1
    traffic.go_on(60)
    assert traffic.now >= began + 60
    assert traffic.changes[before:] == []


def test_a_turn_that_nobody_used_is_given_back() -> None:
    machine = releasing()
    number, _ = machine.admit(102.0)
    machine.void(number)
    assert machine.admit(102.0)[0] == number


@pytest.mark.parametrize("neutral", range(1, 60, 7))
def test_half_open_is_not_for_ever_if_attempts_of_the_release_say_nothing(neutral: int) -> None:
    machine, now = releasing(), 101.0
    for _ in range(neutral):
        now += 0.2
        machine.end(machine.admit(now)[0], now)
    for _ in range(5):
        now += 0.2
        machine.succeed(machine.admit(now)[0], now, now)
    assert machine.close_if_proven(0) is not None


def test_failures_from_before_it_opened_are_forgotten_when_it_closes() -> None:
    for script in ("3x", "3s"):
        machine = breaker(failures=3, slow_call=5.0)
        _, now = play(machine, script)
        now += 1
        for _ in range(5):
            machine.succeed(machine.admit(now)[0], now, now)
            now += 0.2
        assert machine.close_if_proven(0) is not None
        assert machine.counts() == Counts()
        assert play(machine, script.replace("3", "2"), now)[0] is None


def test_a_circuit_that_has_closed_begins_anew_from_open_for() -> None:
    machine = breaker()
    assert opened(machine, 0.0) == 1
    assert opened(machine, 1.0) == 1.5
    for turn in range(5):
        now = 2.5 + turn / 5
        machine.succeed(machine.admit(now)[0], now, now)
    assert machine.close_if_proven(0) is not None
    assert opened(machine, 3.4) == 1


def test_when_it_closes_it_tells_how_many_were_held_since_it_opened() -> None:
    machine = breaker()
    held = []
    now = 0.0
    for series in (3, 0, 7):
        opened(machine, now)
        for _ in range(series):
            machine.ask(is_new=True)
        now += 6
        for _ in range(5):
            machine.succeed(machine.admit(now)[0], now, now)
            now += 0.2
        change = machine.close_if_proven(0)
        assert change is not None
        held.append(change.held)
    assert held == [3, 0, 7]


@pytest.mark.parametrize("slow_call", [None, 5.0])
def test_the_usual_rate_is_known_with_slow_calls_to_watch_too(slow_call: float | None) -> None:
    traffic, began = well_again(slow_call=slow_call)
    traffic.rate, traffic.waiting = 2000, 1
    traffic.run(0.5)
    assert len([each for each in traffic.sent if each > began]) == pytest.approx(62, abs=8)


# -- by hand


@pytest.mark.parametrize("now", [0.0, 1e9, -5.0])
def test_isolate_refuses_every_call_until_reset(now: float) -> None:
    machine = Machine(BreakerPolicy())
    change = machine.isolate()
    assert change is not None
    assert (change.after.value, change.reason, change.seconds) == ("open", "isolated by hand", None)
    assert is_isolated(machine)
    assert not any(machine.admit(now)[0] for _ in range(100))
    assert (machine.retry_in(now), machine.ready_at(0, now)) == (None, math.inf)
    assert machine.isolate() is None
    change = machine.reset()
    assert change is not None
    assert (change.before.value, change.after.value) == ("open", "closed")
    assert not is_isolated(machine)
    assert all(machine.admit(now)[0] for _ in range(100))


def test_isolate_makes_an_open_circuit_stay_open_and_is_told_once() -> None:
    machine = breaker()
    opened(machine, 0.0)
    assert not is_isolated(machine)
    assert machine.isolate() == Change(State.OPEN, State.OPEN, Reason.BY_HAND, "isolated by hand")
    assert machine.isolate() is None
    assert is_isolated(machine)
    assert machine.admit(1e9) == (0, None)


@pytest.mark.parametrize("how", ["good", "bad", "neutral"])
@pytest.mark.parametrize("after_reset", [False, True])
def test_results_from_before_isolate_or_reset_change_nothing_after(
    how: str, after_reset: bool
) -> None:
    for opens in (False, True):
        machine = breaker()
        early = machine.admit(0.0)[0]
        if opens:
            opened(machine, 0.0)
            early = machine.admit(1.0)[0]
        if not after_reset or not opens:
            machine.isolate()
        if after_reset:
            machine.reset()
        if how == "good":
            assert machine.succeed(early, 0.0, 2.0) is None
        elif how == "bad":
            assert machine.fail(early, 0.0, 2.0) is None
        else:
            assert machine.end(early, 2.0) is None
        assert is_isolated(machine) is not after_reset
        assert machine.counts() == Counts() or not after_reset


@pytest.mark.parametrize("state", ["closed", "open", "half_open", "release", "isolated"])
def test_reset_closes_it_from_any_state_with_everything_forgotten(state: str) -> None:
    machine = releasing(slow_call=5.0) if state == "release" else breaker(failures=3, slow_call=5.0)
    if state != "release":
        play(machine, "2x 2s" if state == "closed" else "3x")
    if state == "half_open":
        assert machine.admit(100.0)[1] is not None
    if state == "isolated":
        machine.isolate()
    change = machine.reset()
    assert (change is None) == (state == "closed")
    assert (name(machine), machine.counts(), machine.retry_in(0.0)) == ("closed", Counts(), 0)
    assert not machine.is_needed
    # Somebody knows better: there is no pace.
    assert all(machine.admit(200.0)[0] for _ in range(1000))
    assert play(machine, "2s 2x", 200.0)[0] is None
    change, _ = play(machine, "x", 220.0)
    assert change is not None
    assert change.seconds == 1  # nor does it open for longer than at first


# -- reading it


def test_retry_in_says_when_a_call_may_pass_in_each_state() -> None:
    machine = breaker(probe_lease=30.0, probes=1)
    assert machine.retry_in(0.0) == 0
    opened(machine, 0.0)
    assert [machine.retry_in(now) for now in (0.0, 0.75, 1.0, 99.0)] == [1, 0.25, 0, 0]
    lost = machine.admit(1.0)[0]
    assert [machine.retry_in(now) for now in (1.0, 21.0, 31.0, 99.0)] == [30, 10, 0, 0]
    machine.end(lost, 2.0)
    assert machine.retry_in(2.0) == 0
    machine.succeed(machine.admit(2.0)[0], 2.0, 2.0)
    assert machine.retry_in(2.0) == 0
    assert machine.admit(2.0)[0]
    # With others before it, it takes longer.
    assert machine.ready_at(0, 2.0) == pytest.approx(2.08)
    assert machine.ready_at(25, 2.0) - machine.ready_at(0, 2.0) == pytest.approx(2)
    machine.isolate()
    assert machine.retry_in(1e9) is None


def test_counts_are_of_the_run_and_the_streak_is_of_all_time() -> None:
    machine = Machine(BreakerPolicy(slow_call=5.0))
    play(machine, "3x 2s 4.")
    assert machine.counts() == Counts()
    play(machine, "3x", 100.0)
    assert machine.counts() == Counts(3.0, 0.0, 3, 3, 3)
    play(machine, "n", 101.0)
    assert machine.counts() == Counts(3.0, 0.0, 3, 4, 3)
    play(machine, "2s", 102.0)
    assert machine.counts().slow_score == 2


def test_needed_is_what_is_not_closed_or_has_failed_lately() -> None:
    machine = breaker(failures=3)
    assert not machine.is_scoring(0.0)
    play(machine, ". n")
    assert not machine.is_scoring(0.0)
    _, now = play(machine, "x")
    assert [machine.is_scoring(each) for each in (now, now + 30, now + 31, 1e9)] == [
        True, True, False, False,
    ]  # fmt: skip
    needed = []
    for change in (lambda: play(machine, "3x", 100.0), machine.reset, machine.isolate):
        change()
        needed.append(machine.is_needed)
    assert needed == [True, False, True]
    slow = breaker(failures=3, slow_call=5.0)
    _, now = play(slow, "s")
    assert (slow.is_scoring(now), slow.is_scoring(now + 31)) == (True, False)


def test_a_permit_that_is_given_back_counts_nowhere_while_it_is_closed() -> None:
    machine = Machine(BreakerPolicy(failures=5))
    for _ in range(100):
        machine.void(machine.admit(0.0)[0])
    assert machine.sent == 0
    # Nor are those that never left silent.
    _, now = play(machine, "4x")
    for _ in range(100):
        machine.void(machine.admit(now)[0])
    assert play(machine, "x", now)[0] is not None


# -- another event loop


@pytest.mark.parametrize("shift", [0.0, -1e5, 1e6])
def test_another_loop_takes_an_open_circuit_over_with_its_times(shift: float) -> None:
    machine = breaker(open_for=50, max_open_for=50)
    opened(machine, 100.0)
    machine.move_to_loop(shift)
    assert name(machine) == "open"
    assert machine.retry_in(110.0 + shift) == pytest.approx(40)
    assert machine.admit(149.0 + shift) == (0, None)
    assert machine.admit(151.0 + shift)[0]


@pytest.mark.parametrize("is_releasing", [False, True])
def test_in_another_loop_half_open_is_open_until_now(is_releasing: bool) -> None:
    machine = releasing() if is_releasing else breaker()
    if not is_releasing:
        opened(machine, 100.0)
        assert machine.admit(101.0)[0]
    machine.move_to_loop(-1e5)
    assert (name(machine), machine.is_releasing) == ("open", False)
    number, change = machine.admit(101.0 - 1e5)
    assert number
    assert change is not None
    assert change.after.value == "half_open"


def test_in_another_loop_permits_that_are_out_are_void_and_scores_begin_anew() -> None:
    machine = breaker(failures=3)
    early = [machine.admit(0.0)[0] for _ in range(9)]
    play(machine, "2x")
    machine.move_to_loop(0.0)
    for number in early:
        assert machine.fail(number, 0.0, 1.0) is None
    assert name(machine) == "closed"
    assert play(machine, "2x", 5.0)[0] is None
    assert play(machine, "x", 6.0)[0] is not None


def test_an_isolated_circuit_is_isolated_in_another_loop() -> None:
    machine = breaker()
    machine.isolate()
    machine.move_to_loop(-1e9)
    assert is_isolated(machine)
    assert machine.admit(1e12) == (0, None)
