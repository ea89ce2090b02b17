"""Each test here leaves the event loop and the process as it found them."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest


def _open_sockets() -> set[str]:
    """This process's internet sockets; the event loop has others of its own."""
    if sys.platform != "linux":
        return set()
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            link = os.readlink(f"/proc/self/fd/{descriptor}")
            if link.startswith("socket:"):
                with socket.socket(fileno=os.dup(int(descriptor))) as copy:
                    if copy.family in (socket.AF_INET, socket.AF_INET6):
                        found.add(link)
        except OSError:  # the listing's own descriptor
            continue
    return found


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    before = _open_sockets()
    yield
    for _ in range(3):  # aiohttp's transports close in the loop's next turns
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert _open_sockets() <= before
    assert problems == []


@pytest.fixture
async def session(_nothing_left: None) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
