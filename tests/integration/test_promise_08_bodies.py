"""Promise 8: whatever the body, a typed error; bounded in time, memory and bytes read."""

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import aiohttp
import pytest

from resilient import (
    APIError,
    BadGatewayError,
    ConnectionFailedError,
    ErrorPolicy,
    InternalServerError,
    NormalizeErrors,
    Pipeline,
)
from resilient.testing import Disconnect, Malformed, Reply, Reset
from tests.integration.support import client, fault_server, policy, status_of, within, wrapped

NEWEST = tuple(int(part) for part in aiohttp.__version__.split(".")[:2]) >= (3, 14)

JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}
GZIP = {**JSON, "Content-Encoding": "gzip"}
DOCUMENT = json.dumps({"error": {"code": "broken", "message": "It broke."}}).encode()

# Bodies that say nothing that could be understood.
NOTHING: dict[str, Reply] = {
    "empty": Reply(502),
    "html": Reply(502, body=b"<html><h1>502 Bad Gateway</h1></html>"),
    "html that claims to be json": Reply(502, body=b"<html>", headers=JSON),
    "truncated json": Reply(502, body=DOCUMENT[:20], headers=JSON),
    "no utf-8": Reply(502, body=b"\xff\xfe\xfa\x80\x81", headers=JSON),
    "no utf-8 in what claims to be a problem": Reply(502, body=b"{\xff\xff}", headers=PROBLEM),
    "a charset that there is not": Reply(
        502, body=b"x", headers={"Content-Type": "application/json; charset=no-such"}
    ),
    "a content type that is none": Reply(502, body=b"x", headers={"Content-Type": ";;;=,"}),
    "nul bytes": Reply(502, body=b"\0" * 1000),
    "brackets": Reply(502, body=b"[" * 1_000_000),
    "braces": Reply(502, body=b'{"a":' * 200_000),
    "null": Reply(502, body=b"null", headers=JSON),
    "a list": Reply(502, body=b"[1, 2]", headers=JSON),
    "a number": Reply(502, body=b"9" * 5000, headers=JSON),
    "nan": Reply(502, body=b'{"message": NaN}', headers=JSON),
    "nulls": Reply(502, body=b'{"error": null, "message": null}', headers=JSON),
    "empty gzip": Reply(502, body=gzip.compress(b""), headers=GZIP),
    "no gzip at all": Reply(502, body=b"this is not gzip", headers=GZIP),
    "no deflate": Reply(502, body=b"\xff" * 20, headers={"Content-Encoding": "deflate"}),
    "no coding known": Reply(502, body=b"\xff" * 20, headers={"Content-Encoding": "x-y"}),
    "cut off": Reply(502, body=DOCUMENT, truncate=20),
    "cut off in a chunk": Reply(502, body=DOCUMENT, truncate=20, chunked=True, chunk_size=30),
}

# What aiohttp takes for no HTTP at all, and reports with a status 400 of its own.
MALFORMED: dict[str, Reply | Malformed] = {
    "nonsense for chunks": Reply(
        502, body=b"zz\r\nnothing", headers={"Transfer-Encoding": "chunked"}, keep_alive=False
    ),
    "a coding it cannot read": Reply(502, body=b"\xff", headers={"Content-Encoding": "br"}),
    "a header that is too long": Reply(502, headers={"X-Long": "x" * 100_000}),
    "two lengths": Reply(502, headers=[("Content-Length", "1"), ("Content-Length", "2")]),
    "a length that is none": Reply(502, headers={"Content-Length": "-1"}),
    "a status line that is none": Malformed(b"HTTP/1.1 abc Nope\r\n\r\n"),
    "a status of four digits": Malformed(b"HTTP/1.1 5030 Nope\r\n\r\n"),
    "another protocol": Malformed(b"220 mail.example.com ESMTP\r\n"),
    "nothing but bytes": Malformed(b"\xff\x00" * 50),
    "html without a head": Malformed(b"<html>503</html>\r\n\r\n"),
}

