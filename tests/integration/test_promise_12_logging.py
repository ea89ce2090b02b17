"""The log in trouble: short, and true.

One warning when a circuit opens or a gate closes, one line of information when that is over, with
the number of attempts that were held or refused meanwhile; all else is for those who debug.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from contextlib import suppress

import aiohttp
import pytest

from resilient import BreakerPolicy, Pipeline, RateLimitError, ThrottledError, ThrottlePolicy
from resilient.testing import FaultServer, Reply
from resilient.testing.time.clocks import FakeClock
from tests.integration.support import policy, status_of, wrapped

OK = Reply(200)


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "resilient")


def said(caplog: pytest.LogCaptureFixture, url: str = "http://x") -> list[tuple[str, str]]:
    """The records that somebody who does not debug sees, without the port of the server."""
    return [
        (record.levelname, record.getMessage().replace(url, "URL"))
        for record in caplog.records
        if record.levelno > logging.DEBUG
    ]


async def tried(session: aiohttp.ClientSession, url: object, calls: int) -> None:
    for _ in range(calls):
        with suppress(aiohttp.ClientError):
            await status_of(session, url)


async def test_an_outage_is_one_warning_and_its_end_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock(draw=0.5)
    impatient = policy(retry=None, breaker=BreakerPolicy(patience=0))
    async with FaultServer(then=Reply(503)) as server:
        async with wrapped(Pipeline(impatient, clock=clock)) as session:
            await tried(session, server.url, 50)
            for _ in range(4):
                # Each time a probe fails.
                clock.advance(20)
                await tried(session, server.url, 2)
            hits = server.hits
            server.route("/", then=OK)
            for _ in range(6):
                clock.advance(20)
                await tried(session, server.url, 1)
        told = said(caplog, str(server.url.origin()))
    assert hits == 20 + 4
    assert told == [
        ("WARNING", "the circuit for URL is open for 0.525 s (20 failures)"),
        (
            "INFO",
            "the circuit for URL is closed (5 successes in the recovery; "
            f"{50 + 8 - hits} calls were held or refused)",
        ),
    ]
    refusals = [each for each in caplog.records if "refused" in each.getMessage()]
    assert len(refusals) > 20
    assert {each.levelname for each in refusals[:-1]} == {"DEBUG"}


async def test_a_limit_is_one_warning_and_its_end_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock(draw=0.5)
    short = policy(retry=None, throttle=ThrottlePolicy(max_wait=30), total_timeout=20)
    answer = Reply(429, headers={"Retry-After": "10"})
    async with FaultServer(answer) as server:
        async with wrapped(Pipeline(short, clock=clock)) as session:
            with pytest.raises(RateLimitError):
                await status_of(session, server.url / "v4")
            async with asyncio.timeout(10):
                assert await status_of(session, server.url / "v4") == 200
            assert [level for level, _ in said(caplog)] == ["WARNING"]
            # Nobody calls any more.
            clock.advance(9.9)
            await asyncio.sleep(0)
            assert len(said(caplog)) == 1
            clock.advance(1.1)
            await asyncio.sleep(0)
        told = said(caplog, str(server.url.origin()))
    assert told == [
        (
            "WARNING",
            "the gate for URL GET /v4 is closed for 10.5 s, then 0.5 a second "
            "(429; the server asks for 10 s)",
        ),
        (
            "INFO",
            "the gate for URL GET /v4 is open again; 1 call was held or refused "
            "(nobody has waited for 10 s)",
        ),
    ]


async def test_refusals_at_a_gate_are_for_those_who_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock(draw=0.5)
    answer = Reply(429, headers={"Retry-After": "3600"})
    async with FaultServer(then=answer) as server:
        async with wrapped(Pipeline(policy(retry=None), clock=clock)) as session:
            with pytest.raises(RateLimitError):
                await status_of(session, server.url)
            for _ in range(30):
                with pytest.raises(ThrottledError):
                    await status_of(session, server.url)
            clock.advance(3600 + 20)
            await asyncio.sleep(0)
        assert server.hits == 1
    told = said(caplog)
    assert [level for level, _ in told] == ["WARNING", "INFO"]
    assert "30 calls were held or refused" in told[1][1]


async def test_a_gate_does_not_keep_a_throttle_alive() -> None:
    async with FaultServer(then=Reply(429, headers={"Retry-After": "50"})) as server:
        pipeline = Pipeline(policy(retry=None))
        throttle = weakref.ref(pipeline.throttle)
        async with wrapped(pipeline) as session:
            with pytest.raises(RateLimitError):
                await status_of(session, server.url)
        del pipeline, session
        gc.collect()
        assert throttle() is None


def test_the_end_of_a_gate_is_told_in_the_next_event_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # By hand only: it would go on while the server, which is real, thinks.
    clock = FakeClock(draw=0.5, auto_advance=False)
    pipeline = Pipeline(policy(retry=None), clock=clock)

    async def call(*steps: Reply) -> None:
        async with FaultServer(*steps) as server, wrapped(pipeline) as session:
            await tried(session, server.url, 1)
            clock.advance(5)
            await asyncio.sleep(0)

    asyncio.run(call(Reply(429, headers={"Retry-After": "1"})))
    asyncio.run(call())
    assert [level for level, _ in said(caplog)] == ["WARNING"]

    async def later() -> None:
        await call()
        clock.advance(50)
        await asyncio.sleep(0)

    asyncio.run(later())
    assert [level for level, _ in said(caplog)] == ["WARNING", "INFO"]


async def test_an_attempt_is_logged_by_the_level_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "resilient")

    async def answer(_: object) -> Reply:
        caplog.set_level(logging.DEBUG, "resilient")
        return OK

    async with FaultServer(OK, OK, answer) as server, wrapped(Pipeline(policy())) as session:
        for _ in range(3):
            await status_of(session, server.url)
    assert [record.resilient["event"] for record in caplog.records] == ["attempt"]  # type: ignore[attr-defined]  # ours
