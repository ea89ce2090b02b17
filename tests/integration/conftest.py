"""What the tests over real sockets share: time that does not pass, sessions, a look for leaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

import resilient

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

OpenSession = Callable[..., aiohttp.ClientSession]
Fetch = Callable[..., Awaitable["int | Exception"]]
Held = Callable[[aiohttp.ClientSession], int]


class FakeClock:
    """A clock that records sleeps and returns from them at once, later by as much.

    Between sleeps time passes with the event loop's, `speed` times as quickly.
    What was to happen during a sleep, or an `advance` by hand, happens right after it.
    """

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self.draw = 0.5
        self.zero = 0.0
        self.today = NOON
        self._speed = 1.0
        self._passed = 0.0
        self._timers: dict[_Timer, float] = {}

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self.zero += asyncio.get_running_loop().time() * (self._speed - speed)
        self._speed = speed

    def time(self) -> float:
        return self.zero + self._passed + asyncio.get_running_loop().time() * self._speed

    def now(self) -> datetime:
        return self.today

    def random(self) -> float:
        return self.draw

    def call_at(self, when: float, callback: Callable[[], object]) -> _Timer:
        timer = _Timer(self, callback)
        self._timers[timer] = when
        timer.arm(max(0.0, when - self.time()) / self.speed)
        return timer

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._passed += seconds
        for timer, when in list(self._timers.items()):
            if when <= self.time():
                timer.arm(0.0)


class _Timer:
    def __init__(self, clock: FakeClock, callback: Callable[[], object]) -> None:
        self._clock = clock
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, delay: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = asyncio.get_running_loop().call_later(delay, self._run)

    def _run(self) -> None:
        self.cancel()
        self._callback()

    def cancel(self) -> None:
        self._clock._timers.pop(self, None)
        if self._handle is not None:
            self._handle.cancel()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
async def no_leaks() -> AsyncIterator[None]:
    """No task and no complaint of the event loop's may remain, once the sessions are closed."""
    complaints: list[dict[str, Any]] = []

    def complain(_: object, context: dict[str, Any]) -> None:
        # aiohttp 3.12 shields this future from the writer that was cancelled, and forgets it.
        if str(context.get("exception")) != "Connection lost":
            complaints.append(context)

    asyncio.get_running_loop().set_exception_handler(complain)
    yield
    for _ in range(5):  # transports close in the loop's next turns
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert complaints == []


@pytest.fixture
async def open_session(no_leaks: None) -> AsyncIterator[OpenSession]:
    """Opens sessions with middlewares, `wrapped` or not; at the end none may hold a connection."""
    async with contextlib.AsyncExitStack() as stack:
        opened: list[aiohttp.ClientSession] = []

        def open_(
            *middlewares: Any, wrapped: bool = False, **options: Any
        ) -> aiohttp.ClientSession:
            options.setdefault("middlewares", () if wrapped else middlewares)
            session = aiohttp.ClientSession(**options)
            stack.push_async_callback(session.close)
            if wrapped:
                session = resilient.wrap(session, *middlewares)
                stack.push_async_callback(session.close)
            opened.append(session)
            return session

        yield open_
        assert [_held(session) for session in opened] == [0] * len(opened)


@pytest.fixture
async def plain(open_session: OpenSession) -> aiohttp.ClientSession:
    """A session without any middleware."""
    return open_session()


@pytest.fixture
def fetch() -> Fetch:
    """Makes a request and reads the answer; gives its status, or the exception."""

    async def fetch(
        session: aiohttp.ClientSession, method: str, url: object, **options: Any
    ) -> int | Exception:
        try:
            async with session.request(method, url, **options) as response:  # type: ignore[arg-type]  # on purpose
                await response.read()
                return response.status
        except Exception as error:
            return error

    return fetch


@pytest.fixture
def held() -> Held:
    """How many connections are out of a session's pool."""
    return _held


def _held(session: aiohttp.ClientSession) -> int:
    connector = session.connector
    return 0 if connector is None else len(connector._acquired)
