"""Read and write one connection of the fault server, at the level of bytes.

asyncio's streams hide what this server is for: how a connection ends, and when the client
has left. So this is a protocol of our own, with a reader as small as HTTP/1.1 needs. TLS
puts a `Channel` between the bytes and the wire and changes nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import cast

from resilient.testing.server.tls import BrokenTLS, Channel

__all__ = ["ClientGone", "Connection", "LineTooLong"]

# Unread bytes beyond which the client is made to wait, so that an upload which nobody reads
# stalls as it does with a real server.
_HIGH_WATER = 64 * 1024

# Seconds for which a closed connection goes on reading. To close with bytes unread is to reset.
_LINGER = 1.0


class ClientGone(Exception):
    """The client has closed its side."""


class LineTooLong(Exception):
    """No end of line within the limit."""


class Connection(asyncio.Protocol):
    """Read lines and bytes, write, wait, and end the connection in a chosen way.

    Everything that waits raises `ClientGone` when the client has left, and reading raises
    `BrokenTLS` when the bytes are no TLS. A client that shuts down its sending side (or, over
    TLS, sends its close_notify) counts as one that leaves: it still gets what is written at
    once, but nothing is delayed for its sake.

    Args:
        number: The number of the connection, from 1.
        channel: The TLS of the connection, or None without TLS.
    """

    def __init__(self, number: int, channel: Channel | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self._channel = channel
        self._broken: BrokenTLS | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._discarding = False
        self._arrival: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] = loop.create_future()
        self._lost: asyncio.Future[None] = loop.create_future()

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # Not every loop's transports are instances of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        # Nothing stays in the process: what has been written can be cut off behind.
        self._transport.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        """Keep the bytes that arrive."""
        if self._discarding:
            return
        self._buffer += data if self._channel is None else self._plain(data, self._channel)
        _wake(self._arrival)
        if len(self._buffer) > _HIGH_WATER and self._transport is not None:
            self._transport.pause_reading()

    def _plain(self, data: bytes, channel: Channel) -> bytes:
        try:
            return channel.receive(data)
        except BrokenTLS as error:
            self._broken = error
            return b""
        finally:
            if self._transport is not None:
                self._transport.write(channel.to_send())
            if channel.ended:
                self.eof_received()

    def eof_received(self) -> bool:
        """Note that the client has closed its side, and keep ours open."""
        _wake(self._gone)
        _wake(self._arrival)
        return True

    def pause_writing(self) -> None:
        """Make writers wait: the system takes no more for now."""
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Let writers go on: the system has taken everything."""
        _wake(self._drained)
        self._drained = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End every wait."""
        for future in (self._gone, self._arrival, self._drained, self._lost):
            _wake(future)

    # Reading and writing.

    async def peek(self) -> int:
        """Return the next byte, which stays unread."""
        while not self._buffer:
            await self._more()
        return self._buffer[0]

    async def line(self, limit: int) -> bytes:
        """Read a line with its end.

        Raises:
            LineTooLong: The line is longer than `limit` bytes.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and len(self._buffer) < limit:
            searched = len(self._buffer)
            await self._more()
        if not 0 <= end < limit:
            raise LineTooLong
        return self._take(end + 1)

    async def some(self, most: int) -> bytes:
        """Read what is there: at least one byte and at most `most`."""
        await self.peek()
        return self._take(most)

    async def write(self, data: bytes) -> None:
        """Write, and wait until the system has taken all of it."""
        transport = self._open()
        if self._broken is not None:
            raise ClientGone
        transport.write(data if self._channel is None else self._channel.wrap(data))
        if self._drained is not None:
            await self._drained
        self._open()

    async def pause(self, seconds: float | None) -> None:
        """Wait so many seconds, or until the client leaves if it is None."""
        if seconds == 0:
            return
        await asyncio.wait((self._gone,), timeout=seconds)
        if self._gone.done():
            raise ClientGone

    def check_open(self) -> None:
        """Raise `ClientGone` if the connection can carry no more bytes to the client."""
        self._open()

    def check_client(self) -> None:
        """Raise `ClientGone` if the client has closed its side, or the whole connection."""
        self._open()
        if self._gone.done():
            raise ClientGone

    # Three ways to end.

    async def finish(self, *, close_notify: bool = True) -> None:
        """Send a FIN, then read on for a while: the client is to see an end, not a reset.

        Harmless when done twice.

        Args:
            close_notify: Whether TLS announces the end before the FIN.
        """
        if self._discarding:
            return
        transport = self._open()
        if self._channel is not None and close_notify:
            transport.write(self._channel.close_notify())
        self._discarding = True
        transport.resume_reading()
        with contextlib.suppress(OSError):  # the client was quicker
            transport.write_eof()
        await asyncio.wait((self._gone,), timeout=_LINGER)

    def reset(self) -> None:
        """Send an RST."""
        transport = self._open()
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()

    async def close(self) -> None:
        """Close at once, and wait until the socket is closed."""
        if self._transport is not None:
            self._transport.abort()
            await self._lost

    def _open(self) -> asyncio.Transport:
        if self._transport is None or self._transport.is_closing():
            raise ClientGone
        return self._transport

    def _take(self, most: int) -> bytes:
        taken = bytes(self._buffer[:most])
        del self._buffer[:most]
        if self._transport is not None and not self._transport.is_closing():
            # Also when all is read: only reading shows that the client leaves.
            self._transport.resume_reading()
        return taken

    async def _more(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._gone.done():
            raise ClientGone
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
