"""Guards as a user of ours would write them, and a runner of attempts past guards.

`Bulkhead` is the example of how small a guard is; `Pace` grants by time, `Gate` opens and
closes, and refuses after its patience, and `Scripted` answers from a list.
"""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession
from yarl import URL

from resilient.clock import SYSTEM_CLOCK, Clock
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.guard import Guard, GuardChain, Queue, Refusal, Turn, Wait
from resilient.core.outcome import Outcome
from resilient.errors import RefusedError
from resilient.testing import run_in_virtual_time
from resilient.timeouts import Deadline

__all__ = [
    "GRAIN",
    "Bulkhead",
    "Gate",
    "GateClosedError",
    "Pace",
    "RefusedError",
    "Request",
    "Response",
    "Runner",
    "Scripted",
    "refusal",
    "turns",
    "virtual",
]

# Times that add up are not exact to the last digit.
GRAIN = 1e-6


class Queued(Guard):
    """Base of a guard with one queue, as a middleware of its own."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.queue = Queue(self.room)

    def loop_changed(self, now: float | None) -> None:
        self.queue.clear()

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        return run_attempt(request, handler, self, self, None, None)


class Bulkhead(Queued):
    """Lets so many attempts run at once; the others wait for their turn."""

    def __init__(self, limit: int, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self.limit = limit
        self.out: set[object] = set()

    def loop_changed(self, now: float | None) -> None:
        super().loop_changed(now)
        self.out.clear()

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> object | Wait:
        if len(self.out) >= self.limit or not self.queue.is_next(turn):
            return Wait(self.queue)
        permit = object()
        self.out.add(permit)
        return permit

    def leave(self, permit: object, outcome: Outcome | None, now: float) -> None:
        self.give_back(permit, False)

    def give_back(self, permit: object, refused: bool) -> None:
        self.out.discard(permit)
        self.queue.wake()


class Pace(Queued):
    """Lets attempts leave at least so many seconds apart."""

    def __init__(self, interval: float, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self.interval = interval
        self.next = 0.0

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> float | Wait:
        if not self.queue.is_next(turn):
            return Wait(self.queue)
        if now < self.next:
            return Wait(self.queue, self.next)
        before, self.next = self.next, now + self.interval
        return before

    def leave(self, permit: float, outcome: Outcome | None, now: float) -> None:
        pass

    def give_back(self, permit: float, refused: bool) -> None:
        # It keeps its pace for those who are refused further in, or they all were at once.
        if not refused:
            self.next = permit


class GateClosedError(RefusedError):
    """The gate was closed for longer than the call was to wait."""


class Gate(Queued):
    """Is open or shut; while it is shut attempts wait, a call for so many seconds in all."""

    def __init__(self, patience: float = math.inf, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock)
        self.patience = patience
        self.is_open = True
        self.refusing = False

    def enter(
        self, call: Call, request: ClientRequest, now: float, turn: Turn | None
    ) -> Wait | Refusal | None:
        if self.is_open:
            return None if self.queue.is_next(turn) else Wait(self.queue)
        left = self.patience - call.held_by(self)
        if self.refusing or left <= GRAIN:
            return Refusal(GateClosedError("the gate is shut"))
        return Wait(self.queue, now + left)

    def leave(self, permit: Any, outcome: Outcome | None, now: float) -> None:
        raise AssertionError("it grants nothing that is counted")

    def give_back(self, permit: Any, refused: bool) -> None:
        raise AssertionError("it grants nothing that is counted")

    def shut(self, *, refusing: bool = False) -> None:
        self.is_open, self.refusing = False, refusing
        if refusing:
            self.queue.wake_all()

    def open(self) -> None:
        self.is_open = True
        self.queue.wake()


class Scripted(Guard):
    """A guard that answers from a script, and keeps what it was told."""

    def __init__(self, *answers: Any, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(clock=clock)
        self.answers = list(answers)
        self.told: list[tuple[object, ...]] = []
        self.asked: list[float] = []
        self.fails: dict[str, BaseException] = {}

    def enter(self, call: Call, request: Any, now: float, turn: Turn | None) -> Any:
        self.asked.append(now)
        answer = self.answers.pop(0) if self.answers else "permit"
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def leave(self, permit: Any, outcome: Outcome | None, now: float) -> None:
        self.told.append(("leave", permit, outcome and str(outcome)))
        if "leave" in self.fails:
            raise self.fails["leave"]

    def give_back(self, permit: Any, refused: bool) -> None:
        self.told.append(("give_back", permit, refused))
        if "give_back" in self.fails:
            raise self.fails["give_back"]


def refusal() -> Refusal:
    return Refusal(RefusedError("no"))


class Request:
    """As much of a request as the runner looks at."""

    def __init__(self, session: Any, name: object = None) -> None:
        self.session = session
        self.name = name
        self.response = self.body = None
        self.method, self.url = "GET", URL("https://api.example/v1")


class Response:
    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Runner:
    """Runs attempts past guards, in a session of its own, and notes when each has left."""

    def __init__(self, *guards: Any, seconds: float = 0.0) -> None:
        self.guards = guards
        self.seconds = seconds
        self.session: Any = ClientSession()
        self.response: Any = Response()
        self.left: list[tuple[object, float]] = []
        self.running = self.most = 0

    async def attempt(
        self,
        name: object,
        *,
        guards: Iterable[Any] | None = None,
        seconds: float | None = None,
        limit: float | None = None,
        session: Any = None,
    ) -> Any:
        chosen = self.guards if guards is None else tuple(guards)
        request: Any = Request(session or self.session, name)

        async def send(_: Any) -> Any:
            self.left.append((name, asyncio.get_running_loop().time()))
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await asyncio.sleep(self.seconds if seconds is None else seconds)
            finally:
                self.running -= 1
            return self.response

        async def run(request: Any) -> Any:
            return await run_attempt(request, send, chosen[0], GuardChain(chosen), None, None)

        return await (run(request) if limit is None else Deadline(limit)(request, run))

    def start(self, *names: object, **options: Any) -> list[asyncio.Task[Any]]:
        return [asyncio.create_task(self.attempt(name, **options)) for name in names]

    @property
    def names(self) -> list[object]:
        return [name for name, _ in self.left]

    async def __aenter__(self) -> Runner:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def virtual(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run a test in virtual time."""

    @functools.wraps(test)
    def run() -> None:
        async def main() -> None:
            await test()

        run_in_virtual_time(main())

    return run
