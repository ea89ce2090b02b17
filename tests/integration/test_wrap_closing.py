"""`wrap`: who closes what, and what is said of a session that nobody closed."""

import gc
import subprocess
import sys
import textwrap
import warnings

import pytest
from aiohttp import ClientSession

from resilient import Deadline, Pipeline, wrap
from resilient.testing import Reply
from tests.integration.support import client, fault_server, policy, status_of

pytestmark = pytest.mark.slow


def is_closed(session: ClientSession) -> bool:
    return session.closed


async def test_closing_the_copy_leaves_the_original_open() -> None:
    async with fault_server() as server, client() as original:
        session = wrap(original)
        assert await status_of(session, server.url) == 200
        await session.close()
        assert is_closed(session)
        assert not is_closed(original)
        assert await status_of(original, server.url) == 200
        assert server.total_connections == 1
        with pytest.raises(RuntimeError, match="closed"):
            await session.get(server.url)
        await session.close()


async def test_the_block_closes_the_copy_alone() -> None:
    async with client() as original:
        async with wrap(original) as session:
            assert not is_closed(session)
        assert is_closed(session)
        assert not is_closed(original)


async def test_both_are_closed_on_request() -> None:
    original = ClientSession()
    async with wrap(original, close_original=True) as session:
        assert not is_closed(original)
    assert is_closed(session)
    assert is_closed(original)
    assert original.connector is None
    await original.close()
    await session.close()


async def test_the_original_may_be_closed_first() -> None:
    async with fault_server() as server:
        original = ClientSession()
        session = wrap(original)
        assert await status_of(session, server.url) == 200
        await original.close()
        assert is_closed(session)
        with pytest.raises(RuntimeError, match="closed"):
            await session.get(server.url)
        await session.close()
        assert server.hits == 1


async def test_wrapped_twice_each_closes_what_it_was_told_to() -> None:
    original = ClientSession()
    once = wrap(original, Deadline(5), close_original=True)
    twice = wrap(once, Pipeline.of())
    await twice.close()
    assert not is_closed(once)
    assert not is_closed(original)
    twice = wrap(once, Pipeline.of(), close_original=True)
    await twice.close()
    assert is_closed(once)
    assert is_closed(original)


async def test_several_copies_of_one_session_are_closed_each_on_its_own() -> None:
    async with fault_server() as server, client() as original:
        one, another = wrap(original), wrap(original)
        await one.close()
        assert await status_of(another, server.url) == 200
        await another.close()
        assert not is_closed(original)


async def test_a_copy_keeps_the_original_alive() -> None:
    async with fault_server(Reply(503)) as server:
        session = wrap(ClientSession(), Pipeline(policy()), close_original=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gc.collect()
        assert await status_of(session, server.url) == 200
        await session.close()


async def test_a_copy_that_was_closed_does_not_keep_a_closed_original_from_going() -> None:
    original = ClientSession()
    session = wrap(original, close_original=True)
    await session.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del original, session
        gc.collect()


def run(body: str) -> subprocess.CompletedProcess[str]:
    """Run the body of an async main in a process of its own, in which every warning is an error."""
    source = "import asyncio, gc, aiohttp, resilient\nasync def main():\n"
    source += "    asyncio.get_running_loop().slow_callback_duration = 60  # not our affair\n"
    source += textwrap.indent(textwrap.dedent(body), "    ")
    source += "\nasyncio.run(main())\ngc.collect()\nprint('done')"
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


DROPPED = {
    "a copy that was never closed": """
        async with aiohttp.ClientSession() as original:
            session = resilient.wrap(original)
            del session
            gc.collect()
    """,
    "one for each call": """
        async with aiohttp.ClientSession() as original:
            for _ in range(3):
                resilient.wrap(original)
                gc.collect()
    """,
    "a copy in a reference cycle": """
        async with aiohttp.ClientSession() as original:
            class Holder: pass
            holder = Holder()
            holder.session, holder.holder = resilient.wrap(original), holder
            del holder
            gc.collect()
    """,
    "a copy that outlives the loop": """
        global session
        async with aiohttp.ClientSession() as original:
            session = resilient.wrap(original)
    """,
    "a copy of a copy": """
        async with aiohttp.ClientSession() as original:
            with_deadline = resilient.wrap(original, resilient.Deadline(5))
            resilient.wrap(with_deadline, resilient.NormalizeErrors())
            gc.collect()
    """,
    "a call that is never awaited": """
        async with aiohttp.ClientSession() as original:
            session = resilient.wrap(original)
            session.get("http://127.0.0.1:1/").close()
    """,
    "a call that is thrown away half way": """
        async with aiohttp.ClientSession() as original:
            session = resilient.wrap(original)
            server = await asyncio.start_server(lambda *_: None, "127.0.0.1")
            port = server.sockets[0].getsockname()[1]
            call = session.get(f"http://127.0.0.1:{port}/")
            step = call.send(None)
            call.close()
            server.close()
    """,
}


@pytest.mark.parametrize("body", DROPPED.values(), ids=DROPPED)
def test_a_copy_that_is_dropped_says_nothing(body: str) -> None:
    ran = run(body)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("done\n", "", 0)


@pytest.mark.parametrize(
    "body",
    ["session = aiohttp.ClientSession()", "session = resilient.wrap(aiohttp.ClientSession())"],
    ids=["plain", "wrapped"],
)
def test_an_original_that_nobody_closed_speaks_for_itself(body: str) -> None:
    assert "Unclosed client session" in run(body).stderr


async def test_a_copy_is_no_ground_for_complaint_in_this_process_either() -> None:
    async with client() as original:
        with warnings.catch_warnings(record=True, action="always") as caught:
            session = wrap(original)
            del session
            gc.collect()
        assert caught == []
