"""A circuit under any interleaving of calls, results, losses, hands and time.

First the machine alone, where time may go anywhere; then callers who wait at a breaker in
virtual time, which also jumps.
"""

from __future__ import annotations

import asyncio
import copy
import math
from typing import Any

import aiohttp
import pytest
from attrs import define, field
from hypothesis import event, given, settings, strategies as st

from resilient import BreakerPolicy, CircuitBreaker, CircuitOpenError, Deadline, override
from resilient.breaker.machine import Machine, State
from resilient.core.attempt import run_attempt
from resilient.testing import LoopClock, VirtualTimeLoop
from tests.unit.breaker.calls import URL_OF_IT, Request, Response

pytestmark = pytest.mark.slow

HOUR = 3600.0

policies = st.builds(
    BreakerPolicy,
    failures=st.sampled_from([1, 2, 5]),
    failure_rate=st.sampled_from([0.5, 0.9, 1.0]),
    window=st.just(10.0),
    consecutive_failures=st.none() | st.integers(1, 3),
    slow_call=st.none() | st.just(1.0),
    open_for=st.just(0.5),
    open_factor=st.sampled_from([1.0, 1.5, 4.0]),
    max_open_for=st.sampled_from([0.5, 5.0]),
    max_open_retry_after=st.sampled_from([0.0, 20.0]),
    probes=st.integers(1, 4),
    probe_lease=st.sampled_from([2.0, 8.0]),
    recovery=st.sampled_from([0.0, 5.0]),
    patience=st.sampled_from([0.0, 1.0, 4.0]),
    patience_horizon=st.sampled_from([0.0, 5.0, 30.0]),
    abandoned_after=st.sampled_from([0.5, 10.0]),
)

# -- the machine

ends = st.sampled_from(["good", "good", "bad", "bad", "time-out", "neutral", "void", "lost"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("time"), st.sampled_from([0.0, 0.01, 0.08, 0.3, 0.5, 1.0, 3.0, 8.0])),
        st.tuples(st.just("time"), st.sampled_from([-1e9, -HOUR, -9.0, -0.5, HOUR, 1e9])),
        st.tuples(st.just("call"), st.integers(1, 20)),
        st.tuples(st.just("end"), st.integers(0), ends, st.none() | st.sampled_from([0.0, 7.0])),
        st.tuples(st.just("end all"), ends),
        *[st.tuples(st.just("outage"), st.sampled_from([0.0, 0.5, 9.0]))] * 2,
        st.tuples(st.sampled_from(["isolate", "reset", "next loop"])),
    ),
    max_size=60,
)


@define
class Books:
    """A machine, and what is known of its attempts."""

    machine: Machine
    policy: BreakerPolicy
    now: float = 0.0
    # The latest time that it was told.
    latest: float = -math.inf
    out: dict[int, float] = field(factory=dict)
    # Probes of this spell, by number: when their leases end.
    leases: dict[int, float] = field(factory=dict)

    def call(self) -> bool:
        machine = self.machine
        before = machine.state
        number, change = machine.admit(self.now)
        self.latest = max(self.latest, self.now)
        if change is not None and change.before is State.OPEN:
            self.leases = {}
        if not number:
            assert before is not State.CLOSED
            return False
        assert number not in self.out, "a number is given twice"
        self.out[number] = self.now
        if machine.state is State.HALF_OPEN and not machine.is_releasing:
            self.leases[number] = self.latest + self.policy.probe_lease
        return True

    def end(self, number: int, how: str, wait: float | None = None) -> None:
        sent = self.out.pop(number)
        if how == "lost":
            return
        machine, now = self.machine, self.now
        self.latest = max(self.latest, now)
        before = machine.state
        change = None
        if how == "good":
            change = machine.succeed(number, sent, now)
        elif how == "neutral":
            change = machine.end(number, now)
        elif how == "void":
            machine.end(number, now)
        else:
            change = machine.fail(number, sent, now, timed_out=how == "time-out", retry_after=wait)
        self.leases.pop(number, None)
        if machine.state is not before:
            assert change is not None or how == "void"
        machine.close_if_proven(0)

    def take(self, what: str, *how: Any) -> None:
        if what == "time":
            self.now += how[0]
        elif what == "call":
            for _ in range(how[0]):
                self.call()
        elif what == "end" and self.out:
            self.end(list(self.out)[how[0] % len(self.out)], how[1], how[2])
        elif what == "end all":
            for number in list(self.out):
                self.end(number, how[0])
        elif what == "outage":
            for _ in range(8):
                self.call()
                self.take("end all", "bad")
            self.now += how[0]
            self.call()
        elif what == "next loop":
            self.machine.move_to_loop(0.0)
        elif what in ("isolate", "reset"):
            getattr(self.machine, what)()

    def check(self) -> None:
        machine = self.machine
        if machine.state is State.HALF_OPEN and not machine.is_releasing:
            under_way = sum(ends > self.latest for ends in self.leases.values())
            assert under_way <= self.policy.probes
        assert machine.is_quiet <= (machine.state is State.CLOSED)
        self._check_that_a_call_will_pass()

    def _check_that_a_call_will_pass(self) -> None:
        machine, policy = self.machine, self.policy

        def passes(moment: float) -> bool:
            return bool(copy.deepcopy(machine).admit(moment)[0])

        wait = machine.retry_in(self.latest)
        if machine.isolated:
            assert wait is None
            assert not passes(self.latest + 1e12)
            return
        longest = max(
            policy.max_open_for * 1.1, policy.max_open_retry_after, policy.probe_lease, 1.0
        )
        assert wait is not None
        assert 0 <= wait <= longest + 1e-3
        assert passes(self.latest + wait + 1e-3)


