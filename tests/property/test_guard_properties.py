"""Guards that wait together: whatever happens to those who wait, nothing is lost.

Three guards, one by count, one by time, one that opens and closes, in any order and shared by
two pipelines. Calls arrive, are cancelled, run out of time, lose their session, fail; guards
raise; time jumps.

A guard takes part by a `Kind`, which knows how to look at it. The examples of `tests.guards` show
the protocol alone; the guards that people get take their places beside them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import aiohttp
from attrs import define, field, frozen
from hypothesis import event, given, settings, strategies as st
from yarl import URL

import resilient
from resilient import (
    Aimd,
    BreakerPolicy,
    BulkheadFullError,
    BulkheadPolicy,
    CircuitOpenError,
    DeadlineExceededError,
    SessionClosedError,
    ThrottledError,
    ThrottlePolicy,
)
from resilient.core.attempt import run_attempt
from resilient.core.guard import Guard, GuardChain, Refusal, Wait
from resilient.testing import VirtualTimeLoop
from tests.guards import GRAIN, Bulkhead, Gate, GateClosedError, Pace

LIMIT, INTERVAL, PATIENCE, MAX_WAIT = 2, 1.0, 4.0, 6.0
HOUR = 3600.0
ORIGIN = "https://api.example"


@frozen(eq=False)
class Kind:
    """A guard, as the model looks at it.

    Attributes:
        make: Makes it.
        waiting: How many wait at it.
        is_willing: Whether it would let someone pass who is next, at a time.
        most: How many permits may be out.
        apart: Seconds that its permits have to be apart, but for those of attempts that waited
            further in.
        steer: Opens or shuts it, if it can be.
        in_order: Whether it lets nobody pass before those who wait. A circuit that has closed
            lets everyone pass, those who wait when their turn of the loop has come.
        longest: The seconds for which it may hold a head when nobody steers it any more.
    """

    name: str
    make: Callable[[], Guard]
    waiting: Callable[[Any], int]
    is_willing: Callable[[Any, float], bool]
    most: int | None = None
    apart: float = 0.0
    steer: Callable[[Any, str], object] = lambda _, step: None
    in_order: bool = True
    longest: float = 0.0


def _steer(gate: Gate, step: str) -> None:
    if step == "open":
        gate.open()
    else:
        gate.shut(refusing=step == "refuse")


def _steer_breaker(breaker: resilient.CircuitBreaker, step: str) -> None:
    circuit = breaker.circuit(ORIGIN)
    if step == "open":
        circuit.reset()
    elif step == "refuse":
        circuit.isolate()


def _bulkhead(**settings: Any) -> Kind:
    """The real one."""

    def seen(guard: resilient.Bulkhead) -> tuple[int, int, int]:
        return next(((it.limit, it.in_use, it.waiting) for it in guard.places), (1, 0, 0))

    return Kind(
        f"bulkhead {settings}",
        lambda: resilient.Bulkhead(BulkheadPolicy(max_wait=MAX_WAIT, **settings)),
        lambda it: seen(it)[2],
        lambda it, now: seen(it)[1] < seen(it)[0],
        most=LIMIT,
    )


BY_COUNT = [
    Kind(
        "example",
        lambda: Bulkhead(LIMIT),
        lambda it: len(it.queue),
        lambda it, now: len(it.out) < LIMIT,
        most=LIMIT,
    ),
    _bulkhead(max_concurrent=LIMIT),
    _bulkhead(adaptive=Aimd(initial=LIMIT, maximum=LIMIT)),
]
BY_TIME = [
    Kind(
        "pace",
        lambda: Pace(INTERVAL),
        lambda it: len(it.queue),
        lambda it, now: now >= it.next,
        apart=INTERVAL,
    ),
    Kind(
        "throttle",
        lambda: resilient.Throttle(
            ThrottlePolicy(limit=f"{60 / INTERVAL:g}/min", burst=1, max_wait=MAX_WAIT)
        ),
        lambda it: sum(gate.waiting for gate in it.gates),
        lambda it, now: all(gate.seconds <= 0 for gate in it.gates),
        apart=INTERVAL,
    ),
]
OPEN_OR_SHUT = [
    Kind(
        "gate",
        lambda: Gate(PATIENCE),
        lambda it: len(it.queue),
        lambda it, now: it.is_open,
        steer=_steer,
    ),
    Kind(
        "breaker",
        lambda: resilient.CircuitBreaker(BreakerPolicy(consecutive_failures=2, open_for=0.5)),
        lambda it: sum(circuit.waiting for circuit in it.circuits),
        lambda it, now: all(circuit.state == "closed" for circuit in it.circuits),
        steer=_steer_breaker,
        in_order=False,
        longest=5.0,
    ),
]

Order = tuple[Kind, ...]


class GuardBugError(Exception):
    """A guard fails."""


class CallerError(Exception):
    """A request fails by somebody's own exception."""


class JumpingLoop(VirtualTimeLoop):
    """Time that may also jump, as it does for a machine that was asleep."""

    jumped = 0.0

    def time(self) -> float:
        return super().time() + self.jumped


