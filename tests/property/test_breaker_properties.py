"""A circuit under any interleaving of calls, results, losses, hands and time."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from resilient import BreakerPolicy
from resilient.breaker import Counts
from resilient.breaker.machine import Machine
from resilient.core.outcome import Verdict

pytestmark = pytest.mark.slow

policies = st.builds(
    BreakerPolicy,
    failure_rate=st.sampled_from([0.25, 0.5, 1.0]),
    window=st.just(10.0),
    minimum_calls=st.integers(1, 4),
    consecutive_failures=st.none() | st.integers(1, 3),
    slow_call=st.none() | st.just(1.0),
    slow_rate=st.sampled_from([0.5, 1.0]),
    open_for=st.just(5.0),
    max_open_for=st.just(20.0),
    probes=st.integers(1, 3),
    probe_lease=st.just(8.0),
    ramp_up=st.sampled_from([0.0, 5.0, 10.0, 20.0]),
)
verdicts = st.sampled_from([Verdict.SUCCESS, Verdict.TRANSIENT, *Verdict])
LOST = st.none()
durations = st.sampled_from([0.0, 0.875, 1.0, 50.0])
waits = st.none() | st.sampled_from([0.0, 7.5, 19.0, 1e9])
draws = st.sampled_from([0.0, 0.5])


@define(eq=False)
class Model:
    """The same, written to be seen through: it keeps everything, and counts it anew."""

    policy: BreakerPolicy
    state: str = "closed"
    spell: object = field(factory=object)
    # Of the spell: when its first result came, its results, and how many failures ended them.
    first: float = math.nan
    results: list[tuple[float, bool, bool]] = field(factory=list)
    streak: int = 0
    trips: int = 0
    until: float = 0.0
    leases: dict[object, float] = field(factory=dict)
    good: int = 0
    # Since it closed: when that was, and the tenths of the ramp in which calls passed.
    closed_at: float | None = None
    passed: list[int] = field(factory=list)

    def admit(self, now: float) -> object | None:
        if self.state == "open" and now >= self.until:
            self.state, self.leases, self.good = "half_open", {}, 0
        if self.state == "open":
            return None
        if self.state == "half_open":
            self.leases = {probe: ends for probe, ends in self.leases.items() if ends > now}
            if len(self.leases) + self.good == self.policy.probes:
                return None
            probe = object()
            self.leases[probe] = now + self.policy.probe_lease
            return probe
        if self.closed_at is not None:
            elapsed = now - self.closed_at
            if elapsed < self.policy.ramp_up:
                tenth = math.floor(elapsed / (self.policy.ramp_up / 10))
                if self.passed.count(tenth) == self.policy.probes * 2**tenth:
                    return None
                self.passed.append(tenth)
            elif elapsed >= self.policy.window:
                self.closed_at, self.trips = None, 0
        return self.spell

    def result(
        self, call: object, verdict: Verdict, now: float, slow: bool, wait: float, draw: float
    ) -> None:
        if self.state == "half_open":
            if call not in self.leases:
                return
            del self.leases[call]
        elif self.state == "open" or call is not self.spell:
            return
        if verdict not in (Verdict.SUCCESS, Verdict.TRANSIENT):
            return
        slow = slow and self.policy.slow_call is not None
        failed = verdict is Verdict.TRANSIENT
        if self.state == "half_open":
            if failed or slow:
                self.open(now, wait, draw)
            else:
                self.good += 1
                if self.good == self.policy.probes:
                    self.close()
                    self.closed_at = now
            return
        self.first = now if math.isnan(self.first) else self.first
        self.results.append((now, failed, slow))
        self.streak = self.streak + 1 if failed else 0
        if (failed or slow) and self.is_too_much(self.counts(now)):
            self.open(now, wait, draw)

    def is_too_much(self, seen: Counts) -> bool:
        policy = self.policy
        if (
            policy.consecutive_failures is not None
            and seen.consecutive_failures >= policy.consecutive_failures
        ):
            return True
        return seen.calls >= policy.minimum_calls and (
            seen.failures / seen.calls >= policy.failure_rate
            or (policy.slow_call is not None and seen.slow / seen.calls >= policy.slow_rate)
        )

    def counts(self, now: float) -> Counts:
        def slice_of(moment: float) -> int:
            return math.floor((moment - self.first) / (self.policy.window / 10))

        left = [each for each in self.results if slice_of(now) - slice_of(each[0]) < 10]
        return Counts(
            len(left), sum(each[1] for each in left), sum(each[2] for each in left), self.streak
        )

    def open(self, now: float, wait: float, draw: float) -> None:
        seconds = max(self.policy.open_for * 2**self.trips * (1 + draw / 10), wait)
        self.until = now + min(seconds, self.policy.max_open_for)
        self.trips += 1
        self.state, self.leases = "open", {}

    def close(self) -> None:
        self.state, self.spell, self.leases = "closed", object(), {}
        self.first, self.results, self.streak, self.passed = math.nan, [], 0, []


class AgainstModel(RuleBasedStateMachine):
    """Time goes forward here; where it goes back, the next test says what still holds."""

    @initialize(policy=policies)
    def begin(self, policy: BreakerPolicy) -> None:
        self.now = 1000.0
        self.machine, self.model = Machine(policy), Model(policy)
        self.out: list[tuple[int, object]] = []

    @rule(eighths=st.integers(0, 24) | st.sampled_from([40, 64, 80, 160, 10**9]))
    def let_time_pass(self, eighths: int) -> None:
        self.now += eighths / 8

    @rule(callers=st.sampled_from([1, 1, 2, 5, 50]))
    def call(self, callers: int) -> None:
        for _ in range(callers):
            before = self.machine.counts(self.now)
            permit, _ = self.machine.admit(self.now)
            call = self.model.admit(self.now)
            assert bool(permit) == (call is not None)
            assert self.machine.counts(self.now) == before
            if permit:
                self.out.append((permit, call))

    @rule(which=st.integers(0), verdict=verdicts | LOST, took=durations, wait=waits, draw=draws)
    def answer(
        self, which: int, verdict: Verdict | None, took: float, wait: float | None, draw: float
    ) -> None:
        permit, call = self.out.pop(which % len(self.out)) if self.out else (0, None)
        if verdict is None:  # lost
            return
        before = self.machine.state.value
        if verdict is Verdict.SUCCESS:  # which asks for nothing
            wait, draw = None, 0.0
            change = self.machine.succeed(permit, self.now, took)
        else:
            change = self.machine.record(
                permit, verdict, self.now, duration=took, retry_after=wait, random=draw
            )
        self.model.result(call, verdict, self.now, took >= 1, wait or 0.0, draw)
        after = self.machine.state.value
        told = (change.before.value, change.after.value) if change else None
        assert told == (None if before == after else (before, after))

    @rule(callers=st.integers(1, 9), verdict=verdicts | LOST, took=durations)
    def outage(self, callers: int, verdict: Verdict | None, took: float) -> None:
        for _ in range(5):
            self.call(2)
            self.answer(-1, Verdict.TRANSIENT, 0.0, None, 0.0)
        self.let_time_pass(160)
        self.call(callers)
        self.answer(-1 if callers % 2 else 0, verdict, took, None, 0.0)

    @rule(eighths=st.integers(0, 100))
    def recovery(self, eighths: int) -> None:
        self.let_time_pass(160)
        self.call(9)
        while self.out:
            self.answer(-1, Verdict.SUCCESS, 0.0, None, 0.0)
        self.let_time_pass(eighths)
        self.call(60)
        del self.out[5:]

    @rule()
    def isolate(self) -> None:
        self.machine.isolate()
        self.model.state, self.model.until, self.model.leases = "open", math.inf, {}

    @rule()
    def reset(self) -> None:
        self.machine.reset()
        self.model.close()
        self.model.trips, self.model.closed_at = 0, None

    @invariant()
    def the_two_agree(self) -> None:
        assert self.machine.state.value == self.model.state
        assert self.machine.counts(self.now) == self.model.counts(self.now)
        if self.model.state == "open":
            left = self.model.until - self.now
            assert self.machine.retry_in(self.now) == (None if left == math.inf else max(left, 0))


AgainstModel.TestCase.settings = settings(stateful_step_count=50)
TestAgainstModel = AgainstModel.TestCase


steps = st.lists(
    st.one_of(
        st.tuples(st.just("time"), st.floats(-1e4, 1e4)),
        st.tuples(st.just("time"), st.sampled_from([-1e9, -9.0, 0.5, 3.0, 5.0, 8.0, 20.0, 1e9])),
        st.tuples(st.just("call"), st.integers(1, 20)),
        st.tuples(st.just("answer"), st.integers(0), verdicts, durations, waits, draws),
        st.tuples(st.just("fail all")),
        st.tuples(st.sampled_from(["isolate", "reset"])),
    ),
    max_size=40,
)


@given(policies, steps)
def test_with_time_going_anywhere_nothing_wedges_and_probes_stay_bounded(
    policy: BreakerPolicy, steps: list[tuple[Any, ...]]
) -> None:
    machine = Machine(policy)
    now = latest = 0.0
    out: list[int] = []
    leases: dict[int, float] = {}
    for what, *how in steps:
        if what == "time":
            now += how[0]
            latest = max(latest, now)
        elif what == "call":
            for _ in range(how[0]):
                before = machine.state.value, machine.counts(now)
                permit, change = machine.admit(now)
                if permit:
                    out.append(permit)
                    if machine.state.value == "half_open":
                        leases = {} if change else leases
                        leases[permit] = now + policy.probe_lease
                else:
                    assert (machine.state.value, machine.counts(now)) == before
        elif what == "answer" and out:
            which, verdict, took, wait, draw = how
            permit = out.pop(which % len(out))
            leases.pop(permit, None)
            machine.record(permit, verdict, now, duration=took, retry_after=wait, random=draw)
        elif what == "fail all":
            while out:
                machine.record(out.pop(), Verdict.TRANSIENT, now)
        elif what in ("isolate", "reset"):
            getattr(machine, what)()
        if machine.state.value == "half_open":
            assert sum(ends > latest for ends in leases.values()) <= policy.probes
        else:
            leases = {}
        check_that_a_call_will_pass(machine, policy, latest)


def check_that_a_call_will_pass(machine: Machine, policy: BreakerPolicy, latest: float) -> None:
    def passes(moment: float) -> bool:
        return bool(copy.deepcopy(machine).admit(moment)[0])

    wait = machine.retry_in(latest)
    if machine.isolated:
        assert wait is None
        assert not passes(latest + 1e12)
        return
    ends = {"open": policy.max_open_for, "half_open": policy.probe_lease}
    longest = ends.get(machine.state.value, policy.ramp_up)
    assert passes(latest + longest + 1e-3)
    assert wait is not None
    assert 0 <= wait <= longest + 1e-3
    assert passes(latest + wait + 1e-3)
    if wait > 2e-3:
        assert not passes(latest + wait - 1e-3)
