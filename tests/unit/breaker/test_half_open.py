"""Half-open: which calls pass as probes, whose results count, and that nothing can wedge it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from resilient import BreakerPolicy, Reason
from resilient.breaker.machine import Change, Machine
from tests.unit.breaker.support import breaker

OPENED, UP = 100.0, 101.0  # when it opens, and when the time is up

# How an attempt may end.
ENDINGS: dict[str, Callable[[Machine, int, float], Change | None]] = {
    "good": lambda machine, number, now: machine.succeed(number, UP, now),
    "bad": lambda machine, number, now: machine.fail(number, UP, now),
    "time-out": lambda machine, number, now: machine.fail(number, UP, now, timed_out=True),
    "neutral": lambda machine, number, now: machine.end(number, now),
}
endings = pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)


def tripped(**given: Any) -> Machine:
    """A circuit that opened at 100 and stays open for a second."""
    machine = breaker(**given)
    for _ in range(given.get("failures", 1)):
        machine.fail(machine.admit(OPENED)[0], OPENED - 0.02, OPENED)
    assert name(machine) == "open"
    return machine


def name(machine: Machine) -> str:
    return machine.state.value


def probes(machine: Machine, now: float = UP, callers: int = 50) -> list[int]:
    """The numbers that so many callers get at one moment."""
    return [number for number, _ in (machine.admit(now) for _ in range(callers)) if number]


def probe(machine: Machine, now: float) -> int:
    """The number of the only probe that may go."""
    (number,) = probes(machine, now)
    return number


def seen(machine: Machine, now: float) -> tuple[object, ...]:
    return name(machine), machine.counts(), machine.retry_in(now), machine.isolated


# -- how many


@pytest.mark.parametrize("now", [OPENED, 100.9, 50.0, -1e9])
def test_open_lets_nobody_pass(now: float) -> None:
    machine = tripped()
    assert probes(machine, now) == []
    assert name(machine) == "open"


def test_the_first_caller_after_the_time_is_up_makes_it_half_open_and_is_the_probe() -> None:
    machine = tripped()
    number, change = machine.admit(UP)
    assert number
    assert change is not None
    assert (change.before.value, change.after.value) == ("open", "half_open")
    assert change.seconds is None
    assert machine.admit(UP) == (0, None)


@pytest.mark.parametrize("most", [1, 2, 3, 12])
def test_one_probe_and_one_more_a_gap_and_at_most_so_many_at_once(most: int) -> None:
    machine = tripped(probes=most)
    for turn in range(30):
        assert len(probes(machine, UP + turn)) == (turn < most)
        # The gap is as long as the circuit was last open.
        assert probes(machine, UP + turn + 0.9) == []


@pytest.mark.parametrize("seconds", [0.5, 1.0, 7.0])
def test_the_gap_is_as_long_as_the_circuit_was_last_open(seconds: float) -> None:
    machine = tripped(open_for=seconds, max_open_for=seconds)
    up = OPENED + seconds
    assert machine.retry_in(OPENED) == seconds
    probe(machine, up)
    assert machine.retry_in(up) == seconds
    assert probes(machine, up + seconds * 0.99) == []
    probe(machine, up + seconds)


def test_a_server_that_fails_at_once_gets_one_probe_a_spell() -> None:
    machine, now = tripped(), UP
    for _ in range(20):
        number = probe(machine, now)
        change = machine.fail(number, now, now + 0.02)
        assert change is not None
        assert (change.after.value, change.code) == ("open", Reason.PROBE_FAILED)
        assert change.seconds is not None
        assert probes(machine, now + change.seconds) == []
        now += 0.02 + change.seconds


# -- when it opens again


def test_it_opens_again_only_when_a_probe_failed_and_none_is_out() -> None:
    machine = tripped()
    first, second, third = (probe(machine, UP + turn) for turn in range(3))
    assert machine.fail(second, UP + 1, UP + 2.1) is None
    assert machine.fail(first, UP, UP + 2.2) is None
    change = machine.fail(third, UP + 2, UP + 2.3)
    assert change is not None
    assert (change.after.value, change.reason, change.seconds) == ("open", "a probe failed", 1.5)


@pytest.mark.parametrize("last", ["neutral", "bad"])
def test_it_opens_again_when_the_last_one_out_ends_and_another_had_failed(last: str) -> None:
    machine = tripped()
    first, second = (probe(machine, UP + turn) for turn in range(2))
    assert machine.fail(second, UP + 1, UP + 1.1) is None
    change = ENDINGS[last](machine, first, UP + 1.2)
    assert change is not None
    assert change.after.value == "open"


def test_a_good_probe_outweighs_those_that_failed() -> None:
    machine = tripped(failures=3)
    first, second, third = (probe(machine, UP + turn) for turn in range(3))
    machine.fail(first, UP, UP + 2.1)
    change = machine.succeed(third, UP + 2, UP + 2.2)
    assert change is not None
    assert change.code is Reason.PROBES_SUCCEEDED
    assert machine.is_releasing
    assert machine.fail(second, UP + 1, UP + 2.3) is None
    assert name(machine) == "half_open"


@pytest.mark.parametrize(("duration", "after"), [(1.9, "half_open"), (2.0, "open"), (99, "open")])
def test_a_slow_probe_is_one_that_failed_where_slow_calls_count(
    duration: float, after: str
) -> None:
    machine = tripped(slow_call=2.0, probe_lease=200)
    number = probe(machine, UP)
    change = machine.succeed(number, UP, UP + duration)
    assert change is not None
    assert change.after.value == after
    assert (change.code is Reason.PROBE_SLOW) == (after == "open")


# -- neutral ends, and lost probes


def test_a_neutral_end_frees_the_place_and_lets_the_next_one_probe() -> None:
    machine = tripped()
    for turn in range(100):
        # At once, not only after the gap.
        now = UP + turn / 100
        number = probe(machine, now)
        assert machine.end(number, now) is None
        assert machine.retry_in(now) == 0
    assert machine.succeed(probe(machine, UP + 2), UP + 2, UP + 2) is not None
    assert machine.is_releasing


def test_a_permit_that_is_given_back_is_as_if_nobody_had_asked() -> None:
    machine = tripped()
    probe(machine, UP)
    for _ in range(10):
        number = probe(machine, UP + 1)
        machine.void(number)
    assert probe(machine, UP + 1) == number
    assert probes(machine, UP + 1.9) == []


def test_lost_probes_give_their_places_up_as_their_leases_end() -> None:
    machine = tripped(probe_lease=20.0, probes=3)
    for turn in range(3):
        probe(machine, UP + turn)
    assert machine.retry_in(UP + 19) == 1
    assert probes(machine, UP + 19.9) == []
    for turn in range(3):
        probe(machine, UP + 20 + turn)
    assert probes(machine, UP + 39.9) == []


def test_a_lost_probe_beside_one_that_failed_keeps_it_from_nothing() -> None:
    machine = tripped(probe_lease=20.0, probes=2)
    probe(machine, UP)
    machine.fail(probe(machine, UP + 1), UP + 1, UP + 1.1)
    assert name(machine) == "half_open"
    heir = probe(machine, UP + 20)
    change = machine.fail(heir, UP + 20, UP + 20.1)
    assert change is not None
    assert change.after.value == "open"


def test_a_lost_probe_that_goes_well_after_all_is_good_news() -> None:
    machine = tripped(probe_lease=20.0)
    lost = probe(machine, UP)
    probe(machine, UP + 30)
    assert machine.succeed(lost, UP, UP + 31) is not None
    assert machine.is_releasing


@endings
@pytest.mark.parametrize("lease", [2.0, 60.0])
def test_half_open_is_never_for_ever_whatever_ends_the_probes(
    end: Callable[[Machine, int, float], Change | None], lease: float
) -> None:
    """Whatever became of a hundred probes, some lost: a server that is well is found to be so."""
    machine, now = tripped(probe_lease=lease, max_open_for=5.0), UP
    for turn in range(100):
        for number in probes(machine, now):
            if turn % 3:
                end(machine, number, now + 0.01)
        now += 0.5
    # The server is well from here on.
    until = now + max(lease, 5.0) + 10
    while now < until and name(machine) != "closed":
        for number in probes(machine, now):
            machine.succeed(number, now, now + 0.01)
        machine.close_if_proven(0)
        now += 0.1
    assert name(machine) == "closed"


@pytest.mark.parametrize("back", [1.0, 104.0, 1e6])
def test_time_going_back_neither_frees_places_nor_wedges(back: float) -> None:
    machine = tripped(probe_lease=20.0, probes=1)
    probe(machine, UP)
    assert probes(machine, UP - back) == []
    assert name(machine) == "half_open"
    assert machine.retry_in(UP - back) == 20
    probe(machine, UP + 20)


@pytest.mark.parametrize("jump", [20.0, 3600.0, 1e12])
def test_time_jumping_ahead_does_not_wedge_it(jump: float) -> None:
    machine = tripped(probe_lease=20.0)
    for turn in range(1, 5):
        probe(machine, UP + turn * jump)


# -- whose results count


@endings
def test_results_from_before_it_opened_change_nothing(
    end: Callable[[Machine, int, float], Change | None],
) -> None:
    machine = breaker()
    early = [machine.admit(OPENED)[0] for _ in range(9)]
    machine.fail(machine.admit(OPENED)[0], OPENED, OPENED)
    for moment in (OPENED + 0.5, UP, UP + 0.5):
        if moment == UP:
            probe(machine, UP)
        before = seen(machine, moment)
        assert end(machine, early.pop(), moment) is None
        assert seen(machine, moment) == before


@endings
def test_results_of_an_earlier_spell_change_nothing_in_the_next(
    end: Callable[[Machine, int, float], Change | None],
) -> None:
    machine = tripped(probe_lease=0.4)
    late = probe(machine, UP)
    machine.fail(probe(machine, UP + 1), UP + 1, UP + 1.1)
    assert name(machine) == "open"
    probe(machine, UP + 9)
    before = seen(machine, UP + 9.1)
    assert end(machine, late, UP + 9.1) is None
    assert seen(machine, UP + 9.1) == before


def test_a_probe_counts_once() -> None:
    machine = tripped()
    first, second = (probe(machine, UP + turn) for turn in range(2))
    assert machine.fail(first, UP, UP + 1.1) is None
    assert machine.fail(first, UP, UP + 1.2) is None
    assert machine.end(first, UP + 1.2) is None
    assert name(machine) == "half_open"
    assert machine.fail(second, UP + 1, UP + 1.3) is not None


def test_a_refused_call_changes_nothing() -> None:
    machine = tripped()
    for now in (OPENED + 0.5, UP):
        probes(machine, now, callers=3)
        before = seen(machine, now)
        for number in (machine.admit(now)[0] for _ in range(10)):
            assert number == 0
            assert machine.fail(0, now, now) is None
            assert machine.succeed(0, now, now) is None
            assert machine.end(0, now) is None
            machine.void(0)
        assert seen(machine, now) == before


def test_looking_does_not_touch() -> None:
    machine = tripped()
    other = copy.deepcopy(machine)
    for now in (OPENED, 100.5, 106.0):
        other.retry_in(now)
        other.ready_at(7, now)
        other.counts()
        assert (other.isolated, other.is_releasing, other.is_needed) == (False, False, True)
    assert [machine.admit(UP) for _ in range(5)] == [other.admit(UP) for _ in range(5)]


# -- presumed well


def known(latency: float, **given: Any) -> Machine:
    """A circuit whose server usually takes so long, and failed at once; it is open until 101."""
    machine = Machine(BreakerPolicy(**{"failures": 4, "open_for": 1.0, **given}))
    for _ in range(40):
        machine.succeed(machine.admit(0.0)[0], 0.0, latency)
    for _ in range(4):
        machine.fail(machine.admit(OPENED)[0], OPENED - 0.02, OPENED)
    assert name(machine) == "open"
    return machine


def test_a_probe_that_does_not_fail_in_the_time_that_failures_took_is_good_news() -> None:
    machine = known(10.0)
    probe(machine, UP)
    assert machine.retry_in(UP) == 0.5
    assert machine.admit(UP + 0.49) == (0, None)
    number, change = machine.admit(UP + 0.5)
    assert number
    assert change is not None
    assert (change.before, change.after) == (change.after, change.before)
    assert change.code is Reason.PRESUMED_WELL
    assert machine.is_releasing


@pytest.mark.parametrize(
    ("latency", "took", "presumed"),
    [(0.2, 0.02, False), (0.3, 0.02, True), (2.0, 0.9, True), (2.0, 1.1, False)],
)
def test_it_is_only_where_an_answer_takes_much_longer_than_a_failure(
    latency: float, took: float, presumed: bool
) -> None:
    machine = Machine(BreakerPolicy(failures=4, open_for=9, max_open_for=9))
    for _ in range(40):
        machine.succeed(machine.admit(0.0)[0], 0.0, latency)
    for _ in range(4):
        machine.fail(machine.admit(OPENED)[0], OPENED - took, OPENED)
    probe(machine, OPENED + 9)
    machine.admit(OPENED + 9 + 4 * took + 0.5)
    assert machine.is_releasing == presumed


def test_nothing_is_presumed_of_a_server_whose_latency_is_not_known() -> None:
    machine = tripped()
    probe(machine, UP)
    machine.admit(UP + 0.9)
    assert not machine.is_releasing


def test_nothing_is_presumed_once_a_probe_has_failed() -> None:
    machine = known(10.0)
    first = probe(machine, UP)
    machine.fail(first, UP, UP + 0.1)
    again = probe(machine, UP + 9)
    assert machine.retry_in(UP + 9) == 0.5
    machine.fail(again, UP + 9, UP + 9.1)
    probe(machine, UP + 20)
    second = probe(machine, UP + 20.49) if probes(machine, UP + 20.49) else 0
    assert not second
    assert not machine.is_releasing


def test_it_is_the_probe_that_is_out_whose_silence_counts() -> None:
    """One that was cancelled an hour ago says nothing of the next."""
    machine = known(10.0)
    machine.end(probe(machine, UP), UP + 0.1)
    probe(machine, UP + 3600)
    assert machine.retry_in(UP + 3600) == 0.5
    assert probes(machine, UP + 3600.4) == []
    assert not machine.is_releasing


def test_the_silence_of_a_server_that_was_too_slow_is_no_news() -> None:
    machine = Machine(BreakerPolicy(failures=4, slow_call=5.0, open_for=1.0))
    for _ in range(40):
        machine.succeed(machine.admit(0.0)[0], 0.0, 4.0)
    for _ in range(4):
        machine.succeed(machine.admit(OPENED - 6)[0], OPENED - 6, OPENED)
    assert name(machine) == "open"
    probe(machine, UP)
    for tenth in range(1, 10):
        assert probes(machine, UP + tenth / 10) == []
    assert not machine.is_releasing


def test_three_failures_disprove_what_was_presumed() -> None:
    machine = known(10.0)
    first = probe(machine, UP)
    second, third, fourth = (machine.admit(UP + 0.5 + turn / 10)[0] for turn in range(3))
    assert machine.fail(first, UP, UP + 0.8) is None
    assert machine.fail(second, UP, UP + 0.8) is None
    change = machine.fail(third, UP, UP + 0.8)
    assert fourth
    assert change is not None
    assert (change.after.value, change.code) == ("open", Reason.PROBE_FAILED)


def test_a_success_proves_what_was_presumed() -> None:
    machine = known(10.0)
    first = probe(machine, UP)
    rest = [machine.admit(UP + 0.5 + turn / 10)[0] for turn in range(10)]
    assert machine.succeed(first, UP, UP + 10) is None
    for number in rest[:3]:
        assert machine.fail(number, UP + 1, UP + 10) is None
    # Nor does it go back to probes when the time is up.
    assert machine.admit(UP + 25)[0]
    assert machine.is_releasing


def test_if_nobody_answers_in_time_no_more_are_let_in_but_probes() -> None:
    machine = known(10.0)
    probe(machine, UP)
    let_in = sum(bool(machine.admit(UP + 0.5 + turn / 10)[0]) for turn in range(195))
    assert let_in == 195
    assert machine.admit(UP + 20) == (0, None)
    assert not machine.is_releasing
    for gap in range(1, 12):
        assert probes(machine, UP + 20 + gap - 0.1) == []
        probe(machine, UP + 20 + gap)
    # That is not presumed again, although those are silent for long.
    assert probes(machine, UP + 59) == []


def test_probes_that_fail_after_it_was_presumed_in_vain_open_it_again() -> None:
    machine = known(10.0)
    first = probe(machine, UP)
    for turn in range(30):
        machine.admit(UP + 0.5 + turn / 10)
    assert machine.admit(UP + 20) == (0, None)
    second = probe(machine, UP + 21)
    assert machine.fail(first, UP, UP + 30) is None
    change = machine.fail(second, UP + 21, UP + 31)
    assert change is not None
    assert change.after.value == "open"
