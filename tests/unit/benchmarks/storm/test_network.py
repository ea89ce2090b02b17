"""The network and the server behind it, and responses that are parsed once and copied."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientRequest, ClientResponse

from benchmarks.storm.network import Held, Network, Replies, Stalled, received_at
from benchmarks.storm.tally import Tally
from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    NormalizeErrors,
    Retry,
    RetryPolicy,
    ServerError,
)
from resilient.testing import BrownOut, LoopClock, Mixture, Period, Reply, make_response
from resilient.testing.script.script import choose
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

    monkeypatch.setattr("benchmarks.storm.network.make_response", make)

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


def answered_at(server: Any, *times: float) -> list[float]:
    return [time + choose(server, received_at(time))[0] for time in times]


def test_what_a_network_holds_arrives_at_the_end_in_the_order_in_which_it_was_sent() -> None:
    server = Held(Period(10, 20), BrownOut(1.0))
    assert answered_at(server, 1, 10, 15, 19.9, 20, 40) == [2, 21, 22, 23, 24, 41]


def test_a_server_that_stalls_fails_all_at_once() -> None:
    ok, failure = Reply(200), Reply(500)
    server = Stalled(Period(10, 20), ok, failure)
    assert [choose(server, received_at(time)) for time in (9, 10, 19, 20)] == [
        (0, ok),
        (10, failure),
        (1, failure),
        (0, ok),
    ]


def test_an_answer_comes_when_the_server_is_done() -> None:
    tally = Tally()
    network = Network(BrownOut(0.5, then=Reply(204, headers={"X-A": "b"})), tally)

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> float:
        response = await network(request)
        assert (response.status, response.headers["X-A"]) == (204, "b")
        assert vars(request)["response"] is response
        await network(request)
        return asyncio.get_running_loop().time()

    assert in_virtual_time(scenario) == pytest.approx(1.0)
    assert tally.requests == 2
    assert tally.delays(0, 1) == [0.5]


def test_what_nobody_waits_for_any_more_is_worked_on() -> None:
    network = Network(BrownOut(1.0), Tally())
    limited = AttemptTimeout(0.1, clock=LoopClock())

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> float:
        for _ in range(3):
            with pytest.raises(AttemptTimeoutError):
                await limited(request, network)
        await network(a_request(session))
        return asyncio.get_running_loop().time()

    # Three abandoned ones are before it in the line.
    assert in_virtual_time(scenario) == pytest.approx(4.0)


def test_to_a_middleware_a_request_that_ran_out_of_time_was_sent() -> None:
    tally = Tally()
    limited = AttemptTimeout(0.1, clock=LoopClock())
    network = Network(BrownOut(1.0), tally)
    retry = Retry(RetryPolicy(methods=()), clock=LoopClock())

    async def attempt(request: ClientRequest) -> Any:
        return await limited(request, network)

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> None:
        with pytest.raises(AttemptTimeoutError):
            await retry(request, attempt)

    in_virtual_time(scenario)
    assert tally.requests == 1


def test_a_mixture_draws_for_each_request() -> None:
    tally = Tally()
    network = Network(Mixture({Reply(503): 0.5}, otherwise=Reply(200), seed=1), tally)

    async def scenario(session: aiohttp.ClientSession, request: ClientRequest) -> set[int]:
        return {(await network(request)).status for _ in range(20)}

    assert in_virtual_time(scenario) == {200, 503}
