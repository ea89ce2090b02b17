"""Promise 11: a call that simply goes well takes the quick way, and which calls those are.

That nobody can tell the two ways apart is held by the other promises' tests, which run both ways.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from resilient import (
    BulkheadPolicy,
    Pipeline,
    Policy,
    RetryPolicy,
    Service,
    Services,
    ThrottlePolicy,
    attempts_of,
    override,
)
from resilient.core import call as calls
from resilient.core.begun import under_way
from resilient.core.quiet import Spell
from resilient.testing import Hang, Reply
from tests.integration.support import client, fault_server, status_of, wrapped

pytestmark = pytest.mark.usefixtures("default_log_level")

Call = Callable[[aiohttp.ClientSession, str], Awaitable[Any]]


@pytest.fixture(scope="module")
def way() -> str:
    """As everybody has it, and not both ways."""
    return ""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The calls that were made, which the quick way does without."""
    found: list[object] = []
    begin = calls.Call.__init__

    def init(self: calls.Call, *args: Any, **options: Any) -> None:
        found.append(type(self))
        begin(self, *args, **options)

    monkeypatch.setattr(calls.Call, "__init__", init)
    return found


async def get(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as response:
        assert response.status == 200


async def post_json(session: aiohttp.ClientSession, url: str) -> None:
    async with session.post(url, json={"a": 1}) as response:
        assert response.status == 200


async def in_a_block(session: aiohttp.ClientSession, url: str) -> None:
    with override(max_attempts=2):
        await get(session, url)


async def with_own_timeout(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=3)) as response:
        assert response.status == 200


async def of_an_iterator(session: aiohttp.ClientSession, url: str) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    async with session.put(url, data=body()) as response:
        assert response.status == 200


