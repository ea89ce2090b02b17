"""Listen on one port of the fault server: accept connections, and refuse them in outages.

Not asyncio's own server: closed while a connection is being accepted it leaks that one
(python/cpython#109564), its `wait_closed` waits for different things in different versions
of Python, and it cannot keep its port without listening on it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Literal

from resilient.testing.server.connection import ClientGone, Connection
from resilient.testing.server.tls import Channel

__all__ = ["Port"]

_logger = logging.getLogger("resilient.testing")

_BACKLOG = 1024

# Seconds until connections are accepted again after the system had no descriptor for one.
_RETRY = 0.1


class Port:
    """Accept connections, run `serve` in a task for each, and refuse them for a while.

    The port stays bound from start to end, so that nobody else gets it during an outage:
    connections to a socket that is bound and does not listen are refused.

    A connection that the system has no file descriptor for waits in the backlog: that is
    logged as a warning, and accepting is tried again every 0.1 seconds.

    Args:
        address: The host and the port; 0 for a free port.
        serve: A function to run for each connection.
        changed: A function to call when a connection has come or gone.
        failed: A function to call with an exception that `serve` let out.
        tls: The context to encrypt connections with, or None.

    Attributes:
        address: The host and the port; the port is 0 until a free one was found.
        tls: The context to encrypt connections with, or None.
        state: Whether the port listens.
        total: The number of connections accepted since the start.
    """

    def __init__(
        self,
        address: tuple[str, int],
        serve: Callable[[Connection], Awaitable[None]],
        changed: Callable[[], None],
        failed: Callable[[BaseException], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self.tls = tls
        self.state: Literal["new", "listening", "stopped", "closed"] = "new"
        self.total = 0
        self._serve = serve
        self._changed = changed
        self._failed = failed
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        # Accepts where the event loop has no `add_reader`.
        self._accepting: asyncio.Task[None] | None = None
        # Set while there is no descriptor for the next connection.
        self._retry: asyncio.TimerHandle | None = None
        self._is_short = False

    @property
    def connections(self) -> int:
        """Return the number of connections open."""
        return len(self._tasks)

    def start(self) -> None:
        """Find the port and listen on it.

        Raises:
            OSError: The port cannot be had.
            RuntimeError: It was started before.
        """
        if self.state != "new":
            raise RuntimeError("the server can be started once")
        self._listen(self._bind())

    async def stop(self) -> None:
        """Refuse new connections and drop those that are open."""
        bound = self._bound()
        if self.state == "listening":
            await self._close(bound)
            self._bind()
            self.state = "stopped"
        await self._drop_connections()

    def resume(self) -> None:
        """Listen again."""
        bound = self._bound()
        if self.state == "stopped":
            self._listen(bound)

    async def aclose(self) -> None:
        """Give the port up and drop the open connections."""
        if self._socket is not None:
            await self._close(self._socket)
        self.state = "closed"
        await self._drop_connections()

    def _bound(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeError(f"the server is {self.state}")
        return self._socket

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        # Without the protocol asyncio would not set TCP_NODELAY on what is accepted, and slow
        # bytes would wait for an acknowledgement: for ever, where time is virtual.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(self.address)
        except OSError as error:
            bound.close()
            where = ":".join(map(str, self.address))
            raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}") from None
        self.address = bound.getsockname()[:2]
        self._socket = bound
        return bound

    def _listen(self, bound: socket.socket) -> None:
        bound.listen(_BACKLOG)
        self._watch(bound)
        self.state = "listening"

    async def _close(self, bound: socket.socket) -> None:
        accepting, self._accepting = self._accepting, None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        elif accepting is not None:
            accepting.cancel()
        elif self.state == "listening":
            asyncio.get_running_loop().remove_reader(bound)
        bound.close()
        self._socket = None
        if accepting is not None:
            await asyncio.wait([accepting])

    # Accepting.

    def _watch(self, bound: socket.socket) -> None:
        self._retry = None
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(bound, self._accept, bound)
        except NotImplementedError:
            self._accepting = loop.create_task(self._accept_all(bound))

    async def _accept_all(self, bound: socket.socket) -> None:
        """Accept connections by a task: the way of the proactor, the event loop of Windows.

        Not everywhere: the connection that comes while the task is cancelled would be lost.
        """
        while True:
            try:
                accepted, _ = await asyncio.get_running_loop().sock_accept(bound)
            except (ConnectionAbortedError, InterruptedError):
                continue
            except OSError as error:
                self._accepting = None
                self._back_off(bound, error)
                return
            self._take(accepted)

    def _accept(self, bound: socket.socket) -> None:
        try:
            accepted, _ = bound.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        except OSError as error:
            asyncio.get_running_loop().remove_reader(bound)
            self._back_off(bound, error)
            return
        self._take(accepted)

    def _take(self, accepted: socket.socket) -> None:
        if self._is_short:
            self._is_short = False
            _logger.info("the fault server accepts connections again")
        self.total += 1
        task = asyncio.get_running_loop().create_task(self._run(accepted, self.total))
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            accepted.close()  # for a task that was cancelled before it ran
            self._tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._failed(error)
            self._changed()

        task.add_done_callback(ended)
        self._changed()

    def _back_off(self, bound: socket.socket, error: OSError) -> None:
        """Look away for a while: the connection stays, and the loop would come back at once."""
        if not self._is_short:
            self._is_short = True
            _logger.warning(
                "the fault server cannot accept connections, and tries again every %g s: %s",
                _RETRY,
                error,
            )
        self._retry = asyncio.get_running_loop().call_later(_RETRY, self._watch, bound)

    # Connections.

    async def _run(self, accepted: socket.socket, number: int) -> None:
        connection = Connection(number, Channel(self.tls) if self.tls is not None else None)
        try:
            await self._open(accepted, connection)
            await self._serve(connection)
            await connection.finish()
        except (ClientGone, OSError):
            # Of the socket: the client was quicker. Errors of the user's code end in `serve`.
            pass
        finally:
            await connection.close()

    async def _open(self, accepted: socket.socket, connection: Connection) -> None:
        """Open a connection, without being cancelled half-way.

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
        # A callable of the script may end the server, in one of these very tasks: it does not
        # wait for itself, and its own cancellation is due at this very await.
        others = [task for task in tasks if task is not asyncio.current_task()]
        if others:
            await asyncio.wait(others)
        elif tasks:
            await asyncio.sleep(0)
