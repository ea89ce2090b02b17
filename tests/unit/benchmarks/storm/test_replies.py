"""Responses that are parsed once and copied."""

import asyncio

import aiohttp
import pytest
from aiohttp import ClientRequest, ClientResponse

from benchmarks.storm.replies import Replies
from resilient import NormalizeErrors, ServerError
from resilient.testing import Reply, make_response
from tests.unit.benchmarks.storm.support import a_request, in_virtual_time

REPLY = Reply(503, headers={"Retry-After": "7"}, body=b"down")


async def test_there_is_no_copy_before_the_first_is_parsed() -> None:
    assert Replies().copy(REPLY) is None


def test_a_copy_is_a_response_of_its_own_with_nothing_left_to_read() -> None:
    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> None:
        replies = Replies()
        first = await replies.parse(request, REPLY)
        copies = [replies.copy(REPLY) for _ in range(2)]
        assert copies[0] is not copies[1]
        for copy in copies:
            assert type(copy) is ClientResponse
            assert (copy.status, copy.headers["Retry-After"]) == (503, "7")
            assert copy.url == request.url
            assert copy.content.at_eof()
            copy.release()
        first.marked = True  # type: ignore[attr-defined]  # as a middleware does
        assert not hasattr(copies[0], "marked")

    in_virtual_time(scenario)


def test_the_first_of_a_kind_is_made_once_however_many_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []

    async def make(request: ClientRequest, reply: Reply) -> ClientResponse:
        made.append(reply)
        return await make_response(request, reply)

    monkeypatch.setattr("benchmarks.storm.replies.make_response", make)

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> None:
        replies = Replies()
        responses = await asyncio.gather(
            *(replies.parse(a_request(session), REPLY) for _ in range(5))
        )
        assert len(set(map(id, responses))) == 5

    in_virtual_time(scenario)
    assert made == [REPLY]


def test_errors_are_made_of_copies_as_of_any_response() -> None:
    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> float | None:
        replies = Replies()
        await replies.parse(request, REPLY)

        async def answer(_: ClientRequest) -> ClientResponse:
            copy = replies.copy(REPLY)
            assert copy is not None
            return copy

        for _ in range(2):
            with pytest.raises(ServerError) as caught:
                await NormalizeErrors()(request, answer)
        return caught.value.retry_after

    assert in_virtual_time(scenario) == 7


def test_each_kind_has_a_first_one_of_its_own() -> None:
    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> None:
        replies = Replies()
        await replies.parse(request, Reply(503))
        assert replies.copy(Reply(503)) is not None
        assert replies.copy(REPLY) is None
        assert replies.copy(Reply(200)) is None

    in_virtual_time(scenario)
