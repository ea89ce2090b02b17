"""A port whose process is out of file descriptors."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from resilient.testing import FaultServer, Reply
from resilient.testing.server import port
from tests.unit.testing.support import GET

if sys.platform == "win32":
    pytest.skip("there is no such limit", allow_module_level=True)

import resource

GONE_ON = "the fault server accepts connections again"


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry each time that the port tries to accept."""
    tried: list[None] = []
    accept = port.Port._accept

    def counting(self: port.Port, bound: socket.socket) -> None:
        tried.append(None)
        accept(self, bound)

    monkeypatch.setattr(port.Port, "_accept", counting)
    return tried


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket() as client:
        client.setblocking(False)
        yield client


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_backs_off_and_goes_on_when_there_are_some_again(
    tries: list[None],
    client: socket.socket,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("INFO", "resilient.testing")
    loop = asyncio.get_running_loop()
    async with FaultServer(Reply(201, keep_alive=False)) as server:
        monkeypatch.setattr(port, "_RETRY", 0.01)
        with no_descriptor_left():
            await loop.sock_connect(client, (server.url.host, server.url.port))
            await turns(300)
            assert 1 <= len(tries) <= 30
            await asyncio.sleep(0.05)
            assert 2 <= len(tries) <= 60
            (warning,) = [each for each in caplog.records if each.name == "resilient.testing"]
            assert warning.levelname == "WARNING"
            assert "cannot accept connections, and tries again every 0.01 s" in warning.message
            assert "Too many open files" in warning.message
        await loop.sock_sendall(client, GET)
        assert b"201" in await loop.sock_recv(client, 1000)
        await server.wait_for(hits=1)
        assert caplog.records[-1].message == GONE_ON


@pytest.mark.parametrize("outage", [False, True], ids=["closed", "an outage"])
async def test_it_can_be_closed_meanwhile(
    tries: list[None], client: socket.socket, outage: bool
) -> None:
    loop = asyncio.get_running_loop()
    async with FaultServer() as server:
        with no_descriptor_left():
            await loop.sock_connect(client, (server.url.host, server.url.port))
            await turns(20)
            assert len(tries) == 1
            if outage:
                await server.stop_listening()
        if outage:
            await server.resume_listening()
            with socket.socket() as another:
                another.setblocking(False)
                await loop.sock_connect(another, (server.url.host, server.url.port))
                await server.wait_for(connections=1)
