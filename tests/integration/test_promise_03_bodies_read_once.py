"""Promise 3, what can be read once: never sent empty or cut short; the first outcome says why."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from resilient import (
    Backoff,
    ConnectionFailedError,
    NormalizeErrors,
    Retry,
    RetryPolicy,
    ServiceUnavailableError,
)
from resilient.testing import Answer, Disconnect, FakeClock, FaultServer, Malformed, Reply, Reset

if TYPE_CHECKING:
    from tests.integration.conftest import Fetch, OpenSession

BIG = bytes(range(256)) * 3000

Pipe = Callable[[bytes], Any]
Data = Callable[[Pipe], Any]


@pytest.fixture
async def pipe(no_leaks: None) -> AsyncIterator[Pipe]:
    """Makes pipes, and closes them: aiohttp does not close what it has read to its end."""
    opened: list[Any] = []

    def make(content: bytes) -> Any:
        end, other = os.pipe()
        os.write(other, content)
        os.close(other)
        opened.append(os.fdopen(end, "rb"))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def retry(clock: FakeClock, listeners: Any = ()) -> Retry:
    policy = RetryPolicy(backoff=Backoff(base=1, jitter="none"), budget=None)
    return Retry(policy, clock=clock, listeners=listeners)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def reader(content: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(content)
    stream.feed_eof()
    return stream


def form(field: Any) -> aiohttp.FormData:
    data = aiohttp.FormData({"x": "1"})
    data.add_field("file", field, filename="a.bin")
    return data


def multipart(*parts: Any) -> aiohttp.MultipartWriter:
    with aiohttp.MultipartWriter("mixed", boundary="b") as writer:
        for part in parts:
            writer.append(part)
    return writer


# What is sent, and what has to arrive; None where a boundary is drawn at random.
ONE_SHOT: dict[str, tuple[Data, bytes | None]] = {
    "async generator": (lambda _: chunks(b"abc", BIG), b"abc" + BIG),
    "empty async generator": (lambda _: chunks(), b""),
    "stream": (lambda _: reader(b"abc"), b"abc"),
    "pipe": (lambda pipe: pipe(b"abc"), b"abc"),
    "multipart with async generator": (lambda _: multipart("text", chunks(b"abc")), None),
    "form with async generator": (lambda _: form(chunks(b"abc")), None),
    "form with pipe": (
        lambda pipe: form(pipe(b"abc")),
        None,
    ),
    "async generator two levels down": (lambda _: multipart(multipart(chunks(b"abc"))), None),
}
FAULTS: dict[str, Answer] = {
    "503": Reply(503, body=b"x" * 1000),
    "429": Reply(429),
    "reset": Reset(),
    "disconnect": Disconnect(),
    "malformed": Malformed(),
}
inner = pytest.mark.parametrize("inner", [(), (NormalizeErrors(),)], ids=["raw", "normalised"])
fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
one_shot = pytest.mark.parametrize(("data", "sent"), ONE_SHOT.values(), ids=ONE_SHOT)


@inner
@fault
@one_shot
async def test_the_first_outcome_of_a_body_that_can_be_read_once_comes_out_and_says_why(
    data: Data,
    sent: bytes | None,
    fault: Answer,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    pipe: Pipe,
) -> None:
    heard: list[Any] = []
    session = open_session(retry(clock, [heard.append]), *inner)
    async with FaultServer(fault) as server:
        outcome = await fetch(session, "PUT", server.url, data=data(pipe))
        (request,) = server.requests
    assert clock.sleeps == []
    assert sent is None or request.body == sent
    (refusal,) = [event for event in heard if event.kind == "refusal"]
    assert refusal.reason == "its body can be read only once"
    if isinstance(fault, Reply) and not inner:
        assert outcome == fault.status
    else:
        assert getattr(outcome, "stop_reason", None) == refusal.reason
    if isinstance(fault, Reset | Disconnect | Malformed):
        assert type(outcome) is ConnectionFailedError


@inner
@one_shot
async def test_one_that_was_never_read_is_sent_whole_by_the_attempt_that_gets_through(
    data: Data,
    sent: bytes | None,
    inner: Any,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    pipe: Pipe,
) -> None:
    async with FaultServer() as server:
        await server.stop_listening()

        async def resume(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
            if clock.sleeps:
                await server.resume_listening()
            response: aiohttp.ClientResponse = await handler(request)
            return response

        session = open_session(retry(clock), *inner, resume)
        assert await fetch(session, "POST", server.url, data=data(pipe)) == 200
        assert len(clock.sleeps) == 1
        (request,) = server.requests
        assert request.complete
        assert sent is None or request.body == sent
        assert request.body or sent == b""


@inner
async def test_a_part_of_an_incoming_request_is_passed_on_once(
    inner: Any, open_session: OpenSession, fetch: Fetch, clock: FakeClock, plain: Any
) -> None:
    """A part of a multipart that is being received is a payload too; nothing can rewind it."""
    content = b"--b\r\nContent-Type: text/plain\r\n\r\nthe part\r\n--b--\r\n"
    outer = Reply(body=content, headers={"Content-Type": "multipart/mixed; boundary=b"})
    session = open_session(retry(clock), *inner)
    async with FaultServer() as server:
        server.route("/source", outer)
        server.route("/target", Reply(503))
        async with plain.get(server.url / "source") as source:
            part = await aiohttp.MultipartReader.from_response(source).next()
            outcome = await fetch(session, "PUT", server.url / "target", data=part)
        assert outcome == 503 or type(outcome) is ServiceUnavailableError
        assert [request.body for request in server.requests][1:] == [b"the part"]


@one_shot
async def test_a_redirect_never_makes_a_body_that_was_read_an_empty_one(
    data: Data,
    sent: bytes | None,
    open_session: OpenSession,
    fetch: Fetch,
    clock: FakeClock,
    pipe: Pipe,
) -> None:
    session = open_session(retry(clock), NormalizeErrors(), wrapped=True)
    async with FaultServer(Reply(307, headers={"Location": "/there"})) as server:
        await fetch(session, "PUT", server.url, data=data(pipe))
        assert [request.body for request in server.requests][1:] == [] or sent == b""
