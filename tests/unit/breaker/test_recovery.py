"""After closing: traffic is let back in gradually. And a circuit operated and read by hand."""

from __future__ import annotations

from typing import Any

import pytest

from resilient import BreakerPolicy
from resilient.breaker import Counts
from resilient.breaker.machine import Change, Machine, State
from resilient.core.outcome import Verdict
from resilient.reasons import Reason

CLOSED = 105.0  # when the probes went well


def closed_again(**given: Any) -> Machine:
    policy = BreakerPolicy(**{"minimum_calls": 1, **given})
    machine = Machine(policy)
    for _ in range(policy.minimum_calls):
        machine.record(machine.admit(100.0)[0], Verdict.TRANSIENT, 100.0)
    assert name(machine) == "open"
    for _ in range(policy.probes):
        machine.succeed(machine.admit(CLOSED)[0], CLOSED, 0.0)
    assert name(machine) == "closed"
    return machine


def name(machine: Machine) -> str:
    return machine.state.value


def shut(machine: Machine) -> bool:
    return machine.isolated


def admitted(machine: Machine, now: float, callers: int = 5_000) -> int:
    return sum(bool(machine.admit(now)[0]) for _ in range(callers))


# -- ramp-up


@pytest.mark.parametrize("interval", [0.167, 0.5, 1.0, 4.0])
def test_whoever_calls_seldom_is_never_refused_while_traffic_ramps_up(interval: float) -> None:
    machine = closed_again()
    for call in range(100):
        assert machine.admit(CLOSED + call * interval)[0]


def test_a_flood_is_let_in_twice_as_wide_with_each_tenth_of_the_ramp() -> None:
    machine = closed_again(probes=3, ramp_up=5.0)
    passed = [admitted(machine, CLOSED + step * 0.5 + 0.01) for step in range(10)]
    assert passed == [3, 6, 12, 24, 48, 96, 192, 384, 768, 1536]


def test_within_one_tenth_of_the_ramp_no_more_pass_however_often_they_ask() -> None:
    machine = closed_again(probes=3, ramp_up=5.0)
    assert sum(admitted(machine, CLOSED + hundredth / 100, 5) for hundredth in range(50)) == 3
    assert sum(admitted(machine, CLOSED + hundredth / 100, 5) for hundredth in range(50, 99)) == 6


def test_what_was_not_used_of_one_step_is_not_saved_up_for_the_next() -> None:
    machine = closed_again(probes=3, ramp_up=5.0)
    assert admitted(machine, CLOSED + 3.01) == 3 << 6


@pytest.mark.parametrize("ramp_up", [0.0, 0.125, 5.0, 3600.0])
def test_the_ramp_ends_after_ramp_up(ramp_up: float) -> None:
    machine = closed_again(ramp_up=ramp_up)
    assert admitted(machine, CLOSED + ramp_up, 5_000) == 5_000
    assert admitted(machine, CLOSED + ramp_up + 100, 5_000) == 5_000
    assert machine.retry_in(CLOSED + ramp_up) == 0


def test_the_ramp_refuses_with_the_time_of_its_next_step_and_leaves_the_state() -> None:
    machine = closed_again(probes=1, ramp_up=10.0)
    assert machine.retry_in(CLOSED) == 0
    assert admitted(machine, CLOSED, 2) == 1
    assert machine.retry_in(CLOSED) == 1
    assert machine.retry_in(CLOSED + 0.25) == 0.75
    assert (name(machine), machine.counts(CLOSED)) == ("closed", Counts())
    assert admitted(machine, CLOSED + 1, 3) == 2


def test_a_circuit_that_never_opened_has_no_ramp() -> None:
    assert admitted(Machine(BreakerPolicy()), 0.0) == 5_000


def test_time_going_back_neither_ends_nor_renews_the_ramp() -> None:
    machine = closed_again(probes=3, ramp_up=5.0)
    assert admitted(machine, CLOSED + 0.5) == 6
    assert admitted(machine, CLOSED - 1000) == 0
    assert admitted(machine, CLOSED) == 0
    assert admitted(machine, CLOSED + 1) == 12


