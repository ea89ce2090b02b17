"""A fault server in a process of its own."""

import asyncio
import contextlib
import errno
import importlib.util
import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from resilient.errors import ConfigError
from resilient.testing import FaultServer, Received, Reply, Reset
from resilient.testing.script.mixture import Mixture
from resilient.testing.server.process import FaultServerProcess
from resilient.testing.server.records import Stats
from tests.unit.testing.server.callables import context_of, echo, fails
from tests.unit.testing.support import Certificates, post, request_at

MIXTURE = Mixture({Reply(503): 0.3, Reply(502): 0.2}, otherwise=Reply(200, json={}), seed=1)


@pytest.fixture(scope="module")
def running() -> Iterator[FaultServerProcess]:
    with FaultServerProcess(record=True) as server:
        yield server


@pytest.fixture
def server(running: FaultServerProcess) -> FaultServerProcess:
    running.route("/", then=Reply(200, json={}))
    running.clear()
    return running


def statuses_of_the_seed(count: int) -> list[int]:
    mixture = Mixture(MIXTURE.shares, otherwise=MIXTURE.otherwise, seed=MIXTURE.seed)
    return [mixture(request_at(0)).status for _ in range(count)]  # type: ignore[union-attr]  # they are replies here


async def test_a_script_crosses_and_counts_come_back(
    session: aiohttp.ClientSession, server: FaultServerProcess
) -> None:
    assert server.pid != os.getpid()
    server.route("/", Reply(418), then=MIXTURE)
    statuses = [await post(session, server) for _ in range(21)]
    assert statuses == [418, *statuses_of_the_seed(20)]
    stats = server.stats()
    assert isinstance(stats, Stats)
    assert stats.hits == sum(stats.arrivals.values()) == 21
    assert stats.statuses == {status: statuses.count(status) for status in set(statuses)}
    assert stats.steps == {"Reply": 21}
    assert stats.connections == 1
    server.clear()
    assert server.stats().hits == 0


async def test_requests_come_back_in_order(
    session: aiohttp.ClientSession, server: FaultServerProcess
) -> None:
    bodies = [b"%d" % i for i in range(5)]
    for body in bodies:
        await post(session, server, data=body)
    requests = server.requests()
    assert all(isinstance(request, Received) for request in requests)
    assert [request.body for request in requests] == bodies
    assert [request.time for request in requests] == sorted(r.time for r in requests)


