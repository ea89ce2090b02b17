"""Read requests off the wire (RFC 9112), and keep them.

The reader is strict where laxness hides a client's mistakes (framing above all), and
tolerant only of a bare LF at the end of a line and of empty lines before a request.
"""

from __future__ import annotations

import asyncio
import re
import string
from typing import Any
from urllib.parse import parse_qsl, unquote

from attrs import define, field, fields, frozen
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy

from resilient.testing.server.connection import Connection, LineTooLong

__all__ = ["Received", "Unparsable", "UnparsableRequest", "read_body", "read_head"]

_HEAD_LIMIT = 64 * 1024

# The number of bytes kept of what does not even begin like a request.
_SHOWN = 64

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STARTS = frozenset(string.ascii_letters + string.digits + "!#$%&'*+.^_`|~-\r\n")
_REQUEST_LINE = re.compile(rb"(%b) ([!-~\x80-\xff]+) HTTP/1\.([01])" % _TOKEN)
_FIELD = re.compile(rb"(%b):([^\0\r]*)" % _TOKEN)
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r]*)?")
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")


@define(eq=False)
class Received:
    """A request that reached a server or a handler.

    Its repr shows neither headers nor query nor body, which may hold secrets.

    Attributes:
        method: The method as sent.
        target: The request target as sent.
        path: The path of the target, decoded.
        query: The query of the target, decoded.
        headers: The headers as sent; names compare without regard to case.
        body: The body as far as it was read, without the chunked framing.
        complete: Whether the body was read to its end.
        time: The moment at which its head was in, in seconds of the event loop's time.
        since_start: Seconds from the moment at which the server began to listen to `time`.
        since_first: Seconds from the server's first request to `time`.
        connection: The number of the connection that it came on, from 1.
        keep_alive: Whether the client lets the connection stay open.
        expects_continue: Whether the client waits for a 100 before it sends the body.
    """

    method: str
    target: str = field(repr=False)
    path: str
    query: MultiDictProxy[str] = field(repr=False)
    headers: CIMultiDictProxy[str] = field(repr=False)
    time: float
    connection: int
    keep_alive: bool = field(repr=False)
    expects_continue: bool = field(repr=False)
    # The length of the body that the head declares; None if chunked.
    length: int | None = field(repr=False)
    since_start: float = field(default=0.0, repr=False)
    since_first: float = field(default=0.0, repr=False)
    body: bytes = field(default=b"", repr=False)
    complete: bool = False

    # The read-only views do not pickle, and a server's process has to hand its requests over.

    def __getstate__(self) -> dict[str, Any]:
        state = {each.name: getattr(self, each.name) for each in fields(type(self))}
        return state | {name: MultiDict(state[name]) for name in ("query", "headers")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self.query = MultiDictProxy(MultiDict(state["query"]))
        self.headers = CIMultiDictProxy(CIMultiDict(state["headers"]))


@frozen
class Unparsable:
    """Bytes that were meant for a request and are none.

    Attributes:
        reason: The reason, in words.
        raw: The bytes of the line or the head that had been read.
        time: The moment, in seconds of the event loop's time.
        connection: The number of the connection that they came on.
    """

    reason: str
    raw: bytes = field(repr=False)
    time: float
    connection: int


class UnparsableRequest(Exception):
    """The bytes that arrive are no request.

    Attributes:
        reason: The reason, in words.
        raw: The bytes of the line or the head that had been read.
    """

    def __init__(self, reason: str, raw: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.raw = raw


async def read_head(connection: Connection) -> Received:
    """Read the head of the next request; its body is left on the wire.

    Raises:
        UnparsableRequest: The bytes are no head.
        ClientGone: The client left.
    """
    raw = bytearray()
    lines: list[bytes] = []
    while True:
        if not lines and chr(first := await connection.peek()) not in _STARTS:
            # A TLS handshake, say: the end of a line might never come.
            start = await connection.some(_SHOWN)
            raise UnparsableRequest(f"a request cannot begin with {first:#04x}", start)
        try:
            line = await connection.line(_HEAD_LIMIT - len(raw))
        except LineTooLong:
            rest = await connection.some(_HEAD_LIMIT - len(raw))
            raise UnparsableRequest(
                f"a head beyond {_HEAD_LIMIT} bytes", bytes(raw + rest)
            ) from None
        raw += line
        line = _without_end(line)
        if line:
            lines.append(line)
        elif lines:
            break
    try:
        return _parse(lines, connection.number)
    except UnparsableRequest as error:
        error.raw = bytes(raw)
        raise


def _parse(lines: list[bytes], connection: int) -> Received:
    request_line = _REQUEST_LINE.fullmatch(lines[0])
    if request_line is None:
        raise UnparsableRequest("no request line of HTTP/1")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines[1:]:
        matched = _FIELD.fullmatch(line)
        if matched is None:
            raise UnparsableRequest("a header line that is none")
        headers.add(
            matched[1].decode("ascii"), matched[2].strip(b" \t").decode("utf-8", "surrogateescape")
        )
    target = request_line[2].decode("utf-8", "surrogateescape")
    path, _, query = _AUTHORITY.sub("", target, count=1).partition("?")
    options = {
        each.strip().lower() for each in ",".join(headers.getall("Connection", ())).split(",")
    }
    newest = request_line[3] == b"1"
    return Received(
        method=request_line[1].decode("ascii"),
        target=target,
        path=unquote(path) or "/",
        query=MultiDictProxy(MultiDict(parse_qsl(query, keep_blank_values=True))),
        headers=CIMultiDictProxy(headers),
        time=asyncio.get_running_loop().time(),
        connection=connection,
        keep_alive=newest and "close" not in options,
        expects_continue=newest and headers.get("Expect", "").lower() == "100-continue",
        length=_declared_length(headers),
    )


def _declared_length(headers: CIMultiDict[str]) -> int | None:
    lengths = headers.getall("Content-Length", [])
    codings = headers.getall("Transfer-Encoding", [])
    if codings:
        if lengths:
            raise UnparsableRequest("both Content-Length and Transfer-Encoding")
        if [coding.lower() for coding in codings] != ["chunked"]:
            raise UnparsableRequest("a transfer coding other than chunked")
        return None
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise UnparsableRequest("a Content-Length that is none")
    return int(lengths[0]) if lengths else 0


async def read_body(connection: Connection, received: Received) -> None:
    """Read the body into `received`, as far as it comes; ask for it if the client waits.

    Raises:
        UnparsableRequest: The chunks are none.
        ClientGone: The client left.
    """
    if received.expects_continue and received.length != 0:
        await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    try:
        if received.length is None:
            await _read_chunks(connection, body)
        else:
            await _read_exactly(connection, body, received.length)
        received.complete = True
    finally:
        received.body = bytes(body)


async def _read_exactly(connection: Connection, body: bytearray, count: int) -> None:
    while count:
        part = await connection.some(count)
        body += part
        count -= len(part)


async def _read_chunks(connection: Connection, body: bytearray) -> None:
    try:
        while True:
            line = await connection.line(_HEAD_LIMIT)
            matched = _CHUNK.fullmatch(_without_end(line))
            if matched is None:
                raise UnparsableRequest("no size of a chunk", line)
            size = int(matched[1], 16)
            if size == 0:
                break
            await _read_exactly(connection, body, size)
            if _without_end(line := await connection.line(_HEAD_LIMIT)):
                raise UnparsableRequest("a chunk longer than its size", line)
        while _without_end(await connection.line(_HEAD_LIMIT)):
            pass  # trailers
    except LineTooLong:
        raise UnparsableRequest("a line without end between chunks") from None


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")
