"""Make a connection of aiohttp's that ends in memory."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ClientRequest

from resilient.testing.mocked.compat import explain_new_aiohttp

with explain_new_aiohttp():
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

__all__ = ["RecordingTransport", "connect"]


def connect(request: ClientRequest) -> tuple[Connection, ResponseHandler, RecordingTransport]:
    """Return a connection for a request, with its protocol and its transport."""
    loop = asyncio.get_running_loop()
    transport = RecordingTransport()
    protocol = ResponseHandler(loop)
    protocol.connection_made(transport)
    pool: Any = _Pool()
    return Connection(pool, request.connection_key, protocol, loop), protocol, transport


class RecordingTransport(asyncio.Transport):
    """Keep the bytes that are written. Nothing is open, so that there is nothing to close.

    Attributes:
        written: The bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Keep the bytes."""
        self.written += data

    def get_write_buffer_size(self) -> int:
        """Return 0: nothing is ever left to write."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: all bytes are kept."""

    def is_closing(self) -> bool:
        """Return False: more bytes are welcome."""
        return False

    def pause_reading(self) -> None:
        """Do nothing: answers do not come this way."""

    def resume_reading(self) -> None:
        """Do nothing: answers do not come this way."""


class _Pool:
    """The part of a connector that a connection needs."""

    force_close = False

    def _release(self, *_: object, **__: object) -> None:
        """Do nothing with a connection that comes back."""
