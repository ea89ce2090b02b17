"""Which attempts say something of a server's health: those that left this machine for it.

A circuit that opens for a fault of ours, or of another origin, refuses what would go well.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from resilient import AttemptTimeout, NormalizeErrors, Retry, RetryPolicy
from resilient.core.attempt import run_attempt
from resilient.core.call import Call
from resilient.core.guard import Guard, Turn
from resilient.core.outcome import Outcome, Verdict
from resilient.core.statuses import SERVER_TROUBLE
from resilient.testing import Answer, Disconnect, FaultServer, Hang, Malformed, Reply, Reset
from resilient.wire.requests import is_local
from tests.integration.conftest import Fetch, OpenSession
from tests.integration.support import redirect, turns

SHORT = 0.03
SUCCESS, TRANSIENT, NEUTRAL = Verdict.SUCCESS, Verdict.TRANSIENT, Verdict.NEUTRAL


class Judge(Guard):
    """Lets everything pass, and keeps the verdict on each attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.verdicts: list[Verdict] = []

    def __call__(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        return run_attempt(request, handler, self, self, None, None)

    def enter(self, call: Call, request: ClientRequest, now: float, turn: Turn | None) -> str:
        return "permit"

    def leave(self, permit: object, outcome: Outcome | None, now: float) -> None:
        self.verdicts.append(SUCCESS if outcome is None else outcome.health(SERVER_TROUBLE))


@pytest.fixture
def judge() -> Judge:
    return Judge()


# What counts.


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Reply(), SUCCESS),
        (Reply(404), SUCCESS),
        (Reply(501), SUCCESS),
        (Reply(408), SUCCESS),
        (Reply(429), NEUTRAL),
        (Reply(503), TRANSIENT),
        (Reply(520), TRANSIENT),
        (Reply(530), TRANSIENT),
        (Reset("accept"), TRANSIENT),
        (Reset(), TRANSIENT),
        (Disconnect(), TRANSIENT),
        (Malformed(), TRANSIENT),
    ],
    ids=str,
)
@pytest.mark.parametrize("inner", [[], [NormalizeErrors()]], ids=["bare", "normalised"])
async def test_an_answer_and_a_connection_that_broke_count(
    inner: list[Any],
    answer: Answer,
    verdict: Verdict,
    judge: Judge,
    open_session: OpenSession,
    fetch: Fetch,
) -> None:
    async with FaultServer(then=answer) as server:
        await fetch(open_session(judge, *inner), "POST", server.url)
    assert judge.verdicts == [verdict]


