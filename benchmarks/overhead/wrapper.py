"""What puts something around a call: ours and everybody's, to be measured alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiohttp import (
    ClientHandlerType,
    ClientMiddlewareType,
    ClientResponse,
    ClientResponseError,
    ClientSession,
)
from aiohttp.client_middlewares import build_client_middlewares
from yarl import URL

from benchmarks.overhead.common_settings import COMMON, CommonSettings

__all__ = [
    "Circuits",
    "Decorator",
    "Fetch",
    "Middleware",
    "Wrapper",
    "circuits_in_dict",
    "fetch_with",
    "raise_for_statuses",
]

_T = TypeVar("_T")

# GETs, and reads the body.
Fetch = Callable[[URL], Awaitable[ClientResponse]]

# Puts calls through the circuit of a key: for each whether it fails.
Circuits = Callable[[str, Sequence[bool]], Awaitable[object]]


class Wrapper(ABC):
    """One library, or one part of ours.

    Attributes:
        name: What to call it.
        parts: What it has of retry, breaker, deadline, time-outs and typed errors.
        lacks: Which of the settings it cannot express, and what it does in their place.
        refusal: What its breaker refuses a call with; None if it has no breaker.
        first_use: The code that a user needs at least, to see what importing costs.
    """

    name: str
    parts: str
    lacks: tuple[str, ...] = ()
    refusal: type[Exception] | None = None
    first_use: str = ""

    @abstractmethod
    def wrap(self, send: ClientHandlerType, common: CommonSettings = COMMON) -> ClientHandlerType:
        """Put it around what sends a request, as it would be in a session."""

    def wrap_without_chain(
        self, send: ClientHandlerType, common: CommonSettings = COMMON
    ) -> ClientHandlerType:
        """The same without the chain that aiohttp builds around a middleware."""
        return self.wrap(send, common)

    @abstractmethod
    def client(self, session: ClientSession) -> Any:
        """A context manager of a `Fetch`, by the connections of a session if it can use them."""

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Many circuits of its breaker, each with its place in a registry or a dict."""
        raise NotImplementedError(f"{self.name} has no breaker")

    async def close(self) -> None:  # noqa: B027 (few hold anything)
        """Give back what it holds."""


class Decorator(Wrapper):
    """One that knows nothing of aiohttp, and goes around a function that sends."""

    @abstractmethod
    def decorate(
        self, function: Callable[[_T], Awaitable[ClientResponse]], common: CommonSettings
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Put it around a function of a request, or of a URL."""

    def wrap(self, send: ClientHandlerType, common: CommonSettings = COMMON) -> ClientHandlerType:
        """Put it around the handler."""
        return self.decorate(send, common)

    @asynccontextmanager
    async def client(self, session: ClientSession) -> AsyncIterator[Fetch]:
        """Put it around a function that uses the session."""
        yield self.decorate(fetch_with(session), COMMON)


class Middleware(Wrapper):
    """One that is an aiohttp middleware."""

    @abstractmethod
    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """A new one."""

    def wrap(self, send: ClientHandlerType, common: CommonSettings = COMMON) -> ClientHandlerType:
        """The chain, built by aiohttp for each call, as a session has it built."""
        middlewares = (self.middleware(common),)
        return lambda request: build_client_middlewares(send, middlewares)(request)

    def wrap_without_chain(
        self, send: ClientHandlerType, common: CommonSettings = COMMON
    ) -> ClientHandlerType:
        """The middleware itself."""
        middleware = self.middleware(common)
        return lambda request: middleware(request, send)

    @asynccontextmanager
    async def client(self, session: ClientSession) -> AsyncIterator[Fetch]:
        """A session that has it, with the same connections."""
        middlewares = [self.middleware(COMMON)]
        connector = session.connector
        async with ClientSession(
            connector=connector, connector_owner=False, middlewares=middlewares
        ) as client:
            yield fetch_with(client)


def fetch_with(session: ClientSession) -> Fetch:
    """What a user writes around a session."""

    async def fetch(url: URL) -> ClientResponse:
        async with session.get(url) as response:
            await response.read()
            return response

    return fetch


def circuits_in_dict(
    make: Callable[[], _T], put: Callable[[_T, bool], Awaitable[object]]
) -> Circuits:
    """The circuits of somebody who has no registry: a dict of them, as a user keeps it.

    Args:
        make: Makes a circuit.
        put: Puts a call through it, and is told whether it fails.
    """
    kept: dict[str, _T] = {}

    async def call(key: str, failures: Sequence[bool]) -> None:
        circuit = kept.get(key)
        if circuit is None:
            circuit = kept[key] = make()
        for failed in failures:
            await put(circuit, failed)

    return call


def raise_for_statuses(
    function: Callable[[_T], Awaitable[ClientResponse]], statuses: frozenset[int]
) -> Callable[[_T], Awaitable[ClientResponse]]:
    """What a user writes for a library that knows exceptions alone: some statuses become one."""

    async def call(argument: _T) -> ClientResponse:
        response = await function(argument)
        if response.status in statuses:
            raise ClientResponseError(response.request_info, (), status=response.status)
        return response

    return call