async def redirected(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(f"{url}/moved") as response:
        assert response.status == 200


POLICIES: dict[str, tuple[Policy, bool]] = {
    "the standard": (Policy(), True),
    "without guards": (Policy(throttle=None, breaker=None), True),
    "without limits of time": (Policy(total_timeout=None, attempt_timeout=None), True),
    "without retry": (Policy(retry=None), True),
    "a declared limit": (Policy(throttle=ThrottlePolicy(limit="1000/s")), False),
    "named headers": (Policy(throttle=ThrottlePolicy(headers=["RateLimit"])), False),
    "a bulkhead": (Policy(bulkhead=BulkheadPolicy(max_concurrent=5)), False),
    "idempotency keys": (Policy(retry=RetryPolicy(idempotency_header="Key")), False),
    "a judge": (Policy(retry=RetryPolicy(judge=lambda *_: None)), False),
    "bodies read ahead": (Policy(retry=RetryPolicy(read_body_up_to=100)), False),
    "a success is retried": (Policy(retry=RetryPolicy(statuses=[202])), False),
}


@pytest.mark.parametrize("policy", POLICIES)
async def test_of_these_policies_calls_take_it(policy: str, made: list[object]) -> None:
    given, is_quick = POLICIES[policy]
    async with fault_server() as server, client(Pipeline(given)) as session:
        await get(session, str(server.url))  # of a new destination something is to be learnt
        made.clear()
        await get(session, str(server.url))
        assert bool(made) != is_quick


CALLS: dict[str, tuple[Call, bool]] = {
    "plain": (get, True),
    "a POST of JSON": (post_json, True),
    "in a block of override": (in_a_block, False),
    "with a body that is read once": (of_an_iterator, False),
    "redirected": (redirected, False),
}


@pytest.mark.parametrize("under", [client, wrapped])
@pytest.mark.parametrize("kind", CALLS)
async def test_these_calls_take_it(kind: str, under: Any, made: list[object]) -> None:
    call, is_quick = CALLS[kind]
    async with fault_server() as server, under(Pipeline()) as session:
        server.route("/moved", then=Reply(302, headers={"Location": str(server.url)}))
        await get(session, str(server.url))
        made.clear()
        await call(session, str(server.url).rstrip("/"))
        assert bool(made) != is_quick


async def test_one_with_a_timeout_of_its_own_takes_the_general_way_under_wrap(
    made: list[object],
) -> None:
    async with fault_server() as server, wrapped(Pipeline()) as session:
        await get(session, str(server.url))
        made.clear()
        await with_own_timeout(session, str(server.url))
        assert made


async def test_a_service_of_services_takes_it(made: list[object]) -> None:
    async with fault_server() as server:
        services = Services([Service("one", str(server.url.origin()), Policy())])
        async with wrapped(services) as session:
            await get(session, str(server.url))
            made.clear()
            await get(session, str(server.url))
            assert made == []


@pytest.mark.parametrize(("level", "is_quick"), [(logging.INFO, True), (logging.DEBUG, False)])
async def test_a_logger_that_is_not_told_of_attempts_leaves_it(
    level: int, is_quick: bool, made: list[object]
) -> None:
    async with fault_server() as server, client(Pipeline()) as session:
        await get(session, str(server.url))
        logging.getLogger("resilient").setLevel(level)
        await get(session, str(server.url))  # the logger remembers its levels after the first
        made.clear()
        await get(session, str(server.url))
        assert bool(made) != is_quick


async def test_a_pool_that_is_full_takes_the_general_way(made: list[object]) -> None:
    async with (
        fault_server(Reply(200), Reply(200, delay=0.05)) as server,
        aiohttp.ClientSession(
            middlewares=[Pipeline()], connector=aiohttp.TCPConnector(limit=1)
        ) as session,
    ):
        await get(session, str(server.url))
        made.clear()
        await asyncio.gather(*(get(session, str(server.url)) for _ in range(2)))
        assert len(made) == 1


async def test_an_attempt_that_took_it_can_be_told() -> None:
    async with fault_server() as server, client(Pipeline()) as session:
        await get(session, str(server.url))
        async with session.get(server.url) as response:
            (attempt,) = attempts_of(response)
        assert (attempt.number, attempt.method, attempt.status) == (1, "GET", 200)
        assert attempt.url == str(server.url)
        assert attempt.duration > 0


async def test_the_first_failure_is_counted_with_the_successes_before_it() -> None:
    pipeline = Pipeline(Policy(retry=None))
    async with (
        fault_server(*[Reply(200)] * 6, then=Reply(503)) as server,
        client(pipeline) as session,
    ):
        for _ in range(6):
            assert await status_of(session, server.url) == 200
        with pytest.raises(aiohttp.ClientResponseError):
            await get(session, str(server.url))
        counts = pipeline.breaker.circuit(str(server.url)).counts
        assert (counts.score, counts.consecutive_failures) == (1, 1)


@pytest.mark.parametrize("under", [client, wrapped])
async def test_nothing_is_left_of_calls_that_took_it(under: Any) -> None:
    loop = asyncio.get_running_loop()
    async with fault_server(*[Reply(200)] * 9, then=Hang()) as server, under(Pipeline()) as session:
        for _ in range(9):
            await get(session, str(server.url))
        assert under_way(loop) == {}
        task = asyncio.create_task(get(session, str(server.url)))
        await server.wait_for(hits=10)
        assert list(under_way(loop)) == [task]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert under_way(loop) == {}


async def test_a_pipeline_that_nobody_holds_is_gone_with_its_spells_without_the_collector() -> None:
    def spells() -> int:
        return sum(isinstance(each, Spell) for each in gc.get_objects())

    async with fault_server() as server:
        gc.collect()
        before = spells()
        pipeline = Pipeline()
        held = weakref.ref(pipeline)
        async with client(pipeline) as session:
            for _ in range(2):
                await get(session, str(server.url))
            assert spells() == before + 1
        gc.disable()
        try:
            del pipeline, session
            assert (held(), spells()) == (None, before)
        finally:
            gc.enable()


async def test_a_logger_that_is_disabled_leaves_it(made: list[object]) -> None:
    # As `logging.config` does by default with the loggers that there are.
    logger = logging.getLogger("resilient")
    logger.setLevel(logging.WARNING)  # it remembers nothing any more
    logger.disabled = True
    try:
        async with fault_server() as server, client(Pipeline()) as session:
            await get(session, str(server.url))
            made.clear()
            await get(session, str(server.url))
            assert made == []
    finally:
        logger.disabled = False