@settings(max_examples=3 * settings().max_examples)
@given(policies, steps)
def test_with_time_going_anywhere_nothing_wedges_and_probes_stay_bounded(
    policy: BreakerPolicy, script: list[tuple[Any, ...]]
) -> None:
    books = Books(Machine(policy), policy)
    for step in script:
        books.take(*step)
        books.check()


@settings(max_examples=3 * settings().max_examples)
@given(policies, steps)
def test_whatever_happened_a_server_that_is_well_is_found_to_be_so(
    policy: BreakerPolicy, script: list[tuple[Any, ...]]
) -> None:
    books = Books(Machine(policy), policy)
    for step in script:
        books.take(*step)
    if books.machine.isolated:
        books.machine.reset()
    machine, now = books.machine, max(books.now, books.latest)
    event(machine.state.value)
    until = now + policy.max_open_retry_after + policy.max_open_for + policy.probe_lease + 15
    while now < until and machine.state is not State.CLOSED:
        now += 0.1
        number, _ = machine.admit(now)
        if number:
            machine.succeed(number, now, now + 0.01)
            machine.close_if_proven(0)
    assert machine.state is State.CLOSED


@given(
    policies,
    st.sampled_from([0.01, 0.4, 3.0, 12.0]),
    st.sampled_from([1.0, 20.0, 200.0]),
)
def test_a_dead_server_gets_no_more_than_its_probes(
    policy: BreakerPolicy, takes: float, rate: float
) -> None:
    """However long its failures take: at most `probes` at once, and none between the spells."""
    machine = Machine(policy)
    out: list[tuple[int, float]] = []
    now, at_once, first_opened = 0.0, 0, math.inf
    while now < 120:
        now += 1 / rate
        while out and out[0][1] + takes <= now:
            number, sent = out.pop(0)
            machine.fail(number, sent, sent + takes, timed_out=takes > 1)
            if machine.state is State.OPEN and first_opened == math.inf:
                first_opened = now
        number, _ = machine.admit(now)
        if number:
            out.append((number, now))
            if machine.state is not State.CLOSED:
                since = max(first_opened, now - policy.probe_lease + 1e-6)
                at_once = max(at_once, sum(sent > since for _, sent in out))
    assert at_once <= policy.probes


@given(policies, steps)
def test_a_permit_that_is_given_back_is_as_if_nobody_had_asked(
    policy: BreakerPolicy, script: list[tuple[Any, ...]]
) -> None:
    books = Books(Machine(policy), policy)
    for step in script:
        books.take(*step)
        machine = copy.deepcopy(books.machine)
        number, _ = machine.admit(books.now)
        if number:
            counts = machine.counts()
            for _ in range(3):
                machine.void(number)
                assert machine.counts() == counts
                assert machine.admit(books.now)[0] == number


# -- callers who wait


class JumpingLoop(VirtualTimeLoop):
    """Time that may also jump, as it does for a machine that was asleep, or go back."""

    jumped = 0.0

    def time(self) -> float:
        return super().time() + self.jumped


@define
class Arrival:
    patience: float | None
    deadline: float | None
    duration: float


