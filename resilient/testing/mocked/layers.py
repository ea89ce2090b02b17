"""Put mocks in the place of `ClientSession._request`, one above the other.

aiohttp has no seam for that but its own class, so that this is the one change to something
that everybody shares; it lasts while a mock does. Mocks may end in any order.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from aiohttp import ClientResponse, ClientSession

__all__ = ["Layer", "Send"]

Send = Callable[..., Awaitable[ClientResponse]]

_Mock = TypeVar("_Mock")

# The attribute by which a function tells its layer.
_LAYER = "_resilient_layer"


class Handle(Protocol[_Mock]):
    """Send a request under mocks, the innermost `with` block's first."""

    def __call__(
        self, mocks: list[_Mock], send: Send, session: ClientSession, *args: Any, **kwargs: Any
    ) -> Awaitable[ClientResponse]:
        """Send a request; `send` does it without the mocks."""


class Layer(Generic[_Mock]):
    """One mock in the place of `ClientSession._request`, from now until `remove`.

    Args:
        mock: The mock.
        handle: A function that sends a request under the mocks of this layer and of those
            below it.
    """

    def __init__(self, mock: _Mock, handle: Handle[_Mock]) -> None:
        self._mock: _Mock | None = mock
        self._below: Send = ClientSession._request
        while (left := _layer_of(self._below)) is not None and left._mock is None:
            self._below = left._below

        @functools.wraps(self._below)
        async def _request(session: ClientSession, *args: Any, **kwargs: Any) -> ClientResponse:
            mocks, send = self._from_here_down()
            if not mocks:
                return await send(session, *args, **kwargs)
            return await handle(mocks, send, session, *args, **kwargs)

        self._function: Send = _request
        _request.__dict__[_LAYER] = self
        _replace(_request)

    def remove(self) -> None:
        """Take the mock away, wherever it stands by now."""
        self._mock = None
        if ClientSession._request is self._function:
            _replace(self._below)
            return
        above = _layer_of(ClientSession._request)
        while above is not None and above._below is not self._function:
            above = _layer_of(above._below)
        # Below somebody else's patch it stays, and does nothing, until the next mock ends.
        if above is not None:
            above._below = self._below

    def _from_here_down(self) -> tuple[list[_Mock], Send]:
        """Return the mocks, and the function below them."""
        mocks: list[_Mock] = []
        layer: Layer[_Mock] | None = self
        send = self._below
        while layer is not None:
            if layer._mock is not None:
                mocks.append(layer._mock)
            send = layer._below
            layer = _layer_of(send)
        return mocks, send


def _replace(function: Send) -> None:
    session: Any = ClientSession
    session._request = function


def _layer_of(function: Send) -> Layer[Any] | None:
    layer = getattr(function, "__dict__", {}).get(_LAYER)
    # Somebody else's wrapper may have copied the attribute.
    return layer if isinstance(layer, Layer) and layer._function is function else None
