"""Bodies: reading one within bounds, and whether one can be sent a second time."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import ClientError, ClientRequest, ClientResponse, MultipartWriter
from aiohttp.multipart import BodyPartReaderPayload
from aiohttp.payload import AsyncIterablePayload, BytesIOPayload, IOBasePayload, Payload

from resilient.clock import Clock
from resilient.support.timers import limit_at

__all__ = [
    "DRAIN_SECONDS",
    "discard",
    "prepare_resend",
    "read_within",
    "settle",
    "stop_upload",
    "unrepeatable",
    "was_read",
]

# What may be read of a response that nobody wants, to give its connection back: bytes, seconds.
_DRAIN_LIMIT: Final = 65_536
DRAIN_SECONDS: Final = 0.25

_CUT_OFF: Final = "its upload was cut off while a file was being read"


async def read_within(
    response: ClientResponse, clock: Clock, *, limit: int, seconds: float
) -> tuple[bytes, bool]:
    """Read a body within bounds of bytes and time, then give its connection back.

    A body that was read to its end leaves its connection to the pool; any other closes it.
    Whatever fails on the way (the peer, the encoding, aiohttp's own timeouts) ends the
    reading and is not raised.

    Returns:
        What was read, and whether that is all of it.
    """
    content = response.content
    parts: list[bytes] = []
    size = 0
    complete = content.at_eof()
    try:
        if not complete and seconds > 0:
            with limit_at(clock, clock.time() + seconds):
                while size < limit:
                    part = await content.read(limit - size)
                    if not part and content.at_eof():
                        break
                    parts.append(part)
                    size += len(part)
                complete = content.at_eof()
    except (ClientError, OSError):
        complete = False
    except BaseException:
        response.close()
        raise
    if complete:
        response.release()
    else:
        response.close()
    return b"".join(parts), complete


async def discard(response: ClientResponse, clock: Clock) -> None:
    """Give back the connection of a response that nobody wants."""
    length = response.content_length
    if length is not None and length > _DRAIN_LIMIT:
        response.close()
    else:
        await read_within(response, clock, limit=_DRAIN_LIMIT, seconds=DRAIN_SECONDS)


def _parts(body: Payload) -> list[Payload]:
    """A payload and, if it is a multipart, all that is in it."""
    if not isinstance(body, MultipartWriter):
        return [body]
    return [body, *(leaf for part, _, _ in body._parts for leaf in _parts(part))]


def _is_spent(part: Payload) -> bool:
    if isinstance(part, AsyncIterablePayload):
        # Before 3.14 one that was cut off in the middle does not say so.
        return part._cached_chunks is None
    return part.consumed or isinstance(part, BodyPartReaderPayload)


def was_read(request: ClientRequest) -> bool:
    """Whether the body of a request that is yet to be sent was read before, and is gone.

    Before 3.14 aiohttp follows a redirect with what an earlier hop has left of it: nothing.
    """
    body: Any = request.body
    return isinstance(body, Payload) and any(part.consumed for part in _parts(body))


def _is_read_in_threads(part: Payload) -> bool:
    return isinstance(part, IOBasePayload) and not isinstance(part, BytesIOPayload)


def unrepeatable(request: ClientRequest) -> str | None:
    """Why the body of a request that was sent cannot be sent again, or None if it may be.

    For a body in a file, `settle` has the last word.
    """
    body: Any = request.body
    if not isinstance(body, Payload):
        return None
    parts = _parts(body)
    if any(_is_spent(part) for part in parts):
        return "its body can be read only once"
    return None


async def settle(request: ClientRequest, *, is_over: bool) -> str | None:
    """Make sure that nobody reads the files of a body any more, before it is sent again.

    Args:
        request: The request.
        is_over: Whether its attempt failed, so that what still writes the body is being
            stopped; otherwise a response is there, and the upload may be under way.

    Returns:
        Why the body cannot be sent again after all, or None.
    """
    body: Any = request.body
    if not isinstance(body, Payload):
        return None
    files = [part for part in _parts(body) if _is_read_in_threads(part)]
    if is_over:
        await stop_upload(request)
    elif files and _writer(request) is not None:
        return _CUT_OFF
    for part in files:
        if await _is_half_read(part):
            return _CUT_OFF
    return None


async def stop_upload(request: ClientRequest) -> None:
    """Wait until nobody writes the body of a request any more, its attempt being over.

    The answer to an upload, or a failure, may come before its end, and the next attempt
    must not share the body with what is left of this one.
    """
    writer = _writer(request)
    if writer is not None:
        # Not request.close(): in a task that is being cancelled, it takes the writer's
        # cancellation for the task's.
        await asyncio.wait([writer])


def _writer(request: ClientRequest) -> asyncio.Task[None] | None:
    writer: asyncio.Task[None] | None = getattr(request, "_writer", None)
    return None if writer is None or writer.done() else writer


async def _is_half_read(part: Payload) -> bool:
    """Whether a thread may still be reading the file behind a payload.

    aiohttp reads files in threads, which no cancellation reaches, and a read that comes
    late would move the position under the next attempt. One that was read to its end has
    nobody left who reads it.
    """
    if part._start_position is None:  # type: ignore[attr-defined]  # of IOBasePayload
        return False
    try:
        # In a thread as well: a read that is under way holds the lock of the file. The next
        # attempt goes back to the start, so that looking for one more byte does no harm.
        return bool(await asyncio.to_thread(part._value.read, 1))
    except (OSError, ValueError):
        return True


def prepare_resend(request: ClientRequest) -> None:
    """Make a request that was attempted ready for another attempt."""
    if "Expect" in request.headers:
        # The future that stands for "100 Continue" is used up, or was cancelled with the writer.
        request.update_expect_continue()
