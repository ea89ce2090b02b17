"""Promise 8, answers that cannot be read: what is known of them, on either parser of aiohttp's."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import client_proto, http_parser
from attrs import evolve

from resilient import (
    Backoff,
    ConnectionFailedError,
    NormalizeErrors,
    Pipeline,
    Policy,
    Retry,
    RetryPolicy,
    ServiceUnavailableError,
)
from resilient.testing import FaultServer, Malformed
from resilient.wire.malformed import _head, malformed_answer

if TYPE_CHECKING:
    from tests.integration.conftest import OpenSession

PARSERS: dict[str, Any] = {"Python": http_parser.HttpResponseParserPy}
if hasattr(http_parser, "HttpResponseParserC"):
    PARSERS["C"] = http_parser.HttpResponseParserC


@pytest.fixture(params=list(PARSERS), autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_proto, "HttpResponseParser", PARSERS[request.param])


def answer(*headers: str, body: bytes = b"01234", status: str = "503 Busy") -> Malformed:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, ""))
    return Malformed(head.encode() + body)


# What is wrong, the answer, and the words for it. A parser that takes it says nothing.
WITH_A_STATUS: dict[str, tuple[Malformed, str]] = {
    "longer than declared": (
        answer("Content-Length: 5", body=b"0123456789"),
        "its body is longer than declared",
    ),
    "a body where none was declared": (
        answer("Content-Length: 0", body=b'{"message": "full"}'),
        "its body is longer than declared",
    ),
    "longer than declared, and closed": (
        answer("Connection: close", "Content-Length: 5", body=b"0123456789"),
        "its body is longer than declared",
    ),
    "two lengths": (
        answer("Content-Length: 5", "Content-Length: 6"),
        "Duplicate Content-Length( header found)?",
    ),
    "no length": (
        answer("Content-Length: abc"),
        "Invalid character in Content-Length|Invalid HTTP header: Content-Length",
    ),
    "a length and chunks": (
        answer("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "Transfer-Encoding can't be present with Content-Length",
    ),
    "no decoder": (
        answer("Content-Encoding: br", "Content-Length: 5"),
        "Can not decode content-encoding: brotli \\(br\\)\\. Please install `Brotli`",
    ),
    "a bad chunk": (
        answer("Transfer-Encoding: chunked", body=b"zz\r\n01234\r\n0\r\n\r\n"),
        "Invalid character in chunk size|a chunk is malformed",
    ),
    "a bad header": (
        answer("Fo o: secret", "Content-Length: 5"),
        "Invalid header token|Invalid HTTP header",
    ),
    "no header": (
        answer("secret", "Content-Length: 5"),
        "Invalid header token|Invalid HTTP header",
    ),
    "a long header": (
        answer("Set-Cookie: " + "secret" * 2000, "Content-Length: 5"),
        "Got more than 8190 bytes.*",
    ),
    "behind 103 Early Hints": (
        Malformed(
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            b"HTTP/1.1 503 Busy\r\nContent-Length: x\r\n\r\n"
        ),
        "Invalid character in Content-Length|Invalid HTTP header: Content-Length",
    ),
    "not packed": (
        answer("Content-Encoding: gzip", "Content-Length: 5"),
        "Can not decode content-encoding: gzip",
    ),
    "too short": (
        answer("Content-Length: 50"),
        r"Not enough data to satisfy content length header( \(received 5 of 50 bytes\))?",
    ),
    "too short, packed": (
        answer("Content-Encoding: gzip", "Content-Length: 50", body=gzip.compress(b"a")[:8]),
        r"Not enough data to satisfy content length header( \(received 8 of 50 bytes\))?",
    ),
}
WITHOUT: dict[str, tuple[Malformed, str]] = {
    "text": (Malformed(b"This is no secret.\r\n\r\n"), "it is not HTTP"),
    "a status that is none": (answer(status="5x3 secret"), ".+"),
    "a status of four digits": (answer(status="5033 secret"), ".+"),
    "HTTP/2": (Malformed(b"HTTP/2 503 secret\r\n\r\n"), ".+"),
    "103 and no more": (
        Malformed(b"HTTP/1.1 103 Early Hints\r\n\r\nsecret\r\n\r\n"),
        "it is not HTTP",
    ),
}


async def facts_of(session: aiohttp.ClientSession, server: FaultServer) -> Any:
    """What is known of an answer, or the status of one that was taken."""
    sent: list[aiohttp.ClientRequest] = []

    async def keep(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        sent.append(request)
        response: aiohttp.ClientResponse = await handler(request)
        return response

    try:
        async with session.get(server.url, middlewares=[keep]) as response:
            await response.read()
            return response.status
    except Exception as error:
        return malformed_answer(error, sent[0])


@pytest.mark.parametrize(("step", "words"), WITH_A_STATUS.values(), ids=WITH_A_STATUS)
async def test_the_status_is_known_where_a_status_line_was_read(
    step: Malformed, words: str, open_session: OpenSession
) -> None:
    async with FaultServer(step) as server:
        facts = await facts_of(open_session(), server)
    if isinstance(facts, int):
        assert facts == 503  # This parser takes it.
    else:
        assert facts.status == 503
        assert re.fullmatch(words, facts.words)
        assert "secret" not in facts.words


@pytest.mark.parametrize(("step", "words"), WITHOUT.values(), ids=WITHOUT)
async def test_elsewhere_it_is_not_made_up(
    step: Malformed, words: str, open_session: OpenSession
) -> None:
    async with FaultServer(step) as server:
        facts = await facts_of(open_session(), server)
    assert facts.status is None
    assert re.fullmatch(words, facts.words)
    assert "secret" not in facts.words
    assert not facts.headers
    assert facts.body == b""


async def test_what_came_with_the_head_is_known(open_session: OpenSession) -> None:
    step = answer(
        "Retry-After: 7",
        "retry-after:\t9 ",
        "broken",
        "X-Name: caf\u00e9",
        "Content-Length: 19",
        body=b'{"message": "full"}and more',
    )
    async with FaultServer(step) as server:
        facts = await facts_of(open_session(), server)
    assert facts.headers.getall("Retry-After") == ["7", "9"]
    assert facts.headers["x-name"] == "caf\u00e9"
    assert facts.body == b'{"message": "full"}'


async def test_an_encoded_body_is_none(open_session: OpenSession) -> None:
    step = answer("Retry-After: 7", "Content-Encoding: br", "Content-Length: 5")
    async with FaultServer(step) as server:
        facts = await facts_of(open_session(), server)
    assert facts.headers["Retry-After"] == "7"
    assert facts.body == b""


@pytest.mark.parametrize("filler", [b" ", b"\t", b"a: b\n", b"\r\n\r", b"HTTP/1.1 100 \r\n\r\n"])
def test_a_hostile_head_takes_no_time(filler: bytes) -> None:
    """Linear, that is: a quadratic search would take minutes."""
    head = b"HTTP/1.1 503 Busy\r\nA: x" + filler * (500_000 // len(filler)) + b"y\r\n\r\nz"
    status, headers, body = _head(head)
    assert status == 503
    assert _head(filler * (500_000 // len(filler)))[0] is None
    assert len(headers) <= 500_000
    assert len(body) <= len(head)


async def test_what_is_not_about_an_answer_has_no_facts(
    open_session: OpenSession, unused_tcp_port: int
) -> None:
    sent: list[aiohttp.ClientRequest] = []

    async def keep(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        sent.append(request)
        response: aiohttp.ClientResponse = await handler(request)
        return response

    session = open_session(keep)
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        await session.get(f"http://127.0.0.1:{unused_tcp_port}")
    assert malformed_answer(caught.value, sent[0]) is None
    assert malformed_answer(ValueError(), sent[0]) is None


# What a caller gets. These wait for the error class that is made from the facts.


def outcome_of(session: aiohttp.ClientSession, server: FaultServer) -> Any:
    return session.get(server.url / "path", params={"key": "secret"})


UNDER = {
    "normalised": lambda: [NormalizeErrors()],
    "normalised and repeated": lambda: [quick(), NormalizeErrors()],
    "whole pipeline": lambda: [Pipeline(Policy(retry=quick().policy))],
}


def quick(attempts: int = 2) -> Retry:
    backoff = Backoff(base=0.001, jitter="none")
    return Retry(RetryPolicy(max_attempts=attempts, backoff=backoff, budget=None))


# As `NormalizeErrors` sees them: of a good head the body is read, and a failure is not raised.
IN_THE_HEAD = {name: WITH_A_STATUS[name] for name in list(WITH_A_STATUS)[:-3]}


@pytest.mark.parametrize("under", UNDER.values(), ids=UNDER)
@pytest.mark.parametrize(("step", "words"), IN_THE_HEAD.values(), ids=IN_THE_HEAD)
async def test_an_error_keeps_its_status_and_says_what_was_malformed(
    step: Malformed, words: str, under: Any, open_session: OpenSession
) -> None:
    session = open_session(*under())
    async with FaultServer(then=step) as server:
        with pytest.raises(ServiceUnavailableError) as caught:
            await outcome_of(session, server)
        assert server.hits == (1 if under is UNDER["normalised"] else len(caught.value.attempts))
    error = caught.value
    assert error.status == 503
    assert "secret" not in f"{error} {error!r}"
    if error.__cause__ is not None:  # The parser takes it otherwise.
        assert isinstance(error.__cause__, aiohttp.ClientResponseError)
        assert re.search(words, str(error))


async def test_an_error_keeps_what_came_with_the_head(open_session: OpenSession) -> None:
    step = answer(
        "Retry-After: 7",
        "broken",
        "X-Request-Id: r-1",
        "Content-Length: 33",
        body=b'{"message": "full", "code": "c1"}',
    )
    async with FaultServer(step) as server:
        with pytest.raises(ServiceUnavailableError) as caught:
            await outcome_of(open_session(NormalizeErrors()), server)
    error = caught.value
    assert error.retry_after == 7.0
    assert error.request_id == "r-1"
    assert error.code == "c1"
    assert error.body.startswith(b'{"message": "full"')
    assert "full" in error.message


@pytest.mark.parametrize("under", list(UNDER.values())[1:], ids=list(UNDER)[1:])
@pytest.mark.parametrize(("step", "words"), WITHOUT.values(), ids=WITHOUT)
async def test_without_a_status_the_connection_failed_and_the_words_say_why(
    step: Malformed, words: str, under: Any, open_session: OpenSession
) -> None:
    async with FaultServer(then=step) as server:
        with pytest.raises(ConnectionFailedError) as caught:
            await outcome_of(open_session(*under()), server)
    assert re.search(words, str(caught.value))
    assert "ClientResponseError" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "middlewares", [[quick(1)], [quick(1), NormalizeErrors()]], ids=["raw", "normalised"]
)
async def test_a_success_that_cannot_be_read_is_a_failed_connection_that_names_the_status(
    middlewares: Any, open_session: OpenSession
) -> None:
    step = answer("Content-Encoding: br", "Content-Length: 5", status="200 OK")
    async with FaultServer(then=step) as server:
        with pytest.raises(ConnectionFailedError) as caught:
            await outcome_of(open_session(*middlewares), server)
    assert re.search(r"200.*Can not decode content-encoding: brotli", str(caught.value))
    assert caught.value.attempts[-1].status is None


async def test_without_normalisation_it_is_a_failed_connection_too(
    open_session: OpenSession,
) -> None:
    step = answer("Content-Encoding: br", "Content-Length: 5")
    async with FaultServer(then=step) as server:
        with pytest.raises(ConnectionFailedError) as caught:
            await outcome_of(open_session(quick()), server)
        assert server.hits == 2
    assert re.search(r"503.*Can not decode content-encoding: brotli", str(caught.value))


async def test_a_body_that_is_read_within_the_attempt_and_is_malformed_says_why(
    open_session: OpenSession,
) -> None:
    step = answer("Content-Encoding: gzip", "Content-Length: 5", status="200 OK")
    reading = Retry(evolve(quick(1).policy, read_body_up_to=100))
    async with FaultServer(then=step) as server:
        with pytest.raises(ConnectionFailedError) as caught:
            await outcome_of(open_session(reading), server)
    assert re.search(r"200.*Can not decode content-encoding: gzip", str(caught.value))
