"""A throttle, whatever the server, the callers, other guards and time do.

Calls arrive, are cancelled, run out of time, and are let through or refused by a gate further in.
The server refuses as it likes, or fails, or is well. Time jumps by an hour, or goes back.
"""

from __future__ import annotations

import asyncio
from typing import Any

from attrs import frozen
from hypothesis import event, given, settings, strategies as st

from resilient import ThrottledError, ThrottlePolicy
from resilient.errors import DeadlineExceededError
from resilient.testing import VirtualTimeLoop
from resilient.throttle.limit import Limit
from tests.guards import Gate, GateClosedError, turns
from tests.throttles import Calls, Request

HOUR = 3600.0
GRAIN = 1e-6
PATHS = ("/a", "/b", "/c", "/d")

# No request of a part may be sent before the server's time for it.
Server = tuple[int, dict[str, str]] | BaseException


class JumpingLoop(VirtualTimeLoop):
    """Time that may also jump, as for a machine that was asleep, or go back."""

    jumped = 0.0

    def time(self) -> float:
        return super().time() + self.jumped


@frozen
class Arrival:
    path: str
    deadline: float | None
    max_wait: float | None


class World(Calls):
    """Calls, and what must hold of those that are sent."""

    def __init__(self, policy: ThrottlePolicy, *, jumps: bool) -> None:
        self.gate = Gate()
        super().__init__(policy, self.answers, inner=(self.gate,))
        self.came: Server = (200, {})
        self.tasks: dict[asyncio.Task[Any], Arrival] = {}
        self.jumps = jumps
        # By part; by the whole key if it has no parts.
        self.floors: dict[str, float] = {}
        # When the last one of a gate was sent, and its rate then.
        self.last: dict[tuple[Any, str | None], tuple[float, float]] = {}

    def answers(self, request: Request) -> Server:
        now = asyncio.get_running_loop().time()
        part = request.url.path if self.throttle.policy.classes else ""
        if not self.jumps:
            assert now >= self.floors.get(part, 0.0) - GRAIN, "before the server's time"
            if self.throttle.policy.limit is None:
                self.check_pace(request, now)
        return self.came

    async def send(self, request: Any) -> Any:
        response = await super().send(request)
        seconds = response.headers.get("Retry-After")
        if seconds is not None:
            part = request.url.path if self.throttle.policy.classes else ""
            floor = asyncio.get_running_loop().time() + int(seconds)
            self.floors[part] = max(self.floors.get(part, 0.0), floor)
        return response

    def check_pace(self, request: Request, now: float) -> None:
        name = f"GET {request.url.path}"
        gates = {each.part: each for each in self.throttle.gates if each.seconds > 0}
        found = gates.get(name) or gates.get(None)
        if found is None or found.key != "https://api.example":
            return
        before = self.last.get((id(self.throttle), found.part))
        if before is not None:
            time, rate = before
            assert now - time >= 1 / rate - 0.05 - GRAIN, "too soon after the last one"
        self.last[id(self.throttle), found.part] = (now, found.rate)

    async def take(self, step: str, argument: Any) -> None:
        loop: Any = asyncio.get_running_loop()
        match step, argument:
            case "arrive", arrivals:
                for each in arrivals:
                    call = self.call(each.path, deadline=each.deadline, max_wait=each.max_wait)
                    self.tasks[asyncio.create_task(call)] = each
                await turns(2)
            case "cancel", number:
                if self.tasks:
                    list(self.tasks)[number % len(self.tasks)].cancel()
            case "rest", seconds:
                await asyncio.sleep(seconds)
                await turns(10)
            case "server", came:
                self.came = came
            case "inner", ("shut" | "refuse"):
                self.gate.shut(refusing=argument == "refuse")
            case "inner", "open":
                self.gate.open()
            case "jump", seconds:
                if self.jumps:
                    loop.jumped += seconds

    async def end(self, longest: float) -> None:
        """Let everyone through: the server is well, and nobody waits without end."""
        self.came = (200, {})
        self.gate.open()
        if self.tasks:
            _, left = await asyncio.wait(self.tasks, timeout=longest)
            assert not left, f"{len(left)} wait for ever"
        for task in self.tasks:
            if not task.cancelled():
                kind = type(task.result())
                assert kind in (int, ThrottledError, GateClosedError, DeadlineExceededError)
                event(kind.__name__)
        for each in self.throttle.gates:
            assert each.waiting == 0
        assert self.throttle.room.taken == 0


