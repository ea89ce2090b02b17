"""Bodies of responses, read within bounds.

The bounds are on what comes out of a decoder, not on what comes in: from aiohttp 3.14 on a
body is inflated while it is read, as much of it as is asked for. Older releases inflate all
that arrives before anybody reads, so that there a small body can take much memory whatever
is asked for here.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import ClientRequest, ClientResponse

from resilient.clock import Clock
from resilient.support.timers import limit_at
from resilient.wire.cookies import keep_cookies

__all__ = ["DRAIN_SECONDS", "discard", "peek", "read_ahead", "read_within"]

# What may be read of a response that nobody wants, to give its connection back: bytes, seconds.
_DRAIN_LIMIT: Final = 65_536
DRAIN_SECONDS: Final = 0.25

# Asked for more at a time, aiohttp would inflate that much at once, and buffer twice as much.
_PIECE: Final = 65_536


async def _read(content: Any, limit: int, parts: list[bytes]) -> bool:
    """Read up to `limit` bytes into `parts`; return whether that was all there is."""
    size = 0
    while size < limit:
        part = await content.read(min(limit - size, _PIECE))
        if not part and content.at_eof():
            break
        parts.append(part)
        size += len(part)
    return bool(content.at_eof())


async def read_within(
    response: ClientResponse, clock: Clock, *, limit: int, seconds: float
) -> tuple[bytes, bool]:
    """Read a body within bounds of bytes and time, then give its connection back.

    A body that was read to its end leaves its connection to the pool; any other closes it.
    Whatever fails on the way (the peer, the encoding, aiohttp's own timeouts) ends the
    reading and is not raised.

    Args:
        response: The response.
        clock: The source of time.
        limit: Bytes, as they come out of the decoder.
        seconds: How long it may take.

    Returns:
        What was read, and whether that is all of it.
    """
    content: Any = response.content
    parts: list[bytes] = []
    complete = content.at_eof()
    try:
        if not complete and seconds > 0:
            with limit_at(clock, clock.time() + seconds):
                complete = await _read(content, limit, parts)
    except Exception:
        # What came before the failure may not have been handed out.
        parts.append(_buffered(content)[: max(0, limit - sum(map(len, parts)))])
    except BaseException:
        response.close()
        raise
    if complete:
        response.release()
    else:
        response.close()
    return b"".join(parts), complete


async def read_ahead(response: ClientResponse, limit: int) -> bool:
    """Read a body of at most `limit` bytes before its reader does, so that a failure shows now.

    What was read is put back into the stream, whole or not: the response is what it was, and
    its `read`, `content` and `iter_*` give it all. Memory is bounded by `limit` and aiohttp's
    own buffers (0.5 MB), where aiohttp inflates while it is read.

    Args:
        response: The response.
        limit: Bytes, as they come out of the decoder.

    Returns:
        Whether all of the body is there.

    Raises:
        aiohttp.ClientError: The body is cut short, stalls or cannot be decoded; the response
            is closed, as after its `read`.
    """
    content: Any = response.content
    parts: list[bytes] = []
    try:
        complete = await _read(content, limit + 1, parts)
    except BaseException:
        response.close()
        raise
    _put_back(content, b"".join(parts))
    return complete and sum(map(len, parts)) <= limit


async def peek(
    response: ClientResponse, clock: Clock, *, limit: int, seconds: float
) -> bytes | None:
    """Read a body within bounds of bytes and time, and leave it to be read again.

    The response is what it was, whatever was read: its `read`, `content` and `iter_*` give it
    all. A body that fails meanwhile fails in the same way when its reader reads it.

    Args:
        response: The response.
        clock: The source of time.
        limit: Bytes, as they come out of the decoder.
        seconds: How long it may take.

    Returns:
        The body; None if it is longer than that, does not come in time or fails.
    """
    content: Any = response.content
    parts: list[bytes] = []
    complete = False
    try:
        with limit_at(clock, clock.time() + seconds):
            complete = await _read(content, limit + 1, parts)
    except Exception:
        complete = False
    except BaseException:
        response.close()
        raise
    body = b"".join(parts)
    _put_back(content, body)
    return body if complete and len(body) <= limit else None


async def discard(request: ClientRequest, response: ClientResponse, clock: Clock) -> None:
    """Give back the connection of a response that nobody wants, and keep its cookies.

    Up to 64 KiB of its body are read within 0.25 seconds for that; beyond, the connection is
    closed.
    """
    keep_cookies(request, response)
    length = response.content_length
    if length is not None and length > _DRAIN_LIMIT:
        response.close()
    else:
        await read_within(response, clock, limit=_DRAIN_LIMIT, seconds=DRAIN_SECONDS)


def _put_back(content: Any, data: bytes) -> None:
    """Put data back at the head of a stream.

    As `StreamReader.unread_data` does, which would warn that it is deprecated; silencing a
    warning is not safe beside other threads.
    """
    if data:
        if content._buffer_offset:
            content._buffer[0] = content._buffer[0][content._buffer_offset :]
            content._buffer_offset = 0
        content._buffer.appendleft(data)
        content._size += len(data)
        content._cursor -= len(data)
        content._eof_counter = 0


def _buffered(content: Any) -> bytes:
    """Return what has arrived and was not read, whatever came after it."""
    buffered = b"".join(getattr(content, "_buffer", ()))
    return buffered[getattr(content, "_buffer_offset", 0) :]
