"""In any order of the five: nothing leaks, nothing wedges, attempts are bounded, errors typed."""

import asyncio
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from resilient import (
    AttemptTimeout,
    AttemptTimeoutError,
    BreakerPolicy,
    CircuitBreaker,
    CircuitOpenError,
    ConnectionFailedError,
    Deadline,
    DeadlineExceededError,
    NormalizeErrors,
    NotFoundError,
    Pipeline,
    PipelineWarning,
    ResilientError,
    Retry,
    ServiceUnavailableError,
)
from resilient.clock import Clock
from resilient.testing import Answer, Disconnect, FaultServer, Hang, Malformed, Reply, Reset
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import (
    client,
    fault_server,
    given_back,
    passing,
    retry_policy,
    status_of,
    wrapped,
)

PARTS: dict[str, Callable[[Clock, BreakerPolicy], Any]] = {
    "deadline": lambda clock, _: Deadline(40, clock=clock),
    "retry": lambda clock, _: Retry(retry_policy(budget=None), clock=clock),
    "breaker": lambda clock, breaker: CircuitBreaker(breaker, clock=clock),
    "errors": lambda clock, _: NormalizeErrors(clock=clock),
    "attempt": lambda clock, _: AttemptTimeout(8, clock=clock),
}
ORDERS = pytest.mark.parametrize("order", list(itertools.permutations(PARTS)), ids="-".join)

NEVER = BreakerPolicy(failures=10_000)
SMALL = BreakerPolicy(consecutive_failures=2, open_for=5, patience=0)


def in_order(order: tuple[str, ...], clock: Clock, breaker: BreakerPolicy = NEVER) -> Pipeline:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PipelineWarning)
        return Pipeline.of(*(PARTS[name](clock, breaker) for name in order))


# What comes of a GET for each path, whatever the order: a status, or one of these errors.
LIMITS = (AttemptTimeoutError, DeadlineExceededError)
FAULTS: dict[str, tuple[tuple[Answer, ...], Answer, int | tuple[type[Exception], ...]]] = {
    "/ok": ((), Reply(200), 200),
    "/flaky": ((Reply(503), Reply(429)), Reply(200), 200),
    "/breaks": ((Disconnect(), Reset()), Reply(200), 200),
    "/busy": ((), Reply(503, json={"message": "busy"}), (ServiceUnavailableError,)),
    "/big": ((), Reply(503, body=b"x" * 200_000), (ServiceUnavailableError,)),
    "/missing": ((), Reply(404), (NotFoundError,)),
    "/gone": ((), Disconnect(), (ConnectionFailedError,)),
    "/cut": ((), Disconnect("body", reply=Reply(503, body=b"xx")), (ServiceUnavailableError,)),
    "/nonsense": ((), Malformed(), (ConnectionFailedError,)),
    "/hangs": ((), Hang(), LIMITS),
    "/stalls": ((), Reply(503, body=b"xx", body_delay=9), (ServiceUnavailableError, *LIMITS)),
}


async def outcome(session: aiohttp.ClientSession, url: object, method: str = "GET") -> Any:
    try:
        async with session.request(method, str(url)) as response:
            await response.read()
            return response.status
    except Exception as error:
        return error


def hits(server: FaultServer, method: str, path: str) -> int:
    return sum((each.method, each.path) == (method, path) for each in server.requests)


@ORDERS
async def test_faults_of_every_kind(order: tuple[str, ...]) -> None:
    clock = FakeClock()
    async with fault_server() as server:
        for path, (script, then, _) in FAULTS.items():
            server.route(path, *script, then=then)
        urls = [server.url.with_path(path) for path in FAULTS]
        connector = aiohttp.TCPConnector(limit=0)
        async with client(in_order(order, clock), connector=connector) as session:
            async with passing(clock, server):
                found = await asyncio.gather(*(outcome(session, url) for url in urls))
                posted = await asyncio.gather(*(outcome(session, url, "POST") for url in urls))
            await given_back(session)
            assert await status_of(session, server.url) == 200
        for (path, (_, _, expected)), got in zip(FAULTS.items(), found, strict=True):
            if isinstance(expected, int):
                assert got == expected, path
            else:
                assert isinstance(got, expected), (path, got)
                assert isinstance(got, ResilientError)
            # A pooled connection that breaks is made up for once, besides the attempts.
            assert 1 <= hits(server, "GET", path) <= (4 if path == "/gone" else 3), path
        for path, got in zip(FAULTS, posted, strict=True):
            assert got == 200 or isinstance(got, ResilientError), (path, got)
            # Nothing here says that a POST was not carried out.
            assert hits(server, "POST", path) == 1, path


@ORDERS
async def test_an_outage_a_lost_probe_and_the_way_back(order: tuple[str, ...]) -> None:
    clock = FakeClock()
    pipeline = in_order(order, clock, SMALL)
    async with fault_server(then=Reply(503)) as server, client(pipeline) as session:
        for _ in range(6):
            assert isinstance(await outcome(session, server.url), ResilientError)
        circuit = pipeline.breaker.circuit(str(server.url))
        assert circuit.state == "open"
        assert server.hits <= 6
        refused = await outcome(session, server.url)
        assert isinstance(refused, CircuitOpenError)

        clock.advance(100)
        server.script(Hang(), *[Reply(200)] * 5)
        probe = asyncio.create_task(outcome(session, server.url))
        await server.wait_for(waiting=1)
        probe.cancel()
        await asyncio.wait([probe])
        assert probe.cancelled()
        for _ in range(5):
            assert await outcome(session, server.url) == 200
            clock.advance(0.2)
        assert circuit.state == "closed"
        await given_back(session)


@ORDERS
async def test_cancelling_stops_every_call(order: tuple[str, ...]) -> None:
    clock = FakeClock()
    async with fault_server() as server:
        server.route("/hangs", then=Hang())
        server.route("/stalls", then=Reply(503, body=b"xx", body_delay=9))
        paths = ["/hangs", "/stalls"]
        async with client(in_order(order, clock)) as session:
            calls = [
                asyncio.create_task(status_of(session, server.url.with_path(path)))
                for path in paths
            ]
            await server.wait_for(hits=2)
            for call in calls:
                call.cancel()
            done, _ = await asyncio.wait(calls, timeout=0.5)
            assert len(done) == len(calls)
            assert all(call.cancelled() for call in calls)
            assert server.hits == 2
            await given_back(session)
            assert await status_of(session, server.url) == 200


@ORDERS
async def test_two_connections_serve_many_failing_calls(order: tuple[str, ...]) -> None:
    async with fault_server(then=Reply(503, body=b"x" * 5000)) as server:
        clock = FakeClock()
        connector = aiohttp.TCPConnector(limit=2)
        async with wrapped(in_order(order, clock), connector=connector) as session:
            calls = [outcome(session, server.url) for _ in range(10)]
            for error in await asyncio.wait_for(asyncio.gather(*calls), 5):
                assert isinstance(error, ServiceUnavailableError)
        assert server.hits == 30
        assert server.total_connections == 2