# Bodies that say something in the midst of what is odd.
SOMETHING: dict[str, tuple[Reply, str]] = {
    "gzip": (Reply(502, body=gzip.compress(DOCUMENT), headers=GZIP), "It broke."),
    "deflate": (
        Reply(502, body=zlib.compress(DOCUMENT), headers={**JSON, "Content-Encoding": "deflate"}),
        "It broke.",
    ),
    "chunked, byte by byte": (Reply(502, body=DOCUMENT, chunked=True, chunk_size=1), "It broke."),
    "a byte order mark": (Reply(502, body=b"\xef\xbb\xbf" + DOCUMENT), "It broke."),
    "utf-16": (Reply(502, body=DOCUMENT.decode().encode("utf-16")), "It broke."),
    "no content type": (Reply(502, body=DOCUMENT), "It broke."),
    "the wrong content type": (
        Reply(502, body=DOCUMENT, headers={"Content-Type": "text/html"}),
        "It broke.",
    ),
    "an integer of 5,000 digits": (
        Reply(502, body=b'{"message": "It broke.", "code": ' + b"9" * 5000 + b"}"),
        "It broke.",
    ),
    "a message that is a list": (Reply(502, json={"message": ["a", "b"]}), "a; b"),
    "a lone surrogate": (Reply(502, body=b'{"message": "\\ud800"}'), "\N{REPLACEMENT CHARACTER}"),
    "no utf-8 within a text": (
        Reply(502, body=b'{"message": "caf\xe9"}'),
        "caf\N{REPLACEMENT CHARACTER}",
    ),
    "shorter than it says": (
        Reply(502, body=b"short", headers={"Content-Length": "500"}, keep_alive=False),
        "short",
    ),
    "plain text": (Reply(502, body=b"upstream is gone\nsince noon\n"), "upstream is gone"),
    "a page": (Reply(502, body=b"<html><title>x | 502: It is gone</title>"), "x | 502: It is gone"),
    "until the end of the connection": (
        Reply(502, body=DOCUMENT, headers={"Transfer-Encoding": "identity"}, keep_alive=False),
        "It broke.",
    ),
}


def no_retry(**changes: Any) -> Pipeline:
    return Pipeline(policy(retry=None, **changes))


async def error_of(under: Any, reply: Any, **changes: Any) -> APIError:
    async with fault_server(then=reply) as server, under(no_retry(**changes)) as session:
        with within(5), pytest.raises(APIError) as caught:
            await status_of(session, server.url)
        assert server.hits == 1
        return caught.value


@pytest.mark.parametrize("name", NOTHING)
async def test_a_body_that_says_nothing_gives_an_error_of_the_status(name: str) -> None:
    for under in (client, wrapped):
        error = await error_of(under, NOTHING[name])
        assert type(error) is BadGatewayError
        assert error.message == "Bad Gateway"
        assert error.code is None
        assert len(error.body) <= 262_144
        assert len(str(error)) < 1000


@pytest.mark.parametrize("name", SOMETHING)
async def test_a_body_that_says_something_is_understood(name: str) -> None:
    reply, message = SOMETHING[name]
    error = await error_of(client, reply)
    assert type(error) is BadGatewayError
    assert error.message == message


async def test_of_a_body_that_is_cut_what_came_before_is_understood() -> None:
    for reply in (
        Reply(502, body=DOCUMENT[:30], headers=JSON),
        Reply(502, body=gzip.compress(DOCUMENT * 50)[:40], headers=GZIP),
        Reply(502, body=DOCUMENT[:-2] + b', "x": "' + b"x" * 300_000 + b'"}}', headers=JSON),
    ):
        error = await error_of(client, reply)
        assert type(error) is BadGatewayError
        assert error.code == "broken"


