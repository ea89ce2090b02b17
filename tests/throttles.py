"""Calls past a throttle to a server that limits them, in virtual time and without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

from aiohttp import ClientSession
from multidict import CIMultiDict
from yarl import URL

from resilient import Deadline, Event, Throttle, ThrottlePolicy, override
from resilient.core.attempt import run_attempt
from resilient.core.guard import GuardChain

__all__ = ["URL_OF", "Answer", "Calls", "Request"]

URL_OF = "https://api.example"

# Answers a request: a status, and headers.
Answer = Callable[["Request"], "tuple[int, dict[str, str]] | BaseException"]


class Request:
    """As much of a request as a throttle and the runner look at."""

    body = None
    response = None

    def __init__(self, session: Any, method: str, path: str, credential: str | None) -> None:
        self.session = session
        self.method = method
        self.url = self.original_url = URL(URL_OF + path)
        self.headers = CIMultiDict({} if credential is None else {"Authorization": credential})


class Response:
    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = CIMultiDict(headers)

    def close(self) -> None:
        """Nothing is open."""


class Calls:
    """Makes calls past a throttle, and notes which were sent, and when.

    Args:
        policy: The policy of the throttle.
        answer: The server. By default it is well.
        inner: Guards inside the throttle.
        settings: More arguments of the throttle.
    """

    def __init__(
        self,
        policy: ThrottlePolicy | None = None,
        answer: Answer | None = None,
        *,
        inner: tuple[Any, ...] = (),
        latency: float = 0.02,
        **settings: Any,
    ) -> None:
        self.events: list[Event] = []
        self.throttle = Throttle(
            policy or ThrottlePolicy(), listeners=[self.events.append], **settings
        )
        self.answer = answer
        self.inner = inner
        self.latency = latency
        self.session: Any = ClientSession()
        self.sent: list[tuple[float, str]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def send(self, request: Any) -> Any:
        self.sent.append((asyncio.get_running_loop().time(), request.url.path))
        came = (200, {}) if self.answer is None else self.answer(request)
        await asyncio.sleep(self.latency)
        try:
            if isinstance(came, BaseException):
                raise came
            return Response(*came)
        finally:
            del came  # what is raised refers to this frame

    async def call(
        self,
        path: str = "/v1/things",
        *,
        method: str = "GET",
        credential: str | None = None,
        deadline: float | None = None,
        max_wait: float | None = None,
    ) -> Any:
        """Make an attempt; return its status, or the error."""
        request: Any = Request(self.session, method, path, credential)
        throttle = self.throttle

        async def attempt(request: Any) -> Any:
            if not self.inner:
                return await throttle(request, self.send)
            chain = GuardChain((throttle, *self.inner))
            return await run_attempt(request, self.send, throttle, chain, None, None)

        try:
            with override(max_wait=max_wait):
                if deadline is None:
                    response = await attempt(request)
                else:
                    response = await Deadline(deadline)(request, attempt)
        except Exception as error:
            return error
        return response.status

    def start(self, count: int, path: str = "/v1/things", **options: Any) -> list[Any]:
        """Begin calls."""
        return [asyncio.create_task(self.call(path, **options)) for _ in range(count)]

    async def all(self, count: int, path: str = "/v1/things", **options: Any) -> list[Any]:
        """Make calls at once; return what came of each."""
        return list(await asyncio.gather(*self.start(count, path, **options)))

    @property
    def times(self) -> list[float]:
        """When each was sent."""
        return [time for time, _ in self.sent]

    def told(self, kind: str) -> list[Any]:
        """The events of a kind."""
        return [event for event in self.events if event.kind == kind]
