"""An exception in the user's code inside a server comes out where the test sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
import pytest

from resilient.testing import Answer, Chooser, Delayed, FaultServer, Received, Reply
from resilient.testing.server.process import FaultServerProcess
from tests.unit.testing.server.raising import CANNOT_CROSS, CROSSING, raising
from tests.unit.testing.support import GET, converse, post

Session = aiohttp.ClientSession


class Falsy(Exception):
    """An exception like any other, though an empty one."""

    def __len__(self) -> int:
        return 0


RAISED: list[BaseException] = [
    LookupError("oops"),
    AssertionError("oops"),
    Falsy("oops"),
    pytest.fail.Exception("oops"),
    pytest.skip.Exception("oops"),
    KeyboardInterrupt("oops"),
    SystemExit(3),
    asyncio.CancelledError("oops"),
    BaseException("oops"),
]


def a_callable(error: BaseException) -> Answer:
    def fails(_: Received) -> Answer:
        raise error

    return fails


def a_coroutine(error: BaseException) -> Answer:
    async def fails(_: Received) -> Answer:
        await asyncio.sleep(0)
        raise error

    return fails


def a_chooser(error: BaseException) -> Answer:
    class Fails(Chooser):
        def __call__(self, received: Received) -> Answer:
            raise error

    return Fails()


def within_another(error: BaseException) -> Answer:
    return lambda _: Delayed(0, a_chooser(error))


KINDS = [a_callable, a_coroutine, a_chooser, within_another]


@pytest.mark.parametrize("routed", [False, True], ids=["scripted", "routed"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
async def test_it_comes_out_of_the_block(
    session: Session, error: BaseException, kind: Callable[[BaseException], Answer], routed: bool
) -> None:
    async def run() -> None:
        async with FaultServer() as server:
            if routed:
                server.route("/", kind(error))
            else:
                server.script(kind(error))
            assert await post(session, server) == 500
            assert await post(session, server) == 200

    with pytest.raises(type(error)) as caught:
        await run()
    assert caught.value is error


async def test_one_that_looks_like_the_end_of_the_loop_comes_out_too(session: Session) -> None:
    error = GeneratorExit("oops")

    async def run() -> None:
        async with FaultServer(a_coroutine(error)) as server:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await post(session, server)

    with pytest.raises(GeneratorExit) as caught:
        await run()
    assert caught.value is error


@pytest.mark.parametrize(
    ("inside", "outside", "comes_out"),
    [
        (LookupError("in"), LookupError("out"), "out"),
        (pytest.fail.Exception("in"), LookupError("out"), "in"),
        (LookupError("in"), pytest.fail.Exception("out"), "out"),
        (pytest.skip.Exception("in"), pytest.fail.Exception("out"), "out"),
        (KeyboardInterrupt("in"), asyncio.CancelledError("out"), "out"),
    ],
    ids=repr,
)
async def test_of_two_the_graver_comes_out(
    session: Session, inside: BaseException, outside: BaseException, comes_out: str
) -> None:
    async def run() -> None:
        async with FaultServer(a_callable(inside)) as server:
            assert await post(session, server) == 500
            raise outside

    with pytest.raises(type({"in": inside, "out": outside}[comes_out])) as caught:
        await run()
    assert caught.value is {"in": inside, "out": outside}[comes_out]
    if comes_out == "out":
        notes = getattr(outside, "__notes__", [])
        assert notes == [f"a callable of FaultServer failed: {inside!r}"]
    else:
        assert inside.__context__ is outside


async def test_the_first_of_several_comes_out(session: Session) -> None:
    first = Falsy("first")

    async def run() -> None:
        async with FaultServer(a_callable(first), then=a_callable(LookupError("second"))) as server:
            for _ in range(3):
                assert await post(session, server) == 500

    with pytest.raises(Falsy) as caught:
        await run()
    assert caught.value is first


async def test_nobody_waits_for_what_will_not_come_any_more(session: Session) -> None:
    error = pytest.fail.Exception("oops")

    async def run() -> None:
        async with FaultServer(a_callable(error)) as server:
            waiter = asyncio.create_task(server.wait_for(hits=2))
            assert await post(session, server) == 500
            await server.wait_for(hits=1)
            await waiter

    async with asyncio.timeout(5):
        with pytest.raises(pytest.fail.Exception) as caught:
            await run()
    assert caught.value is error
    assert not hasattr(error, "__notes__")


async def test_it_comes_out_of_aclose_once(session: Session) -> None:
    server = FaultServer(a_callable(pytest.fail.Exception("oops")))
    await server.start()
    assert await post(session, server) == 500
    with pytest.raises(pytest.fail.Exception, match="oops"):
        await server.aclose()
    await server.aclose()


async def test_a_callable_that_fails_when_the_server_drops_it_is_heard() -> None:
    async def fails_late(_: Received) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            pytest.fail("it was dropped")
        raise AssertionError

    server = FaultServer(fails_late)
    await server.start()
    client = asyncio.create_task(converse(server, GET))
    await server.wait_for(hits=1)
    await asyncio.sleep(0)
    with pytest.raises(pytest.fail.Exception, match="it was dropped"):
        await server.aclose()
    await client


async def test_a_callable_that_is_dropped_has_not_failed() -> None:
    async def waits(_: Received) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async with FaultServer(waits) as server:
        client = asyncio.create_task(converse(server, GET))
        await server.wait_for(hits=1)
    await client


# In a process of its own.


async def through_a_process(
    session: Session, answer: Answer, error: Exception | None = None
) -> None:
    with FaultServerProcess(answer) as server:
        assert await post(session, server) == 500
        if error is not None:
            raise error


@pytest.mark.parametrize("name", CROSSING)
async def test_it_comes_out_of_the_block_of_the_process(session: Session, name: str) -> None:
    expected = CROSSING[name]
    with pytest.raises(type(expected)) as caught:
        await through_a_process(session, partial(raising, name))
    assert type(caught.value) is type(expected)
    assert caught.value.args == expected.args
    assert "raising.py" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("name", "kind"), [("Local", RuntimeError), ("LocalVerdict", BaseException)]
)
async def test_one_that_does_not_pickle_says_the_same(
    session: Session, name: str, kind: type[BaseException]
) -> None:
    assert name in CANNOT_CROSS
    with pytest.raises(kind) as caught:
        await through_a_process(session, partial(raising, name))
    assert (type(caught.value), caught.value.args) == (kind, (f"{name}: oops",))
    assert "raising.py" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "name", [name for name in CANNOT_CROSS if name not in ("Local", "LocalVerdict")]
)
async def test_one_that_does_strange_things_when_it_is_pickled_comes_out(
    session: Session, name: str
) -> None:
    with pytest.raises(RuntimeError, match=f"^{name}: "):
        await through_a_process(session, partial(raising, name))


async def test_of_two_the_graver_comes_out_of_the_process_too(session: Session) -> None:
    own = LookupError("the test's own")
    with pytest.raises(pytest.fail.Exception, match="oops"):
        await through_a_process(session, partial(raising, "Failed"), own)
    with pytest.raises(LookupError, match="the test's own") as caught:
        await through_a_process(session, partial(raising, "LookupError"), own)
    assert caught.value.__notes__ == ["FaultServerProcess failed: LookupError('oops')"]


@pytest.mark.parametrize("what", ["ssl", "loop_factory"])
@pytest.mark.parametrize("name", ["Failed", "LookupError", "SystemExit"])
def test_what_a_factory_raises_comes_out_at_the_start(what: str, name: str) -> None:
    options: dict[str, Any] = {what: partial(raising, name)}
    with pytest.raises(type(CROSSING[name])) as caught, FaultServerProcess(**options):
        raise AssertionError("it started")
    assert caught.value.args == CROSSING[name].args


async def test_a_module_that_cannot_be_imported_there_is_named_and_nothing_hangs(
    session: Session, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for error in ("SystemExit(3)", "pytest.skip.Exception('no')"):
        name = f"skipping_{len(error)}"
        module = tmp_path / f"{name}.py"
        module.write_text("def answer(request): ...")
        answer = __import__(name).answer
        module.write_text(f"import pytest\nraise {error}")
        with FaultServerProcess(Reply(201)) as server:
            with pytest.raises(Exception, match="a module that its process can import"):
                server.script(answer)
            assert await post(session, server) == 201
