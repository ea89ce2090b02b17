"""Promise 2: a request is judged by its own connection and response, not by another's.

Middlewares inside ours make requests of their own: for a token before the request, for an
audit after it, to a second host if the first fails. What those meet says nothing of whether
the request itself was sent or carried out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from resilient import (
    AttemptTimeout,
    ConnectionFailedError,
    NormalizeErrors,
    Pipeline,
    RateLimitError,
    Reason,
    ResilientError,
    Retry,
    override,
)
from resilient.testing import Disconnect, FakeClock, FaultServer, Hang, Reply
from tests.integration.support import client, fault_server, policy, retry_policy, wrapped

# How the request that a middleware makes ends.
TROUBLE: dict[str, Any] = {
    "refused": None,
    "typed 429": Reply(429),
    "typed 503": Reply(503),
    "reset": Disconnect(),
    "time-out": Hang(),
}


class Meanwhile:
    """Makes a request of its own, before or after the one that it is given."""

    def __init__(self, session: aiohttp.ClientSession, url: object, *, before: bool) -> None:
        self._session = session
        self._url = str(url)
        self._before = before

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if self._before:
            await self._ask()
            return await handler(request)
        response = await handler(request)
        await response.read()
        await self._ask()
        return response

    async def _ask(self) -> None:
        timeout = aiohttp.ClientTimeout(sock_read=0.05)
        async with self._session.post(self._url, data=b"audit", timeout=timeout) as response:
            await response.read()


@asynccontextmanager
async def other(trouble: str) -> AsyncIterator[tuple[aiohttp.ClientSession, object]]:
    """A second service under errors of ours, and a URL of it that gives the trouble."""
    answer = TROUBLE[trouble]
    async with FaultServer(then=answer or Reply()) as server, client(NormalizeErrors()) as session:
        url = server.url / "audit"
        if answer is None:
            await server.stop_listening()
        yield session, url


ORDERS: dict[str, Any] = {
    "pipeline": lambda meanwhile: [Pipeline(policy()), meanwhile],
    "retry alone": lambda meanwhile: [Retry(retry_policy()), meanwhile],
    "among ours": lambda meanwhile: [
        Retry(retry_policy()), meanwhile, NormalizeErrors(), AttemptTimeout(30),
    ],
}  # fmt: skip


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_a_post_that_was_answered_is_sent_once_whatever_an_audit_meets_after_it(
    trouble: str, order: str, under: Any
) -> None:
    async with fault_server(then=Reply(201)) as server, other(trouble) as (session, url):
        audit = Meanwhile(session, url, before=False)
        async with under(*ORDERS[order](audit)) as made:
            with pytest.raises((aiohttp.ClientError, TimeoutError)) as caught:
                await made.post(server.url, data=b"once")
        assert [request.body for request in server.requests] == [b"once"]
        if isinstance(caught.value, ResilientError):
            assert caught.value.stop_code is Reason.NOT_IDEMPOTENT


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_a_get_is_repeated_whatever_an_audit_meets(trouble: str, order: str) -> None:
    async with fault_server() as server, other(trouble) as (session, url):
        audit = Meanwhile(session, url, before=False)
        async with client(*ORDERS[order](audit)) as made:
            with pytest.raises((aiohttp.ClientError, TimeoutError)):
                await made.get(server.url)
        assert server.hits == 3


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_a_post_is_not_sent_at_all_while_its_token_cannot_be_had(
    trouble: str, order: str
) -> None:
    async with fault_server() as server, other(trouble) as (session, url):
        token = Meanwhile(session, url, before=True)
        async with client(*ORDERS[order](token)) as made:
            with pytest.raises((aiohttp.ClientError, TimeoutError)):
                await made.post(server.url, data=b"once")
        assert server.hits == 0


class Failover:
    """Sends the request to a second host, if the first cannot be reached."""

    def __init__(self, session: aiohttp.ClientSession, backup: object) -> None:
        self._session = session
        self._backup = str(backup)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            timeout = aiohttp.ClientTimeout(sock_read=0.05)
            return await self._session.post(self._backup, data=b"once", timeout=timeout)


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("order", ORDERS)
async def test_a_post_that_a_backup_took_and_did_not_answer_is_not_repeated(
    order: str, under: Any
) -> None:
    async with fault_server(then=Hang()) as backup, FaultServer() as primary, client() as plain:
        url = primary.url
        await primary.stop_listening()
        async with under(*ORDERS[order](Failover(plain, backup.url))) as made:
            with pytest.raises(TimeoutError):
                await made.post(url, data=b"once")
        assert backup.hits == 1


@pytest.mark.parametrize("order", ORDERS)
async def test_nor_is_one_whose_attempt_ran_out_of_time_at_the_backup(order: str) -> None:
    class Patient(Failover):
        async def __call__(self, request: ClientRequest, handler: Any) -> ClientResponse:
            try:
                response: ClientResponse = await handler(request)
            except aiohttp.ClientConnectorError:
                return await self._session.post(self._backup, data=b"once")
            return response

    async with fault_server(then=Hang()) as backup, FaultServer() as primary, client() as plain:
        url = primary.url
        await primary.stop_listening()
        middlewares = ORDERS[order](Patient(plain, backup.url))
        if order != "pipeline":
            middlewares.insert(1, AttemptTimeout(0.05))
        async with client(*middlewares) as made:
            with override(attempt_timeout=0.05), pytest.raises(TimeoutError):
                await made.post(url, data=b"once")
        assert backup.hits == 1


async def test_a_post_that_was_sent_twice_in_one_attempt_was_sent() -> None:
    """The second time no connection could be had; the first time it was answered."""

    async def again(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        await response.read()
        await server.stop_listening()
        return await handler(request)

    async with FaultServer(then=Reply(201, keep_alive=False)) as server:
        async with client(Pipeline(policy()), again) as session:
            with pytest.raises(ConnectionFailedError) as caught:
                await session.post(server.url, data=b"once")
        assert server.hits == 1
    assert caught.value.stop_code is Reason.NOT_IDEMPOTENT


async def status_of_post(session: aiohttp.ClientSession, url: object) -> None:
    async with session.post(str(url)) as response:
        assert response.status == 200


async def test_what_its_own_connection_and_response_say_still_counts() -> None:
    retry = retry_policy(statuses={425, 429})
    async with fault_server(Reply(429), Reply(425)) as server:
        async with client(Pipeline(policy(retry=retry), clock=FakeClock())) as session:
            await status_of_post(session, server.url)
        assert server.hits == 3
    async with FaultServer() as server:
        url = server.url
        await server.stop_listening()
        async with client(Pipeline(policy())) as session:
            with pytest.raises(ConnectionFailedError) as caught:
                await session.post(url)
        assert len(caught.value.attempts) == 3


@pytest.mark.parametrize("status", [429, 425])
async def test_an_exception_for_its_own_response_counts_as_that(status: int) -> None:
    async def raising(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        response.raise_for_status()
        return response

    async with fault_server(Reply(status)) as server:
        async with client(Pipeline(policy(retry=retry_policy(statuses={status}))), raising) as made:
            await status_of_post(made, server.url)
        assert server.hits == 2


@pytest.mark.parametrize("hint", ["true", "false"])
async def test_what_another_server_says_of_trying_again_is_not_about_this_request(
    hint: str,
) -> None:
    answer = Reply(409, headers={"x-should-retry": hint})
    async with fault_server() as server, FaultServer(then=answer) as elsewhere:
        async with client(NormalizeErrors()) as plain:
            audit = Meanwhile(plain, elsewhere.url, before=False)
            async with client(Pipeline(policy()), audit) as session:
                with pytest.raises(ResilientError):
                    await session.get(server.url)
        assert server.hits == 1


async def test_an_error_of_another_request_keeps_its_own_url() -> None:
    async with fault_server() as server, other("typed 429") as (session, url):
        audit = Meanwhile(session, url, before=False)
        async with client(Pipeline(policy()), audit) as made:
            with pytest.raises(RateLimitError) as caught:
                await made.post(server.url)
    assert str(url) in str(caught.value)


@pytest.mark.parametrize("under", [client, wrapped])
async def test_settings_around_a_middlewares_own_request_are_not_those_of_the_call(
    under: Any,
) -> None:
    async def asking(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if request.url.path == "/":
            with override(max_attempts=1):
                async with request.session.get(request.url / "token"):
                    pass
        return await handler(request)

    async with (
        fault_server(Reply(200), Reply(503), Reply(503)) as server,
        under(Pipeline(policy()), asking) as session,
    ):
        server.route("/token", then=Reply(200))
        for _ in range(2):
            async with session.get(server.url) as response:
                assert response.status == 200
