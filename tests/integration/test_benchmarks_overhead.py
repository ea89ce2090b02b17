"""The processes that the overhead benchmark starts."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import aiohttp
import pytest
from yarl import URL

from benchmarks.overhead.imports import import_time
from benchmarks.overhead.server import running_server


async def test_the_server_answers_requests_on_one_connection() -> None:
    with running_server() as url:
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.get(url) as response:
                    assert response.status == 200
                    assert await response.json() == {"id": "mtg_1"}


async def test_the_server_answers_each_head_once_however_it_arrives() -> None:
    with running_server() as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
        head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        for piece in (head[:20], head[20:-1], head[-1:] + head + head[:-1], head[-1:]):
            writer.write(piece)
            await asyncio.sleep(0.001)  # so that it arrives by itself
        async with asyncio.timeout(10):
            for _ in range(3):
                await reader.readuntil(b'{"id": "mtg_1"}')
        writer.close()
        await writer.wait_closed()


async def test_the_server_is_gone_when_its_context_is() -> None:
    with running_server() as url:
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", URL(url).port)


def test_an_import_is_measured_in_a_new_interpreter() -> None:
    found = import_time(
        "import sys; assert 'aiohttp' in sys.modules and 'pytest' not in sys.modules"
    )
    assert found.aiohttp > found.added >= 0


@pytest.mark.skipif(sys.platform == "win32", reason="has no sessions")
def test_ctrl_c_does_not_reach_what_is_imported() -> None:
    import_time("import os; assert os.getsid(0) == os.getpgrp() == os.getpid()")


def test_an_import_that_fails_is_no_figure() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        import_time("import no_such_module")
