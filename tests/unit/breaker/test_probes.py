"""Half-open: how few calls pass, whose results count, and that nothing can wedge it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from resilient import BreakerPolicy
from resilient.breaker import Counts, State
from resilient.breaker.machine import Change, Machine
from resilient.core.outcome import Verdict
from resilient.reasons import Reason

OPENED, UP = 100.0, 105.0  # when it opens, and when the time is up
ALL = list(Verdict)


def tripped(**given: Any) -> Machine:
    """A circuit that opened at 100 and stays open until 105."""
    machine = Machine(BreakerPolicy(**{"minimum_calls": 1, "probes": 3, **given}))
    permit, _ = machine.admit(OPENED)
    assert machine.record(permit, Verdict.TRANSIENT, OPENED) == Change(
        State.CLOSED, State.OPEN, Reason.FAILURE_RATE, "1 of 1 calls failed", 5.0
    )
    return machine


def name(machine: Machine) -> str:
    return machine.state.value


def probes(machine: Machine, now: float = UP, callers: int = 50) -> list[int]:
    """The permits that so many callers get at one moment."""
    return [permit for permit, _ in (machine.admit(now) for _ in range(callers)) if permit]


def observable(machine: Machine, now: float) -> tuple[object, ...]:
    return name(machine), machine.counts(now), machine.retry_in(now), machine.isolated


@pytest.mark.parametrize("now", [OPENED, 104.9, 50.0, -1e9])
def test_open_lets_nobody_pass(now: float) -> None:
    machine = tripped()
    assert probes(machine, now) == []
    assert name(machine) == "open"


def test_the_first_caller_after_the_time_is_up_makes_it_half_open() -> None:
    machine = tripped()
    permit, change = machine.admit(UP)
    assert permit
    assert change is not None
    assert (change.before.value, change.after.value) == ("open", "half_open")
    assert change.seconds is None
    assert machine.admit(UP)[1] is None


@pytest.mark.parametrize("count", [1, 2, 3, 10, 50])
def test_of_fifty_callers_at_half_open_as_many_pass_as_there_are_probes(count: int) -> None:
    machine = tripped(probes=count)
    permits = probes(machine)
    assert len(permits) == len(set(permits)) == count
    assert probes(machine, UP + 59) == []


def test_results_that_went_well_hold_their_places_until_all_are_in() -> None:
    machine = tripped()
    first, second, third = probes(machine)
    assert machine.succeed(first, UP + 1, 1.0) is None
    assert probes(machine, UP + 1) == []
    assert machine.succeed(third, UP + 2, 2.0) is None
    assert probes(machine, UP + 2) == []
    change = machine.succeed(second, UP + 3, 3.0)
    assert change is not None
    assert (change.before.value, change.after.value) == ("half_open", "closed")
    assert machine.counts(UP + 3) == Counts()


@pytest.mark.parametrize("good_before", [0, 1, 2])
def test_one_probe_that_fails_opens_it_again_at_once_and_for_longer(good_before: int) -> None:
    machine = tripped()
    permits = probes(machine)
    for permit in permits[:good_before]:
        assert machine.succeed(permit, UP, 0.0) is None
    change = machine.record(permits[good_before], Verdict.TRANSIENT, UP + 1)
    assert change is not None
    assert (change.after.value, change.reason, change.seconds) == ("open", "a probe failed", 10)
    assert machine.retry_in(UP + 1) == 10
    assert probes(machine, UP + 10.9) == []
    assert len(probes(machine, UP + 11)) == 3


def test_good_probes_of_an_earlier_spell_are_not_counted_in_the_next() -> None:
    machine = tripped()
    one, two, three = probes(machine)
    machine.succeed(one, UP, 0.0)
    machine.succeed(two, UP, 0.0)
    machine.record(three, Verdict.TRANSIENT, UP)
    again = probes(machine, UP + 10)
    assert len(again) == 3
    assert machine.succeed(again[0], UP + 10, 0.0) is None
    assert name(machine) == "half_open"


@pytest.mark.parametrize(("duration", "after"), [(1.9, "half_open"), (2.0, "open"), (99, "open")])
def test_a_slow_probe_is_one_that_failed_where_slow_calls_count(
    duration: float, after: str
) -> None:
    machine = tripped(slow_call=2.0)
    permit = probes(machine)[0]
    machine.succeed(permit, UP, duration)
    assert name(machine) == after


def test_a_probe_may_be_slow_where_slow_calls_do_not_count() -> None:
    machine = tripped(probes=1)
    assert machine.succeed(probes(machine)[0], UP + 50, 50.0) is not None
    assert name(machine) == "closed"


@pytest.mark.parametrize("verdict", ALL)
def test_stale_results_from_before_it_opened_change_nothing(verdict: Verdict) -> None:
    machine = Machine(BreakerPolicy(minimum_calls=1, probes=1))
    early = [machine.admit(OPENED)[0] for _ in range(10)]
    machine.record(early[0], Verdict.TRANSIENT, OPENED)
    for now in (OPENED + 1, UP):  # while it is open, and while the probe is out
        if now == UP:
            assert len(probes(machine, UP)) == 1
        before = observable(machine, now)
        for permit in early:
            assert machine.record(permit, verdict, now, retry_after=50.0, duration=9.0) is None
            assert machine.succeed(permit, now, 0.0) is None
        assert observable(machine, now) == before
    assert probes(machine, UP) == []  # nor has one of them given the probe's place away


@pytest.mark.parametrize("verdict", ALL)
def test_stale_results_change_nothing_after_it_closed_either(verdict: Verdict) -> None:
    machine = tripped(minimum_calls=1, probes=2)
    one, lost = probes(machine)
    assert machine.record(lost, Verdict.NEUTRAL, UP) is None
    two = probes(machine, UP)[0]
    machine.succeed(one, UP, 0.0)
    machine.succeed(two, UP, 0.0)
    assert name(machine) == "closed"
    for permit in (1, one, two, lost):  # the first is that of the spell before
        assert machine.record(permit, verdict, UP) is None
        assert machine.succeed(permit, UP, 0.0) is None
    assert machine.counts(UP) == Counts()
    assert name(machine) == "closed"


@pytest.mark.parametrize("verdict", ALL)
def test_stale_results_of_an_expired_probe_change_nothing(verdict: Verdict) -> None:
    machine = tripped(probes=1, probe_lease=60)
    lost = probes(machine)[0]
    assert probes(machine, UP + 59.9) == []
    heir = probes(machine, UP + 60)[0]
    assert machine.record(lost, verdict, UP + 61) is None
    assert machine.succeed(lost, UP + 61, 0.0) is None
    assert name(machine) == "half_open"
    assert probes(machine, UP + 61) == []  # the heir's place is not given away
    assert machine.succeed(heir, UP + 62, 0.0) is not None
    assert name(machine) == "closed"


@pytest.mark.parametrize("verdict", ALL)
def test_a_probe_of_an_earlier_half_open_spell_changes_nothing_in_the_next(
    verdict: Verdict,
) -> None:
    machine = tripped(probes=2)
    late, failing = probes(machine)
    machine.record(failing, Verdict.TRANSIENT, UP)
    assert machine.record(late, verdict, UP + 1, retry_after=55.0) is None
    assert machine.retry_in(UP + 1) == 9
    assert len(probes(machine, UP + 10)) == 2
    assert machine.record(late, verdict, UP + 10) is None
    assert machine.succeed(late, UP + 10, 0.0) is None
    assert name(machine) == "half_open"
    assert probes(machine, UP + 10) == []


@pytest.mark.parametrize("verdict", ALL)
def test_a_result_counts_once(verdict: Verdict) -> None:
    machine = tripped(probes=2)
    permit = probes(machine)[0]
    machine.record(permit, Verdict.SUCCESS, UP)
    before = observable(machine, UP)
    assert machine.record(permit, verdict, UP) is None
    assert observable(machine, UP) == before


@pytest.mark.parametrize("verdict", [Verdict.NEUTRAL])
def test_a_cancelled_or_throttled_probe_gives_its_place_back(verdict: Verdict) -> None:
    machine = tripped()
    one, two, three = probes(machine)
    assert machine.record(two, verdict, UP, duration=99.0) is None
    assert name(machine) == "half_open"
    assert machine.retry_in(UP) == 0
    (four,) = probes(machine, UP)
    for permit in (one, three):
        assert machine.succeed(permit, UP, 0.0) is None
    assert machine.succeed(four, UP, 0.0) is not None
    assert name(machine) == "closed"


@pytest.mark.parametrize("verdict", [Verdict.NEUTRAL])
def test_nothing_but_neutral_probes_neither_closes_nor_opens_nor_wedges_it(
    verdict: Verdict,
) -> None:
    machine = tripped()
    for second in range(100):
        permits = probes(machine, UP + second)
        assert len(permits) == 3
        for permit in permits:
            assert machine.record(permit, verdict, UP + second) is None
    assert name(machine) == "half_open"


def test_lost_probes_give_their_places_up_one_by_one_as_their_leases_end() -> None:
    machine = tripped(probe_lease=20.0)
    for moment in (UP, UP + 5, UP + 9):
        assert len(probes(machine, moment, callers=1)) == 1
    assert probes(machine, UP + 19.9) == []
    assert len(probes(machine, UP + 20)) == 1
    assert probes(machine, UP + 24.9) == []
    assert len(probes(machine, UP + 27)) == 1
    assert len(probes(machine, UP + 29)) == 1
    assert probes(machine, UP + 39.9) == []


def test_a_lost_probe_beside_good_ones_does_not_keep_it_from_closing() -> None:
    machine = tripped()
    one, two, _ = probes(machine)
    machine.succeed(one, UP, 0.0)
    machine.succeed(two, UP, 0.0)
    assert probes(machine, UP + 59) == []
    (heir,) = probes(machine, UP + 60)
    assert machine.succeed(heir, UP + 60, 0.0) is not None
    assert name(machine) == "closed"


@pytest.mark.parametrize("back", [1.0, 104.0, 1e6])
def test_time_going_back_neither_frees_places_nor_wedges(back: float) -> None:
    machine = tripped(probe_lease=20.0)
    assert len(probes(machine)) == 3
    assert probes(machine, UP - back) == []
    assert name(machine) == "half_open"
    assert machine.retry_in(UP - back) == 20
    assert len(probes(machine, UP + 20)) == 3


@pytest.mark.parametrize("jump", [20.0, 1e6, 1e12])
def test_time_jumping_ahead_does_not_wedge_it(jump: float) -> None:
    machine = tripped(probe_lease=20.0)
    for turn in range(1, 5):
        assert len(probes(machine, UP + turn * jump)) == 3


def test_a_refused_call_changes_nothing() -> None:
    machine = tripped()
    for now in (OPENED + 1, UP):
        probes(machine, now, callers=3)
        before = observable(machine, now)
        for permit in (machine.admit(now)[0] for _ in range(10)):
            assert permit == 0
            assert machine.record(0, Verdict.TRANSIENT, now) is None
            assert machine.succeed(0, now, 0.0) is None
        assert observable(machine, now) == before


def test_looking_does_not_touch() -> None:
    machine = tripped()
    other = copy.deepcopy(machine)
    for now in (OPENED, 104.0, 106.0):
        other.retry_in(now)
        other.counts(now)
        assert (other.isolated, other.importance(now)) == (False, 2)
    assert [machine.admit(UP) for _ in range(5)] == [other.admit(UP) for _ in range(5)]