class World:
    """Callers at a breaker, and what must hold of them at any time."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self.breaker = CircuitBreaker(policy, clock=LoopClock(draw=0.5))
        self.session: Any = aiohttp.ClientSession()
        self.circuit = self.breaker.circuit(URL_OF_IT)
        self.status = 200
        self.tasks: list[asyncio.Task[Any]] = []
        self.under_way: set[int] = set()
        self.arrived: dict[int, float] = {}
        self.sent: list[int] = []
        # Who waits, in the order in which they came.
        self.waiting: list[int] = []
        self.jumps = 0.0

    def arrive(self, arrival: Arrival) -> None:
        self.tasks.append(asyncio.create_task(self.call(len(self.tasks), arrival)))

    async def call(self, number: int, arrival: Arrival) -> str:
        loop: Any = asyncio.get_running_loop()
        request: Any = Request(self.session)
        began, jumped = loop.time(), self.jumps

        async def send(_: Any) -> Any:
            if number in self.waiting:
                assert self.waiting[0] == number, "others came before"
                self.waiting.remove(number)
            self.sent.append(number)
            self.under_way.add(number)
            try:
                await asyncio.sleep(arrival.duration)
            finally:
                self.under_way.discard(number)
            return Response(self.status)

        async def run(request: Any) -> Any:
            return await run_attempt(request, send, self.breaker, self.breaker, None, None)

        came = "cancelled"
        patience = arrival.patience
        try:
            with override(patience=patience):
                if arrival.deadline is None:
                    came = str((await run(request)).status)
                else:
                    came = str((await Deadline(arrival.deadline)(request, run)).status)
        except Exception as error:
            came = type(error).__name__
            if isinstance(error, CircuitOpenError) and self.jumps == jumped:
                longest = self.policy.patience if patience is None else patience
                limit = longest + 3 if longest else 0.0
                assert loop.time() - began <= limit + 1e-3
        finally:
            if number in self.waiting:
                self.waiting.remove(number)
        return came

    async def settle(self) -> None:
        """Let everybody ask who is woken, and note who waits."""
        for _ in range(10 + 3 * len(self.tasks)):
            await asyncio.sleep(0)
        ended = {number for number, task in enumerate(self.tasks) if task.done()}
        for number in range(len(self.tasks)):
            is_new = number not in self.waiting and number not in self.sent
            if is_new and number not in ended:
                self.waiting.append(number)

    def check(self) -> None:
        assert self.circuit.waiting == len(self.waiting)
        if self.circuit.state == "closed":
            assert not self.waiting
        assert self.breaker.room.taken == len(self.waiting)

    async def take(self, step: str, argument: Any) -> None:
        loop: Any = asyncio.get_running_loop()
        match step, argument:
            case "arrive", arrivals:
                for each in arrivals:
                    self.arrive(each)
            case "cancel", number:
                if self.tasks:
                    self.tasks[number % len(self.tasks)].cancel()
            case "rest", seconds:
                await asyncio.sleep(seconds)
            case "server", status:
                self.status = status
            case "jump", seconds:
                loop.jumped += seconds
                self.jumps += seconds
            case "hand", "isolate":
                self.circuit.isolate()
            case "hand", "reset":
                self.circuit.reset()
        await self.settle()
        self.check()

    async def end(self) -> None:
        """The server is well from here on: all who wait get through, or are told."""
        self.status = 200
        if self.circuit.isolated:
            self.circuit.reset()
        for _ in range(100):
            # Callers go on to come, one after another.
            self.arrive(Arrival(None, None, 0.01))
            await asyncio.sleep(2)
            if self.circuit.state == "closed" and self.circuit.retry_after == 0:
                break
        assert self.circuit.state == "closed"
        _, left = await asyncio.wait(self.tasks, timeout=60)
        assert not left, f"{len(left)} wait for ever"
        assert (self.circuit.waiting, self.breaker.room.taken) == (0, 0)
        for task in self.tasks:
            event("cancelled" if task.cancelled() else task.result())


arrivals = st.builds(
    Arrival,
    patience=st.sampled_from([None, None, None, 0.0, 7.0]),
    deadline=st.sampled_from([None, None, 0.5, 3.0]),
    duration=st.sampled_from([0.01, 0.01, 0.4, 12.0]),
)
happenings = st.one_of(
    *[st.tuples(st.just("arrive"), st.lists(arrivals, min_size=1, max_size=4))] * 4,
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    *[st.tuples(st.just("rest"), st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]))] * 3,
    *[st.tuples(st.just("server"), st.sampled_from([200, 503, 503, 429]))] * 2,
    st.tuples(st.just("jump"), st.sampled_from([HOUR, 5.0, -5.0])),
    st.tuples(st.just("hand"), st.sampled_from(["isolate", "reset"])),
)


@settings(max_examples=3 * settings().max_examples)
@given(policies, st.lists(happenings, min_size=15, max_size=50))
def test_whatever_happens_to_those_who_wait_nothing_is_lost(
    policy: BreakerPolicy, script: list[tuple[str, Any]]
) -> None:
    async def play() -> None:
        world = World(policy)
        try:
            for step, argument in script:
                await world.take(step, argument)
            await world.end()
        finally:
            await world.session.close()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(play())