def refusal(seconds: int | None) -> Server:
    return 429, ({} if seconds is None else {"Retry-After": str(seconds)})


servers: st.SearchStrategy[Server] = st.one_of(
    st.just((200, {})),
    st.builds(refusal, st.sampled_from([None, 0, 1, 5, 30, 61])),
    st.just((503, {})),
)
arrivals = st.builds(
    Arrival,
    path=st.sampled_from(PATHS),
    deadline=st.sampled_from([None, None, 0.5, 5.0]),
    max_wait=st.sampled_from([None, None, 0.0, 3.0, 1000.0]),
)
steps = st.one_of(
    *[st.tuples(st.just("arrive"), st.lists(arrivals, min_size=1, max_size=4))] * 3,
    *[st.tuples(st.just("server"), servers)] * 2,
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    *[st.tuples(st.just("rest"), st.sampled_from([0.0, 0.1, 1.0, 3.0, 20.0]))] * 2,
    st.tuples(st.just("inner"), st.sampled_from(["shut", "open", "refuse"])),
    st.tuples(st.just("jump"), st.sampled_from([HOUR, -2.0])),
)
scripts = st.lists(steps, min_size=10, max_size=50)


def play(policy: ThrottlePolicy, script: list[tuple[str, Any]], *, jumps: bool = False) -> World:
    async def main() -> World:
        async with World(policy, jumps=jumps) as world:
            for step, argument in script:
                await world.take(step, argument)
            # At half a call a second, after the longest time that a server asks for.
            await world.end(200 + 2.5 * len(world.tasks))
            return world

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main())


@settings(max_examples=2 * settings().max_examples)
@given(st.booleans(), scripts)
def test_nobody_is_sent_too_soon_and_nobody_waits_without_end(
    classes: bool, script: list[tuple[str, Any]]
) -> None:
    play(ThrottlePolicy(classes=classes), script)


@given(st.booleans(), st.sampled_from([None, "2/s", "5/10s"]), scripts)
def test_nobody_waits_without_end_when_time_jumps(
    classes: bool, limit: str | None, script: list[tuple[str, Any]]
) -> None:
    play(ThrottlePolicy(classes=classes, limit=limit), script, jumps=True)


@given(
    st.booleans(), st.sampled_from(["2/s", "20/4s"]), st.sampled_from(["even", "window"]), scripts
)
def test_a_declared_limit_is_never_passed(
    classes: bool, limit: str, pace: Any, script: list[tuple[str, Any]]
) -> None:
    world = play(ThrottlePolicy(classes=classes, limit=limit, pace=pace), script)
    declared = Limit.parse(limit)
    assert declared is not None
    # In any time as long as the limit's: two windows may meet in it.
    most = 2 * declared.calls if pace == "window" else declared.calls + declared.burst
    times = world.times
    for place, time in enumerate(times):
        assert (
            sum(time <= other < time + declared.seconds - GRAIN for other in times[place:]) <= most
        )


@given(st.booleans(), scripts)
def test_first_come_first_served(declared: bool, script: list[tuple[str, Any]]) -> None:
    """Of those that have no limits of their own, and of which none is cancelled."""
    order: list[int] = []
    count = 0

    async def main() -> None:
        nonlocal count
        limit = "2/s" if declared else None
        policy = ThrottlePolicy(classes=False, limit=limit, learn=not declared)
        async with Calls(policy, latency=0.0) as calls:
            came: Server = (200, {})

            def answer(request: Request) -> Server:
                order.append(int(request.url.path[1:]))
                return came

            calls.answer = answer
            tasks = []
            for step, argument in script:
                if step == "arrive":
                    for _ in argument:
                        tasks += calls.start(1, f"/{count}", max_wait=1e6)
                        count += 1
                    await turns(2)
                elif step == "rest":
                    await asyncio.sleep(argument)
                elif step == "server":
                    came = argument
            came = (200, {})
            await asyncio.gather(*tasks)

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main())
    assert order == sorted(order)
