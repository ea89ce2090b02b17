"""Promise 3, bodies of the user's own classes: what is not proved repeatable is sent once."""

from __future__ import annotations

import asyncio
import gzip
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import payload

from resilient import Backoff, NormalizeErrors, Retry, RetryPolicy
from resilient.testing import Answer, Disconnect, FakeClock, FaultServer, Reply, Reset
from resilient.wire.bodies import unrepeatable

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

BIG = bytes(range(256)) * 3000

inner = pytest.mark.parametrize("inner", [(), (NormalizeErrors(),)], ids=["raw", "normalised"])


class Rows(payload.Payload):
    """Pulls from a source, as a payload of a user's does that streams rows of a database."""

    def __init__(self, *rows: bytes) -> None:
        super().__init__(iter(rows), content_type="text/csv")

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._value).decode(encoding, errors)

    async def write(self, writer: Any) -> None:
        for row in self._value:
            await writer.write(row)


class Pulled(payload.BytesPayload):
    """One of aiohttp's, but for how it is written."""

    async def write(self, writer: Any) -> None:
        taken, self._value = self._value, b""
        await writer.write(taken)

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        await self.write(writer)


class Emptied(payload.BytesPayload):
    """One whose value is another each time."""

    def __init__(self, value: bytes) -> None:
        super().__init__(value)
        self.values = iter([value])

    @property
    def _value(self) -> bytes:
        return next(self.values, b"")

    @_value.setter
    def _value(self, value: bytes) -> None: ...


class Mixin:
    _value: Any

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        await writer.write(self._value.read())


class Mixed(Mixin, payload.BytesIOPayload):
    """One whose writing comes from beside."""


class Stream(io.BytesIO):
    """A file that reads in a way of its own, of which its `seek` does not know."""

    def __init__(self, *parts: bytes) -> None:
        super().__init__()
        self.parts = list(parts)

    def read(self, size: int | None = -1) -> bytes:
        return self.parts.pop(0) if self.parts else b""


class Raw(io.RawIOBase):
    """A file that can tell where it is, and cannot go back."""

    def __init__(self, content: bytes) -> None:
        self.content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.content.readinto(buffer)

    def tell(self) -> int:
        return self.content.tell()


class Liar(Raw):
    """A file that says that it can go back, and does not."""

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset

    def read(self, size: int = -1) -> bytes:
        return self.content.read(size)


class Packed(payload.BytesPayload):
    """What a user writes for a format of his own: a constructor and a type."""

    _default_content_type = "application/x-packed"

    def __init__(self, value: str) -> None:
        super().__init__(value.encode(), content_type=self._default_content_type)


class Seeking(Raw):
    """A file that can go back, and says so."""

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.content.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        return self.content.read(size)


def packed() -> Any:
    return gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(b"abc")))


def patched() -> Any:
    made = payload.BytesPayload(b"abc")
    made.write = made.write_with_length = None  # type: ignore[method-assign,assignment]  # on purpose
    return made


def form(value: Any) -> aiohttp.FormData:
    data = aiohttp.FormData({"x": "1"})
    data.add_field("file", value, filename="a.bin")
    return data


def multipart(*parts: Any) -> aiohttp.MultipartWriter:
    with aiohttp.MultipartWriter("mixed", boundary="b") as writer:
        for part in parts:
            writer.append(part)
    return writer


async def read_into_memory() -> Any:
    async def generate() -> Any:
        yield b"abc"

    made = payload.AsyncIterablePayload(generate())
    await made.as_bytes()
    return made


class Request:
    """As much of a request as the question needs."""

    def __init__(self, body: Any) -> None:
        self.body = body


MAY_BE_EMPTY: dict[str, Callable[[], Any]] = {
    "payload": lambda: Rows(b"abc", BIG),
    "payload in a form": lambda: form(Rows(b"abc", BIG)),
    "payload in a multipart": lambda: multipart("text", Rows(b"abc", BIG)),
    "payload two levels down": lambda: multipart(multipart(Rows(b"abc", BIG))),
    "another write": lambda: Pulled(b"abc"),
    "another write in a form": lambda: form(Pulled(b"abc")),
    "another value": lambda: Emptied(b"abc"),
    "write of a mixin": lambda: Mixed(io.BytesIO(b"abc")),
    "another read": lambda: Stream(b"abc"),
    "another read in a payload": lambda: payload.IOBasePayload(Stream(b"abc", BIG)),
    "another read in a form": lambda: form(Stream(b"abc")),
    "another read under a buffer": lambda: io.BufferedReader(Raw(BIG)),
    "another read under text": lambda: io.TextIOWrapper(Stream(b"abc")),
    "cannot go back": lambda: Raw(BIG),
}
PROVED: dict[str, Callable[[], Any]] = {
    "a constructor": lambda: Packed("abc"),
    "a constructor, in a multipart": lambda: multipart(Packed("abc")),
    "a file of its own": lambda: Seeking(BIG),
    "a file of its own under a buffer": lambda: io.BufferedReader(Seeking(BIG)),
    "a file in memory or not": lambda: spooled(BIG),
    "JSON": lambda: payload.JsonPayload({"a": 1}),
    "memory": lambda: payload.BytesPayload(memoryview(BIG)),
}


