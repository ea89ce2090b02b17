"""The scripted handler: middlewares under test, without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import io
import re
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

import resilient
from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    Deadline,
    DeadlineExceededError,
    Pipeline,
    Retry,
    attempts_of,
)
from resilient.errors import ConfigError
from resilient.testing import Hang, Received, Reply, run_in_virtual_time
from resilient.testing.handler.scripted import ScriptedHandler
from resilient.testing.time.clocks import FakeClock

API = "https://api.example"
MEETINGS = f"{API}/meetings"


async def passing(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    return await handler(request)


def connector_error() -> aiohttp.ClientConnectorError:
    key: Any = None
    return aiohttp.ClientConnectorError(key, OSError(111, "Connection refused"))


async def test_it_expects_answers_and_expects_the_next() -> None:
    clock, handler = FakeClock(draw=0.0), ScriptedHandler()
    handler.expect("GET", MEETINGS).reply(503, headers={"Retry-After": "30"})
    handler.expect("GET").reply(200, json={"id": "mtg_1"})

    response = await handler.run(Pipeline(clock=clock), "GET", MEETINGS)

    assert await response.json() == {"id": "mtg_1"}
    assert clock.sleeps == [30]
    assert [attempt.status for attempt in attempts_of(response)] == [503, 200]
    handler.assert_done()


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def until(reached: Callable[[], bool]) -> None:
    for _ in range(100):
        if reached():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


class TestAnswers:
    async def test_the_response_is_aiohttps_own(self) -> None:
        handler = ScriptedHandler()
        handler.expect().reply(
            599,
            reason="Odd",
            body=b"<html>",
            headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
        )
        async with await handler.run(passing, "GET", MEETINGS) as response:
            assert type(response) is ClientResponse
            assert (response.status, response.reason) == (599, "Odd")
            assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert response.cookies["b"].value == "2"
            assert response.url == URL(MEETINGS)
            assert await response.read() == b"<html>"
            assert response.request_info.method == "GET"

    async def test_it_is_a_200_unless_another_is_given(self) -> None:
        handler = ScriptedHandler()
        handler.expect()
        response = await handler.run(passing, "GET", MEETINGS)
        assert (response.status, await response.json()) == (200, {})

    async def test_a_whole_reply_does_as_well(self) -> None:
        handler = ScriptedHandler()
        handler.expect().reply(Reply(404, body=b"nothing"))
        response = await handler.run(passing, "GET", MEETINGS)
        assert (response.status, await response.text()) == (404, "nothing")

    async def test_megabytes_arrive_whole_in_both_directions(self) -> None:
        handler = ScriptedHandler()
        handler.expect().call(lambda received: Reply(body=received.body))
        body = bytes(range(256)) * 20_000
        response = await handler.run(passing, "POST", MEETINGS, data=io.BytesIO(body))
        assert await response.read() == body

    async def test_a_compressed_body_is_inflated(self) -> None:
        handler = ScriptedHandler()
        handler.expect().reply(body=gzip.compress(b"text"), headers={"Content-Encoding": "gzip"})
        response = await handler.run(passing, "GET", MEETINGS)
        assert await response.read() == b"text"

    async def test_a_body_that_ends_too_early_fails_as_on_a_socket(self) -> None:
        handler = ScriptedHandler()
        handler.expect().reply(body=b"twelve bytes", truncate=6)
        async with await handler.run(passing, "GET", MEETINGS) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()

    async def test_a_head_has_no_body(self) -> None:
        handler = ScriptedHandler()
        handler.expect("HEAD").reply(json={"a": 1})
        response = await handler.run(passing, "HEAD", MEETINGS)
        assert (response.headers["Content-Length"], await response.read()) == ("8", b"")

    async def test_it_may_come_before_the_upload_is_read(self) -> None:
        handler = ScriptedHandler()
        handler.expect().reply(413, early=True)
        response = await handler.run(passing, "POST", MEETINGS, data=b"x" * 1_000)
        assert response.status == 413
        assert not handler.requests[0].complete

    async def test_delays_are_on_the_clock(self) -> None:
        clock = FakeClock()
        handler = ScriptedHandler(clock)
        handler.expect().reply(delay=10, body_delay=5, body=b"x")
        response = await handler.run(passing, "GET", MEETINGS)
        assert await response.read() == b"x"
        assert clock.time() == 15

    @pytest.mark.parametrize("auto_advance", [True, False], ids=["moving", "standing"])
    @pytest.mark.parametrize("hang", [True, False], ids=["hang", "delay"])
    @pytest.mark.parametrize(
        ("kind", "error"),
        [(AttemptTimeout, AttemptTimeoutError), (Deadline, DeadlineExceededError)],
    )
    async def test_a_limit_on_the_same_clock_cuts_them_off(
        self, kind: Any, error: type[Exception], hang: bool, auto_advance: bool
    ) -> None:
        clock = FakeClock(auto_advance=auto_advance)
        handler = ScriptedHandler(clock)
        if hang:
            handler.expect().hang()
        else:
            handler.expect().reply(delay=40)
        call = asyncio.create_task(handler.run(kind(7, clock=clock), "GET", MEETINGS))
        if not auto_advance:
            await clock.wait_for_sleepers()
            await turns()
            assert not call.done()
            clock.advance(7)
        async with asyncio.timeout(5):
            with pytest.raises(error):
                await call
        assert clock.time() == 7

    async def test_a_delay_within_the_limit_arrives(self) -> None:
        clock = FakeClock()
        handler = ScriptedHandler(clock)
        handler.expect().reply(201, delay=6.9)
        response = await handler.run(AttemptTimeout(7, clock=clock), "GET", MEETINGS)
        assert (response.status, clock.time()) == (201, 6.9)

    async def test_hangs_take_each_attempt_its_time(self) -> None:
        clock = FakeClock(draw=0.0)
        handler = ScriptedHandler(clock)
        handler.expect().hang()
        handler.expect().hang()
        handler.expect().reply(201)
        async with asyncio.timeout(5):
            response = await handler.run(Pipeline(clock=clock), "GET", MEETINGS)
        assert (response.status, clock.time()) == (201, 60)

    def test_hangs_are_cut_off_in_virtual_time(self) -> None:
        async def main() -> float:
            handler = ScriptedHandler()
            handler.expect().hang()
            with pytest.raises(AttemptTimeoutError):
                await handler.run(AttemptTimeout(7), "GET", MEETINGS)
            return asyncio.get_running_loop().time()

        assert run_in_virtual_time(main()) == 7

    async def test_a_hang_without_limits_lasts_until_the_client_leaves(self) -> None:
        clock = FakeClock()
        handler = ScriptedHandler(clock)
        handler.expect().hang()
        call = asyncio.create_task(handler.run(passing, "GET", MEETINGS))
        await until(lambda: bool(handler.requests))
        await turns()
        assert not call.done()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    async def test_one_that_hangs_for_a_while_closes_then(self) -> None:
        clock = FakeClock()
        handler = ScriptedHandler(clock)
        handler.expect().call(lambda _: Hang(20))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await handler.run(passing, "POST", MEETINGS)
        assert clock.time() == 20

    async def test_a_call_that_is_cancelled_stops_waiting(self) -> None:
        handler = ScriptedHandler()
        handler.expect().hang()
        call = asyncio.create_task(handler.run(passing, "GET", MEETINGS))
        await until(lambda: bool(handler.requests))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


class TestFailures:
    @pytest.mark.parametrize(
        "error", [aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError("cut short")]
    )
    async def test_an_exception_comes_out_where_the_network_is(self, error: Any) -> None:
        seen: list[Exception] = []

        async def witness(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            try:
                return await handler(request)
            except Exception as raised:
                seen.append(raised)
                raise

        handler = ScriptedHandler()
        handler.expect().fail(error)
        with pytest.raises(aiohttp.ClientError) as raised:
            await handler.run(witness, "POST", MEETINGS, data=b"sent")
        assert seen == [raised.value]
        assert handler.requests[0].body == b"sent"

    async def test_what_was_never_sent_may_be_sent_again(self) -> None:
        handler = ScriptedHandler()
        handler.expect("POST").fail(connector_error())
        handler.expect("POST").reply(201)
        response = await handler.run(Retry(clock=FakeClock()), "POST", MEETINGS, data=b"once")
        assert response.status == 201
        assert [received.body for received in handler.requests] == [b"once"]

    async def test_what_was_sent_may_not(self) -> None:
        handler = ScriptedHandler()
        handler.expect("POST").fail(aiohttp.ServerDisconnectedError)
        with pytest.raises(resilient.ConnectionFailedError):
            await handler.run(Retry(clock=FakeClock()), "POST", MEETINGS, data=b"once")
        handler.assert_done()

    async def test_a_body_that_can_be_read_once_is_gone_after_it(self) -> None:
        async def stream() -> AsyncIterator[bytes]:
            yield b"only "
            yield b"once"

        handler = ScriptedHandler()
        handler.expect().reply(503)
        response = await handler.run(Retry(clock=FakeClock()), "PUT", MEETINGS, data=stream())
        assert attempts_of(response)[-1].reason == "its body can be read only once"
        assert handler.requests[0].body == b"only once"

    @pytest.mark.parametrize(
        "error",
        [aiohttp.ServerDisconnectedError(), connector_error()],
        ids=lambda e: type(e).__name__,
    )
    async def test_one_that_is_raised_again_has_the_traceback_of_this_time(
        self, error: Exception
    ) -> None:
        handler = ScriptedHandler()
        lengths = []
        for _ in range(3):
            handler.expect().fail(error)
            with pytest.raises(type(error)) as caught:
                await handler.run(passing, "POST", MEETINGS)
            assert caught.value is error
            lengths.append(len(traceback.extract_tb(error.__traceback__)))
        assert lengths[0] == lengths[1] == lengths[2]

    @pytest.mark.parametrize("not_an_error", [BaseException(), SystemExit, "text", 503])
    async def test_only_exceptions_can_be_raised(self, not_an_error: Any) -> None:
        with pytest.raises(ConfigError, match="an exception"):
            ScriptedHandler().expect().fail(not_an_error)


class TestFunctions:
    async def test_they_make_the_answer_of_the_request(self) -> None:
        async def answer(received: Received) -> Reply:
            await asyncio.sleep(0)
            return Reply(200, json=[received.method, received.path, received.query["page"]])

        handler = ScriptedHandler()
        handler.expect().call(answer)
        response = await handler.run(passing, "PUT", f"{MEETINGS}?page=2", data=b"x")
        assert await response.json() == ["PUT", "/meetings", "2"]

    @pytest.mark.parametrize("raised", [True, False])
    async def test_they_may_fail(self, raised: bool) -> None:
        def answer(_: Received) -> Exception:
            error = aiohttp.ClientOSError(104, "Connection reset by peer")
            if raised:
                raise error
            return error

        handler = ScriptedHandler()
        handler.expect().call(answer)
        with pytest.raises(aiohttp.ClientOSError):
            await handler.run(passing, "POST", MEETINGS)

    @pytest.mark.parametrize("waits", [False, True], ids=["function", "coroutine"])
    @pytest.mark.parametrize("piped", [False, True], ids=["bare", "piped"])
    @pytest.mark.parametrize(
        "error",
        [
            pytest.fail.Exception("oops"),
            pytest.skip.Exception("oops"),
            AssertionError("oops"),
            LookupError("oops"),
            StopAsyncIteration("oops"),
            KeyboardInterrupt("oops"),
            SystemExit(3),
            asyncio.CancelledError("oops"),
            GeneratorExit("oops"),
        ],
        ids=lambda error: type(error).__name__,
    )
    async def test_whatever_they_raise_ends_the_call_at_once(
        self, error: BaseException, piped: bool, waits: bool
    ) -> None:
        def fails(_: Received) -> Reply:
            raise error

        async def fails_later(_: Received) -> Reply:
            await asyncio.sleep(0)
            raise error

        handler = ScriptedHandler()
        handler.expect().call(fails_later if waits else fails)
        middleware: Any = Pipeline(clock=FakeClock()) if piped else passing
        async with asyncio.timeout(5):
            with pytest.raises(type(error)) as caught:
                await handler.run(middleware, "POST", MEETINGS, data=b"x")
        assert caught.value is error

    async def test_one_that_ends_an_iteration_is_named(self) -> None:
        def fails(_: Received) -> Reply:
            raise StopIteration("oops")

        handler = ScriptedHandler()
        handler.expect().call(fails)
        async with asyncio.timeout(5):
            with pytest.raises(RuntimeError, match="raised StopIteration"):
                await handler.run(passing, "GET", MEETINGS)

    @pytest.mark.parametrize("error", [AssertionError("oops"), pytest.fail.Exception("oops")])
    async def test_a_failed_test_is_told_again_in_the_end(self, error: BaseException) -> None:
        def fails(_: Received) -> Reply:
            raise error

        async def swallow(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            with contextlib.suppress(BaseException):
                return await handler(request)
            raise ConnectionError("as if it were the network")

        handler = ScriptedHandler()
        handler.expect().call(fails)
        with pytest.raises(aiohttp.ClientOSError):
            await handler.run(swallow, "GET", MEETINGS)
        lengths = []
        for _ in range(3):
            with pytest.raises(type(error)) as caught:
                handler.assert_done()
            assert caught.value is error
            lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
        assert lengths[0] == lengths[1] == lengths[2]

    async def test_what_is_no_answer_is_named(self) -> None:
        handler = ScriptedHandler()
        handler.expect().call(lambda _: 503)  # type: ignore[arg-type, return-value]  # on purpose
        with pytest.raises(ConfigError, match=r"a function of ScriptedHandler returns.*503"):
            await handler.run(passing, "GET", MEETINGS)

    def test_what_is_no_function_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="call's function"):
            ScriptedHandler().expect().call(Reply())  # type: ignore[arg-type]  # on purpose


class TestExpectations:
    @pytest.mark.parametrize(
        ("method", "url"),
        [
            (None, None),
            ("GET", None),
            ("get", None),
            (None, f"{MEETINGS}?a=1"),
            (None, URL(f"{MEETINGS}?a=1")),
            (None, "/meetings?a=1"),
        ],
    )
    async def test_what_they_meet(self, method: str | None, url: str | URL | None) -> None:
        handler = ScriptedHandler()
        handler.expect(method, url)
        await handler.run(passing, "GET", f"{MEETINGS}?a=1#part")
        handler.assert_done()

    @pytest.mark.parametrize(
        ("method", "url"),
        [
            ("POST", None),
            (None, MEETINGS),
            (None, "https://other.example/meetings?a=1"),
            (None, "http://api.example/meetings?a=1"),
            (None, "/meetings"),
            (None, "/meetings?a=2"),
            (None, "/"),
        ],
    )
    async def test_what_they_do_not(self, method: str | None, url: str | None) -> None:
        handler = ScriptedHandler()
        handler.expect(method, url)
        with pytest.raises(AssertionError, match="request 1 is not the one expected"):
            await handler.run(passing, "GET", f"{MEETINGS}?a=1")

    @pytest.mark.parametrize("url", [API, f"{API}/"])
    async def test_a_host_alone_is_its_root(self, url: str) -> None:
        handler = ScriptedHandler()
        handler.expect("GET", url)
        handler.expect("GET", "/")
        await handler.run(passing, "GET", API)
        await handler.run(passing, "GET", f"{API}/")

    @pytest.mark.parametrize(
        ("url", "allowed"),
        [
            ("meetings", "a whole URL, or a path"),
            ("api.example/meetings", "a whole URL, or a path"),
            (f"{MEETINGS}#part", f"a URL without fragment: '{MEETINGS}'"),
            (f"{MEETINGS}#", f"a URL without fragment: '{MEETINGS}'"),
            ("/meetings?a=1#part", "a URL without fragment: '/meetings?a=1'"),
            ("https://me:secret@api.example/", "a URL without user and password"),
            ("https://me@api.example/", "a URL without user and password"),
        ],
    )
    def test_a_url_that_no_request_can_have_is_refused(self, url: str, allowed: str) -> None:
        with pytest.raises(ConfigError, match=re.escape(allowed)) as caught:
            ScriptedHandler().expect("GET", url)
        assert "secret" not in str(caught.value)

    def test_a_reply_that_cannot_be_is_refused_at_once(self) -> None:
        with pytest.raises(ConfigError, match="status"):
            ScriptedHandler().expect().reply(99)
        with pytest.raises(ConfigError, match="not both"):
            ScriptedHandler().expect().reply(Reply(), json={})

    async def test_redirects_are_requests_of_their_own(self) -> None:
        handler = ScriptedHandler()
        handler.expect("POST", "/old").reply(303, headers={"Location": "/new"})
        handler.expect("GET", "/new").reply(json="there")
        response = await handler.run(passing, "POST", f"{API}/old", data=b"x")
        assert await response.json() == "there"


class TestMismatches:
    async def test_they_show_what_was_expected_and_what_came(self) -> None:
        handler = ScriptedHandler()
        handler.expect("GET", MEETINGS).reply(503)
        handler.expect("GET", MEETINGS).reply(200, json={"id": "mtg_1"})
        handler.expect("DELETE", "/meetings/mtg_1").fail(ValueError("no"))
        await handler.run(passing, "GET", MEETINGS)
        with pytest.raises(AssertionError) as failure:
            await handler.run(passing, "POST", f"{API}/users?name=x")
        assert str(failure.value).splitlines() == [
            "request 2 is not the one expected: POST https://api.example/users?name=x",
            "expected:",
            "  1. GET https://api.example/meetings -> Reply(503)",
            "  2. GET https://api.example/meetings -> Reply(json={'id': 'mtg_1'})",
            "  3. DELETE /meetings/mtg_1 -> ValueError('no')",
            "came:",
            "  1. GET https://api.example/meetings",
            "  2. POST https://api.example/users?name=x",
        ]

    async def test_a_request_too_many_says_so(self) -> None:
        handler = ScriptedHandler()
        with pytest.raises(AssertionError, match=r"request 1 was not expected: GET (?s:.*)nothing"):
            await handler.run(Pipeline(clock=FakeClock()), "GET", MEETINGS)
        assert handler.requests == []

    async def test_they_are_raised_again_in_the_end_if_somebody_caught_them(self) -> None:
        async def swallow(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
            try:
                return await handler(request)
            except Exception:
                return await handler(request)

        handler = ScriptedHandler()
        handler.expect("PUT")
        handler.expect("GET")
        await handler.run(swallow, "GET", MEETINGS)
        with pytest.raises(AssertionError, match="request 1 is not the one expected"):
            handler.assert_done()

    async def test_what_never_came_is_missed_until_it_comes(self) -> None:
        handler = ScriptedHandler()
        handler.expect("GET")
        handler.expect("PUT")
        await handler.run(passing, "GET", MEETINGS)
        with pytest.raises(AssertionError, match=re.escape("1 of 2 requests never came")):
            handler.assert_done()
        await handler.run(passing, "PUT", MEETINGS)
        handler.assert_done()


class TestPlaces:
    async def test_under_a_session_of_ones_own(self) -> None:
        handler = ScriptedHandler()
        handler.expect("GET", MEETINGS).reply(json={"id": "mtg_1"})
        async with (
            aiohttp.ClientSession(API, middlewares=[passing, handler]) as session,
            session.get("/meetings", headers={"X-Mine": "yes"}) as response,
        ):
            assert await response.json() == {"id": "mtg_1"}
        assert handler.requests[0].headers["X-Mine"] == "yes"
        assert handler.requests[0].headers["Host"] == "api.example"

    async def test_under_a_session_that_is_wrapped(self) -> None:
        handler, clock = ScriptedHandler(), FakeClock()
        handler.expect().reply(503)
        handler.expect().reply(200)
        async with aiohttp.ClientSession(middlewares=[handler]) as session:
            wrapped = resilient.wrap(session, Pipeline(clock=clock))
            async with wrapped.get(MEETINGS) as response:
                assert len(attempts_of(response)) == 2

    async def test_several_middlewares_stand_in_their_order(self) -> None:
        def naming(name: str) -> aiohttp.ClientMiddlewareType:
            async def middleware(
                request: ClientRequest, handler: ClientHandlerType
            ) -> ClientResponse:
                request.headers["X-Order"] = request.headers.get("X-Order", "") + name
                return await handler(request)

            return middleware

        handler = ScriptedHandler()
        handler.expect()
        await handler.run([naming("a"), naming("b")], "GET", MEETINGS)
        assert handler.requests[0].headers["X-Order"] == "ab"

    async def test_a_client_that_waits_for_a_100_gets_it(self) -> None:
        handler = ScriptedHandler()
        handler.expect().reply(201)
        response = await handler.run(passing, "PUT", MEETINGS, data=b"body", expect100=True)
        assert (response.status, handler.requests[0].body) == (201, b"body")

    def test_a_session_timeout_cuts_the_reading_of_a_body_off(self) -> None:
        handler = ScriptedHandler()
        handler.expect().reply(body=b"late", body_delay=3_600)

        async def read() -> None:
            async with (
                aiohttp.ClientSession(
                    middlewares=[handler], timeout=aiohttp.ClientTimeout(total=5)
                ) as session,
                session.get(MEETINGS) as response,
            ):
                with pytest.raises(TimeoutError):
                    await response.read()

        run_in_virtual_time(read())

    @pytest.mark.parametrize("of_session", [True, False], ids=["of a session", "of run"])
    @pytest.mark.parametrize(
        "reply", [Reply(delay=3_600), Reply(body=b"late", body_delay=3_600)], ids=repr
    )
    def test_a_socket_timeout_cuts_it_off(self, reply: Reply, of_session: bool) -> None:
        handler = ScriptedHandler()
        handler.expect().reply(reply)
        timeout = aiohttp.ClientTimeout(sock_read=5)

        async def read() -> None:
            if of_session:
                session = aiohttp.ClientSession(middlewares=[handler], timeout=timeout)
                async with session, session.get(MEETINGS) as response:
                    await response.read()
            else:
                response = await handler.run(passing, "GET", MEETINGS, timeout=timeout)
                await response.read()

        async def main() -> float:
            with pytest.raises(aiohttp.SocketTimeoutError):
                await read()
            return asyncio.get_running_loop().time()

        assert run_in_virtual_time(main()) == 5

    async def test_an_upload_that_is_cut_off_stops(self) -> None:
        async def endless() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.get_running_loop().create_future()

        clock, handler = FakeClock(auto_advance=False), ScriptedHandler()
        handler.expect()
        limit = AttemptTimeout(7, clock=clock)
        call = asyncio.create_task(handler.run(limit, "PUT", MEETINGS, data=endless()))
        await until(lambda: bool(handler.requests))
        clock.advance(7)
        with pytest.raises(AttemptTimeoutError):
            await call
        assert handler.requests[0].body == b"begun"

    async def test_what_cannot_be_sent_leaves_no_connection(self) -> None:
        handler = ScriptedHandler()
        handler.expect()
        with pytest.raises(ValueError, match="header injection"):
            await handler.run(passing, "GET", MEETINGS, headers={"X-Split": "a\r\nb"})
        assert handler.requests == []
        gc.collect()

    async def test_a_session_timeout_cuts_it_off(self) -> None:
        handler = ScriptedHandler()
        handler.expect().hang()
        timeout = aiohttp.ClientTimeout(total=0.001)
        with pytest.raises(TimeoutError):
            await handler.run(passing, "POST", MEETINGS, timeout=timeout)