def test_failures_during_the_ramp_open_it_again_by_the_same_rule() -> None:
    machine = closed_again(minimum_calls=2, probes=2)
    one, two = (machine.admit(CLOSED)[0] for _ in range(2))
    assert machine.record(one, Verdict.TRANSIENT, CLOSED) is None
    change = machine.record(two, Verdict.TRANSIENT, CLOSED)
    assert change is not None
    assert (change.reason, change.seconds) == ("2 of 2 calls failed", 10)


def test_failures_from_before_it_opened_are_forgotten_when_it_closes() -> None:
    machine = Machine(BreakerPolicy(minimum_calls=4, consecutive_failures=4, probes=1))
    for _ in range(4):
        machine.record(machine.admit(0.0)[0], Verdict.TRANSIENT, 0.0)
    machine.succeed(machine.admit(5.0)[0], 5.0, 0.0)
    assert machine.counts(5.0) == Counts()
    for second in range(3):
        assert machine.record(machine.admit(6.0 + second)[0], Verdict.TRANSIENT, 9.0) is None
    assert name(machine) == "closed"


# -- by hand


@pytest.mark.parametrize("now", [0.0, 1e9, -5.0])
def test_isolate_refuses_every_call_until_reset(now: float) -> None:
    machine = Machine(BreakerPolicy())
    change = machine.isolate()
    assert change is not None
    assert (change.after.value, change.reason, change.seconds) == ("open", "isolated by hand", None)
    assert shut(machine)
    assert admitted(machine, now, 100) == 0
    assert machine.retry_in(now) is None
    assert machine.isolate() is None
    change = machine.reset()
    assert change is not None
    assert (change.before.value, change.after.value) == ("open", "closed")
    assert not shut(machine)
    assert admitted(machine, now, 100) == 100


def test_isolate_makes_an_open_circuit_stay_open_and_is_told_once() -> None:
    machine = Machine(BreakerPolicy(minimum_calls=1))
    machine.record(machine.admit(0.0)[0], Verdict.TRANSIENT, 0.0)
    assert not shut(machine)
    assert machine.isolate() == Change(State.OPEN, State.OPEN, Reason.BY_HAND, "isolated by hand")
    assert machine.isolate() is None
    assert shut(machine)
    assert admitted(machine, 1e9, 100) == 0


@pytest.mark.parametrize("verdict", list(Verdict))
def test_isolate_while_probes_are_out_is_not_undone_by_their_results(verdict: Verdict) -> None:
    machine = Machine(BreakerPolicy(minimum_calls=1, probes=2))
    machine.record(machine.admit(0.0)[0], Verdict.TRANSIENT, 0.0)
    permits = [machine.admit(5.0)[0] for _ in range(2)]
    assert name(machine) == "half_open"
    machine.isolate()
    for permit in permits:
        assert machine.record(permit, verdict, 6.0) is None
    assert shut(machine)
    assert admitted(machine, 1e9, 100) == 0


@pytest.mark.parametrize("verdict", list(Verdict))
def test_results_of_calls_from_before_isolate_change_nothing_after_reset(verdict: Verdict) -> None:
    machine = Machine(BreakerPolicy(minimum_calls=1))
    permit = machine.admit(0.0)[0]
    machine.isolate()
    assert machine.record(permit, verdict, 1.0) is None
    machine.reset()
    assert machine.record(permit, verdict, 1.0) is None
    assert machine.succeed(permit, 1.0, 0.0) is None
    assert (name(machine), machine.counts(1.0)) == ("closed", Counts())


@pytest.mark.parametrize("state", ["closed", "open", "half_open", "isolated", "ramp"])
def test_reset_closes_it_from_any_state_with_everything_forgotten(state: str) -> None:
    machine = closed_again(minimum_calls=2, consecutive_failures=2)
    if state != "ramp":
        for _ in range(1 if state == "closed" else 2):
            machine.record(machine.admit(CLOSED)[0], Verdict.TRANSIENT, CLOSED)
    if state == "half_open":
        assert machine.admit(CLOSED + 10)[1] is not None
    if state == "isolated":
        machine.isolate()
    change = machine.reset()
    assert (change is None) == (state in ("closed", "ramp"))
    assert (name(machine), machine.counts(CLOSED), machine.retry_in(CLOSED)) == (
        "closed",
        Counts(),
        0,
    )
    assert machine.importance(CLOSED) == 0
    assert admitted(machine, CLOSED, 1000) == 1000  # no ramp: somebody knows better
    machine.record(machine.admit(CLOSED)[0], Verdict.TRANSIENT, CLOSED)
    change = machine.record(machine.admit(CLOSED)[0], Verdict.TRANSIENT, CLOSED)
    assert change is not None
    assert change.seconds == 5  # nor does it open for longer than at first


