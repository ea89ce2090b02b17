"""A first failure imports nothing: not when descriptors have run out, not while others wait."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, sys
import aiohttp
import resilient
from resilient.testing import Disconnect, FakeClock, FaultServer, Reply

pipeline = resilient.Pipeline(resilient.Policy(
    retry=resilient.RetryPolicy(backoff=resilient.Backoff(base=0.001))), clock=FakeClock())

REPLIES = [
    Reply(503), Reply(429, headers={"Retry-After": "0"}), Disconnect(),
    Reply(404, json={"error": {"code": "a", "message": "b", "details": []}}),
    Reply(400, json={"statusCode": 400, "message": "x", "errors": [{"field": "a"}]}),
    Reply(422, json={"title": "x"}, headers={"Content-Type": "application/problem+json"}),
    Reply(500, body=b"<html>"),
]

async def main():
    async with FaultServer() as server, aiohttp.ClientSession() as session:
        # What the server and aiohttp themselves import for a failure is not ours.
        server.script(*REPLIES)
        for _ in REPLIES:
            try:
                async with session.get(server.url) as response:
                    await response.read()
            except aiohttp.ClientError:
                pass
        before = {*sys.modules}
        server.script(*REPLIES)
        for _ in REPLIES:
            try:
                async with session.get(server.url, middlewares=[pipeline]) as response:
                    await response.read()
            except aiohttp.ClientError:
                pass
        await server.stop_listening()
        try:
            await session.get(server.url, middlewares=[pipeline])
        except aiohttp.ClientError as error:
            str(error), error.attempts
        print(*({*sys.modules} - before))

asyncio.run(main())
"""


def test_a_first_failure_of_any_common_kind_imports_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
