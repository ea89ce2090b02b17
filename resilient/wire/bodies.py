"""Bodies of requests: which can be sent again, and how an upload is brought to an end.

aiohttp writes a body in a task of its own, and reads files in threads. Both may outlive the
attempt: a server may answer before it has the whole body, and no cancellation reaches a
thread. An attempt that begins meanwhile would share the body with what is left of the one
before, and send a part of it. So each attempt goes through two functions:

    prepare_upload    before it: wait until nobody reads the body for an earlier attempt
    stop_upload       after it, where an error is raised or another attempt follows
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final
from weakref import ref

from aiohttp import ClientRequest, ClientSession, MultipartWriter, payload
from aiohttp.payload import AsyncIterablePayload, BytesIOPayload, IOBasePayload, Payload

from resilient.clock import Clock
from resilient.errors import ConnectionFailedError
from resilient.support.redact import public_url
from resilient.support.timers import limit_at
from resilient.wire.connections import check_open, watch_close

__all__ = [
    "cancel_upload",
    "finish_upload",
    "prepare_upload",
    "stop_upload",
    "unrepeatable",
    "was_read",
]

# Seconds to wait for a thread that still reads a file, before an error is raised.
_THREAD_SECONDS: Final = 0.25

# aiohttp's classes that can write the same bytes each time: those in files if the file can go
# back, those of an iterator if it was read into memory.
_KNOWN: Final[frozenset[Any]] = frozenset(
    {
        payload.BytesPayload,
        payload.StringPayload,
        payload.StringIOPayload,
        payload.JsonPayload,
        getattr(payload, "JsonBytesPayload", payload.JsonPayload),  # since 3.14
        payload.IOBasePayload,
        payload.TextIOPayload,
        payload.BytesIOPayload,
        payload.BufferedReaderPayload,
        payload.AsyncIterablePayload,
        payload.StreamReaderPayload,
        MultipartWriter,
    }
)

# The methods by which `IOBasePayload` reads a file in a thread.
_READS: Final = ("_read", "_read_and_available_len", "_read_all")


# -- which bodies can be sent again


def unrepeatable(request: ClientRequest) -> str | None:
    """Return why the body of a request that was sent cannot be sent again, or None if it can.

    Only what is proved repeatable is: bytes, text, JSON, files that can go back to where they
    were, and forms of those. `Payload.consumed` proves nothing, since it is False in a class
    of the user's own that never sets it.
    """
    body: Any = request.body
    if not isinstance(body, Payload):
        return None
    return next(filter(None, map(_doubt, _parts(body))), None)


def was_read(request: ClientRequest) -> bool:
    """Tell whether the body of a request that is yet to be sent was read before, and is gone.

    Before 3.14 aiohttp follows a redirect with what an earlier hop has left of it: nothing.
    """
    body: Any = request.body
    return isinstance(body, Payload) and any(part.consumed for part in _parts(body))


def _parts(body: Payload) -> Iterator[Payload]:
    """Yield a payload and, if it is a multipart, all that is in it."""
    yield body
    if isinstance(body, MultipartWriter):
        for part, _, _ in body._parts:
            yield from _parts(part)


def _doubt(part: Payload) -> str | None:
    """Return why one part of a body cannot be written twice, or None."""
    kind = type(part)
    own = next((each for each in kind.__mro__ if each in _KNOWN), None)
    if isinstance(part, AsyncIterablePayload):
        # Somebody may have read it all into memory, for a digest say.
        once = part._cached_chunks is None
    else:
        once = own is None and kind.__module__.startswith("aiohttp.")
    if once or part.consumed:
        return "its body can be read only once"
    # Its methods have to be aiohttp's own: another `write` may have another idea of a body.
    derived = kind.__mro__[: kind.__mro__.index(own)] if own is not None else kind.__mro__
    if own is None or not all(map(_adds_nothing, derived)) or "write" in vars(part):
        return f"its body is a {kind.__name__}, which may be readable only once"
    if isinstance(part, IOBasePayload) and not _goes_back(part._value):
        return f"its body is in a {type(part._value).__name__}, which may be readable only once"
    return None


def _adds_nothing(kind: type) -> bool:
    """Tell whether a subclass of a payload has no more than a constructor and constants."""
    return all(
        (name.startswith("__") and name != "__getattribute__")
        or not (callable(value) or hasattr(value, "__get__"))
        for name, value in vars(kind).items()
    )


def _goes_back(file: Any) -> bool:
    """Tell whether a file can be read again from where it was when it was given.

    It has to say so, and its `seek` has to know of its `read`: in a subclass that reads in a
    way of its own, the `seek` of its base moves something else.
    """
    kinds = type(file).__mro__

    def depth(name: str) -> int:
        return next((n for n, kind in enumerate(kinds) if name in vars(kind)), len(kinds))

    if depth("seek") > min(map(depth, ("read", "readinto", "readall"))):
        return False
    if isinstance(file, io.TextIOWrapper) and not _goes_back(file.buffer):
        return False
    if isinstance(file, io.BufferedReader | io.BufferedRandom) and not _goes_back(file.raw):
        return False
    try:
        return file.seekable() is True
    except Exception:  # It is closed, or somebody else's idea of a file.
        return False


# -- an upload from its beginning to its end


async def prepare_upload(request: ClientRequest) -> None:
    """Make a request ready for an attempt, whoever made the one before.

    Waits until no thread reads a file of its body any more. From here on the threads of an
    earlier attempt leave the files alone.

    Raises:
        ConnectionFailedError: Its body was read before, and is gone.
        SessionClosedError: The session was closed while a thread read.
    """
    body: Any = request.body
    if isinstance(body, Payload):
        if was_read(request):
            where = f"{request.method} {public_url(request.url)}"
            raise ConnectionFailedError(f"{where}: its body was read before and is gone")
        for part in _parts(body):
            if isinstance(part, IOBasePayload) and not isinstance(part, BytesIOPayload):
                reading = _end_turn(part)
                if reading is not None:
                    await _wait_for_thread(reading, request.session)
                _Turn(part)
    # The future that stands for "100 Continue" is used up, or was cancelled with the writer.
    asked = getattr(request, "_continue", None)
    if asked is not None and asked.done():
        request.update_expect_continue()


async def _wait_for_thread(reading: asyncio.Future[None], session: ClientSession) -> None:
    closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watch = watch_close(session, closed.cancel)
    try:
        await asyncio.wait([reading, closed], return_when=asyncio.FIRST_COMPLETED)
    finally:
        closed.cancel()
        if watch is not None:
            watch.cancel()
    check_open(session)


def cancel_upload(request: ClientRequest) -> list[asyncio.Future[None]]:
    """Cancel the upload of an attempt without waiting for its end.

    Returns:
        What is left to wait for: the task that writes, and the threads that read a file.
    """
    left: list[asyncio.Future[None]] = []
    writer = _writer(request)
    if writer is not None:
        writer.cancel()
        left.append(writer)
    body: Any = request.body
    if isinstance(body, Payload):
        for part in _parts(body):
            if isinstance(part, AsyncIterablePayload) and request.response is not None:
                # Before 3.14 one that was cut off in the middle does not say so.
                part._consumed = part._consumed or part._cached_chunks is None
            reading = _end_turn(part)
            if reading is not None:
                left.append(reading)
    return left


async def stop_upload(request: ClientRequest, clock: Clock | None = None) -> None:
    """Put an end to the upload of an attempt, so that the body can be used for something else.

    To be called where an error is raised or another attempt is to follow; an early answer that
    is good leaves the upload alone. Safe in a task that is being cancelled, and to be
    cancelled itself: what it began goes on.

    Args:
        request: The request.
        clock: Given one, wait up to 0.25 seconds for a thread that is reading a file; else
            for none. The next attempt that is prepared waits for it in any case.
    """
    left = cancel_upload(request)
    # Not request.close(): in a task that is being cancelled, it takes the writer's cancellation
    # for the task's.
    writing = [each for each in left if isinstance(each, asyncio.Task)]
    if writing:
        await asyncio.wait(writing)
    if clock is not None and len(left) > len(writing):
        with limit_at(clock, clock.time() + _THREAD_SECONDS):
            await asyncio.wait(left)


async def finish_upload(request: ClientRequest) -> None:
    """Wait until the body of a request is written, or could not be."""
    writer = _writer(request)
    if writer is not None:
        await asyncio.wait([writer])


def _writer(request: ClientRequest) -> asyncio.Task[None] | None:
    writer: asyncio.Task[None] | None = getattr(request, "_writer", None)
    return None if writer is None or writer.done() else writer


class _Turn:
    """One attempt's turn to read a file in threads; when it is over, none of them does.

    A read that was handed to a thread comes late if all threads are busy, and would move the
    position under the next attempt. So reads go through the turn of their attempt, which
    knows of those under way and turns away those that come after its end.
    """

    __slots__ = ("_begun", "_idle", "_is_over", "_lock", "_loop", "_part", "_reading")

    def __init__(self, part: Any) -> None:
        # Weakly, or a payload would live until the collector comes, and with it the file.
        self._part = ref(part)
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._is_over = False
        self._reading = 0
        # Whether this turn, or one before it, has moved the file.
        before = _turn(part)
        self._begun: bool = before is not None and before._begun
        self._idle: asyncio.Future[None] | None = None
        part._resilient_turn = self
        for name in _READS:
            setattr(part, name, partial(self._read, name))

    def _read(self, name: str, *args: Any) -> Any:
        """Read, in a thread."""
        part = self._part()
        with self._lock:
            if self._is_over or part is None:
                raise OSError("the upload that this was read for is over")
            self._reading += 1
            begun, self._begun = self._begun, True
        try:
            if begun and name != "_read":
                _go_back(part)
            return getattr(type(part), name)(part, *args)
        finally:
            with self._lock:
                self._reading -= 1
                idle = None if self._reading else self._idle
            if idle is not None:
                with suppress(RuntimeError):  # The loop was closed meanwhile.
                    self._loop.call_soon_threadsafe(_resolve, idle)

    def end(self) -> asyncio.Future[None] | None:
        """Let no more reads begin; return what to wait for, if one is under way."""
        with self._lock:
            self._is_over = True
            if not self._reading:
                return None
            if self._idle is None:
                self._idle = self._loop.create_future()
            return self._idle


def _turn(part: Payload) -> _Turn | None:
    turn: _Turn | None = getattr(part, "_resilient_turn", None)
    return turn


def _end_turn(part: Payload) -> asyncio.Future[None] | None:
    turn = _turn(part)
    return None if turn is None else turn.end()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _go_back(part: Any) -> None:
    """Move a file to where it was when it was given.

    aiohttp does so too, but where that fails it reads on from where the file is.
    """
    start = part._start_position
    if start is not None:
        part._value.seek(start)
        if part._value.tell() != start:
            raise OSError("the file cannot go back to where it was")