def test_results_of_calls_from_before_reset_change_nothing() -> None:
    machine = Machine(BreakerPolicy(minimum_calls=1))
    permit = machine.admit(0.0)[0]
    assert machine.reset() is None
    assert machine.record(permit, Verdict.TRANSIENT, 0.0) is None
    assert name(machine) == "closed"


# -- reading it


def test_retry_in_says_when_a_call_may_pass_in_each_state() -> None:
    machine = Machine(BreakerPolicy(minimum_calls=1, probes=1, probe_lease=30, ramp_up=10))
    assert machine.retry_in(0.0) == 0
    machine.record(machine.admit(0.0)[0], Verdict.TRANSIENT, 0.0)
    assert [machine.retry_in(now) for now in (0.0, 4.0, 5.0, 99.0)] == [5, 1, 0, 0]
    assert machine.retry_in(-100.0) == 5
    lost = machine.admit(5.0)[0]
    assert [machine.retry_in(now) for now in (5.0, 25.0, 35.0, 99.0)] == [30, 10, 0, 0]
    machine.record(lost, Verdict.NEUTRAL, 6.0)
    assert machine.retry_in(6.0) == 0
    machine.succeed(machine.admit(6.0)[0], 6.0, 0.0)
    assert machine.retry_in(6.0) == 0
    assert machine.admit(6.0)[0]
    assert [machine.retry_in(now) for now in (6.0, 6.5, 7.0, 99.0)] == [1, 0.5, 0, 0]
    machine.isolate()
    assert machine.retry_in(1e9) is None


def test_counts_are_of_the_window_and_the_streak_is_of_all_time() -> None:
    machine = Machine(BreakerPolicy(window=10, minimum_calls=100, slow_call=1.0))
    for verdict, duration in [
        (Verdict.TRANSIENT, 0.0),
        (Verdict.SUCCESS, 0.0),
        (Verdict.SUCCESS, 2.0),
        (Verdict.NEUTRAL, 2.0),
        (Verdict.TRANSIENT, 2.0),
        (Verdict.TRANSIENT, 0.0),
    ]:
        machine.record(machine.admit(0.0)[0], verdict, 0.0, duration=duration)
    assert machine.counts(0.0) == Counts(calls=5, failures=3, slow=2, consecutive_failures=2)
    assert machine.counts(9.9) == Counts(calls=5, failures=3, slow=2, consecutive_failures=2)
    assert machine.counts(10.0) == Counts(consecutive_failures=2)
    machine.succeed(machine.admit(10.0)[0], 10.0, 0.0)
    assert machine.counts(10.0) == Counts(calls=1)


def test_what_would_be_missed_least_is_a_circuit_without_a_failure_in_its_window() -> None:
    machine = Machine(BreakerPolicy(minimum_calls=3, window=10))
    assert machine.importance(0.0) == 0
    for verdict in (Verdict.SUCCESS, Verdict.NEUTRAL):
        machine.record(machine.admit(0.0)[0], verdict, 0.0)
        assert machine.importance(0.0) == 0
    machine.record(machine.admit(0.0)[0], Verdict.TRANSIENT, 0.0)
    assert [machine.importance(now) for now in (0.0, 9.0, 10.0, 1e9)] == [1, 1, 0, 0]
    machine.record(machine.admit(20.0)[0], Verdict.TRANSIENT, 20.0)
    assert machine.importance(20.0) == 1


def test_what_would_be_missed_most_is_a_circuit_that_was_isolated() -> None:
    machine = closed_again()
    assert machine.importance(CLOSED) == 1  # it is on its ramp
    machine.record(machine.admit(CLOSED)[0], Verdict.TRANSIENT, CLOSED)
    assert machine.importance(CLOSED) == 2
    assert machine.admit(CLOSED + 60)[0]
    assert machine.importance(CLOSED + 60) == 2
    machine.isolate()
    assert machine.importance(CLOSED + 60) == 3