async def test_a_callable_that_can_be_imported_crosses(
    session: aiohttp.ClientSession, server: FaultServerProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    server.route("/", then=echo)
    async with session.post(server.url, data=b"abc") as response:
        assert (response.status, await response.read()) == (201, b"abc")
    assert server.stats().steps == {"Reply": 1}  # the pipe still works


async def test_connections_are_refused_on_demand(
    session: aiohttp.ClientSession, server: FaultServerProcess
) -> None:
    server.stop_listening()
    with pytest.raises(aiohttp.ClientConnectorError):
        await post(session, server)
    server.resume_listening()
    assert await post(session, server) == 200


async def test_what_is_wrong_over_there_is_said_here(
    session: aiohttp.ClientSession, server: FaultServerProcess
) -> None:
    with pytest.raises(ConfigError, match=r"FaultServer\.route's path must be"):
        server.route("x")
    with pytest.raises(ConfigError, match="takes what pickles"):
        server.script(lambda request: Reply())
    with pytest.raises(RuntimeError, match="once"):
        server.start()
    assert await post(session, server) == 200


async def test_what_the_process_cannot_import_is_said_and_harms_nothing(
    session: aiohttp.ClientSession, server: FaultServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_here: Any = types.ModuleType("only_here")
    exec("def answer(request): raise AssertionError", only_here.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", only_here)
    expected = "must stand in a module that its process can import.*only_here"
    with pytest.raises(ConfigError, match=expected):
        server.script(only_here.answer)
    assert await post(session, server) == 200
    with pytest.raises(ConfigError, match=expected), FaultServerProcess(only_here.answer):
        pass


async def test_a_port_that_is_taken_is_said() -> None:
    async with FaultServer() as taken:
        port = taken.url.port or 0
        with (
            pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: ") as caught,
            FaultServerProcess(port=port),
        ):
            pass
    assert caught.value.errno == errno.EADDRINUSE


async def test_a_callable_that_fails_fails_the_test(session: aiohttp.ClientSession) -> None:
    async def run() -> None:
        with FaultServerProcess(then=fails) as server:
            assert await post(session, server) == 500

    with pytest.raises(LookupError, match="oops") as caught:
        await run()
    assert "callables.py" in caught.value.__notes__[0]


async def test_tls_and_another_event_loop(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    factory: Any = asyncio.SelectorEventLoop
    if importlib.util.find_spec("uvloop") is not None:
        import uvloop

        factory = uvloop.new_event_loop
    certificates = Certificates()
    path = tmp_path / "server.pem"
    certificates.issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    with FaultServerProcess(
        Reset(), ssl=partial(context_of, str(path)), loop_factory=factory
    ) as server:
        assert server.url.scheme == "https"
        with pytest.raises(aiohttp.ClientOSError):
            await post(session, server, ssl=certificates.client)
        assert await post(session, server, ssl=certificates.client) == 200
        assert server.requests() == []


# Its life.


def test_a_process_that_has_died_is_said() -> None:
    server = FaultServerProcess()

    def run() -> None:
        with server:
            os.kill(server.pid, signal.SIGKILL)
            with pytest.raises(RuntimeError, match="ended with code -9"):
                server.stats()
            raise KeyError("the test's own")

    with pytest.raises(KeyError) as caught:
        run()
    assert "ended with code -9" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="the server is closed"):
        server.stats()
    server.close()


def test_a_process_that_does_not_start_in_time_is_ended() -> None:
    server = FaultServerProcess(timeout=0.01)
    with pytest.raises(RuntimeError, match=r"no answer within 0\.01 s"):
        server.start()
    with pytest.raises(RuntimeError, match="the server is new"):
        server.stats()


def test_a_process_that_does_not_answer_in_time_is_ended() -> None:
    server = FaultServerProcess()
    server.start()
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    server._timeout = 0.05
    with pytest.raises(RuntimeError, match=r"no answer within 0\.05 s"):
        server.stats()
    with pytest.raises(RuntimeError, match="ended with code -9"):
        server.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


PARENT = """
import os, socket, time, warnings
from resilient.testing import Hang
from resilient.testing.server.process import FaultServerProcess
from tests.unit.testing.server.callables import stuck

# A thread that has been joined may be there for the system a moment longer, before 3.13.
warnings.filterwarnings("ignore", ".* is multi-threaded, use of fork", DeprecationWarning)
with FaultServerProcess(then=stuck) as server:
    {then}
    print(server.url, flush=True)
    # Not one long sleep: a signal that comes just before it is heard at its end.
    for _ in range(6000):
        time.sleep(0.01)
"""

# Holds the parent's end of the pipe open, and not the one that the test reads.
FORK = "os.fork() or (os.close(1), os.close(2), time.sleep(60), os._exit(0))"

# The event loop over there has no time for anything.
STUCK = (
    "socket.create_connection((server.url.host, server.url.port))"
    ".sendall(b'GET / HTTP/1.1' + bytes([13, 10, 13, 10]))"
)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
@pytest.mark.parametrize("then", [FORK, STUCK], ids=["forked", "stuck"])
def test_it_ends_when_its_parent_is_killed(then: str) -> None:
    with parent(then) as process:
        try:
            process.kill()
            # Its standard error is the parent's: this is the end of both.
            assert process.communicate(timeout=10)[1] == ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
def test_it_ends_without_a_word_on_ctrl_c() -> None:
    with parent("pass") as process:
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=10)
    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")


def parent(then: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    return process


# What it refuses.


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"then": 503}, "an answer of FaultServer must be"),
        ({"port": -1}, "FaultServer.port must be"),
        ({"offline": [5]}, "FaultServer.offline must be"),
        ({"record": 1}, "FaultServer.record must be"),
        ({"ssl": "cert.pem"}, "FaultServerProcess.ssl must be"),
        ({"loop_factory": "uvloop"}, "FaultServerProcess.loop_factory must be"),
        ({"timeout": 0}, "FaultServerProcess.timeout must be"),
        ({"then": lambda request: Reply()}, "FaultServerProcess takes what pickles, so no lambda"),
        ({"loop_factory": lambda: None}, "FaultServerProcess takes what pickles, so no lambda"),
    ],
)
def test_what_makes_no_sense_is_refused_before_it_is_started(kwargs: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FaultServerProcess(**kwargs)


def test_a_server_that_was_never_started() -> None:
    server = FaultServerProcess()
    server.close()
    with pytest.raises(RuntimeError, match="no port"):
        _ = server.url
    with pytest.raises(RuntimeError, match="the server is new"):
        server.stats()