def spooled(content: bytes) -> Any:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 (the test closes it)
    file.write(content)
    file.seek(2)
    return file


@inner
@pytest.mark.parametrize(
    "fault", [Reply(503), Reset(), Disconnect()], ids=["503", "reset", "disconnect"]
)
@pytest.mark.parametrize("make", MAY_BE_EMPTY.values(), ids=MAY_BE_EMPTY)
async def test_a_body_of_a_class_that_proves_nothing_is_sent_once(
    make: Callable[[], Any],
    fault: Answer,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    retry: Retry,
) -> None:
    heard: list[Any] = []
    session = open_session(Retry(retry.policy, listeners=[heard.append]), *inner)
    async with FaultServer(fault) as server:
        outcome = await fetch(session, "PUT", server.url, data=make())
        assert server.hits == 1
    assert outcome != 200
    (refusal,) = [event for event in heard if event.kind == "refusal"]
    assert "readable only once" in refusal.reason or "read only once" in refusal.reason
    assert refusal.reason == getattr(outcome, "stop_reason", refusal.reason)


@inner
@pytest.mark.parametrize("make", PROVED.values(), ids=PROVED)
async def test_a_class_that_changes_nothing_of_how_it_is_written_is_sent_again(
    make: Callable[[], Any], inner: Any, open_session: OpenSession, fetch: Fetch, retry: Retry
) -> None:
    async with FaultServer(Reply(503), Disconnect()) as server:
        data = make()
        assert await fetch(open_session(retry, *inner), "PUT", server.url, data=data) == 200
        bodies = [request.body for request in server.requests]
        if hasattr(data, "close") and not isinstance(data, payload.Payload):
            data.close()
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert bodies[0]


async def test_a_file_that_says_so_and_does_not_go_back_is_never_sent_short(
    open_session: OpenSession, fetch: Fetch, retry: Retry
) -> None:
    async with FaultServer(Reply(503)) as server:
        outcome = await fetch(open_session(retry), "PUT", server.url, data=Liar(BIG))
        assert isinstance(outcome, aiohttp.ClientError)
        assert {request.body for request in server.requests if request.complete} == {BIG}


async def test_a_class_that_the_user_registered_for_his_own_data_is_sent_once(
    open_session: OpenSession, fetch: Fetch, retry: Retry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry: Any = payload.PayloadRegistry()
    monkeypatch.setattr(payload, "PAYLOAD_REGISTRY", registry)
    registry.register(lambda rows, **_: Rows(*rows), tuple)
    async with FaultServer(Reply(503)) as server:
        outcome = await fetch(open_session(retry), "PUT", server.url, data=(b"abc",))
        assert outcome == 503
        assert [request.body for request in server.requests]
        assert server.hits == 1


QUESTIONS: dict[str, tuple[Callable[[], Any], str | None]] = {
    "nothing": (lambda: b"", None),
    "bytes": (lambda: payload.BytesPayload(b"a"), None),
    "text": (lambda: payload.StringPayload("a"), None),
    "StringIO": (lambda: payload.StringIOPayload(io.StringIO("a")), None),
    "JSON": (lambda: payload.JsonPayload({}), None),
    "gzip": (lambda: payload.IOBasePayload(packed()), None),
    "patched": (patched, "its body is a BytesPayload, which may be readable only once"),
    "payload": (Rows, "its body is a Rows, which may be readable only once"),
    "file": (
        lambda: payload.IOBasePayload(io.BufferedReader(Raw(b""))),
        "its body is in a BufferedReader, which may be readable only once",
    ),
    "stream": (
        lambda: payload.AsyncIterablePayload(asyncio.StreamReader()),
        "its body can be read only once",
    ),
}


@pytest.mark.parametrize(("make", "expected"), QUESTIONS.values(), ids=QUESTIONS)
async def test_the_reason_names_the_class(make: Callable[[], Any], expected: str | None) -> None:
    assert unrepeatable(Request(make())) == expected  # type: ignore[arg-type]  # enough of one


async def test_json_as_bytes_is_proved_where_there_is_such_a_class() -> None:
    kind: Any = getattr(payload, "JsonBytesPayload", None)
    made = payload.JsonPayload(1) if kind is None else kind(1, dumps=lambda value: b"1")
    assert unrepeatable(Request(made)) is None  # type: ignore[arg-type]  # enough of one


async def test_an_iterator_that_was_read_into_memory_is_repeatable(
    open_session: OpenSession, fetch: Fetch, retry: Retry
) -> None:
    async with FaultServer(Reply(503)) as server:
        data = await read_into_memory()
        assert await fetch(open_session(retry), "PUT", server.url, data=data) == 200
        assert [request.body for request in server.requests] == [b"abc", b"abc"]


async def test_a_closed_file_is_not_repeatable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    with (tmp_path / "file").open("rb") as file:
        request: Any = Request(payload.BufferedReaderPayload(file))
        assert unrepeatable(request) is None
    assert unrepeatable(request) is not None


@pytest.fixture
def retry(clock: FakeClock) -> Retry:
    policy = RetryPolicy(backoff=Backoff(base=1, jitter="none"), budget=None)
    return Retry(policy, clock=clock)
