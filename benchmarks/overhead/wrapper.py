"""Wrap calls in a library, ours or a peer's, so that all are measured alike."""

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

# Makes a GET request and reads the body.
Fetch = Callable[[URL], Awaitable[ClientResponse]]

# Puts calls through the circuit of a key; True for each that fails.
Circuits = Callable[[str, Sequence[bool]], Awaitable[object]]


class Wrapper(ABC):
    """A library, or one of our middlewares.

    Attributes:
        name: The name.
        parts: The parts it has: retry, breaker, deadline, time-outs, typed errors.
        lacks: The features and settings that it does not have.
        refusal: The exception with which its breaker refuses a call; None without a breaker.
        first_use: The least code that a user needs, for the cost of importing it.
        method: The method of the requests that it is measured with. Default "GET".
    """

    name: str
    parts: str
    lacks: tuple[str, ...] = ()
    refusal: type[Exception] | None = None
    first_use: str = ""
    method: str = "GET"

    @property
    def label(self) -> str:
        """The name of its rows: its own name, and the parts that it has."""
        return f"{self.name} ({self.parts})"

    @abstractmethod
    def wrap(self, send: ClientHandlerType, common: CommonSettings = COMMON) -> ClientHandlerType:
        """Wrap a handler as a session would."""

    def wrap_without_chain(
        self, send: ClientHandlerType, common: CommonSettings = COMMON
    ) -> ClientHandlerType:
        """Wrap a handler without the chain that aiohttp builds around a middleware."""
        return self.wrap(send, common)

    @abstractmethod
    def client(self, session: ClientSession, common: CommonSettings = COMMON) -> Any:
        """Return a context manager of a `Fetch` that uses the session's connections if it can."""

    def circuits(self, common: CommonSettings = COMMON) -> Circuits:
        """Return the circuits of its breaker, each with its place in a registry or a dict."""
        raise NotImplementedError(f"{self.name} has no breaker")

    async def close(self) -> None:  # noqa: B027 (few hold anything)
        """Release what it holds."""


class Decorator(Wrapper):
    """A library that knows nothing of aiohttp, and decorates a function that sends."""

    @abstractmethod
    def decorate(
        self, function: Callable[[_T], Awaitable[ClientResponse]], common: CommonSettings
    ) -> Callable[[_T], Awaitable[ClientResponse]]:
        """Decorate a function of a request, or of a URL."""

    def wrap(self, send: ClientHandlerType, common: CommonSettings = COMMON) -> ClientHandlerType:
        """Decorate the handler."""
        return self.decorate(send, common)

    @asynccontextmanager
    async def client(
        self, session: ClientSession, common: CommonSettings = COMMON
    ) -> AsyncIterator[Fetch]:
        """Decorate a function that uses the session."""
        yield self.decorate(fetch_with(session), common)


class Middleware(Wrapper):
    """A library that is an aiohttp middleware."""

    @abstractmethod
    def middleware(self, common: CommonSettings) -> ClientMiddlewareType:
        """Make a new middleware."""

    def wrap(self, send: ClientHandlerType, common: CommonSettings = COMMON) -> ClientHandlerType:
        """Wrap the handler in the chain that aiohttp builds for each call."""
        middlewares = (self.middleware(common),)
        return lambda request: build_client_middlewares(send, middlewares)(request)

    def wrap_without_chain(
        self, send: ClientHandlerType, common: CommonSettings = COMMON
    ) -> ClientHandlerType:
        """Call the middleware itself."""
        middleware = self.middleware(common)
        return lambda request: middleware(request, send)

    @asynccontextmanager
    async def client(
        self, session: ClientSession, common: CommonSettings = COMMON
    ) -> AsyncIterator[Fetch]:
        """Yield a fetch through a session with the middleware, and what the given one has."""
        middlewares = [self.middleware(common), *session._middlewares]
        connector = session.connector
        async with ClientSession(
            connector=connector,
            connector_owner=False,
            timeout=session.timeout,
            middlewares=middlewares,
        ) as client:
            yield fetch_with(client)


def fetch_with(session: ClientSession) -> Fetch:
    """Return the function that a user writes around a session."""

    async def fetch(url: URL) -> ClientResponse:
        async with session.get(url) as response:
            await response.read()
            return response

    return fetch


def circuits_in_dict(
    make: Callable[[], _T], put: Callable[[_T, bool], Awaitable[object]]
) -> Circuits:
    """Return circuits in a dict, as a user of a library without a registry keeps them.

    Args:
        make: Makes a circuit.
        put: Puts a call through a circuit; its second argument is True if the call fails.
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
    """Make an exception of some statuses, as users of a library that only knows exceptions do."""

    async def call(argument: _T) -> ClientResponse:
        response = await function(argument)
        if response.status in statuses:
            raise ClientResponseError(response.request_info, (), status=response.status)
        return response

    return call