@frozen(eq=False)
class Response:
    status: int

    def close(self) -> None:
        """Nothing is open."""


@define(eq=False)
class Request:
    """As much of a request as the runner looks at."""

    number: int
    session: aiohttp.ClientSession
    is_back: bool
    response: None = None
    method: str = "GET"
    url: URL = field(factory=lambda: URL(f"{ORIGIN}/v1"))
    body: None = None
    headers: dict[str, str] = field(factory=dict)


@frozen(eq=False)
class Permit:
    number: int
    inner: Any


@define(eq=False)
class Watched:
    """A guard, and the books about what it grants."""

    guard: Any
    kind: Kind
    place: int
    world: World
    breaks: bool = False
    granted: int = 0
    left: int = 0
    given_back: int = 0
    out: set[Permit] = field(factory=set)
    # Who waits, in the order in which they came, by the model.
    line: list[int] = field(factory=list)
    # When permits were granted that were not given back by somebody who waits further in.
    used: dict[Permit, float] = field(factory=dict)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        loop: asyncio.AbstractEventLoop | None = self.guard.loop
        return loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self.guard, name)

    def claim(self) -> None:
        self.guard.claim()

    def enter(self, call: Any, request: Any, now: float, turn: Any) -> Any:
        world, number = self.world, request.number
        world.asked += 1
        world.check(asking=number)
        if self.breaks:
            self.breaks = False
            raise GuardBugError
        decision = self.guard.enter(call, request, now, turn)
        if isinstance(decision, Wait):
            assert decision.until > now
            world.waits(number, self, front=request.is_back)
            return decision._replace(front=request.is_back)
        if isinstance(decision, Refusal):
            return decision
        if self.kind.in_order:
            assert self.line[:1] in ([], [number]), "others came before"
        permit = Permit(number, decision)
        self.out.add(permit)
        self.used[permit] = now
        self.granted += 1
        return permit

    def leave(self, permit: Permit, outcome: Any, now: float) -> None:
        assert permit.number in self.world.sent
        self.out.remove(permit)
        self.left += 1
        if permit.inner is not None:
            self.guard.leave(permit.inner, outcome, now)

    def give_back(self, permit: Permit, refused: bool) -> None:
        assert permit.number not in self.world.sent
        self.out.remove(permit)
        self.given_back += 1
        if not refused:
            del self.used[permit]
        if permit.inner is not None:
            self.guard.give_back(permit.inner, refused)


@frozen
class Arrival:
    # Through all of the guards, or only some of them.
    whole: bool
    session: int
    deadline: float | None
    duration: float
    ending: int | type[Exception]
    # It was here before, and goes to the front.
    is_back: bool


