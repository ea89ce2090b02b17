"""The processes that the overhead benchmark starts."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

import aiohttp
import pytest
from yarl import URL

from benchmarks.overhead import first_failure, instructions
from benchmarks.overhead.counted_calls import (
    HANDLER,
    MOST,
    SESSION,
    counted_rows,
    make_calls,
)
from benchmarks.overhead.failures import ANSWERED, REFUSED, TIMED_OUT, failing_url
from benchmarks.overhead.imports import import_time
from benchmarks.overhead.instructions import _count, instructions_of
from benchmarks.overhead.references import NOTHING
from benchmarks.overhead.server import running_server
from benchmarks.overhead.settings import PROFILER
from benchmarks.overhead.stalls import stall


async def test_the_server_answers_requests_on_one_connection() -> None:
    with running_server() as url:
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.get(url) as response:
                    assert response.status == 200
                    assert await response.json() == {"id": "mtg_1"}


async def test_the_server_fails_and_is_silent_where_that_is_asked_for() -> None:
    with running_server() as url:
        good = URL(url)
        async with aiohttp.ClientSession() as session:
            for kind, status in ((ANSWERED, 503), (ANSWERED, 503)):
                async with session.get(failing_url(kind, good)) as response:
                    assert response.status == status
                    assert (await response.json())["error"]["code"] == "unavailable"
            async with session.get(good) as response:  # on the same connection
                assert response.status == 200
            with pytest.raises(aiohttp.ServerTimeoutError):
                await session.get(
                    failing_url(TIMED_OUT, good), timeout=aiohttp.ClientTimeout(sock_read=0.02)
                )
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(failing_url(REFUSED, good))


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


@pytest.mark.parametrize("client", first_failure.CLIENTS)
def test_a_stall_is_measured_in_a_new_interpreter(client: str) -> None:
    with running_server() as url:
        for kind in (ANSWERED, REFUSED):
            assert 0 < stall(client, failing_url(kind, URL(url))) < 10_000


async def test_the_longest_stall_is_that_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    original = asyncio.events.Handle._run

    async def busy(session: object, url: str) -> None:
        began = time.thread_time()
        while time.thread_time() < began + 0.03:
            pass

    monkeypatch.setattr(first_failure, "_fail", busy)
    assert 0.03 <= await first_failure.longest_stall(first_failure.ALONE, "") < 10
    assert asyncio.events.Handle._run is original


@pytest.mark.parametrize("way", [HANDLER, SESSION])
def test_the_calls_that_are_counted_are_made(way: str) -> None:
    with running_server() as url:
        for row in counted_rows(way, URL(url)):
            asyncio.run(make_calls(way, row, 2, URL(url)))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(PROFILER) is None, reason="needs valgrind")
def test_instructions_of_a_process_are_counted() -> None:
    with running_server() as url:
        assert _count(HANDLER, NOTHING.label, 0, URL(url)) > 10_000_000


def test_instructions_of_a_call_are_the_difference_of_two_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[tuple[str, ...]] = []

    def run(*arguments: str, under: Sequence[str] = (), **_: object) -> str:
        runs.append((*arguments[-4:], *under[:1]))
        return f"==1== Collected : {1_000_000 + int(arguments[-2]) * 1234}\n" if under else ""

    monkeypatch.setattr(instructions, "run_python", run)
    url = URL("http://a.example")
    assert instructions_of(HANDLER, "row", url) == 1234
    assert runs == [
        (HANDLER, "row", "0", str(url)),  # only compiles
        (HANDLER, "row", "0", str(url), PROFILER),
        (HANDLER, "row", str(MOST), str(url), PROFILER),
    ]


def test_a_profiler_that_counts_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "run_python", lambda *_, **__: "valgrind: no such tool")
    with pytest.raises(RuntimeError, match="counted nothing: valgrind: no such tool"):
        instructions_of(HANDLER, "row", URL("http://a.example"))
