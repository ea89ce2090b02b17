"""The door of the fault server: one port, the connections behind it, and outages.

Not asyncio's own server: closed while a connection is being accepted it leaks that one
(python/cpython#109564), what its `wait_closed` waits for differs between versions of
Python, and it cannot keep its port without listening on it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Literal

from resilient.testing.server.connection import ClientGone, Connection
from resilient.testing.server.tls import Channel

__all__ = ["Listener"]

_BACKLOG = 1024


class Listener:
    """Accepts connections, runs `serve` in a task for each, and can refuse them for a while.

    The port stays bound from start to end, so that nobody else gets it during an outage:
    connections to a socket that is bound and does not listen are refused.

    Attributes:
        address: Host and port; the port is 0 until a free one was found.
        tls: What connections are encrypted by, if at all.
        state: Whether it listens.
        total: How many connections there have been.
    """

    def __init__(
        self,
        address: tuple[str, int],
        serve: Callable[[Connection], Awaitable[None]],
        changed: Callable[[], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self.tls = tls
        self.state: Literal["new", "listening", "stopped", "closed"] = "new"
        self.total = 0
        self._serve = serve
        self._changed = changed
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._tasks)

    def start(self) -> None:
        """Find the port and listen on it."""
        if self.state != "new":
            raise RuntimeError("the server can be started once")
        self._listen(self._bind())

    async def stop(self) -> None:
        """Refuse new connections and drop those that are open."""
        listener = self._running()
        if self.state == "listening":
            self._close(listener)
            self._bind()
            self.state = "stopped"
        await self._drop_connections()

    def resume(self) -> None:
        """Listen again."""
        listener = self._running()
        if self.state == "stopped":
            self._listen(listener)

    async def aclose(self) -> None:
        """Give the port up and drop the open connections."""
        if self._socket is not None:
            self._close(self._socket)
        self.state = "closed"
        await self._drop_connections()

    def _running(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeError(f"the server is {self.state}")
        return self._socket

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        # Without the protocol asyncio would not set TCP_NODELAY on what is accepted, and slow
        # bytes would wait for an acknowledgement: for ever, where time is virtual.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self.address)
        except OSError as error:
            listener.close()
            where = ":".join(map(str, self.address))
            raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}") from None
        self.address = listener.getsockname()[:2]
        self._socket = listener
        return listener

    def _listen(self, listener: socket.socket) -> None:
        listener.listen(_BACKLOG)
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        self.state = "listening"

    def _close(self, listener: socket.socket) -> None:
        if self.state == "listening":
            asyncio.get_running_loop().remove_reader(listener)
        listener.close()
        self._socket = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        self.total += 1
        task = asyncio.get_running_loop().create_task(self._run(accepted, self.total))
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            accepted.close()  # for a task that was cancelled before it ran
            self._tasks.discard(task)
            self._changed()

        task.add_done_callback(ended)
        self._changed()

    async def _run(self, accepted: socket.socket, number: int) -> None:
        connection = Connection(number, Channel(self.tls) if self.tls is not None else None)
        try:
            await self._open(accepted, connection)
            await self._serve(connection)
            await connection.finish()
        except ClientGone:
            pass
        finally:
            await connection.close()

    async def _open(self, accepted: socket.socket, connection: Connection) -> None:
        """Not to be cancelled half-way.

        uvloop would close the descriptor behind the socket's back, and never tell the
        protocol that its connection is lost.
        """
        loop = asyncio.get_running_loop()
        opening = loop.create_task(loop.connect_accepted_socket(lambda: connection, accepted))
        try:
            await asyncio.shield(opening)
        finally:
            await opening

    async def _drop_connections(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        # What ends the server may be a callable of its script, that is, one of these: it does
        # not wait for itself, and its own cancellation is due at this very await.
        others = [task for task in tasks if task is not asyncio.current_task()]
        if others:
            await asyncio.wait(others)
        elif tasks:
            await asyncio.sleep(0)
