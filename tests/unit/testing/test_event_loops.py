"""The fault server and the fake clock on every event loop that is installed."""

import asyncio
import importlib.util
import math
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from resilient.support.timers import limit_at
from resilient.testing import (
    Answer,
    Disconnect,
    FakeClock,
    FaultServer,
    Hang,
    Malformed,
    Reply,
    Reset,
)
from resilient.testing.script.brownout import BrownOut
from resilient.testing.script.limit import Limit
from resilient.testing.script.outage import Outage, Period
from tests.guards import Bulkhead, Pace, Runner
from tests.unit.testing.support import Certificates, converse, post

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class LikeWindows(asyncio.SelectorEventLoop):
    """Has no more than the proactor has, and a time that moves by 15.625 milliseconds."""

    GRAIN = 1 / 64

    def __init__(self) -> None:
        super().__init__()
        self._clock_resolution = self.GRAIN
        for name in ("add_reader", "add_writer", "add_signal_handler"):
            setattr(self, name, self._refuse)

    @staticmethod
    def _refuse(*_: object) -> None:
        raise NotImplementedError

    def time(self) -> float:
        return super().time() // self.GRAIN * self.GRAIN


def installed() -> list[Any]:
    factories: list[Any] = [
        pytest.param(asyncio.SelectorEventLoop, id="asyncio"),
        pytest.param(LikeWindows, id="like Windows"),
    ]
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        factories.append(pytest.param(uvloop.new_event_loop, id="uvloop"))
    return factories


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(params=installed())
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """Runs a coroutine, which leaves no task and has nothing go wrong unseen."""
    problems: list[object] = []

    async def main(coroutine: Any) -> Any:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        result = await coroutine
        for _ in range(3):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    def run(coroutine: Any) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            result = runner.run(main(coroutine))
        assert problems == []
        return result

    return run


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def contexts(
    request: pytest.FixtureRequest, certificates: Certificates
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    return (certificates.server, certificates.client) if request.param else (None, None)


HEAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\n"
REPLY = Reply(503, body=b"halfgone")


@pytest.mark.parametrize(
    ("step", "sent", "end"),
    [
        (Reply(503, body=b"halfgone", truncate=4), HEAD + b"half", "good"),
        (Reply(503, body=b"halfgone", truncate=4, head_byte_delay=1e-6), HEAD + b"half", "good"),
        (Reply(503, body=b"halfgone", truncate=4, chunk_delay=1e-6), HEAD + b"half", "good"),
        (Malformed(b"nonsense"), b"nonsense", "good"),
        (Hang(0.001, after="body", reply=REPLY), HEAD + b"half", "good"),
        (Disconnect("accept"), b"", "FIN"),
        (Disconnect("body", reply=REPLY), HEAD + b"half", "FIN"),
        (Reset("accept"), b"", "RST"),
        (Reset("status", reply=REPLY), HEAD[: HEAD.index(b"C")], "RST"),
        (Reset("body", reply=REPLY), HEAD + b"half", "RST"),
    ],
    ids=repr,
)
def test_steps_are_byte_by_byte_the_same(
    run: Any, contexts: Any, step: Answer, sent: bytes, end: str
) -> None:
    server_context, client_context = contexts

    async def main() -> tuple[bytes, str]:
        async with FaultServer(step, ssl=server_context) as server:
            met = await converse(server, tls=client_context)
            await server.wait_for(connections=0)
            return met

    good = "FIN" if client_context is None else "close_notify"
    assert run(main()) == (sent, good if end == "good" else end)


def test_aiohttp_calls_it(run: Any, contexts: Any) -> None:
    server_context, client_context = contexts
    options = {} if client_context is None else {"ssl": client_context}
    large = bytes(900_000)

    async def main() -> None:
        steps: list[Answer] = [Reply(body=large), Reset(), Disconnect(), Reply(201)]
        async with (
            aiohttp.ClientSession() as session,
            FaultServer(*steps, ssl=server_context) as server,
        ):
            async with session.post(server.url, data=large, **options) as response:
                assert await response.read() == large
            with pytest.raises(aiohttp.ClientOSError):
                await post(session, server, **options)
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await post(session, server, **options)
            assert await post(session, server, **options) == 201
            assert server.requests[0].body == large
            await server.stop_listening()
            with pytest.raises(aiohttp.ClientConnectorError):
                await post(session, server, **options)
            await server.resume_listening()
            assert await post(session, server, **options) == 200

    run(main())


def test_a_wait_ends_with_the_client_and_with_the_server(run: Any, contexts: Any) -> None:
    server_context, client_context = contexts
    options = {} if client_context is None else {"ssl": client_context}

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            async with FaultServer(then=Hang(), ssl=server_context) as server:
                gone = asyncio.create_task(post(session, server, **options))
                await server.wait_for(waiting=1)
                gone.cancel()
                await server.wait_for(waiting=0, connections=0)
                left = asyncio.create_task(post(session, server, **options))
                await server.wait_for(waiting=1)
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await left

    run(main())


def test_choosers_and_periods_keep_time(run: Any) -> None:
    bucket = Limit("1/1000s", burst=2, then=BrownOut(0.001, then=Reply(201)))
    offline = [Period(0.005, since="first_request")]

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            async with FaultServer(then=Outage(Period(1000), then=bucket)) as server:
                assert [await post(session, server) for _ in range(3)] == [201, 201, 429]
            async with FaultServer(then=Hang(), offline=offline) as server:
                with pytest.raises(aiohttp.ServerDisconnectedError):
                    await post(session, server)
                with pytest.raises(aiohttp.ClientConnectorError):
                    await post(session, server)

    run(main())


def test_sleeps_move_a_fake_clock(run: Any) -> None:
    clock, woken = FakeClock(), list[tuple[int, float]]()

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.time()))

    async def main() -> None:
        await asyncio.gather(*(sleeper(seconds) for seconds in (3, 1, 2)))
        with limit_at(clock, 7):
            await clock.sleep(math.inf)

    run(main())
    assert (woken, clock.time()) == ([(1, 1), (2, 2), (3, 3)], 7)


def test_calls_that_guards_hold_back_move_a_fake_clock(run: Any) -> None:
    clock = FakeClock()

    async def main() -> None:
        async with Runner(Pace(10.0, clock), Bulkhead(1, clock)) as runner:
            async with asyncio.timeout(10):
                await asyncio.gather(*runner.start(1, 2, 3))
            assert runner.names == [1, 2, 3]

    run(main())
    assert (clock.time(), clock.sleeps, clock.sleepers) == (20.0, [10.0, 10.0], 0)


def test_a_fake_clock_may_flow(run: Any) -> None:
    clock = FakeClock(speed=1_000)

    async def main() -> None:
        fired = asyncio.Event()
        clock.call_at(clock.time() + 10, fired.set)
        await fired.wait()
        assert clock.time() >= 10

    run(main())
