"""Run a minimal server in a process of its own.

With two cores the client and the server have one each, and the slower of them sets the figures.
`resilient.testing.FaultServer` parses and records, and is about as slow as the client. This
server only looks for the end of a head and writes the same bytes each time, for requests
without a body.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import cast

__all__ = ["FAILING", "SILENT", "running_server"]

# The path at which every answer is a 503 with a JSON error, and the one at which there is none.
FAILING, SILENT = "/failing", "/silent"


def _answer(status: bytes, body: bytes) -> bytes:
    length = str(len(body)).encode()
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n"
        b"Content-Length: " + length + b"\r\n\r\n" + body
    )


_GOOD = _answer(b"200 OK", b'{"id": "mtg_1"}')
_ERROR = _answer(
    b"503 Service Unavailable",
    b'{"error": {"code": "unavailable", "message": "try again later", "request_id": "req_1"}}',
)

# By the beginning of a head; every other is answered well.
_ANSWERS = {b"GET " + FAILING.encode(): _ERROR, b"GET " + SILENT.encode(): b""}


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """Run a server, and yield a URL on it at which it answers 200.

    It ends with the context, or with this process.
    """
    # By its path and isolated (-I): it imports nothing of ours, so it needs no module path.
    process = subprocess.Popen(
        [sys.executable, "-I", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C does not reach it: the parent decides when it ends.
        start_new_session=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline()
            if not port:
                raise RuntimeError("the server's process has ended; its standard error says why")
            yield f"http://127.0.0.1:{int(port)}/meetings/mtg_1"
        finally:
            process.kill()


def _answer_to(head: bytes) -> bytes:
    return next((answer for start, answer in _ANSWERS.items() if head.startswith(start)), _GOOD)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self._tail + data
        heads = data.count(b"\r\n\r\n")
        self._tail = data[data.rindex(b"\r\n\r\n") + 4 :] if heads else data
        # Whoever sends several heads at once asks for the same thing.
        self._transport.write(_answer_to(data) * heads)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # until the parent has closed it, or is gone
    os._exit(0)


if __name__ == "__main__":
    # On systems without sessions Ctrl-C reaches it all the same.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    asyncio.run(_serve())
