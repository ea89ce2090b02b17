"""Calls through a breaker in virtual time, to a server that is a function of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
from yarl import URL

from resilient import BreakerPolicy, CircuitBreaker, Deadline
from resilient.breaker import Circuit
from resilient.core.attempt import run_attempt
from resilient.testing import LoopClock

__all__ = ["DOWN", "OK", "URL_OF_IT", "Api", "Request", "Response", "down_until", "hang"]

URL_OF_IT = "https://api.mavio.example"

# A status, or an exception to raise; and the seconds that it takes.
Answer = tuple[Any, float]

OK: Answer = (200, 0.02)
DOWN: Answer = (503, 0.02)


def hang(seconds: float = 1e9) -> Answer:
    """An answer that does not come."""
    return 200, seconds


class Request:
    """As much of a request as a breaker looks at."""

    def __init__(self, session: Any, path: str = "/", method: str = "GET") -> None:
        self.session = session
        self.response = self.body = None
        self.method, self.url = method, URL(URL_OF_IT + path)
        self.headers: dict[str, str] = {}


class Response:
    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.status, self.headers = status, headers or {}

    def close(self) -> None:
        """Nothing is open."""


def down_until(moment: float) -> Callable[[float], Answer]:
    """A server that fails until then."""
    return lambda now: DOWN if now < moment else OK


class Api:
    """A session, a breaker, and what became of calls; times are in seconds since the beginning.

    Attributes:
        answer: What the server answers at a time.
        sent: What was sent: the name of the call, and when.
        ended: What each call came to, and when.
        attempt_limit: The time that an attempt has, in seconds.
    """

    def __init__(self, answer: Callable[[float], Answer], **given: Any) -> None:
        self.answer = answer
        self.sent: list[tuple[object, float]] = []
        self.ended: dict[object, tuple[str, float]] = {}
        self.attempt_limit: float | None = None
        self.headers: dict[str, str] = {}
        self.events: list[Any] = []
        policy = BreakerPolicy(**{"failures": 3, **given})
        self.breaker = CircuitBreaker(
            policy, listeners=[self.events.append], clock=LoopClock(draw=0.0)
        )
        self.session: Any = aiohttp.ClientSession()
        self._began = asyncio.get_running_loop().time()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    @property
    def circuit(self) -> Circuit:
        return self.breaker.circuit(URL_OF_IT)

    async def call(self, name: object, *, limit: float | None = None, method: str = "GET") -> str:
        """Make a call; return its status, or the name of its exception."""
        request: Any = Request(self.session, method=method)

        async def send(_: Any) -> Any:
            self.sent.append((name, self.now))
            answer, seconds = self.answer(self.now)
            async with asyncio.timeout(self.attempt_limit):
                await asyncio.sleep(seconds)
            if isinstance(answer, BaseException):
                raise answer
            return Response(answer, self.headers)

        async def run(request: Any) -> Any:
            return await run_attempt(request, send, self.breaker, self.breaker, None, None)

        came = "cancelled"
        try:
            response = await (run(request) if limit is None else Deadline(limit)(request, run))
            came = str(response.status)
        except Exception as error:
            came = type(error).__name__
        finally:
            self.ended[name] = came, self.now
        return came

    def start(self, *names: object, **options: Any) -> list[asyncio.Task[str]]:
        return [asyncio.create_task(self.call(name, **options)) for name in names]

    async def usual(self, rate: float) -> None:
        """Let calls come at a rate for long enough to be known."""
        tasks = []
        for number in range(round(20 * rate)):
            tasks += self.start(f"usual {number}")
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*tasks)

    async def outage(self, calls: int = 3) -> None:
        """Let calls fail until the circuit is open."""
        for number in range(calls):
            await self.call(f"failed {number}")
        assert self.circuit.state == "open"

    def came(self, names: Iterable[object]) -> list[str]:
        return [self.ended[name][0] for name in names]

    def names_sent(self, since: int = 0) -> list[object]:
        return [name for name, _ in self.sent[since:]]

    async def send_through(self, send: Callable[[Any], Any], request: Any = None) -> str:
        """Let a request pass that is sent by a function; return what it came to."""
        try:
            made: Any = request or Request(self.session)
            return str((await self.breaker(made, send)).status)
        except Exception as error:
            return type(error).__name__

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