@pytest.mark.parametrize("cut", [Disconnect, Reset])
@pytest.mark.parametrize("after", ["head", "body"])
async def test_a_connection_that_breaks_in_the_error_body(cut: Any, after: str) -> None:
    error = await error_of(client, cut(after, reply=Reply(500, body=DOCUMENT)))
    assert type(error) is InternalServerError


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, body=b"x", body_delay=30),
        Reply(500, body=b"x" * 1000, chunk_delay=0.01),
        Reply(500, body=b"x" * 1000, chunk_delay=0.01, chunked=True),
        Reply(500, body=b"x", body_delay=30, headers=GZIP),
    ],
    ids=["stalled", "dripping", "dripping in chunks", "stalled gzip"],
)
async def test_a_body_that_takes_its_time_is_not_waited_for(reply: Reply) -> None:
    error = await error_of(client, reply, errors=ErrorPolicy(read_timeout=0.03))
    assert type(error) is InternalServerError
    assert len(error.body) < 100


async def test_the_default_patience_is_a_second() -> None:
    assert ErrorPolicy().read_timeout == 1
    assert ErrorPolicy().max_body == 262_144


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("most", [0, 1, 10, 1000, 262_144])
async def test_of_an_endless_body_no_more_is_read_than_allowed(chunked: bool, most: int) -> None:
    endless = Reply(500, body=b"x" * 20_000_000, chunked=chunked)
    error = await error_of(client, endless, errors=ErrorPolicy(max_body=most))
    assert len(error.body) == most


async def test_a_megabyte_of_brackets_that_may_be_read_whole() -> None:
    for body in (b"[" * 1_000_000, b'{"a":' * 200_000, b'{"a":' + b"[" * 1_000_000):
        error = await error_of(
            client, Reply(500, body=body), errors=ErrorPolicy(max_body=2_000_000, read_timeout=5)
        )
        assert len(error.body) == len(body)
        assert error.message == "Internal Server Error"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_is_not_inflated(coding: str) -> None:
    bomb = zlib.compress(bytes(100_000_000), 9, wbits=31 if coding == "gzip" else 15)
    reply = Reply(500, body=bomb, headers={"Content-Encoding": coding})
    tracemalloc.start()
    try:
        error = await error_of(client, reply, errors=ErrorPolicy(read_timeout=5))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(error.body) <= 262_144
    if NEWEST:  # before, aiohttp inflates a whole read of the socket at once
        assert peak < 8_000_000


async def test_a_long_message_is_kept_and_not_shown_whole() -> None:
    document = {"error": {"message": "spam\r\n\x1b[31m" * 2000, "code": "c" * 5000}}
    error = await error_of(client, Reply(500, json=document))
    assert len(error.message) > 10_000
    for shown in (str(error), repr(error)):
        assert len(shown) < 1500
        assert shown.isprintable()


async def test_alone_it_reads_as_carefully() -> None:
    async with (
        fault_server(then=Reply(500, body=b"x" * 20_000_000)) as server,
        client(NormalizeErrors()) as session,
    ):
        with pytest.raises(InternalServerError) as caught:
            await status_of(session, server.url)
    assert len(caught.value.body) == 262_144


async def test_bodies_of_many_errors_at_once_leave_nothing_open() -> None:
    replies = [*NOTHING.values(), *(reply for reply, _ in SOMETHING.values())]
    async with fault_server(*replies) as server, wrapped(no_retry(breaker=None)) as session:
        for _ in replies:
            with pytest.raises(BadGatewayError):
                await status_of(session, server.url)
        assert await status_of(session, server.url) == 200


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_http_is_a_connection_that_failed_unless_its_status_is_known(
    name: str,
) -> None:
    status = 502 if isinstance(MALFORMED[name], Reply) else None
    expected = ConnectionFailedError if status is None else BadGatewayError
    async with fault_server(then=MALFORMED[name]) as server:
        for under in (client, wrapped):
            async with under(Pipeline(policy())) as session:
                with pytest.raises(expected) as caught:
                    await status_of(session, server.url)
                assert [attempt.status for attempt in caught.value.attempts] == [status] * 3
                assert isinstance(caught.value.__cause__, aiohttp.ClientResponseError)
                assert "malformed" in str(caught.value)
        assert server.hits == 6
