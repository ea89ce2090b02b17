"""Answers within answers: choosers, delays, and callables that return either."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from resilient.errors import ConfigError
from resilient.testing import Answer, FaultServer, Hang, Received, Reply, Reset, run_in_virtual_time
from resilient.testing.script.brownout import BrownOut
from resilient.testing.script.limit import Limit
from resilient.testing.script.mixture import Mixture
from resilient.testing.script.outage import Outage, Period
from resilient.testing.script.script import Chooser, Delayed
from tests.unit.testing.support import GET, converse, post, request_at

# For what would wait for ever if it were wrong.
LIMIT = aiohttp.ClientTimeout(total=10)


class Always(Chooser):
    """Picks one answer, and keeps what it was shown."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.seen: list[tuple[bytes, bool]] = []

    def __call__(self, received: Received) -> Answer:
        self.seen.append((received.body, received.complete))
        return self.answer  # type: ignore[no-any-return]  # anything, on purpose


async def stuck_upload() -> AsyncIterator[bytes]:
    yield b"begin"
    await asyncio.Event().wait()


async def test_a_chooser_is_asked_before_the_body_is_read(session: aiohttp.ClientSession) -> None:
    chooser = Always(Reply(413, early=True, keep_alive=False))
    async with FaultServer(Always(chooser)) as server:
        assert await post(session, server, data=stuck_upload(), timeout=LIMIT) == 413
        assert chooser.seen == [(b"", False)]


async def test_a_cut_that_a_chooser_picks_needs_no_body(session: aiohttp.ClientSession) -> None:
    async with FaultServer(Mixture({Reset("accept"): 1.0})) as server:
        with pytest.raises(aiohttp.ClientOSError):
            await post(session, server, data=stuck_upload(), timeout=LIMIT)
        assert server.requests[0].body == b""


async def test_a_callable_within_choosers_sees_the_whole_request(
    session: aiohttp.ClientSession,
) -> None:
    async def echo(request: Received) -> Answer:
        return Reply(201, body=request.body)

    nested = Limit("5/s", then=Outage(Period(9), then=Mixture({echo: 1.0})))
    async with FaultServer(nested) as server, session.post(server.url, data=b"abc") as response:
        assert (response.status, await response.read()) == (201, b"abc")


async def test_a_callable_may_return_any_answer(session: aiohttp.ClientSession) -> None:
    def plain(request: Received) -> Answer:
        return Mixture({Delayed(0.001, Reply(299)): 1.0})

    def nested(request: Received) -> Answer:
        return plain

    async with FaultServer(then=nested) as server:
        assert await post(session, server) == 299


async def test_a_chooser_that_fails_fails_the_test(session: aiohttp.ClientSession) -> None:
    class Fails(Chooser):
        def __call__(self, received: Received) -> Answer:
            raise LookupError("oops")

    async def run(answer: Answer) -> None:
        async with FaultServer(answer) as server:
            assert await post(session, server, data=b"abc") == 500
            assert server.requests[0].body == b"abc"

    with pytest.raises(LookupError, match="oops"):
        await run(Fails())
    with pytest.raises(ConfigError, match="must be a step, not 503"):
        await run(Always(503))
    with pytest.raises(ConfigError, match="must be a step, not <class"):
        await run(Always(Reply))


def test_an_outage_around_a_bucket_around_a_brown_out_around_a_mixture() -> None:
    then = Outage(
        Period(10, 20),
        during=Reply(502),
        then=Limit("1/s", burst=2, then=BrownOut(0.5, then=Mixture({Reply(500): 0.5}, seed=1))),
    )

    async def main() -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        answers = []

        async def call() -> None:
            began = loop.time()
            answers.append((await post(session, server), loop.time() - began))

        async with aiohttp.ClientSession() as session, FaultServer(then=then) as server:
            await asyncio.gather(call(), call(), call())
            await asyncio.sleep(10.0 - loop.time())
            await call()
            await asyncio.sleep(20.0 - loop.time())
            await call()
        return answers

    expected = [(429, 0.0), (500, 0.5), (200, 1.0), (502, 0.0), (200, 0.5)]
    assert run_in_virtual_time(main()) == expected


