"""Promise 8: errors in an answer of success become errors too, for whoever asks for that."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from resilient import APIError, ErrorPolicy, NormalizeErrors, Pipeline, RetryPolicy, override
from resilient.testing import FakeClock, Reply
from tests.integration.support import UNDER, client, fault_server, policy, status_of

GRAPHQL = ErrorPolicy(success_parsers=["graphql"])
DENIED = {
    "data": {"user": None},
    "errors": [{"message": "Not yours.", "extensions": {"code": "FORBIDDEN"}, "path": ["user"]}],
}


def no_retry(errors: ErrorPolicy, **changes: Any) -> Pipeline:
    return Pipeline(policy(retry=None, errors=errors, **changes))


@UNDER
@pytest.mark.parametrize(
    ("name", "document", "code", "message"),
    [
        ("graphql", DENIED, "FORBIDDEN", "Not yours."),
        ("graphql", {"errors": [{"message": "Syntax error"}]}, None, "Syntax error"),
        ("slack", {"ok": False, "error": "channel_not_found"}, "channel_not_found",
         "channel_not_found"),
        ("telegram", {"ok": False, "error_code": 400, "description": "Bad chat id"}, "400",
         "Bad chat id"),
        ("jsonrpc", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "No method"}},
         "-32601", "No method"),
    ],
)  # fmt: skip
async def test_an_error_in_a_200_is_raised(
    under: Any, name: str, document: Any, code: str | None, message: str
) -> None:
    pipeline = no_retry(ErrorPolicy(success_parsers=[name]))
    async with fault_server(then=Reply(200, json=document)) as server, under(pipeline) as session:
        for _ in range(3):
            with pytest.raises(APIError) as caught:
                await status_of(session, server.url)
            error = caught.value
            assert type(error) is APIError
            assert (error.status, error.code, error.message) == (200, code, message)
            assert error.format == name
            assert json.loads(error.body) == document
        # Read to the end, it gave its connection back.
        assert server.total_connections == 1


@UNDER
@pytest.mark.parametrize(
    "body", [b'{"data": {"a": 1}}', b"not json", b"[]", b"x" * 100_000, b'{"ok": true}']
)
async def test_an_answer_without_an_error_stays_readable(under: Any, body: bytes) -> None:
    errors = ErrorPolicy(success_parsers=["graphql", "slack"])
    async with (
        fault_server(then=Reply(200, body=body)) as server,
        under(no_retry(errors)) as session,
    ):
        async with session.get(server.url) as response:
            assert await response.read() == body
        async with session.get(server.url) as response:
            assert b"".join([part async for part in response.content.iter_any()]) == body


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, json=DENIED, chunked=True),
        Reply(200, body=json.dumps(DENIED).encode() + b" " * 300_000),
        Reply(
            200,
            body=gzip.compress(json.dumps(DENIED).encode() + b" " * 300_000),
            headers={"Content-Encoding": "gzip"},
        ),
    ],
    ids=["chunked", "too long", "too long when inflated"],
)
async def test_of_no_known_length_or_too_long_it_is_handed_over_whole(reply: Reply) -> None:
    async with (
        fault_server(then=reply) as server,
        client(no_retry(GRAPHQL)) as session,
        session.get(server.url) as response,
    ):
        assert await response.json(content_type=None) == DENIED


async def test_a_slow_body_is_handed_over_when_its_time_is_up() -> None:
    errors = ErrorPolicy(success_parsers=["graphql"], read_timeout=0.05)
    body = json.dumps(DENIED).encode()
    reply = Reply(200, body=body, chunk_size=len(body) // 2, chunk_delay=0.2)
    async with (
        fault_server(then=reply) as server,
        client(no_retry(errors)) as session,
        session.get(server.url) as response,
    ):
        assert await response.read() == body


async def test_nothing_is_read_unless_asked_or_under_override() -> None:
    async with fault_server(then=Reply(200, json=DENIED)) as server:
        async with client(no_retry(ErrorPolicy())) as session:
            assert await status_of(session, server.url) == 200
        async with client(no_retry(GRAPHQL)) as session:
            with override(raise_errors=False):
                assert await status_of(session, server.url) == 200


async def test_alone_it_raises_as_well() -> None:
    async with (
        fault_server(then=Reply(200, json=DENIED)) as server,
        client(NormalizeErrors(GRAPHQL)) as session,
    ):
        with pytest.raises(APIError, match="200 FORBIDDEN: Not yours"):
            await status_of(session, server.url)


async def test_a_retry_repeats_it_by_its_code_and_a_post_not_at_all() -> None:
    throttled = {"errors": [{"message": "Slow down.", "extensions": {"code": "THROTTLED"}}]}
    retry = RetryPolicy(codes=["THROTTLED"], max_attempts=3)
    pipeline = Pipeline(policy(retry=retry, errors=GRAPHQL), clock=FakeClock())
    async with fault_server(then=Reply(200, json=throttled)) as server, client(pipeline) as session:
        with pytest.raises(APIError):
            await status_of(session, server.url)
        assert server.hits == 3
        with pytest.raises(APIError):
            await session.post(server.url, data=b"x")
        assert server.hits == 4


async def test_the_breaker_takes_the_server_for_well() -> None:
    pipeline = no_retry(GRAPHQL)
    async with fault_server(then=Reply(200, json=DENIED)) as server, client(pipeline) as session:
        for _ in range(40):
            with pytest.raises(APIError):
                await status_of(session, server.url)
        assert server.hits == 40


async def test_a_call_that_is_cancelled_while_its_body_is_read_leaves_nothing() -> None:
    reply = Reply(200, body=b"x" * 1000, chunk_size=10, chunk_delay=5)
    async with fault_server(then=reply) as server, client(no_retry(GRAPHQL)) as session:
        task = asyncio.ensure_future(session.get(server.url))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
