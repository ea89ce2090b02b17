"""Attacks of a stranger on the promises, all of which went through once.

Each of these fails where the promise that its name tells is broken.
"""

from __future__ import annotations

import asyncio
import copy
import io
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.abc import AbstractResolver, ResolveResult

import resilient
from resilient import (
    APIError,
    AttemptTimeout,
    BreakerPolicy,
    CircuitOpenError,
    DeadlineExceededError,
    NormalizeErrors,
    Pipeline,
    Service,
    Services,
    ServiceUnavailableError,
    SessionClosedError,
    override,
)
from resilient.testing import Answer, Disconnect, FaultServer, Hang, Reply
from tests.integration.support import (
    Hedge,
    client,
    fault_server,
    policy,
    redirect,
    retry_policy,
    status_of,
    turns,
    wrapped,
)

BOTH = pytest.mark.parametrize("make", [client, wrapped])


def again(*steps: Answer) -> tuple[Answer, ...]:
    """Some steps three times."""
    return steps * 3


async def post(session: aiohttp.ClientSession, url: object, **options: Any) -> int | Exception:
    try:
        async with session.post(str(url), data=b"order", **options) as response:
            await response.read()
            return response.status
    except Exception as error:
        return error


# -- promises 3 and 4: of one request that is under way twice, one attempt ruins the other

GOOD = b"good" * 50_000


