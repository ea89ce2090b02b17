"""The measuring functions of each part."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence

import pytest
from aiohttp import (
    ClientConnectionError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
)
from yarl import URL

from benchmarks.overhead import sockets
from benchmarks.overhead.imports import Import, import_time
from benchmarks.overhead.in_process import cost_of, make_call_fixture
from benchmarks.overhead.memory import circuit_bytes, refusal_bytes
from benchmarks.overhead.ours import PassThrough
from benchmarks.overhead.refusals import NeverOpened, open_breaker
from benchmarks.overhead.run import RunContext
from benchmarks.overhead.settings import OverheadSettings
from benchmarks.overhead.wrapper import Circuits
from benchmarks.progress import Silent
from benchmarks.results import Figure
from resilient import ConfigError
from resilient.testing import FaultServer
from tests.unit.benchmarks.overhead.support import FEW_PEERS


@pytest.fixture
def run() -> Iterator[RunContext]:
    with asyncio.Runner() as runner:
        server = FaultServer()
        runner.run(server.start())

        async def begin() -> ClientSession:
            return ClientSession()

        session = runner.run(begin())
        fixture = runner.run(make_call_fixture(session, server.url))
        yield RunContext(OverheadSettings(quick=True), FEW_PEERS, Silent(), runner, fixture)
        runner.run(session.close())
        runner.run(server.aclose())


async def one_request(run: RunContext) -> list[ClientRequest]:
    return run.fixture.requests(1)


async def awaited(result: Awaitable[object]) -> object:
    return await result


def test_every_call_has_a_request_of_its_own(run: RunContext) -> None:
    seen: list[ClientRequest] = []

    async def call(request: ClientRequest) -> None:
        seen.append(request)

    run.runner.run(cost_of(run.fixture, call, 100))
    assert len(set(map(id, seen))) == 100


def test_a_request_finds_a_connection_in_the_pool(run: RunContext) -> None:
    (request,) = run.runner.run(one_request(run))
    connector = run.fixture.session.connector
    assert connector is not None
    assert connector._conns[request.connection_key]


def test_a_breaker_that_never_opens_is_no_figure(run: RunContext) -> None:
    class Idle(PassThrough):
        name = "idle"
        refusal = ZeroDivisionError

    (request,) = run.runner.run(one_request(run))
    with pytest.raises(NeverOpened, match="idle has not opened after 200 failures"):
        run.runner.run(open_breaker(Idle(), request))


def test_a_refusal_that_has_reached_the_server_is_none(run: RunContext) -> None:
    class Translating(PassThrough):
        refusal = ZeroDivisionError

        def wrap_without_chain(
            self, send: ClientHandlerType, common: object = None
        ) -> ClientHandlerType:
            async def call(request: ClientRequest) -> ClientResponse:
                try:
                    return await send(request)
                except TimeoutError:
                    raise ZeroDivisionError from None

            return call

    (request,) = run.runner.run(one_request(run))
    with pytest.raises(NeverOpened):
        run.runner.run(open_breaker(Translating(), request))


def test_a_breaker_is_open_when_it_is_measured(run: RunContext) -> None:
    for wrapper in FEW_PEERS.wrappers[1:]:
        assert wrapper.refusal is not None
        (request,) = run.runner.run(one_request(run))
        call = run.runner.run(open_breaker(wrapper, request))
        with pytest.raises(wrapper.refusal):
            run.runner.run(awaited(call(request)))


def test_speed_counts_what_was_fetched(run: RunContext) -> None:
    fetched: list[URL] = []

    async def fetch(url: URL) -> None:
        fetched.append(url)
        await asyncio.sleep(0)
        if len(fetched) > 12:
            raise ClientConnectionError("once too often")

    found = run.runner.run(sockets.speed(fetch, run.fixture.url, 4, 12))  # type: ignore[arg-type]  # nobody looks at the response
    assert len(fetched) == 12
    assert found.per_second > 0
    assert found.per_cpu_second > 0


def test_memory_is_that_of_circuits_which_stay() -> None:
    class Keeping(PassThrough):
        size = 0

        def circuits(self, common: object = None) -> Circuits:
            kept = {}

            async def call(key: str, failures: Sequence[bool]) -> None:
                kept[key] = bytearray(self.size)

            return call

    wrapper = Keeping()
    small = circuit_bytes(wrapper, (False,))
    wrapper.size = 10_000
    assert circuit_bytes(wrapper, (False,)) - small == pytest.approx(10_000, rel=0.05)


def test_what_stays_of_refusals_is_counted(run: RunContext) -> None:
    class Hoarding(PassThrough):
        refusal = ZeroDivisionError
        size = 0

        def wrap_without_chain(self, send: object, common: object = None) -> ClientHandlerType:
            kept = []

            async def refuse(_: ClientRequest) -> ClientResponse:
                kept.append(bytearray(self.size))
                raise ZeroDivisionError

            return refuse

    wrapper = Hoarding()
    little = run.runner.run(refusal_bytes(run.fixture, wrapper))
    wrapper.size = 10_000
    assert run.runner.run(refusal_bytes(run.fixture, wrapper)) - little == pytest.approx(
        10_000, 0.05
    )


def figure_of(value: float) -> Figure:
    return Figure(what="aiohttp alone", value=value, unit="requests/s")


def test_a_client_that_had_no_core_for_itself_is_mentioned() -> None:
    assert sockets._about_the_core(figure_of(900), figure_of(1000)) == ()
    (note,) = sockets._about_the_core(figure_of(400), figure_of(1000))
    assert "the client ran for 40% of the time" in note


def test_no_import_pays_for_compiling_what_an_installed_package_has_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    import_time("import sys; assert not sys.dont_write_bytecode")


def test_what_an_import_adds_is_a_share_of_that_of_aiohttp() -> None:
    assert Import(aiohttp=0.2, added=0.01).percent == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed": -1}, "OverheadSettings.seed"),
        ({"seed": "x"}, "OverheadSettings.seed"),
        ({"quick": 1}, "OverheadSettings.quick"),
        ({"peers": None}, "OverheadSettings.peers"),
    ],
)
def test_settings_that_make_no_sense_are_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        OverheadSettings(**given)  # type: ignore[arg-type]  # on purpose
