"""What the connection pool can tell about an attempt that failed.

Two failures say nothing of a server: a pooled connection that it had closed while idle
(the keep-alive race of RFC 9112 9.3.1), and waiting for a free place in our own pool.
Neither shows in the exception. So a connection is marked when it has brought a response, and
before an attempt the places in the pool are counted.

A connection that only others have used, without a middleware of ours, counts as fresh.

aiohttp publishes neither whose connection a response came by, nor how much of a pool is in use.
A connector that keeps its books otherwise is taken to open a fresh connection each time.
"""

from __future__ import annotations

from typing import Any

from aiohttp import ClientRequest, ClientResponse

__all__ = ["is_full", "mark_used", "was_reused"]


def mark_used(response: Any) -> None:
    """Note that a connection has brought a response, and may be used again."""
    connection = getattr(response, "_protocol", None)
    if connection is not None:
        connection._resilient_used = True


def was_reused(request: ClientRequest, before: ClientResponse | None) -> bool:
    """Whether the connection of an attempt without a response had brought one before.

    Args:
        request: The request.
        before: `request.response` as it was before the attempt; aiohttp replaces it as soon as
            it writes.
    """
    response: Any = request.response
    if response is before:
        return False
    return getattr(getattr(response, "_protocol", None), "_resilient_used", False)


def is_full(request: ClientRequest) -> bool:
    """Whether the pool has no place for another connection of the request's."""
    session: Any = request.session
    try:
        connector = session._connector
        if connector._limit and len(connector._acquired) >= connector._limit:
            return True
        return bool(
            connector._limit_per_host
            and connector._available_connections(request.connection_key) <= 0
        )
    except AttributeError:
        return False