@BOTH
async def test_promise_4_a_failing_twin_leaves_the_good_response_alone(make: Any) -> None:
    """The first of two fails, while the body of the second is still coming."""
    slow = Reply(200, body=GOOD, chunk_size=4000, chunk_delay=0.001)

    async def race(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        first, second = await asyncio.gather(handler(request), handler(request))
        first.release()
        return second

    async with (
        fault_server(Reply(503, delay=0.03), slow) as server,
        make(race, Pipeline(policy())) as session,
        session.get(server.url) as response,
    ):
        assert await response.read() == GOOD


@BOTH
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_promise_4_a_failing_twin_meets_the_others_response_without_a_head(
    make: Any, method: str
) -> None:
    """The first of two fails, while the second has no answer yet."""

    async def race(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        tasks = [asyncio.ensure_future(handler(request)) for _ in range(2)]
        await asyncio.wait(tasks)
        first, second = (each.result() for each in tasks)
        first.release()
        return second

    async with (
        fault_server(Reply(503), Reply(200, delay=0.05)) as server,
        make(race, Pipeline(policy())) as session,
        session.request(method, server.url, data=bytes(300_000)) as response,
    ):
        assert response.status == 200


@BOTH
async def test_promise_4_what_a_shield_inside_leaves_behind_does_not_break_the_retry(
    make: Any,
) -> None:
    """A middleware inside takes the first of two, and lets the other one go on."""
    hedge = Hedge(leave=True)
    async with (
        fault_server(Reply(503), Reply(200, delay=0.05)) as server,
        make(Pipeline(policy()), hedge) as session,
    ):
        try:
            assert await status_of(session, server.url) == 200
        finally:
            await hedge.close()


# -- promise 2: a POST that may have been carried out is sent again


@BOTH
@pytest.mark.parametrize(
    "first", [Disconnect(), Reply(201), Reply(500)], ids=["cut off", "201", "500"]
)
async def test_promise_2_the_429_of_a_backup_says_nothing_of_the_first(
    make: Any, first: Answer
) -> None:
    """A failover hands over its backup's 429 as a response; the first host took the POST."""
    async with (
        fault_server(then=first) as server,
        fault_server(then=Reply(429)) as backup,
        client() as plain,
    ):

        async def failover(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            try:
                response = await handler(request)
                await response.read()
            except aiohttp.ClientError:
                pass
            return await plain.post(backup.url, data=b"order")

        async with make(Pipeline(policy()), failover) as session:
            await post(session, server.url)
        assert server.hits == 1


@BOTH
async def test_promise_2_a_429_after_an_attempt_that_was_cut_off(make: Any) -> None:
    """A middleware inside has sent the POST before, and that may have been carried out."""

    async def twice(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            return await handler(request)
        except aiohttp.ClientError:
            return await handler(request)

    async with (
        fault_server(*again(Disconnect(), Reply(429))) as server,
        make(Pipeline(policy()), twice) as session,
    ):
        await post(session, server.url)
        assert server.hits == 2


@BOTH
async def test_promise_2_a_429_for_one_of_two_at_once(make: Any) -> None:
    """A middleware inside sends the POST twice at once; one hangs, the other is told 429."""
    async with (
        fault_server(*again(Hang(), Reply(429))) as server,
        make(Pipeline(policy()), Hedge()) as session,
    ):
        await post(session, server.url)
        assert server.hits == 2


@BOTH
async def test_promise_2_the_429_of_a_proxy_for_another_request(make: Any) -> None:
    """The POST went through the proxy; a tunnel for the audit behind it is refused."""

    def answer(request: Any) -> Reply:
        return Reply(429) if request.method == "CONNECT" else Reply(201)

    async with fault_server(then=answer) as proxy, client() as plain:

        async def audit(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            response = await handler(request)
            await response.read()
            async with plain.post("https://audit.example/", proxy=proxy.url):
                return response

        async with make(Pipeline(policy()), audit) as session:
            await post(session, "http://api.example/", proxy=proxy.url)
        assert [each.method for each in proxy.requests].count("POST") == 1


@BOTH
async def test_promise_2_a_typed_429_of_another_request_to_the_same_url(make: Any) -> None:
    """Everything is `POST /graphql`: ours is cut off, and the login after it is told 429."""

    def answer(request: Any) -> Answer:
        return Reply(429) if request.body == b"login" else Disconnect()

    async with fault_server(then=answer) as server, client(NormalizeErrors()) as plain:

        async def login(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            try:
                return await handler(request)
            except aiohttp.ClientError:
                async with plain.post(server.url / "graphql", data=b"login"):
                    return await handler(request)

        async with make(Pipeline(policy()), login) as session:
            await post(session, server.url / "graphql")
        assert [each.body for each in server.requests].count(b"order") == 1


@BOTH
async def test_promise_2_a_copy_of_the_request_was_sent(make: Any) -> None:
    """A middleware inside sends a copy (to sign it), and then cannot reach the audit."""
    async with FaultServer(then=Reply(201)) as server:
        sent = 0

        async def sign(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            nonlocal sent
            if not sent:
                response = await handler(copy.copy(request))
                await response.read()
                await server.stop_listening()
            sent += 1
            async with (
                aiohttp.ClientSession() as other,
                other.post(server.url / "audit") as answer,
            ):
                return answer

        async with make(Pipeline(policy()), sign) as session:
            await post(session, server.url)
        assert sent == 1


class NeverResolves(AbstractResolver):
    """Finds no address, and does not say so."""

    async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
        await asyncio.sleep(60)
        return []

    async def close(self) -> None:
        pass


@BOTH
async def test_promise_2_a_second_backup_that_could_not_be_reached(make: Any) -> None:
    """The first backup took the POST; a typed time-out while connecting is about the second."""
    async with (
        FaultServer() as server,
        fault_server(then=Disconnect()) as backup,
        client(
            AttemptTimeout(0.05), connector=aiohttp.TCPConnector(resolver=NeverResolves())
        ) as plain,
    ):
        await server.stop_listening()

        async def failover(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            for url in (backup.url, "http://second.example"):
                try:
                    return await handler(request)
                except aiohttp.ClientError:
                    pass
                try:
                    async with plain.post(url, data=b"order") as response:
                        return response
                except aiohttp.ServerDisconnectedError:
                    pass
            raise AssertionError("the second time-out is raised")

        async with make(Pipeline(policy()), failover) as session:
            await post(session, server.url)
        assert backup.hits == 1


# -- promise 4: closing a session


async def test_promise_4_a_wrapped_session_that_is_closed_takes_no_connection_along() -> None:
    """A call waits in the pool for its turn when the session that `wrap` made is closed."""
    async with (
        fault_server(Reply(200, delay=0.05)) as server,
        client(connector=aiohttp.TCPConnector(limit=1)) as original,
    ):
        session = resilient.wrap(original, Pipeline(policy()))
        first = asyncio.create_task(status_of(original, server.url))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(status_of(session, server.url))
        await asyncio.sleep(0.01)
        await session.close()
        _, failed = await asyncio.gather(first, waiting, return_exceptions=True)
        connector: Any = original.connector
        try:
            assert not connector._acquired
            assert failed == 200
        finally:
            for each in list(connector._acquired):
                each.close()
                connector._acquired.discard(each)


@pytest.mark.parametrize("after", range(1, 6))
async def test_promise_4_a_wrapped_session_is_closed_while_a_call_connects(after: int) -> None:
    async with (
        fault_server() as server,
        client(connector=aiohttp.TCPConnector(limit=1)) as original,
    ):
        session = resilient.wrap(original, Pipeline(policy()))
        task = asyncio.create_task(status_of(session, server.url))
        await turns(most=after)
        await session.close()
        (failed,) = await asyncio.gather(task, return_exceptions=True)
        connector: Any = original.connector
        try:
            assert not connector._acquired
            assert failed == 200
        finally:
            for each in list(connector._acquired):
                each.close()
                connector._acquired.discard(each)


class Stuck(io.RawIOBase):
    """A file of 200,000 bytes in which the second read is stuck."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self._reads = 0
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._reads += 1
        if self._reads == 2:
            self.go_on.wait(20)
        size: int = min(len(buffer), 65_536, 200_000 - self._at)
        buffer[:size] = bytes(size)
        self._at += size
        return size


async def test_promise_4_closing_ends_the_wait_for_a_thread_that_reads_a_file() -> None:
    """An early answer left a thread in the file; the next attempt waits for it."""
    file = Stuck()
    waits = asyncio.Event()
    pipeline = Pipeline(policy(), listeners=[lambda e: waits.set() if e.kind == "wait" else None])
    async with (
        fault_server(Reply(503, early=True, delay=0.05)) as server,
        client(pipeline) as session,
    ):

        async def upload() -> None:
            headers = {"Content-Length": "200000"}
            async with session.put(server.url, data=file, headers=headers):
                pass

        task = asyncio.create_task(upload())
        try:
            await asyncio.wait_for(waits.wait(), 5)
            await asyncio.sleep(0.1)
            connector: Any = session.connector
            await session.close()
            done, _ = await asyncio.wait([task], timeout=5)
            assert done, "it waits for the thread, though the session is closed"
        finally:
            file.go_on.set()
            (failed,) = await asyncio.gather(task, return_exceptions=True)
            object.__setattr__(session, "_connector", connector)  # for `client` to look at
        assert isinstance(failed, SessionClosedError)


async def test_promise_4_closed_while_a_middleware_outside_sleeps() -> None:
    """The first attempt begins when the session is closed already."""

    async def sleeps(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        await asyncio.sleep(0.03)
        return await handler(request)

    async with (
        FaultServer() as server,
        aiohttp.ClientSession(middlewares=[sleeps, Pipeline(policy())]) as session,
    ):
        task = asyncio.create_task(status_of(session, server.url))
        await asyncio.sleep(0.01)
        await session.close()
        (failed,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(failed, SessionClosedError)


async def test_promise_4_closed_between_two_hops() -> None:
    """The session lets go of its connector while the answer with the redirect is on its way."""
    async with FaultServer(redirect("/next"), then=Reply()) as server:
        connector = aiohttp.TCPConnector()
        session = aiohttp.ClientSession(
            connector=connector, connector_owner=False, middlewares=[Pipeline(policy())]
        )
        task = asyncio.create_task(status_of(session, server.url))
        await server.wait_for(hits=1)
        await session.close()
        (failed,) = await asyncio.gather(task, return_exceptions=True)
        await connector.close()
        assert isinstance(failed, SessionClosedError)


@BOTH
async def test_promise_4_closed_while_calls_wait_in_the_pool(make: Any) -> None:
    """Nobody has cancelled them, so that a bare CancelledError is a riddle to their callers."""
    async with FaultServer(then=Hang()) as server:
        connector = aiohttp.TCPConnector(limit=1)
        pipeline = Pipeline(policy())
        middlewares = [pipeline] if make is client else []
        original = aiohttp.ClientSession(connector=connector, middlewares=middlewares)
        session = original if make is client else resilient.wrap(original, pipeline)
        tasks = [asyncio.create_task(status_of(session, server.url)) for _ in range(3)]
        await server.wait_for(waiting=1)
        await original.close()
        _, *failed = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in failed] == [SessionClosedError] * 2


# -- promise 7: a circuit that is open for ever


def test_promise_7_time_passes_for_a_circuit_between_two_loops_of_another_kind() -> None:
    """A job that runs in a loop of its own each time never sees its circuit open again."""
    breaker = BreakerPolicy(failures=1, open_for=0.1, max_open_for=0.1, patience=0)
    pipeline = Pipeline(policy(retry=None, breaker=breaker))

    async def job(port: int, step: Answer) -> tuple[int, int | Exception]:
        async with (
            FaultServer(then=step, port=port) as server,
            aiohttp.ClientSession(middlewares=[pipeline]) as session,
        ):
            try:
                return int(server.url.port or 0), await status_of(session, server.url)
            except (APIError, CircuitOpenError) as error:
                return int(server.url.port or 0), error

    port, _ = uvloop.run(job(0, Reply(500)))
    came: list[Any] = []
    for _ in range(3):
        time.sleep(0.15)
        came.append(uvloop.run(job(port, Reply(200)))[1])
    assert 200 in came


# -- promise 9: settings that reach others


async def test_promise_9_an_override_that_a_generator_leaves_behind_takes_no_others_token() -> None:
    """Of two who share one `override`, one is thrown away in another task."""
    once = override(max_attempts=1)

    async def items() -> AsyncIterator[int]:
        with once:
            yield 1

    async with fault_server(then=Reply(503)) as server, client(Pipeline(policy())) as session:
        generator: Any = items()
        await asyncio.create_task(generator.asend(None))
        with once:
            await asyncio.create_task(generator.aclose())
        with pytest.raises(ServiceUnavailableError):
            await status_of(session, server.url)
        assert server.hits == 3, "the block has ended"


# -- promise 4: cookies of a response that is discarded


@BOTH
async def test_promise_4_cookies_of_a_response_whose_body_was_cut(make: Any) -> None:
    """Its head was good, and aiohttp alone would have kept them."""
    cut = Reply(200, headers={"Set-Cookie": "first=1"}, body=b"x" * 100, truncate=3)
    ahead = policy(retry=retry_policy(read_body_up_to=1000))
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        fault_server(cut, Reply(200, headers={"Set-Cookie": "second=1"})) as server,
        make(Pipeline(ahead), cookie_jar=jar) as session,
    ):
        await status_of(session, server.url)
        assert {each.key for each in jar} == {"first", "second"}


# -- promise 2: a POST that was certainly not sent is given up


class SlowOnce(AbstractResolver):
    """Finds the address of every host on loopback, the first time too late."""

    def __init__(self) -> None:
        self._seconds = 0.3

    async def resolve(self, host: str, port: int = 0, *_: Any, **__: Any) -> list[ResolveResult]:
        seconds, self._seconds = self._seconds, 0.0
        await asyncio.sleep(seconds)
        family = socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


async def in_a_block(session: aiohttp.ClientSession, url: str) -> int:
    async with session.post(url) as response:
        return response.status


async def awaited(session: aiohttp.ClientSession, url: str) -> int:
    response = await session.post(url)
    response.release()
    return response.status


async def gathered(session: aiohttp.ClientSession, url: str) -> int:
    (response,) = await asyncio.gather(session.post(url))
    response.release()
    return response.status


@BOTH
@pytest.mark.parametrize("call", [in_a_block, awaited, gathered])
async def test_promise_2_an_attempt_that_ran_out_of_time_without_a_connection(
    make: Any, call: Callable[[aiohttp.ClientSession, str], Any]
) -> None:
    """It was not sent, in whichever way the caller waits for the response."""
    connector = aiohttp.TCPConnector(resolver=SlowOnce(), use_dns_cache=False)
    async with (
        fault_server(then=Reply(201)) as server,
        make(Pipeline(policy(attempt_timeout=0.1)), connector=connector) as session,
    ):
        assert await call(session, f"http://api.example:{server.url.port}/") == 201
        await asyncio.sleep(0.25)  # the resolver has a task of its own


async def test_promise_8_the_session_is_closed_as_a_body_is_read_ahead() -> None:
    """The reading fails with a bare RuntimeError of aiohttp's."""
    ahead = Pipeline(policy(retry=retry_policy(read_body_up_to=1000)))
    late = Reply(200, body=b"x" * 100, body_delay=0.2)
    async with FaultServer(then=late) as server, aiohttp.ClientSession() as original:

        async def close(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            response = await handler(request)
            await original.close()
            return response

        session = resilient.wrap(original, ahead, close)
        (failed,) = await asyncio.gather(status_of(session, server.url), return_exceptions=True)
        assert isinstance(failed, resilient.ResilientError)


# -- promise 6: time


@BOTH
async def test_promise_6_a_turn_in_the_pool_that_got_lost(make: Any) -> None:
    """aiohttp loses a turn whose waiter is cancelled as it is woken; the pool is empty then.

    The attempt's limit is put off for as long as that takes, though nothing is waited for.
    """
    limits = policy(attempt_timeout=0.1, total_timeout=1)
    async with (
        fault_server(Reply(200, delay=0.03)) as server,
        make(Pipeline(limits), connector=aiohttp.TCPConnector(limit=1)) as session,
    ):
        first, second, third = (
            asyncio.create_task(status_of(session, server.url)) for _ in range(3)
        )
        await asyncio.sleep(0.01)
        connector: Any = session.connector
        release = connector._release_waiter

        def release_and_cancel() -> None:
            release()
            second.cancel()

        connector._release_waiter = release_and_cancel
        await asyncio.wait([first, second])
        connector._release_waiter = release
        (came,) = await asyncio.gather(third, return_exceptions=True)
        assert came == 200


async def test_promise_12_a_deadline_names_the_time_that_ran_out() -> None:
    """The deadline of the first hop ends the second, whose policy has another."""
    async with (
        fault_server(then=Reply(200, delay=1)) as second,
        fault_server(then=redirect(second.url)) as first,
        wrapped(
            Services(
                [
                    Service(
                        "first", str(first.url), policy(total_timeout=0.1, attempt_timeout=0.1)
                    ),
                    Service("second", str(second.url), policy(total_timeout=50)),
                ]
            )
        ) as session,
    ):
        with pytest.raises(DeadlineExceededError) as caught:
            await status_of(session, first.url)
        assert "50 s" not in str(caught.value)


# -- promise 2: an override that does nothing, in silence


async def test_promise_2_override_around_what_gives_a_coroutine() -> None:
    """An object with an async `__call__`, and a plain function that returns a coroutine."""
    async with fault_server(then=Reply(503)) as server, client(Pipeline(policy())) as session:

        async def book() -> int:
            before = server.hits
            with pytest.raises(ServiceUnavailableError):
                await status_of(session, server.url)
            return server.hits - before

        class Job:
            async def __call__(self) -> int:
                return await book()

        once = override(max_attempts=1)
        assert [await once(Job())(), await once(lambda: book())()] == [1, 1]


# -- promise 10: secrets


async def test_promise_10_what_an_error_keeps_of_its_call_shows_no_query() -> None:
    """Reporters of crashes show all attributes of an exception, private ones too."""
    async with fault_server(then=Reply(404)) as server, client(Pipeline(policy())) as session:
        with pytest.raises(APIError) as caught:
            await status_of(session, server.url.with_query(token="s3cr3t"))
        assert "s3cr3t" not in repr(vars(caught.value))