# Delays.


def test_any_answer_can_be_delayed() -> None:
    async def main() -> list[tuple[bytes, str, float]]:
        loop = asyncio.get_running_loop()
        got = []
        steps = [
            Delayed(2, Reply(204, keep_alive=False)),
            Delayed(3, Delayed(1, lambda request: Reply(204, keep_alive=False))),
            Delayed(5, Reset("accept")),
        ]
        async with FaultServer(*steps) as server:
            for _ in steps:
                reader, writer = await asyncio.open_connection(server.url.host, server.url.port)
                began = loop.time()
                writer.write(GET)
                end = "FIN"
                line = b""
                try:
                    line = await reader.readline()
                except ConnectionResetError:
                    end = "RST"
                got.append((line, end, loop.time() - began))
                writer.close()
        return got

    ok = b"HTTP/1.1 204 No Content\r\n"
    assert run_in_virtual_time(main()) == [(ok, "FIN", 2.0), (ok, "FIN", 4.0), (b"", "RST", 5.0)]


async def test_a_delay_ends_when_the_client_goes(session: aiohttp.ClientSession) -> None:
    def never(request: Received) -> Answer:
        raise AssertionError("nobody is there to see it")

    async with FaultServer(Delayed(600, never), lambda _: Delayed(600, never)) as server:
        for hits in (1, 2):
            call = asyncio.create_task(post(session, server))
            await server.wait_for(hits=hits)
            call.cancel()
            await server.wait_for(connections=0)
            with pytest.raises(asyncio.CancelledError):
                await call
        assert server.stats().steps == {}


async def test_a_delayed_request_is_not_in_a_hang() -> None:
    async with FaultServer(Delayed(0.001, Hang(0.001))) as server:
        assert await converse(server) == (b"", "FIN")
        assert server.stats().steps == {"Hang": 1}


# What they refuse, and how they show.