class World:
    """Guards, callers, and what must hold of them at any time."""

    def __init__(self, order: Order, some: frozenset[int]) -> None:
        self.all = tuple(
            Watched(kind.make(), kind, place, self) for place, kind in enumerate(order)
        )
        self.some = tuple(each for each in self.all if each.place in some)
        self.sessions = [aiohttp.ClientSession(), aiohttp.ClientSession()]
        self.tasks: list[asyncio.Task[object]] = []
        self.session_of: list[int] = []
        self.waiting: dict[int, Watched] = {}
        self.sent: set[int] = set()
        self.asked = self.steps = 0
        self.work = 0.0

    # What happens.

    async def take(self, step: str, argument: Any) -> None:
        loop: Any = asyncio.get_running_loop()
        self.steps += 1
        match step, argument:
            case "arrive", arrivals:
                for arrival in arrivals:
                    self.arrive(arrival)
            case "cancel", number:
                self.cancel(number)
            case "turns", count:
                await turns(count)
            case "rest", seconds:
                await asyncio.sleep(seconds)
                await turns(10 + 5 * len(self.tasks))
                self.check_at_rest()
            case ("gate", _) | ("trouble", "refuse"):
                for each in self.all:
                    each.kind.steer(each.guard, argument)
            case "trouble", "jump":
                loop.jumped += HOUR
            case "trouble", ("break 0" | "break 1" | "break 2"):
                self.all[int(argument[-1])].breaks = True
            case "trouble", ("close 0" | "close 1"):
                await self.close(int(argument[-1]))

    def arrive(self, arrival: Arrival) -> None:
        self.work += arrival.duration
        self.session_of.append(arrival.session)
        self.tasks.append(asyncio.create_task(self.call(len(self.tasks), arrival)))

    def cancel(self, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)].cancel()

    async def close(self, place: int) -> None:
        await self.sessions[place].close()
        # They are told at once: another turn is theirs to end in.
        await turns(3)
        assert not [each for each in self.waiting if self.session_of[each] == place]
        self.sessions[place] = aiohttp.ClientSession()

    async def call(self, number: int, arrival: Arrival) -> object:
        request: Any = Request(number, self.sessions[arrival.session], arrival.is_back)
        watched: Any = self.all if arrival.whole else self.some
        guards = GuardChain(watched)

        async def send(_: Any) -> Any:
            self.starts(number)
            await asyncio.sleep(arrival.duration)
            if isinstance(arrival.ending, int):
                return Response(arrival.ending)
            raise arrival.ending

        async def attempt(request: Any) -> Any:
            return await run_attempt(request, send, guards.guards[0], guards, None, None)

        try:
            if arrival.deadline is None:
                return await attempt(request)
            return await resilient.Deadline(arrival.deadline)(request, attempt)
        except Exception as error:
            return error
        finally:
            self.is_over(number)

    # What is known by that.

    def waits(self, number: int, where: Watched, *, front: bool) -> None:
        self.waiting[number] = where
        for each in self.all[where.place + 1 :]:
            if number in each.line:
                each.line.remove(number)
        if number not in where.line:
            where.line.insert(0 if front else len(where.line), number)

    def starts(self, number: int) -> None:
        for each in self.all:
            if number in each.line and each.kind.in_order:
                assert each.line[0] == number, "others came before"
        self.is_over(number)
        self.sent.add(number)

    def is_over(self, number: int) -> None:
        self.waiting.pop(number, None)
        for each in self.all:
            if number in each.line:
                each.line.remove(number)

    # What must hold.

    def check(self, asking: int | None = None) -> None:
        for each in self.all:
            assert each.kind.most is None or len(each.out) <= each.kind.most
            assert each.granted == each.left + each.given_back + len(each.out)
            for permit in each.out:
                assert permit.number == asking or permit.number not in self.waiting

    def check_at_rest(self) -> None:
        """Nobody waits if all are willing, and those who wait stand where the model has them."""
        self.check()
        now = asyncio.get_running_loop().time()
        is_willing = all(
            each.kind.is_willing(each.guard, now) and not each.breaks for each in self.all
        )
        assert not (is_willing and self.waiting)
        for each in self.all:
            assert each.kind.waiting(each.guard) == len(each.line)
        assert {permit.number for each in self.all for permit in each.out} <= self.sent

    async def end(self) -> None:
        """Let everyone through who still waits: it takes no longer than that has to."""
        for each in self.all:
            each.breaks = False
            each.kind.steer(each.guard, "open")
        a_head = INTERVAL + sum(each.kind.longest for each in self.all)
        needed = self.work + a_head * (len(self.tasks) + 1) + GRAIN
        if self.tasks:
            _, left = await asyncio.wait(self.tasks, timeout=needed)
            assert not left, f"{len(left)} wait for ever"
        self.check_at_rest()
        for each in self.all:
            assert (each.kind.waiting(each.guard), each.guard.room.taken, each.out) == (0, 0, set())
            times = sorted(each.used.values())
            for before, after in itertools.pairwise(times):
                assert after - before >= each.kind.apart - GRAIN
        # Whoever is woken asks, and is not woken again by what it asked.
        assert self.asked <= 10 * (len(self.tasks) + self.steps + 1), "they keep one another busy"
        for task in self.tasks:
            if not task.cancelled():
                kind = type(task.result())
                assert kind in ENDS
                event(kind.__name__)


ENDS = {
    Response,
    CallerError,
    aiohttp.ServerDisconnectedError,
    GuardBugError,
    GateClosedError,
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    SessionClosedError,
    ThrottledError,
}


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def run(main: Callable[[], Any]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main())


arrivals = st.builds(
    Arrival,
    whole=st.sampled_from([True, True, False]),
    session=st.sampled_from([0, 1]),
    deadline=st.sampled_from([None, None, 0.5, 3.0]),
    duration=st.sampled_from([0.0, 0.5, 1.0, 5.0]),
    ending=st.sampled_from([200, 200, 503, CallerError, aiohttp.ServerDisconnectedError]),
    is_back=st.sampled_from([False, False, False, True]),
)
steps = st.one_of(
    *[st.tuples(st.just("arrive"), st.lists(arrivals, min_size=1, max_size=3))] * 3,
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("turns"), st.integers(1, 3)),
    *[st.tuples(st.just("rest"), st.sampled_from([0.0, 0.5, 1.0, 3.0]))] * 2,
    *[st.tuples(st.just("gate"), st.sampled_from(["open", "shut"]))] * 2,
    st.tuples(
        st.just("trouble"),
        st.sampled_from(["refuse", "jump", "break 0", "break 1", "break 2", "close 0", "close 1"]),
    ),
)
orders = st.tuples(*map(st.sampled_from, (BY_COUNT, BY_TIME, OPEN_OR_SHUT))).flatmap(
    lambda kinds: st.permutations(kinds).map(tuple)
)
subsets = st.frozensets(st.integers(0, 2), min_size=1)


# An example takes milliseconds, and the orders of three guards are many.
@settings(max_examples=5 * settings().max_examples)
@given(orders, subsets, st.lists(steps, min_size=20, max_size=60))
def test_whatever_happens_to_those_who_wait(
    order: Order, some: frozenset[int], script: list[tuple[str, Any]]
) -> None:
    async def play() -> None:
        world = World(order, some)
        try:
            for step, argument in script:
                await world.take(step, argument)
                world.check()
            await world.end()
        finally:
            for session in world.sessions:
                await session.close()

    run(play)
