"""Promise 7: what counts as a failure, what as a success, and what says nothing of a server."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver

from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    BreakerPolicy,
    CircuitBreaker,
    Deadline,
    DeadlineExceededError,
    NormalizeErrors,
    Pipeline,
    Retry,
    override,
)
from resilient.breaker import Counts
from resilient.testing import Disconnect, FaultServer, Hang, Malformed, Received, Reply, Reset
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import client, policy, retry_policy, turns, wrapped

FAILURE = Counts(score=1, failures=1, calls=1, consecutive_failures=1)
NEITHER = Counts()
# After one failure before: what another one adds, a success dissolves, and neither leaves.
ANOTHER = Counts(score=2, failures=2, calls=2, consecutive_failures=2)
DISSOLVED = Counts()
AS_BEFORE = Counts(score=1, failures=1, calls=2, consecutive_failures=1)
SHORT = 0.03


async def post(session: aiohttp.ClientSession, url: object, **options: Any) -> int | Exception:
    """A POST, which aiohttp does not send a second time on its own."""
    try:
        async with session.post(str(url), **options) as response:
            await response.read()
            return response.status
    except Exception as error:
        return error


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


SHAPES: dict[str, Callable[[CircuitBreaker], list[Any]]] = {
    "alone": lambda breaker: [breaker],
    "around normalisation": lambda breaker: [breaker, NormalizeErrors(), AttemptTimeout(30)],
    "inside a retry": lambda breaker: [Retry(retry_policy(max_attempts=1)), breaker],
    "in the standard order": lambda breaker: [
        Deadline(100), Retry(retry_policy(max_attempts=1)), breaker, NormalizeErrors(),
        AttemptTimeout(30),
    ],
    "around a retry": lambda breaker: [breaker, Retry(retry_policy(max_attempts=1))],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        *[(Reply(status), DISSOLVED) for status in (200, 201, 204, 304)],
        *[(Reply(status), DISSOLVED) for status in (400, 401, 403, 404, 409, 410, 418, 422)],
        *[(Reply(status), DISSOLVED) for status in (501, 505, 506, 507, 508, 510, 511)],
        *[(Reply(status), ANOTHER) for status in (500, 502, 503, 504, 509, 520, 524, 530, 599)],
        (Reply(429), AS_BEFORE),
        (Reply(429, headers={"Retry-After": "60"}), AS_BEFORE),
        (Reset(), ANOTHER),
        (Reset("accept"), ANOTHER),
        (Disconnect(), ANOTHER),
        (Disconnect("accept"), ANOTHER),
        (Malformed(), ANOTHER),
        (Malformed(b"HTTP/1.1 2OO OK\r\n\r\n"), ANOTHER),
    ],
    ids=str,
)
async def test_what_an_answer_or_its_absence_counts_as(
    step: Any, expected: Counts, shape: str
) -> None:
    breaker = CircuitBreaker()
    before = Reply(503, headers={"Connection": "close"})
    async with FaultServer(before, step) as server, client(*SHAPES[shape](breaker)) as session:
        await post(session, server.url, data=b"x")
        assert breaker.circuit(server.url).counts == FAILURE
        await post(session, server.url, data=b"x")
        assert breaker.circuit(server.url).counts == expected
        assert server.hits == 2


async def test_statuses_of_the_policys_own_take_the_place_of_the_standard_ones() -> None:
    breaker = CircuitBreaker(BreakerPolicy(statuses={429, 404}))
    steps = [Reply(status) for status in (404, 503, 404, 429)]
    async with FaultServer(*steps) as server, client(breaker) as session:
        for _ in steps:
            await post(session, server.url)
        assert breaker.circuit(server.url).counts == ANOTHER


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_refused_connection_is_a_failure(shape: str) -> None:
    breaker = CircuitBreaker()
    async with FaultServer() as server, client(*SHAPES[shape](breaker)) as session:
        await server.stop_listening()
        assert isinstance(await post(session, server.url), aiohttp.ClientConnectionError)
        assert breaker.circuit(server.url).counts == FAILURE


async def test_an_exception_that_is_not_of_the_transport_says_nothing() -> None:
    async def broken(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        raise ZeroDivisionError

    breaker = CircuitBreaker()
    async with FaultServer() as server, client(breaker, broken) as session:
        assert isinstance(await post(session, server.url), ZeroDivisionError)
        assert breaker.circuit(server.url).counts == NEITHER


# -- time


@pytest.mark.parametrize("kind", ["attempt", "deadline", "deadline of one call", "both"])
@pytest.mark.parametrize("wrap", [False, True])
async def test_a_time_out_of_an_attempt_is_a_failure_whichever_limit_cut_it(
    kind: str, wrap: bool
) -> None:
    clock = FakeClock()
    limits = {"total_timeout": 100.0, "attempt_timeout": 10.0} if kind == "attempt" else {
        "total_timeout": 10.0, "attempt_timeout": 10.0 if kind == "both" else None,
    }  # fmt: skip
    if kind == "deadline of one call":
        limits["total_timeout"] = 1000.0
    pipeline = Pipeline(policy(retry=retry_policy(max_attempts=1), **limits), clock=clock)
    opened = wrapped(pipeline) if wrap else client(pipeline)
    async with FaultServer(Hang()) as server, opened as session:
        with override(total_timeout=10.0 if kind == "deadline of one call" else None):
            call = asyncio.ensure_future(post(session, server.url))
            await server.wait_for(waiting=1)
        clock.advance(10)
        kinds = AttemptTimeoutError, DeadlineExceededError
        assert isinstance(await call, kinds[kind != "attempt"] if kind != "both" else kinds)
        assert pipeline.breaker.circuit(server.url).counts == FAILURE


async def test_a_time_out_of_an_attempt_is_a_failure_from_outside_the_breaker_too() -> None:
    breaker = CircuitBreaker()
    async with FaultServer(Hang()) as server, client(AttemptTimeout(SHORT), breaker) as session:
        assert isinstance(await post(session, server.url), AttemptTimeoutError)
        assert breaker.circuit(server.url).counts == FAILURE


@pytest.mark.parametrize(
    "timeout", [ClientTimeout(total=SHORT), ClientTimeout(sock_read=SHORT)], ids=["total", "read"]
)
async def test_aiohttps_own_time_outs_are_failures(timeout: ClientTimeout) -> None:
    breaker = CircuitBreaker()
    async with FaultServer(Hang()) as server, client(breaker, timeout=timeout) as session:
        assert isinstance(await post(session, server.url), TimeoutError)
        assert breaker.circuit(server.url).counts == FAILURE


class SlowNames(AbstractResolver):
    """Never answers, as a host that drops packets."""

    async def resolve(self, *_: Any, **__: Any) -> list[Any]:
        await asyncio.Event().wait()
        return []

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("limit", ["total", "connect", "AttemptTimeout"])
async def test_a_connection_that_is_never_made_is_a_failure_whichever_limit_cut_it(
    limit: str,
) -> None:
    breaker = CircuitBreaker()
    inner = [AttemptTimeout(SHORT)] if limit == "AttemptTimeout" else []
    timeout = ClientTimeout() if inner else ClientTimeout(**{limit: SHORT})
    options = {"connector": TCPConnector(resolver=SlowNames()), "timeout": timeout}
    async with client(breaker, *inner, **options) as session:
        assert isinstance(await post(session, "http://api.mavio.example"), TimeoutError)
        assert breaker.circuit("http://api.mavio.example").counts == FAILURE


@pytest.mark.parametrize("how", ["cancel", "asyncio.timeout"])
async def test_a_call_that_its_caller_gives_up_says_nothing(how: str) -> None:
    pipeline = Pipeline(policy(total_timeout=50))
    async with FaultServer(Hang()) as server, client(pipeline) as session:
        call = asyncio.ensure_future(post(session, server.url))
        await server.wait_for(waiting=1)
        if how == "cancel":
            await cancelled(call)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await call
        assert pipeline.breaker.circuit(server.url).counts == NEITHER
        await server.wait_for(waiting=0)


# -- our own pool


@pytest.mark.parametrize("cut", [Reset("accept"), Disconnect("accept")], ids=str)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("shape", ["alone", "inside a retry", "in the standard order"])
async def test_a_pooled_connection_that_the_server_had_closed_says_nothing(
    cut: Any, method: str, shape: str
) -> None:
    breaker = CircuitBreaker()
    steps = [Reply(), cut, Reply()]
    async with FaultServer(*steps) as server, client(*SHAPES[shape](breaker)) as session:
        await post(session, server.url)
        with contextlib.suppress(aiohttp.ClientConnectionError):
            await session.request(method, server.url)
        assert server.hits >= 2
        assert breaker.circuit(server.url).counts.failures == 0


async def test_a_stale_connection_gives_the_place_of_a_probe_back() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(BreakerPolicy(failures=1), clock=clock)
    stale = Disconnect("accept")
    async with FaultServer(Reply(503), stale, Reply()) as server, client(breaker) as session:
        await post(session, server.url)
        clock.advance(6)
        assert isinstance(await post(session, server.url), aiohttp.ServerDisconnectedError)
        assert breaker.circuit(server.url).state == "half_open"
        for _ in range(5):
            assert await post(session, server.url) == 200
            clock.advance(1)
        assert breaker.circuit(server.url).state == "closed"


@pytest.mark.parametrize("pool", [{"limit": 1}, {"limit": 9, "limit_per_host": 1}], ids=str)
@pytest.mark.parametrize("limit", ["deadline", "aiohttp's total", "aiohttp's connect"])
@pytest.mark.parametrize("retried", [False, True])
async def test_waiting_for_the_pool_says_nothing(
    pool: dict[str, Any], limit: str, retried: bool
) -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock=clock)
    before = [Deadline(10, clock=clock)] if limit == "deadline" else []
    retry = [Retry(retry_policy(max_attempts=1), clock=clock)] if retried else []
    options: dict[str, Any] = {}
    if limit.startswith("aiohttp"):
        options["timeout"] = ClientTimeout(**{limit.split()[1]: SHORT})
    middlewares: list[Any] = [*before, *retry, breaker]
    async with FaultServer(Hang()) as server, client(
        *middlewares, connector=TCPConnector(**pool)
    ) as session:  # fmt: skip
        hanging = asyncio.ensure_future(post(session, server.url))
        await server.wait_for(waiting=1)
        waiting = [asyncio.ensure_future(post(session, server.url, **options)) for _ in range(5)]
        await turns(most=5)
        # Silence that is long enough would count for the one that hangs.
        clock.advance(5 if options else 10)
        for error in await asyncio.gather(*waiting):
            assert isinstance(error, TimeoutError)
        if options:
            await cancelled(hanging)
        else:
            assert isinstance(await hanging, TimeoutError)
        assert breaker.circuit(server.url).counts.failures == (0 if options else 1)
        assert server.hits == 1


async def test_waiting_for_the_pool_does_not_make_a_call_slow() -> None:
    clock, release = FakeClock(), asyncio.Event()
    breaker = CircuitBreaker(BreakerPolicy(slow_call=5), clock=clock)

    async def slowly(_: Received) -> Reply:
        await release.wait()
        return Reply()

    pool = TCPConnector(limit=1)
    async with FaultServer(slowly) as server, client(breaker, connector=pool) as session:
        calls = [asyncio.ensure_future(post(session, server.url)) for _ in range(4)]
        await server.wait_for(hits=1)
        clock.advance(6)
        release.set()
        assert await asyncio.gather(*calls) == [200] * 4
        assert breaker.circuit(server.url).counts.slow_score == 1


async def test_a_deadline_whose_timer_is_early_by_its_grain_is_a_failure_all_the_same() -> None:
    class Grained(FakeClock):  # as uvloop, which rounds to milliseconds
        def call_at(self, when: float, callback: Callable[[], object]) -> Any:
            return super().call_at(when - 0.0005, callback)

    clock = Grained()
    breaker = CircuitBreaker(clock=clock)
    async with FaultServer(Hang()) as server, client(Deadline(50, clock=clock), breaker) as session:
        with override(total_timeout=10):
            call = asyncio.ensure_future(post(session, server.url))
            await server.wait_for(waiting=1)
        clock.advance(9.9996)
        assert isinstance(await call, DeadlineExceededError)
        assert breaker.circuit(server.url).counts == FAILURE


async def test_a_retry_that_is_given_up_is_not_late_by_the_limit_of_the_attempt_before() -> None:
    clock = FakeClock()

    async def slow(_: Received) -> Reply:
        clock.advance(29.5)
        return Reply(503)

    pipeline = Pipeline(policy(), clock=clock)
    async with FaultServer(Reply(200), slow, then=Hang()) as server, client(pipeline) as session:
        async with session.get(server.url):
            pass
        task = asyncio.ensure_future(session.get(server.url))
        await server.wait_for(hits=3)
        clock.advance(1)
        await cancelled(task)
        assert pipeline.breaker.circuit(server.url).counts == AS_BEFORE


async def test_one_that_is_given_up_while_others_are_answered_says_nothing() -> None:
    clock = FakeClock()
    pipeline = Pipeline(policy(), clock=clock)
    async with FaultServer() as server, client(pipeline) as session:
        server.route("/silent", then=Hang())

        async def get() -> None:
            async with session.get(server.url):
                pass

        await get()
        await get()
        clock.advance(0.3)
        task = asyncio.ensure_future(session.get(server.url / "silent"))
        await server.wait_for(hits=3)
        clock.advance(0.2)
        await get()
        clock.advance(25)
        await cancelled(task)
        assert pipeline.breaker.circuit(server.url).counts == NEITHER
