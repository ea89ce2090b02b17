"""A connection of aiohttp's that ends in memory."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ClientRequest

from resilient.testing.mocked.compat import explained

with explained():
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

__all__ = ["Wire", "connect"]


def connect(request: ClientRequest) -> tuple[Connection, ResponseHandler, Wire]:
    """A connection for a request, what reads from it, and what is written to it."""
    loop = asyncio.get_running_loop()
    wire = Wire()
    protocol = ResponseHandler(loop)
    protocol.connection_made(wire)
    pool: Any = _Pool()
    return Connection(pool, request.connection_key, protocol, loop), protocol, wire


class Wire(asyncio.Transport):
    """Keeps what is written. Nothing is open, so that there is nothing to close."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Keep it."""
        self.written += data

    def get_write_buffer_size(self) -> int:
        """How much is not yet written: nothing, ever."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: all is kept."""

    def is_closing(self) -> bool:
        """Whether it takes no more."""
        return False

    def pause_reading(self) -> None:
        """Do nothing: what arrives does not come this way."""

    def resume_reading(self) -> None:
        """Do nothing: what arrives does not come this way."""


class _Pool:
    """As much of a connector as a connection asks for."""

    force_close = False

    def _release(self, *_: object, **__: object) -> None:
        """Take a connection back."""
