"""Write the responses of steps to a connection."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from attrs import define, field

from resilient.testing.script.faults import Interruption, Reply
from resilient.testing.server.connection import Connection
from resilient.testing.server.received import Received

__all__ = ["send", "send_until"]

Sent = Callable[[Reply], None]

# The first write of a response: little enough for the system to take it in one piece, so
# that it is known when the status line is out, however large and unread the rest is.
_FIRST = 16 * 1024


def _tell_nobody(reply: Reply) -> None:
    """Do nothing when a status line is out."""


async def send(
    connection: Connection, received: Received, reply: Reply, sent: Sent = _tell_nobody
) -> bool:
    """Send a response.

    Args:
        connection: The connection to write to.
        received: The request that is answered.
        reply: The response.
        sent: A function to call with the reply when its status line is on the wire.

    Returns:
        Whether the connection may go on.

    Raises:
        ClientGone: The client left.
    """
    # A client that waits for a 100 and gets an answer instead will not send the body.
    unsent = reply.early and received.expects_continue and received.length != 0
    close = unsent or not (reply.keep_alive and received.keep_alive)
    await _Writer(connection, reply, sent).write_all(received, reply.truncate, close=close)
    return not close and reply.truncate is None


async def send_until(
    connection: Connection, received: Received, step: Interruption, sent: Sent = _tell_nobody
) -> None:
    """Send as much of a response as comes before an interruption.

    Args:
        connection: The connection to write to.
        received: The request that is answered.
        step: The interruption, with the response that it breaks off.
        sent: A function to call with that response when its status line is on the wire.

    Raises:
        ClientGone: The client left.
    """
    reply = step.partial_reply
    if reply is None:
        return
    writer = _Writer(connection, reply, sent)
    if step.after == "status":
        await connection.pause(reply.delay)
        await writer.write_head(_status_line(reply))
    else:
        size = len(reply.content) // 2 if step.after == "body" else 0
        await writer.write_all(received, size, close=False)


@define(eq=False)
class _Writer:
    """Write one response, and tell when its status line is out."""

    _connection: Connection
    _reply: Reply
    _sent: Sent
    _has_begun: bool = field(default=False, init=False)

    async def write_all(self, received: Received, only: int | None, *, close: bool) -> None:
        """Write the head, and the body or its first `only` bytes."""
        reply = self._reply
        await self._connection.pause(reply.delay)
        pending = _head(reply, close=close)
        if reply.head_byte_delay:
            await self.write_head(pending)
            pending = b""
        if received.method == "HEAD" or not (reply.content or reply.chunked):
            return await self._write(pending)
        if reply.body_delay:
            await self._write(pending)
            await self._connection.pause(reply.body_delay)
            pending = b""
        pieces = _pieces(reply, only)
        for piece in pieces[:-1]:
            await self._write(pending + piece)
            await self._connection.pause(reply.chunk_delay)
            pending = b""
        return await self._write(pending + pieces[-1])

    async def write_head(self, data: bytes) -> None:
        """Write a head or its beginning, byte by byte if the reply says so."""
        delay = self._reply.head_byte_delay
        if not delay:
            return await self._write(data)
        last = len(_status_line(self._reply)) - 1
        for i in range(len(data)):
            await self._connection.pause(delay if i else 0.0)
            await self._connection.write(data[i : i + 1])
            if i == last:
                self._begin()
        return None

    async def _write(self, data: bytes) -> None:
        if not self._has_begun:
            await self._connection.write(data[:_FIRST])
            self._begin()
            data = data[_FIRST:]
        if data:
            await self._connection.write(data)

    def _begin(self) -> None:
        self._has_begun = True
        self._sent(self._reply)


def _status_line(reply: Reply) -> bytes:
    reason = reply.reason
    if reason is None:
        try:
            reason = HTTPStatus(reply.status).phrase
        except ValueError:
            reason = ""
    return f"HTTP/1.1 {reply.status:d} {reason}\r\n".encode("utf-8", "surrogateescape")


def _head(reply: Reply, *, close: bool) -> bytes:
    lines = [f"{name}: {value}" for name, value in reply.headers]
    given = {name.lower() for name, _ in reply.headers}
    if reply.is_json and "content-type" not in given:
        lines.append("Content-Type: application/json")
    if not reply.bodiless and not given & {"content-length", "transfer-encoding"}:
        length = f"Content-Length: {len(reply.content)}"
        lines.append("Transfer-Encoding: chunked" if reply.chunked else length)
    if close and "connection" not in given:
        lines.append("Connection: close")
    fields = "\r\n".join([*lines, "", ""] if lines else ["", ""])
    return _status_line(reply) + fields.encode("utf-8", "surrogateescape")


def _pieces(reply: Reply, only: int | None) -> list[bytes]:
    """Return what to write after the head, in order; at least one piece, if an empty one."""
    content = reply.content[:only]
    size = reply.chunk_size or (1 if reply.chunk_delay else len(content)) or 1
    pieces = [content[i : i + size] for i in range(0, len(content), size)] or [b""]
    if reply.chunked:
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece] or [b""]
        if only is None:
            pieces[-1] += b"0\r\n\r\n"
    return pieces
