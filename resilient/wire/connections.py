"""Facts about the connection pool, as far as aiohttp's connector lets them be seen.

Two failures say nothing of a server: a pooled connection that it had closed while idle
(the keep-alive race of RFC 9112 9.3.1), and waiting for a free place in our own pool.
Neither shows in the exception. So a connection is marked when it has brought a response, and
before an attempt the places in the pool are counted.

A connection that only others have used, without a middleware of ours, counts as fresh. A
connector that keeps its books otherwise than aiohttp's own is taken to open a fresh connection
each time, to be never full, and to close unnoticed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sized
from typing import Any

from aiohttp import ClientRequest, ClientResponse, ClientSession

from resilient.errors import SessionClosedError

__all__ = [
    "CloseWatch",
    "Pool",
    "check_open",
    "drop_idle",
    "is_full",
    "look_at_pool",
    "mark_used",
    "pool_turn",
    "session_closed",
    "was_reused",
    "watch_close",
]

Task = asyncio.Task[Any]


def mark_used(response: Any) -> None:
    """Note that a connection has brought a response, and may be used again."""
    connection = getattr(response, "_protocol", None)
    if connection is not None:
        connection._resilient_used = True


def was_reused(request: ClientRequest, before: ClientResponse | None) -> bool:
    """Return whether an attempt had no response, and its connection had brought one before.

    Args:
        request: The request.
        before: `request.response` as it was before the attempt; aiohttp replaces it as soon as
            it writes.
    """
    response: Any = request.response
    if response is before or response.status is not None:
        return False
    return getattr(getattr(response, "_protocol", None), "_resilient_used", False)


def drop_idle(request: ClientRequest) -> None:
    """Close the idle connections that the request could be given.

    If the server has closed one of them, it will have closed the others of that age too.
    """
    connector: Any = getattr(request.session, "_connector", None)
    pooled = getattr(connector, "_conns", None)
    if isinstance(pooled, dict):
        for protocol, _ in pooled.pop(request.connection_key, ()):
            protocol.close()


def is_full(request: ClientRequest) -> bool:
    """Return whether the pool has no place for another connection of the request's."""
    asked: Any = request
    try:
        # Not by the properties: every attempt pays for them.
        connector = asked._session._connector
        if connector._limit and len(connector._acquired) >= connector._limit:
            return True
        return bool(
            connector._limit_per_host
            and connector._available_connections(request.connection_key) <= 0
        )
    except AttributeError:
        return False


class Pool:
    """The parts of a connector that say whether it is full.

    Attributes:
        taken: Its connections that are out, as they are at any time.
        places: How many there may be; infinity for no limit.
        is_by_host: Whether there is a limit for each host too.
    """

    __slots__ = ("is_by_host", "places", "taken")

    def __init__(self, connector: Any) -> None:
        self.taken: Sized = getattr(connector, "_acquired", ())
        self.places: float = getattr(connector, "_limit", 0) or math.inf
        self.is_by_host = bool(getattr(connector, "_limit_per_host", 0))


def look_at_pool(request: ClientRequest) -> None:
    """Keep the `Pool` of a request's session with it, as `_resilient_pool`, if it is open.

    Reading it there costs a third of what reading the connector does.
    """
    session: Any = request.session
    connector: Any = getattr(session, "_connector", None)
    if connector is not None:
        # object's own: aiohttp warns about attributes that it does not know in debug mode.
        object.__setattr__(session, "_resilient_pool", Pool(connector))


def pool_turn(request: ClientRequest, task: Task) -> asyncio.Future[None] | None:
    """Return the future by which the pool gives a waiting task its turn, or None.

    None means that the task does not wait for a place in the pool, or that its wait cannot be
    seen: a middleware has the request run in another task.
    """
    connector: Any = getattr(request.session, "_connector", None)
    waiters = getattr(connector, "_waiters", None)
    awaited: Any = getattr(task, "_fut_waiter", None)
    if awaited is None or not isinstance(waiters, dict):
        return None
    return awaited if awaited in waiters.get(request.connection_key, ()) else None


def check_open(session: ClientSession) -> None:
    """Make sure that a session is not closed.

    Raises:
        SessionClosedError: It is.
    """
    if session.closed:
        raise SessionClosedError


class CloseWatch:
    """Calls back when a session is closed, until it is cancelled."""

    __slots__ = ("_closing", "callback", "session")

    def __init__(
        self, closing: _Closing, session: ClientSession, callback: Callable[[], object]
    ) -> None:
        self._closing = closing
        self.session = session
        self.callback = callback

    def cancel(self) -> None:
        """Call back no more."""
        self._closing.leave(self)


class _Closing:
    """Stands in a connector's list of transports that it aborts when it is closed.

    aiohttp tells nobody that a session was closed, and drops a connector's books in silence.
    That list is the one place where it still calls out.
    """

    def __init__(self, connector: Any) -> None:
        self._connector = connector
        self.watches: dict[CloseWatch, None] = {}

    def abort(self) -> None:
        """Tell everyone, if the connector is closed and not only cleaning up."""
        if self._connector.closed:
            for watch in list(self.watches):
                watch.callback()
        elif self.watches:
            # The clean-up begins a new list when it is through with this one.
            asyncio.get_running_loop().call_soon(self.stand)

    def stand(self) -> None:
        """Take the place in the list."""
        transports = self._connector._cleanup_closed_transports
        if self.watches and self not in transports:
            transports.append(self)

    def leave(self, watch: CloseWatch) -> None:
        """Forget a watch, and the place with the last one."""
        self.watches.pop(watch, None)
        if not self.watches:
            transports = self._connector._cleanup_closed_transports
            if self in transports:
                transports.remove(self)


def watch_close(session: ClientSession, callback: Callable[[], object]) -> CloseWatch | None:
    """Call back when a session's connector is closed, or the session told us that it is.

    A session that only borrows its connector closes without a sign (but one that `wrap` made);
    None if nothing can be watched at all.
    """
    connector: Any = session.connector
    if connector is None or not hasattr(connector, "_cleanup_closed_transports"):
        return None
    closing = connector.__dict__.get("_resilient_closing")
    if closing is None:
        closing = connector._resilient_closing = _Closing(connector)
    watch = CloseWatch(closing, session, callback)
    closing.watches[watch] = None
    closing.stand()
    return watch


def session_closed(session: ClientSession, connector: Any) -> None:
    """Tell those who wait under a session that it has let go of its connector."""
    closing = getattr(connector, "_resilient_closing", None)
    if closing is not None:
        for watch in list(closing.watches):
            if watch.session is session:
                watch.callback()