async def test_a_refused_connection_counts(
    judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    async with FaultServer() as server:
        await server.stop_listening()
        await fetch(open_session(judge), "POST", server.url)
    assert judge.verdicts == [TRANSIENT]


class NoNames(AbstractResolver):
    async def resolve(self, *_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        pass


async def test_a_name_that_cannot_be_found_counts(
    judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    session = open_session(judge, connector=TCPConnector(resolver=NoNames()))
    outcome = await fetch(session, "GET", "http://api.example/")
    assert isinstance(outcome, aiohttp.ClientConnectorDNSError)
    assert judge.verdicts == [TRANSIENT]


async def test_tls_that_fails_counts(judge: Judge, open_session: OpenSession, fetch: Fetch) -> None:
    async with FaultServer() as server:
        outcome = await fetch(open_session(judge), "GET", server.url.with_scheme("https"))
    assert isinstance(outcome, aiohttp.ClientConnectorError)
    assert judge.verdicts == [TRANSIENT]


@pytest.mark.parametrize(
    "limit", [AttemptTimeout(SHORT), ClientTimeout(sock_read=SHORT)], ids=["ours", "aiohttp's"]
)
async def test_a_time_out_counts(
    limit: Any, judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    is_ours = isinstance(limit, AttemptTimeout)
    session = open_session(judge, *[limit] * is_ours, timeout=ClientTimeout() if is_ours else limit)
    async with FaultServer(then=Hang()) as server:
        assert isinstance(await fetch(session, "GET", server.url), TimeoutError)
    assert judge.verdicts == [TRANSIENT]


# What never left this machine.


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Nothing can be opened any more."""
    import resource

    spare = os.dup(0)
    os.close(spare)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Descriptors are given out from the lowest free number on.
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
@pytest.mark.parametrize("retried", [False, True])
async def test_a_lack_of_descriptors_says_nothing(
    retried: bool, judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    once = [Retry(RetryPolicy(max_attempts=1))] * retried
    async with FaultServer() as server:
        session = open_session(*once, judge)
        with no_descriptors():
            outcome = await fetch(session, "GET", server.url)
        assert isinstance(outcome, aiohttp.ClientConnectionError)
        assert "Too many open files" in str(outcome)
        assert judge.verdicts == [NEUTRAL]
        assert await fetch(session, "GET", server.url) == 200


async def test_an_address_of_its_own_that_is_none_says_nothing(
    judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    connector = TCPConnector(local_addr=("203.0.113.7", 0))
    async with FaultServer() as server:
        outcome = await fetch(open_session(judge, connector=connector), "GET", server.url)
    assert isinstance(outcome, aiohttp.ClientConnectorError)
    assert outcome.os_error.errno == errno.EADDRNOTAVAIL
    assert judge.verdicts == [NEUTRAL]


@pytest.mark.parametrize("when", ["before", "under way"])
async def test_a_session_that_was_closed_says_nothing(
    when: str, judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    gate, entered = asyncio.Event(), asyncio.Event()

    async def hold(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        entered.set()
        await gate.wait()
        return await handler(request)

    async with FaultServer(then=Hang()) as server:
        session = open_session(judge, *[hold] * (when == "before"))
        task = asyncio.ensure_future(fetch(session, "POST", server.url))
        if when == "before":
            await entered.wait()
        else:
            await server.wait_for(waiting=1)
        await session.close()
        gate.set()
        assert isinstance(await task, Exception)
    assert judge.verdicts == [NEUTRAL]


async def test_a_wait_for_the_pool_says_nothing(
    judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    session = open_session(judge, connector=TCPConnector(limit=1))
    async with FaultServer(then=Hang()) as server:
        first = asyncio.ensure_future(fetch(session, "GET", server.url))
        await server.wait_for(waiting=1)
        timeout = ClientTimeout(connect=SHORT)
        assert isinstance(await fetch(session, "GET", server.url, timeout=timeout), TimeoutError)
        assert judge.verdicts == [NEUTRAL]
        first.cancel()
        await turns(first.done)


KEY = ConnectionKey("a.example", 80, False, True, None, None, None)


def connecting(*arguments: Any) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY, OSError(*arguments))


@pytest.mark.parametrize(
    ("error", "local"),
    [
        *[(connecting(number, "no"), True) for number in (errno.EMFILE, errno.ENFILE)],
        *[(connecting(number, "no"), True) for number in (errno.ENOBUFS, errno.ENOMEM)],
        *[(connecting(number, "no"), True) for number in (errno.EADDRNOTAVAIL, errno.EADDRINUSE)],
        *[(connecting(number, "no"), True) for number in (errno.EAFNOSUPPORT, errno.ENETUNREACH)],
        *[(connecting(number, "no"), True) for number in (errno.ENETDOWN, errno.EPERM)],
        (aiohttp.ClientOSError(errno.ENOBUFS, "no"), True),
        *[(connecting(number, "no"), False) for number in (errno.ECONNREFUSED, errno.ETIMEDOUT)],
        *[(connecting(number, "no"), False) for number in (errno.EHOSTUNREACH, errno.ECONNRESET)],
        # Of several addresses each has to have failed here.
        (connecting("Multiple exceptions: [Errno 24] Too many open files, [Errno 23] x"), True),
        (connecting("Multiple exceptions: [Errno 97] no IPv6, [Errno 111] refused"), False),
        (connecting("no number"), False),
        # The numbers of names are others (on some systems 24 is one of them), and those of TLS.
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version")), False),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(24, "no such name")), False),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_MEMORY, "no memory")),
            True,
        ),
        (aiohttp.ServerDisconnectedError(), False),
        (TimeoutError(), False),
    ],
    ids=lambda it: repr(it)[:80],
)
@pytest.mark.skipif(sys.platform != "linux", reason="texts have its numbers")
def test_what_fails_on_this_machine(error: Exception, local: bool) -> None:
    assert is_local(error) == local


# Another origin, inside a middleware.

OTHERS: dict[str, Answer | None] = {
    "refused": None,
    "reset": Reset("accept"),
    "cut off": Disconnect(),
    "malformed": Malformed(),
    "503": Reply(503),
    "too slow": Hang(),
}


class Companion:
    """A middleware that makes a request of its own, before or after the one it is given."""

    def __init__(self, session: aiohttp.ClientSession, url: URL, *, first: bool) -> None:
        self.session = session
        self.url = url
        self.first = first

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if self.first:
            await self.ask()
        response = await handler(request)
        if not self.first:
            await self.ask()
        return response

    async def ask(self) -> None:
        timeout = ClientTimeout(total=SHORT)
        async with self.session.get(self.url, timeout=timeout, raise_for_status=True):
            pass


@pytest.mark.parametrize("typed", [False, True], ids=["bare", "by our own middlewares"])
@pytest.mark.parametrize("first", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize("what", OTHERS)
async def test_what_another_origin_does_inside_a_middleware_says_nothing_of_this_one(
    what: str, first: bool, typed: bool, judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    own: list[Any] = [Retry(RetryPolicy(max_attempts=1)), NormalizeErrors()]
    async with (
        FaultServer() as server,
        FaultServer(then=OTHERS[what] or Reply()) as other,
        aiohttp.ClientSession(middlewares=own * typed) as session,
    ):
        if OTHERS[what] is None:
            await other.stop_listening()
        companion = Companion(session, other.url, first=first)
        outcome = await fetch(open_session(judge, companion), "POST", server.url)
        assert isinstance(outcome, Exception)
    assert judge.verdicts == [NEUTRAL]


@pytest.mark.parametrize("what", [each for each in OTHERS if each != "refused"])
async def test_what_this_origin_does_to_a_request_of_a_middlewares_counts(
    what: str, judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    async with (
        FaultServer(then=OTHERS[what] or Reply()) as server,
        aiohttp.ClientSession() as session,
    ):
        companion = Companion(session, server.url / "token", first=True)
        await fetch(open_session(judge, companion), "POST", server.url)
    assert judge.verdicts == [TRANSIENT]


async def test_a_hop_is_judged_by_its_own_origin(
    judge: Judge, open_session: OpenSession, fetch: Fetch
) -> None:
    async with FaultServer() as here, FaultServer(then=Disconnect()) as there:
        here.script(redirect(there.url, 307))
        await fetch(open_session(judge), "POST", here.url)
    assert judge.verdicts == [SUCCESS, TRANSIENT]
