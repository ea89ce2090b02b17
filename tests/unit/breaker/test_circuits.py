"""The registry of circuits: which are forgotten, and which never."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest

from resilient import BreakerPolicy
from resilient.breaker.circuits import Circuits, Kept
from resilient.breaker.machine import Change
from resilient.core.queues import Room
from resilient.core.waiting import Turn
from resilient.testing import FakeClock


class Registry(Circuits):
    """A registry with a clock, and a record of what it tells."""

    def __init__(self, **given: Any) -> None:
        self.clock = FakeClock()
        self.told_of: list[tuple[Hashable, str]] = []
        policy = BreakerPolicy(**{"failures": 1, "max_destinations": 4, **given})
        super().__init__(policy, self._note, self.clock.time, Room())

    def _note(self, key: Hashable, change: Change) -> None:
        self.told_of.append((key, change.after.value))

    def fail(self, key: Hashable, times: int = 1) -> Kept:
        machine = self.make(key)
        now = self.clock.time()
        for _ in range(times):
            self.told(machine, machine.fail(machine.admit(now)[0], now, now))
        return machine


def test_a_key_has_one_circuit() -> None:
    registry = Registry()
    assert registry.make("a") is registry.make("a")
    assert registry.make("a") is not registry.make("b")


def test_no_more_are_kept_than_there_may_be_and_the_oldest_go_first() -> None:
    registry = Registry()
    for number in range(50):
        registry.make(number)
        assert len(registry.machines) <= 4
    assert list(registry.machines) == [46, 47, 48, 49]


@pytest.mark.parametrize("why", ["open", "half open", "isolated", "failed lately", "waited for"])
def test_a_circuit_that_is_needed_is_never_forgotten(why: str) -> None:
    registry = Registry(failures=1 if "open" in why else 3)
    machine = registry.make("needed")
    if "open" in why or why == "failed lately":
        registry.fail("needed")
    if why == "half open":
        registry.clock.advance(1)
        machine.admit(registry.clock.time())
    elif why == "isolated":
        machine.isolate()
    elif why == "waited for":
        registry.queue_of(machine).join(Turn(registry.clock))
    for number in range(500):
        registry.make(number)
    assert registry.machines["needed"] is machine
    assert len(registry.machines) == 4


def test_a_failure_that_is_long_past_keeps_none() -> None:
    registry = Registry(failures=3)
    for number in range(4):
        registry.fail(number)
    registry.clock.advance(31)
    for number in range(100, 200):
        registry.make(number)
    assert list(registry.machines) == [196, 197, 198, 199]


def test_if_all_are_needed_it_grows_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    for number in range(100):
        registry.fail(number)
    assert len(registry.machines) == 100
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "more than 4 circuits" in caplog.text
    assert "BreakerPolicy.max_destinations" in caplog.text


def test_when_they_are_needed_no_more_it_shrinks_again() -> None:
    registry = Registry()
    machines = [registry.fail(number) for number in range(1000)]
    for machine in machines:
        machine.reset()
    for number in range(1000, 1100):
        registry.make(number)
    assert len(registry.machines) == 4


def test_a_hundred_that_are_needed_hide_none_that_is_not() -> None:
    """Only some are looked at each time; which are needed does not make the others stay."""
    registry = Registry(max_destinations=200)
    for number in range(100):
        registry.make(number).isolate()
    for number in range(1000, 3000):
        registry.make(number)
    assert len(registry.machines) <= 200 + 64
    assert all(number in registry.machines for number in range(100))


def test_nothing_is_told_of_a_circuit_that_was_forgotten() -> None:
    """Its calls under way still end, and nobody would be held by what they say."""
    registry = Registry()
    machine = registry.make("a")
    number, _ = machine.admit(0.0)
    for other in range(10):
        registry.make(other)
    registry.told(machine, machine.fail(number, 0.0, 0.0))
    assert registry.told_of == []


def test_another_loop_takes_all_over_on_its_scale_and_nobody_waits() -> None:
    registry = Registry(open_for=50, max_open_for=50)
    registry.clock.advance(1000)
    first = registry.fail("first")
    registry.clock.advance(10)
    registry.fail("second")
    registry.queue_of(first).join(Turn(registry.clock))
    registry.make("isolated").isolate()
    # Now is when the last time was that any of them has seen.
    registry.move_to_loop(5.0)
    left = {key: machine.retry_in(5.0) for key, machine in registry.machines.items()}
    assert left == {"first": pytest.approx(40), "second": pytest.approx(50), "isolated": None}
    assert first.waiting == 0
    assert registry.queue_of(first).room.taken == 0


def test_loops_with_the_same_scale_have_the_same_times() -> None:
    registry = Registry(open_for=50, max_open_for=50)
    registry.clock.advance(1000)
    now = registry.clock.time()
    machine = registry.fail("a")
    registry.move_to_loop(None)
    assert machine.retry_in(now + 10) == pytest.approx(40)
