"""`override`: other settings for one block of code, and for nothing beside it."""

import asyncio
import math
from typing import Any

import pytest

from resilient import (
    APIError,
    ConfigError,
    ConnectionFailedError,
    NormalizeErrors,
    Pipeline,
    Retry,
    ServiceUnavailableError,
    attempts_of,
    override,
)
from resilient.testing import Disconnect, Reply
from tests.integration.support import (
    UNDER,
    client,
    fault_server,
    policy,
    retry_policy,
    status_of,
    wrapped,
)


@UNDER
async def test_fewer_attempts_in_the_block_and_as_many_as_ever_after_it(under: Any) -> None:
    async with fault_server(then=Reply(503)) as server, under(Pipeline(policy())) as session:
        for attempts in (1, 2, 5, None):
            server.clear()
            with override(max_attempts=attempts), pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url)
            assert server.hits == (attempts or 3)
        server.clear()
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
        assert server.hits == 3


@UNDER
async def test_no_raising_hands_the_response_over_unread(under: Any) -> None:
    async with (
        fault_server(then=Reply(404, json={"message": "gone"})) as server,
        under(Pipeline(policy())) as session,
    ):
        with override(raise_errors=False):
            async with session.get(server.url) as response:
                assert response.status == 404
                assert response._body is None
                assert await response.json() == {"message": "gone"}
                assert len(attempts_of(response)) == 1
        with pytest.raises(APIError):
            await status_of(session, server.url)


@UNDER
async def test_without_raising_what_is_worth_it_is_repeated_all_the_same(under: Any) -> None:
    async with fault_server(then=Reply(503)) as server, under(Pipeline(policy())) as session:
        with override(raise_errors=False):
            async with session.get(server.url) as response:
                assert response.status == 503
                assert [attempt.status for attempt in attempts_of(response)] == [503] * 3
        assert server.hits == 3


@UNDER
async def test_nested_blocks_add_up_and_end_one_by_one(under: Any) -> None:
    async with fault_server(then=Reply(503)) as server, under(Pipeline(policy())) as session:

        async def hits() -> int:
            server.clear()
            async with session.get(server.url) as response:
                assert response.status == 503
            return server.hits

        with override(raise_errors=False):
            with override(max_attempts=2):
                with override(max_attempts=4, total_timeout=50):
                    assert await hits() == 4
                assert await hits() == 2
                with override():
                    assert await hits() == 2
                with override(raise_errors=True), pytest.raises(ServiceUnavailableError):
                    await hits()
            assert await hits() == 3


@UNDER
async def test_tasks_begun_in_the_block_take_the_settings_along(under: Any) -> None:
    async with fault_server(then=Reply(503)) as server, under(Pipeline(policy())) as session:

        async def call() -> int:
            try:
                return await status_of(session, server.url)
            except ServiceUnavailableError as error:
                return -len(error.attempts)

        before: asyncio.Task[int] = asyncio.create_task(call())
        with override(max_attempts=1):
            within = asyncio.create_task(call())
            with override(raise_errors=False):
                deeper = asyncio.create_task(call())
        after = asyncio.create_task(call())
        assert [await each for each in (before, within, deeper, after)] == [-3, -1, 503, -3]


@UNDER
async def test_what_the_user_knows_of_repeating_decides(under: Any) -> None:
    async with fault_server(then=Disconnect()) as server, under(Pipeline(policy())) as session:
        for method, idempotent, hits in (
            ("POST", True, 3),
            ("POST", None, 1),
            ("GET", False, 1),
            ("GET", None, 3),
        ):
            server.clear()
            with override(idempotent=idempotent), pytest.raises(ConnectionFailedError):
                await session.request(method, server.url)
            assert server.hits == hits


async def test_it_reaches_middlewares_that_stand_alone() -> None:
    async with fault_server(then=Reply(503)) as server:
        async with client(Retry(retry_policy()), NormalizeErrors()) as session:
            with override(max_attempts=1, raise_errors=False):
                assert await status_of(session, server.url) == 503
            assert server.hits == 1
        async with client(NormalizeErrors()) as session:
            with override(raise_errors=False):
                assert await status_of(session, server.url) == 503


@pytest.mark.parametrize("mounted", ["inside", "wrapped"])
async def test_it_does_not_reach_requests_that_a_middleware_makes(mounted: str) -> None:
    seen: list[int] = []

    async def ping(request: Any, handler: Any) -> Any:
        if request.url.path == "/":
            try:
                await session.get(server.url / "ping")
            except ServiceUnavailableError as error:
                seen.append(len(error.attempts))
        return await handler(request)

    async with fault_server(then=Reply(503)) as server:
        under = wrapped if mounted == "wrapped" else client
        async with under(Pipeline(policy()), ping) as session:
            for _ in range(2):
                with override(max_attempts=1, raise_errors=False):
                    assert await status_of(session, server.url) == 503
        assert seen == [3, 3]
        assert server.hits == 2 * (1 + 3)


async def test_a_middleware_outside_ours_cannot_be_told_apart() -> None:
    async def ping(request: Any, handler: Any) -> Any:
        if request.url.path == "/":
            async with session.get(server.url / "ping") as response:
                assert response.status == 503
        return await handler(request)

    async with fault_server(then=Reply(503)) as server:
        async with client(ping, Pipeline(policy())) as session:
            with override(max_attempts=1, raise_errors=False):
                assert await status_of(session, server.url) == 503
        assert server.hits == 2


async def test_a_block_within_a_middleware_holds_for_its_own_requests_only() -> None:
    async def ping(request: Any, handler: Any) -> Any:
        if request.url.path == "/":
            with override(max_attempts=1, raise_errors=False):
                async with session.get(server.url / "ping") as response:
                    assert len(attempts_of(response)) == 1
        return await handler(request)

    async with fault_server() as server:
        server.route("/ping", then=Reply(503))
        server.route("/", Reply(503))
        async with (
            wrapped(Pipeline(policy()), ping) as session,
            session.get(server.url) as response,
        ):
            assert len(attempts_of(response)) == 2


async def test_after_an_exception_the_settings_are_as_before() -> None:
    async with fault_server(then=Reply(503)) as server, client(Pipeline(policy())) as session:
        with pytest.raises(LookupError), override(max_attempts=1):
            raise LookupError
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
        assert server.hits == 3


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": -1}, "max_attempts"),
        ({"max_attempts": 1.5}, "max_attempts"),
        ({"max_attempts": True}, "max_attempts"),
        ({"raise_errors": "no"}, "raise_errors"),
        ({"raise_errors": 0}, "raise_errors"),
        ({"total_timeout": 0}, "total_timeout"),
        ({"total_timeout": -1}, "total_timeout"),
        ({"total_timeout": math.nan}, "total_timeout"),
        ({"total_timeout": "1"}, "total_timeout"),
        ({"attempt_timeout": 0}, "attempt_timeout"),
        ({"idempotent": 1}, "idempotent"),
    ],
)
def test_settings_that_make_no_sense_are_named(given: dict[str, Any], allowed: str) -> None:
    with pytest.raises(ConfigError, match=rf"{allowed} must be None or .*, not"):
        override(**given).__enter__()


@UNDER
async def test_a_call_that_is_made_before_the_block_and_awaited_in_it(under: Any) -> None:
    async with (
        fault_server(Reply(200), then=Reply(503)) as server,
        under(Pipeline(policy())) as session,
    ):
        await status_of(session, server.url)
        call = session.get(server.url)
        with override(max_attempts=1), pytest.raises(ServiceUnavailableError):
            await call
        assert server.hits == 2
