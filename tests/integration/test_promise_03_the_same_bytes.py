"""Promise 3: every attempt sends an identical body."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    Backoff,
    NormalizeErrors,
    Retry,
    RetryPolicy,
)
from resilient.testing import Answer, Disconnect, FakeClock, FaultServer, Malformed, Reply, Reset

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

BIG = bytes(range(256)) * 3000  # more than one chunk of aiohttp's, less than it warns about
TEXT = "Zażółć gęślą jaźń. " * 5000

Data = Callable[["Files"], Any]


class Files:
    """Opens files, and closes them: aiohttp closes not all that it was given."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.stack = stack

    def binary(self, at: int = 0, **options: Any) -> Any:
        (self.folder / "body").write_bytes(BIG)
        file = self.stack.enter_context((self.folder / "body").open("rb", **options))
        file.seek(at)
        return file

    def text(self) -> Any:
        (self.folder / "text").write_text(TEXT, encoding="utf-8")
        return self.stack.enter_context((self.folder / "text").open(encoding="utf-8"))


@pytest.fixture
async def files(tmp_path: Path, no_leaks: None) -> AsyncIterator[Files]:
    with contextlib.ExitStack() as stack:
        yield Files(tmp_path, stack)


def retry(clock: FakeClock) -> Retry:
    backoff = Backoff(base=1, jitter="none")
    return Retry(RetryPolicy(max_attempts=4, backoff=backoff, budget=None), clock=clock)


def from_position(buffer: io.BytesIO, position: int) -> io.BytesIO:
    buffer.seek(position)
    return buffer


def form(*fields: tuple[str, Any, str | None]) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, value, filename in fields:
        data.add_field(name, value, filename=filename)
    return data


def multipart(*parts: Any) -> aiohttp.MultipartWriter:
    with aiohttp.MultipartWriter("mixed", boundary="b") as writer:
        for part in parts:
            writer.append(part)
    return writer


# What is sent, and what has to arrive; None where a boundary is drawn at random.
REPLAYABLE: dict[str, tuple[Data, bytes | None]] = {
    "nothing": (lambda _: None, b""),
    "empty bytes": (lambda _: b"", b""),
    "bytes": (lambda _: BIG, BIG),
    "bytearray": (lambda _: bytearray(b"abc"), b"abc"),
    "memoryview": (lambda _: memoryview(b"abc"), b"abc"),
    "str": (lambda _: TEXT, TEXT.encode()),
    "BytesIO": (lambda _: io.BytesIO(BIG), BIG),
    "BytesIO from a position": (lambda _: from_position(io.BytesIO(BIG), 9), BIG[9:]),
    "empty BytesIO": (lambda _: io.BytesIO(), b""),
    "StringIO": (lambda _: io.StringIO(TEXT), TEXT.encode()),
    "file": (lambda files: files.binary(), BIG),
    "file from a position": (lambda files: files.binary(7), BIG[7:]),
    "file at its end": (lambda files: files.binary(len(BIG)), b""),
    "unbuffered file": (lambda files: files.binary(buffering=0), BIG),
    "text file": (lambda files: files.text(), TEXT.encode()),
    "fields": (lambda _: {"a": "1", "b": "ż"}, b"a=1&b=%C5%BC"),
    "form": (lambda _: form(("a", "1", None)), b"a=1"),
    "form with BytesIO": (lambda _: form(("a", io.BytesIO(BIG), "a.bin")), None),
    "form with file": (lambda files: form(("x", "1", None), ("a", files.binary(), "a.bin")), None),
    "multipart": (lambda _: multipart("text", b"bytes", io.BytesIO(BIG)), None),
    "multipart with file": (lambda files: multipart(files.binary(), "text"), None),
    "multipart in multipart": (lambda files: multipart(multipart(files.binary()), "text"), None),
    "empty multipart": (lambda _: multipart(), None),
}
FAULTS: dict[str, Answer] = {
    "503": Reply(503, body=b"x" * 1000),
    "429": Reply(429),
    "reset": Reset(),
    "disconnect": Disconnect(),
    "malformed": Malformed(),
}
INNER = {"raw": (), "normalised": (NormalizeErrors(),)}

inner = pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
replayable = pytest.mark.parametrize(("data", "sent"), REPLAYABLE.values(), ids=REPLAYABLE)


@inner
@fault
@replayable
async def test_every_attempt_sends_the_same_body(
    data: Data,
    sent: bytes | None,
    fault: Answer,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    files: Files,
) -> None:
    session = open_session(retry(clock), *inner)
    async with FaultServer(fault, Reply(503), fault) as server:
        assert await fetch(session, "PUT", server.url, data=data(files)) == 200
        assert server.hits == 4
        assert not server.malformed
        first = server.requests[0]
        assert sent is None or first.body == sent
        assert first.body or sent == b""
        for request in server.requests:
            assert request.complete
            assert request.body == first.body
            assert request.headers == first.headers


@inner
@replayable
async def test_nothing_is_lost_of_a_body_that_a_refused_connection_spared(
    data: Data,
    sent: bytes | None,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    files: Files,
    clock: FakeClock,
) -> None:
    async with FaultServer() as server:
        await server.stop_listening()

        async def resume(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
            if clock.sleeps:
                await server.resume_listening()
            response: aiohttp.ClientResponse = await handler(request)
            return response

        session = open_session(retry(clock), *inner, resume)
        assert await fetch(session, "POST", server.url, data=data(files)) == 200
        assert len(clock.sleeps) == 1
        (request,) = server.requests
        assert request.complete
        assert sent is None or request.body == sent
        assert request.body or sent == b""


@replayable
async def test_a_redirect_does_not_keep_a_body_from_being_sent_again(
    data: Data,
    sent: bytes | None,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    files: Files,
) -> None:
    session = open_session(retry(clock), NormalizeErrors(), wrapped=True)
    there = Reply(307, headers={"Location": "/there"})
    async with FaultServer(Disconnect(), there, Reply(503), Reset()) as server:
        assert await fetch(session, "PUT", server.url, data=data(files)) == 200
        bodies = {request.body for request in server.requests}
        assert server.hits == 5
    assert len(bodies) == 1
    assert sent is None or bodies == {sent}


@pytest.mark.parametrize("options", [{"compress": "deflate"}, {"chunked": True}], ids=str)
@pytest.mark.parametrize("data", [lambda _: BIG, lambda _: io.BytesIO(BIG), Files.binary])
async def test_compression_and_chunks_are_the_same_each_time(
    data: Data,
    options: dict[str, Any],
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    files: Files,
) -> None:
    session = open_session(retry(clock))
    async with FaultServer(Reply(503), Disconnect()) as server:
        assert await fetch(session, "PUT", server.url, data=data(files), **options) == 200
        first, *others = server.requests
        assert others
        assert all(request.body == first.body for request in others)
        assert all(request.headers == first.headers for request in others)
