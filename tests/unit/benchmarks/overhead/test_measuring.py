"""The measuring functions of each part."""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack

import pytest
from aiohttp import (
    ClientConnectionError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
)
from yarl import URL

from benchmarks.overhead import sockets
from benchmarks.overhead.garbage import garbage_of
from benchmarks.overhead.imports import Import, import_time
from benchmarks.overhead.in_process import Calls, call_fixture, cost_of, session_calls
from benchmarks.overhead.memory import destination_bytes, refusal_bytes
from benchmarks.overhead.ours import WRAPPED
from benchmarks.overhead.references import HAND_WRITTEN, NOTHING, PassThrough
from benchmarks.overhead.refusals import NeverOpened, open_breaker
from benchmarks.overhead.run import RunContext
from benchmarks.overhead.settings import INSTRUCTIONS, PARTS, OverheadSettings
from benchmarks.overhead.wrapper import Circuits, Fetch, Middleware
from benchmarks.progress import Silent
from resilient import ConfigError
from resilient.testing import FaultServer
from tests.unit.benchmarks.overhead.support import FEW_PEERS


@pytest.fixture
def run() -> Iterator[RunContext]:
    with asyncio.Runner() as runner:
        server = FaultServer()
        runner.run(server.start())

        stack = AsyncExitStack()
        fixture = runner.run(stack.enter_async_context(call_fixture(server.url)))
        yield RunContext(OverheadSettings(quick=True), FEW_PEERS, Silent(), runner, fixture)
        runner.run(stack.aclose())
        runner.run(server.aclose())


async def one_request(run: RunContext) -> list[ClientRequest]:
    return run.fixture.requests(1)


async def awaited(result: Awaitable[object]) -> object:
    return await result


def test_every_call_has_a_request_of_its_own(run: RunContext) -> None:
    seen: list[ClientRequest] = []

    async def call(request: ClientRequest) -> None:
        seen.append(request)

    run.runner.run(cost_of(Calls(call, run.fixture.requests), 100))
    assert len(set(map(id, seen))) == 100


def test_a_wrapper_is_measured_with_requests_of_its_method(run: RunContext) -> None:
    class Posting(PassThrough):
        method = "POST"

    async def scenario() -> tuple[set[str], int]:
        calls = run.fixture.around(run.fixture.suspending, Posting())
        requests = calls.arguments(3)
        responses = [await calls.call(request) for request in requests]
        return {each.method for each in requests}, responses.count(run.fixture.response)

    assert run.runner.run(scenario()) == ({"POST"}, 3)


@pytest.mark.parametrize("wrapper", [NOTHING, HAND_WRITTEN, WRAPPED], ids=lambda each: each.name)
def test_calls_of_a_session_send_nothing(run: RunContext, wrapper: Middleware) -> None:
    async def scenario() -> list[object]:
        async with session_calls(run.fixture, wrapper) as calls:
            # And the server is not there to answer, but the request before has its answer.
            return [await calls.call(url.with_port(9)) for url in calls.arguments(3)]

    assert run.runner.run(scenario()) == [run.fixture.response] * 3


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
    (request,) = run.runner.run(one_request(run))
    call = run.runner.run(open_breaker(HAND_WRITTEN, request))
    with pytest.raises(HAND_WRITTEN.refusal):
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


class Keeping(PassThrough):
    """Keeps something for each destination, and a little more for each call."""

    size = 0
    more = 0

    def circuits(self, common: object = None) -> Circuits:
        """Return circuits that keep bytes."""
        kept: dict[str, list[bytearray]] = {}

        async def call(key: str, failures: Sequence[bool]) -> None:
            if key not in kept:
                kept[key] = [bytearray(self.size)]
            kept[key].append(bytearray(self.more))

        return call


def test_memory_is_that_of_destinations_which_stay() -> None:
    wrapper = Keeping()
    small = destination_bytes(wrapper, (False,))
    wrapper.size = 10_000
    assert destination_bytes(wrapper, (False,)) - small == pytest.approx(10_000, rel=0.01)


def test_memory_of_a_destination_is_without_the_text_of_its_origin() -> None:
    class KeepingKeys(PassThrough):
        def circuits(self, common: object = None) -> Circuits:
            kept = []

            async def call(key: str, failures: Sequence[bool]) -> None:
                kept.append(key)

            return call

    assert 0 <= destination_bytes(KeepingKeys(), (False,)) < 20  # the place in the list


def test_a_destination_gets_a_call_a_second_and_all_get_theirs_before_the_next() -> None:
    calls: list[tuple[float, str, Sequence[bool]]] = []

    class Noting(PassThrough):
        def circuits(self, common: object = None) -> Circuits:
            calls.clear()

            async def call(key: str, failures: Sequence[bool]) -> None:
                calls.append((asyncio.get_running_loop().time(), key, failures))

            return call

    destination_bytes(Noting(), (True, False))
    later = calls[1:]  # the first call makes what is made once
    half = len(later) // 2
    assert [key for _, key, _ in later[:half]] == [key for _, key, _ in later[half:]]
    assert {failures for _, _, failures in later[:half]} == {(True,)}
    assert {failures for _, _, failures in later[half:]} == {(False,)}
    assert later[half][0] - later[0][0] == pytest.approx(1.0)


def test_garbage_is_what_failed_calls_leave_in_circles(run: RunContext) -> None:
    async def leave(count: int) -> ClientResponse:
        for _ in range(count):
            circle: list[object] = []
            circle.append(circle)
        raise ClientConnectionError("no")

    def fetch(count: int) -> Fetch:
        return lambda url: leave(count)

    none, three = (
        run.runner.run(garbage_of(fetch(count), run.fixture.url, 10)) for count in (0, 3)
    )
    assert (none, three) == (0, 3)
    assert gc.isenabled()


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


def test_a_client_that_had_no_core_for_itself_is_mentioned() -> None:
    assert sockets._about_the_core([sockets.Speed(900, 1000)] * 3) == ()
    (note,) = sockets._about_the_core([sockets.Speed(400, 1000)] * 3)
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
        ({"parts": ("calls", "nonsense")}, "OverheadSettings.parts"),
        ({"parts": (1,)}, "OverheadSettings.parts"),
        ({"rows": (1,)}, "OverheadSettings.rows"),
        ({"instructions": 1}, "OverheadSettings.instructions"),
    ],
)
def test_settings_that_make_no_sense_are_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        OverheadSettings(**given)  # type: ignore[arg-type]  # on purpose


def test_parts_are_all_but_the_instructions_unless_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert OverheadSettings().chosen_parts == PARTS
    assert OverheadSettings(instructions=True).chosen_parts == (*PARTS, INSTRUCTIONS)
    chosen = OverheadSettings(parts=("sockets", "calls"), instructions=True)
    assert chosen.chosen_parts == ("calls", "sockets", INSTRUCTIONS)


def test_instructions_need_what_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    OverheadSettings()
    for given in ({"instructions": True}, {"parts": (INSTRUCTIONS,)}):
        with pytest.raises(ConfigError, match="valgrind, which is not installed"):
            OverheadSettings(**given)
