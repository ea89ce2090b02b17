"""Carrying out the steps that send something."""

from __future__ import annotations

from http import HTTPStatus

from resilient.testing.script.faults import Interruption, Reply
from resilient.testing.server.connection import Connection
from resilient.testing.server.received import Received

__all__ = ["send", "send_until"]


async def send(connection: Connection, received: Received, reply: Reply) -> bool:
    """Send a response; say whether the connection may go on."""
    # A client that waits for a 100 and gets an answer instead will not send the body.
    unsent = reply.early and received.expects_continue and received.length != 0
    close = unsent or not (reply.keep_alive and received.keep_alive)
    await _send(connection, received, reply, reply.truncate, close=close)
    return not close and reply.truncate is None


async def send_until(connection: Connection, received: Received, step: Interruption) -> None:
    """Send as much as comes before an interruption."""
    reply = step.begun
    if reply is None:
        return
    if step.after == "status":
        await connection.pause(reply.delay)
        await _write_slowly(connection, _status_line(reply), reply.head_byte_delay)
    else:
        sent = len(reply.content) // 2 if step.after == "body" else 0
        await _send(connection, received, reply, sent, close=False)


async def _send(
    connection: Connection, received: Received, reply: Reply, only: int | None, *, close: bool
) -> None:
    """Send the head, and the body or its first `only` bytes."""
    await connection.pause(reply.delay)
    pending = _head(reply, close=close)
    if reply.head_byte_delay:
        await _write_slowly(connection, pending, reply.head_byte_delay)
        pending = b""
    if received.method == "HEAD" or not (reply.content or reply.chunked):
        return await connection.write(pending)
    if reply.body_delay:
        await connection.write(pending)
        await connection.pause(reply.body_delay)
        pending = b""
    pieces = _pieces(reply, only)
    for piece in pieces[:-1]:
        await connection.write(pending + piece)
        await connection.pause(reply.chunk_delay)
        pending = b""
    return await connection.write(pending + pieces[-1])


async def _write_slowly(connection: Connection, data: bytes, delay: float) -> None:
    size = 1 if delay else len(data)
    for i in range(0, len(data), size):
        await connection.pause(delay if i else 0.0)
        await connection.write(data[i : i + size])


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
    """What to write after the head, one after the other; at least one, if only an empty one."""
    content = reply.content[:only]
    size = reply.chunk_size or (1 if reply.chunk_delay else len(content)) or 1
    pieces = [content[i : i + size] for i in range(0, len(content), size)] or [b""]
    if reply.chunked:
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece] or [b""]
        if only is None:
            pieces[-1] += b"0\r\n\r\n"
    return pieces