# By names without types, which would forbid most of what follows.
ANY_ARGUMENTS: Any = SimpleNamespace(
    BrownOut=BrownOut,
    Delayed=Delayed,
    FaultServer=FaultServer,
    Limit=Limit,
    Mixture=Mixture,
    Outage=Outage,
    Period=Period,
    Reply=Reply,
    Reset=Reset,
)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda t: t.Delayed(-1, t.Reply()), "Delayed.seconds"),
        (lambda t: t.Delayed(float("inf"), t.Reply()), "Delayed.seconds"),
        (lambda t: t.Delayed(1, t.Reply), "Delayed.then"),
        (lambda t: t.Delayed(1, None), "Delayed.then"),
        (lambda t: t.Mixture(3), "Mixture.shares"),
        (lambda t: t.Mixture([t.Reply()]), "Mixture.shares"),
        (lambda t: t.Mixture([(503, 0.1)]), "Mixture.shares"),
        (lambda t: t.Mixture({t.Reply: 0.1}), "Mixture.shares"),
        (lambda t: t.Mixture({t.Reply(): -0.1}), r"Mixture's share of Reply\(\)"),
        (lambda t: t.Mixture({t.Reply(): 1.1}), r"Mixture's share of Reply\(\)"),
        (lambda t: t.Mixture({t.Reply(): "1"}), r"Mixture's share of Reply\(\)"),
        (lambda t: t.Mixture({t.Reply(): float("nan")}), r"Mixture's share of Reply\(\)"),
        (lambda t: t.Mixture({t.Reply(): True}), r"Mixture's share of Reply\(\)"),
        (lambda t: t.Mixture({t.Reply(): 0.6, t.Reset(): 0.5}), "Mixture.shares"),
        (lambda t: t.Mixture({}, otherwise=None), "Mixture.otherwise"),
        (lambda t: t.Mixture({}, seed="1"), "Mixture.seed"),
        (lambda t: t.Limit(10), "Limit.rate"),
        (lambda t: t.Limit("300"), "Limit.rate"),
        (lambda t: t.Limit("0/s"), "Limit.rate"),
        (lambda t: t.Limit("1.5/s"), "Limit.rate"),
        (lambda t: t.Limit("1/0s"), "Limit.rate"),
        (lambda t: t.Limit("300/fortnight"), "Limit.rate"),
        (lambda t: t.Limit("1/s", burst=0), "Limit.burst"),
        (lambda t: t.Limit("1/s", burst=1.5), "Limit.burst"),
        (lambda t: t.Limit("1/s", burst=1, window=True), "Limit.burst"),
        (lambda t: t.Limit("1/s", window=60), "Limit.window"),
        (lambda t: t.Limit("1/s", per="path"), "Limit.per"),
        (lambda t: t.Limit("1/s", per="route", accounts={}), "Limit.per"),
        (lambda t: t.Limit("1/s", accounts=["a"]), "Limit.accounts"),
        (lambda t: t.Limit("1/s", credential=""), "Limit.credential"),
        (lambda t: t.Limit("1/s", then=t.Reply), "Limit.then"),
        (lambda t: t.Limit("1/s", refusal=t.Reset()), "Limit.refusal"),
        (lambda t: t.Limit("1/s", hints="Retry-After"), "Limit.hints"),
        (lambda t: t.Limit("1/s", hints=["Retry-before"]), "Limit.hints"),
        (lambda t: t.Limit("1/s", hints=[[]]), "Limit.hints"),
        (lambda t: t.Period(-1), "Period.start"),
        (lambda t: t.Period(float("inf")), "Period.start"),
        (lambda t: t.Period(5, 5), "Period.end"),
        (lambda t: t.Period(5, 4), "Period.end"),
        (lambda t: t.Period(5, float("nan")), "Period.end"),
        (lambda t: t.Period(0, "9"), "Period.end"),
        (lambda t: t.Period(0, True), "Period.end"),
        (lambda t: t.Period(0, 1, since="noon"), "Period.since"),
        (lambda t: t.Outage(5), "Outage.period"),
        (lambda t: t.Outage(t.Period(), during=503), "Outage.during"),
        (lambda t: t.Outage(t.Period(), then=503), "Outage.then"),
        (lambda t: t.BrownOut(0), "BrownOut.base"),
        (lambda t: t.BrownOut(1, workers=0), "BrownOut.workers"),
        (lambda t: t.BrownOut(1, capacity=0), "BrownOut.capacity"),
        (lambda t: t.BrownOut(1, then=503), "BrownOut.then"),
        (lambda t: t.BrownOut(1, full=503), "BrownOut.full"),
        (lambda t: t.FaultServer(offline=5), "FaultServer.offline"),
        (lambda t: t.FaultServer(offline=[5]), "FaultServer.offline"),
        (lambda t: t.FaultServer(host=None), "FaultServer.host"),
        (lambda t: t.FaultServer(port=-1), "FaultServer.port"),
        (lambda t: t.FaultServer(port=65536), "FaultServer.port"),
        (lambda t: t.FaultServer(port="80"), "FaultServer.port"),
        (lambda t: t.FaultServer(ssl=True), "FaultServer.ssl"),
        (lambda t: t.FaultServer(record=1), "FaultServer.record"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_made(make: Any, field: str) -> None:
    with pytest.raises(ConfigError, match=f"^{field} must be "):
        make(ANY_ARGUMENTS)


def test_they_show_what_they_are() -> None:
    shown = [
        "Mixture(((Reply(503), 0.1), (Hang(), 0.2)), seed=1)",
        "Limit('300/min', burst=20, hints=('RateLimit',))",
        "Limit('10/s', accounts=..., window=True)",
        "Outage(Period(start=5, end=10, since='start'), during=Reset())",
        "BrownOut(0.02, workers=4, capacity=100)",
        "Delayed(1.5, Reset())",
    ]
    made: list[Any] = [
        Mixture({Reply(503): 0.1, Hang(): 0.2}, seed=1),
        Limit("300/min", burst=20, hints=["RateLimit"]),
        Limit("10/s", accounts={"Bearer secret": "acme"}, window=True),
        Outage(Period(5, 10), during=Reset()),
        BrownOut(0.02, workers=4, capacity=100),
        Delayed(1.5, Reset()),
    ]
    assert [repr(each) for each in made] == shown
    made[1](request_at(0))
    assert repr(made[1]) == shown[1]
